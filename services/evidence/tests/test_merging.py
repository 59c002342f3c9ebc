"""Shards as one run: sums, ratios of sums, and one shard unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_contract.plan import Policy
from aura_contract.results import CategoryHits, CategoryTotals, PlanCounts, WindowRecord
from aura_evidence.merging import SUMMED, MergeError, merge_categories, merge_plans, merge_windows

ARMS = ("baseline", "aura")
POLICIES = (Policy(), Policy(frequency="high"), Policy(admit="second_hit"))
COUNTS = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 40), st.integers(0, 40), st.integers(0, 2000))
WINDOW = 100


def record(window: int, arm: str, counts: tuple[int, int, int, int, int], **changes: object) -> WindowRecord:
    hits, misses, prefetches, prefetch_hits, items = counts
    requests = hits + misses
    fields = {
        "arm": arm,
        "window": window,
        "first_event": window * WINDOW,
        "last_event": window * WINDOW + WINDOW - 1,
        "end_v": (window + 1) * WINDOW,
        "requests": requests,
        "hits": hits,
        "misses": misses,
        "fills": misses // 2,
        "prefetches": prefetches,
        "prefetch_hits": prefetch_hits,
        "backend_reads": misses + prefetches,
        "hit_ratio": round(hits / requests, 6) if requests else 0.0,
        "pressure": 0.5,
        "items": items,
        "policy": POLICIES[hits % 3],
        "plan_id": f"p{hits}" if hits % 2 else None,
        "held_requests": requests // 10,
        "held_hits": hits // 10,
        "batch_p50_ms": 1.0,
        "batch_p99_ms": 2.0,
    }
    return WindowRecord.model_validate({**fields, **changes})


def shard_of(windows: list[list[tuple[int, int, int, int, int]]]) -> list[WindowRecord]:
    return [record(number, arm, each) for number, arms in enumerate(windows) for arm, each in zip(ARMS, arms, strict=True)]


SHARDS = st.integers(1, 6).flatmap(
    lambda windows: st.lists(
        st.lists(st.lists(COUNTS, min_size=2, max_size=2), min_size=windows, max_size=windows), min_size=1, max_size=5
    )
)


@given(SHARDS)
def test_counts_are_sums_and_ratios_are_theirs(shards: list[list[list[tuple[int, int, int, int, int]]]]) -> None:
    parts = [shard_of(windows) for windows in shards]
    merged = merge_windows(parts)
    assert [(one.window, one.arm) for one in merged] == [(one.window, one.arm) for one in parts[0]]
    for number, whole in enumerate(merged):
        for name in SUMMED:
            assert getattr(whole, name) == sum(getattr(part[number], name) for part in parts), name
        assert whole.hits + whole.misses == whole.requests
        assert whole.hit_ratio == pytest.approx(whole.hits / whole.requests if whole.requests else 0.0, abs=1e-6)
        assert whole.policy in [part[number].policy for part in parts]


@given(SHARDS)
def test_one_shard_is_the_run(shards: list[list[list[tuple[int, int, int, int, int]]]]) -> None:
    records = shard_of(shards[0])
    assert merge_windows([records]) == records


def test_the_order_of_shards_changes_no_count() -> None:
    parts = [shard_of([[(10, 5, 1, 1, 7), (9, 6, 0, 0, 7)]]), shard_of([[(3, 30, 2, 0, 9), (4, 29, 2, 1, 9)]])]
    there, back = merge_windows(parts), merge_windows(parts[::-1])
    assert [one.model_dump(include=set(SUMMED)) for one in there] == [one.model_dump(include=set(SUMMED)) for one in back]


def test_what_is_no_count_is_said_of_all_shards() -> None:
    high, none = POLICIES[1], POLICIES[0]
    parts = [
        [record(0, "aura", (10, 0, 0, 0, 1), policy=none, plan_id="a", pressure=0.9, end_v=90, batch_p99_ms=7.0)],
        [record(0, "aura", (6, 0, 0, 0, 1), policy=high, plan_id=None, pressure=0.6, rollback=True)],
        [record(0, "aura", (5, 0, 0, 0, 1), policy=high, plan_id="c", pressure=0.6, batch_p50_ms=1.5)],
    ]
    (whole,) = merge_windows(parts)
    # More requests were served under the second and third shard's levers.
    assert (whole.policy, whole.plan_id, whole.rollback) == (high, "c", True)
    assert (whole.pressure, whole.end_v, whole.batch_p50_ms, whole.batch_p99_ms) == (0.7, 100, 1.5, 7.0)


def test_a_window_that_a_shard_lacks_is_named() -> None:
    parts = [shard_of([[(1, 1, 0, 0, 1)] * 2] * count) for count in (3, 2)]
    with pytest.raises(MergeError, match="shard 1 has no window 2 of arm aura"):
        merge_windows(parts)
    with pytest.raises(MergeError, match="shard 0 has no window 2 of arm aura"):
        merge_windows(parts[::-1])


def test_windows_of_other_rows_are_refused() -> None:
    other = [record(0, "baseline", (1, 1, 0, 0, 1), last_event=49)]
    with pytest.raises(MergeError, match="window 0 of shard 1 covers other rows"):
        merge_windows([[record(0, "baseline", (1, 1, 0, 0, 1))], other])


def test_categories_are_sums_and_the_rest_is_one() -> None:
    def totals(counts: dict[str, int], rest: int) -> CategoryTotals:
        parts = [CategoryHits(category=name, requests=n, hits={"aura": n - 1, "baseline": 1}) for name, n in counts.items()]
        others = CategoryHits(category="", requests=rest, hits={"aura": 2, "baseline": 1}) if rest else None
        return CategoryTotals(run="r", requests=sum(counts.values()) + rest, categories=tuple(parts), rest=others)

    many = {f"c{number:02}": 100 - number for number in range(50)}
    whole = merge_categories([totals(many, 7), totals({"c03": 10, "new": 2}, 0)])
    assert whole.requests == sum(many.values()) + 19
    assert whole.categories[0] == CategoryHits(category="c03", requests=107, hits={"aura": 105, "baseline": 2})
    assert len(whole.categories) == 50
    assert whole.rest == CategoryHits(category="", requests=9, hits={"aura": 3, "baseline": 2})
    assert merge_categories([totals(many, 7)]) == totals(many, 7)


def test_plan_counts_are_sums() -> None:
    first = PlanCounts(decided=3, applied=2, refused=1, unplanned={"late": 1}, vetoed={"ghost": 1}, rollbacks=1)
    second = PlanCounts(decided=1, applied=1, unplanned={"late": 2, "busy": 1})
    found = merge_plans([first, second])
    assert (found.decided, found.applied, found.refused, found.rollbacks) == (4, 3, 1, 1)
    assert (found.unplanned, found.vetoed) == ({"late": 3, "busy": 1}, {"ghost": 1})
    assert merge_plans([first]) == first
