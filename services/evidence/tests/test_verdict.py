"""Every branch of the verdict, warm-up, and totals that add up."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aura_contract.results import PlanCounts, Verdict, WindowRecord
from aura_evidence.comparison import Difference, paired
from aura_evidence.verdict import decide, make_verdict
from aura_evidence.warmup import Warmup, warmup

Record = Callable[..., WindowRecord]


def judged(records: Sequence[WindowRecord], capacity_items: int = 100, **changes: object) -> Verdict:
    plans = {"aura": PlanCounts(decided=3, applied=2, refused=1, unplanned={"timeout": 1})}
    planners = {"baseline": None, "aura": "heuristic"}
    values = {"events": 5000, "bad_rows": 2, "wall_seconds": 2.0, "data_sha256": "ab" * 32, "seed": 1} | changes
    return make_verdict("exp", "run-1", records, plans, planners, capacity_items=capacity_items, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("delta", "low", "high", "windows", "reads", "name", "words"),
    [
        (1.5, 1.0, 2.0, 20, 1.0, "Better", "gained 1.50 points of hit ratio (95 % interval +1.00 to +2.00, 20 windows)"),
        (1.5, 1.0, 2.0, 20, 1.05, "Better", "1.050 × the baseline's backend reads"),
        (1.5, 1.0, 2.0, 20, 1.051, "Inconclusive", "bought with more backend reads: 1.051 × the baseline's"),
        (-1.5, -2.0, -1.0, 20, 1.0, "Worse", "lost 1.50 points"),
        (-1.5, -2.0, -1.0, 20, 2.0, "Worse", "2.000 ×"),
        (0.05, -0.1, 0.2, 20, 1.0, "NoDifference", "within the 0.2 points"),
        (-0.05, -0.2, 0.1, 20, 1.0, "NoDifference", "within the 0.2 points"),
        (0.1, 0.05, 0.15, 20, 1.0, "NoDifference", "within the 0.2 points"),
        (0.19, 0.05, 0.4, 20, 1.0, "Inconclusive", "no more than the 0.2 points"),
        (-0.2, -0.4, -0.05, 20, 1.0, "Inconclusive", "no more than the 0.2 points"),
        (0.2, 0.01, 0.4, 20, 1.0, "Inconclusive", "no more than the 0.2 points"),
        (1.0, -0.5, 2.5, 20, 1.0, "Inconclusive", "too uncertain to tell"),
        (9.0, 8.0, 10.0, 3, 1.0, "Inconclusive", "Only 3 windows left after warm-up, and an interval needs 4"),
        (9.0, 8.0, 10.0, 1, 1.0, "Inconclusive", "Only 1 window left"),
        (9.0, 8.0, 10.0, 4, 1.0, "Better", "4 windows"),
    ],
)
def test_each_branch(delta: float, low: float, high: float, windows: int, reads: float, name: str, words: str) -> None:
    verdict, reason = decide(Difference(delta, low, high), windows, reads)
    assert verdict == name
    assert words in reason
    assert reason.endswith(".")


def test_nothing_to_compare_is_inconclusive() -> None:
    assert decide(None, 0, 1.0)[0] == "Inconclusive"
    verdict = judged([])
    assert verdict.verdict == "Inconclusive"
    assert (verdict.delta_points, verdict.interval, verdict.windows) == (0.0, (0.0, 0.0), 0)
    assert set(verdict.arms) == {"baseline", "aura"}


def test_a_run_from_records_to_verdict(record: Record) -> None:
    records = []
    for window in range(24):
        records.append(record("baseline", window, hits=400 + 10 * (window % 3)))
        records.append(record("aura", window, hits=430 + 10 * (window % 3), prefetches=5, prefetch_hits=3))
    verdict = judged(records, capacity_items=2000)
    assert verdict.verdict == "Better"
    assert verdict.warmup_windows == 7
    assert verdict.windows == 24
    assert verdict.delta_points == pytest.approx(3.0)
    assert verdict.events_per_second == 2500
    aura = verdict.arms["aura"]
    assert aura.hits + aura.misses == aura.requests == 24000
    assert (aura.prefetches, aura.prefetch_hits) == (120, 72)
    assert aura.backend_reads == aura.misses + aura.prefetches
    assert (aura.planner, aura.plans.refused, verdict.arms["baseline"].planner) == ("heuristic", 1, None)
    assert aura.batch_p99_ms == pytest.approx(1.23)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_reads_in_the_warm_up_count_too(record: Record) -> None:
    records = []
    for window in range(20):
        records.append(record("baseline", window))
        bought = 2000 if window == 0 else 0
        records.append(record("aura", window, hits=510, prefetches=bought))
    assert "bought with more backend reads" in judged(records, capacity_items=200).reason


def test_a_short_log_says_what_its_warm_up_was(record: Record) -> None:
    records = [record(arm, window) for window in range(9) for arm in ("baseline", "aura")]
    verdict = judged(records, capacity_items=10**6)
    assert verdict.warmup_windows == 4
    assert verdict.verdict == "NoDifference"
    assert "not filled its 1,000,000 items twice within half of the log" in verdict.reason


def test_windows_that_one_arm_lacks_are_left_out(record: Record) -> None:
    records = [record("baseline", 0), record("baseline", 1), record("aura", 1), record("aura", 1, hits=600)]
    pair = paired(records, "aura")
    assert pair.windows.tolist() == [1]
    assert pair.hits.tolist() == [600]


@pytest.mark.parametrize(
    ("fills", "capacity", "expected"),
    [
        ([], 10, Warmup(0, False)),
        ([5], 1, Warmup(0, False)),
        ([20, 0, 0, 0], 10, Warmup(1, True)),
        ([10, 9, 1, 1, 0, 0], 10, Warmup(3, True)),
        ([10, 9, 1, 1, 0], 10, Warmup(2, False)),
        ([1] * 10, 10, Warmup(5, False)),
    ],
)
def test_warm_up_is_two_fills_and_at_most_half(fills: list[int], capacity: int, expected: Warmup) -> None:
    assert warmup(fills, capacity) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(0, 50)), max_size=30), st.integers(1, 5000))
def test_totals_add_up(record: Record, windows: list[tuple[int, int, int]], capacity: int) -> None:
    records = []
    for window, (a, b, prefetches) in enumerate(windows):
        requests = max(a, b)
        records.append(record("baseline", window, requests, b))
        records.append(record("aura", window, requests, a, prefetches=prefetches))
    verdict = judged(records, capacity_items=capacity)
    for arm in verdict.arms.values():
        assert arm.requests == sum(max(a, b) for a, b, _ in windows)
        assert arm.hits + arm.misses == arm.requests
        assert arm.backend_reads == arm.misses + arm.prefetches
        assert 0 <= arm.hit_ratio <= 1
    assert 2 * verdict.warmup_windows <= verdict.windows
    assert verdict.interval[0] <= verdict.interval[1]
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
