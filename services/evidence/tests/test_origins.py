"""Where the gain came from, with figures computed by hand."""

from collections.abc import Callable

import pytest
from hand_made import folder_of

from aura_contract.plan import Policy
from aura_contract.results import WindowRecord
from aura_evidence.bars import settings as picture
from aura_evidence.facts import gather
from aura_evidence.origins import Origins, origins

Record = Callable[..., WindowRecord]

HIGH, LOW = Policy(frequency="high"), Policy(frequency="low", protect=("bread",))


def run(record: Record, *windows: tuple[int, int, Policy], warmup: int = 0, **changes: int) -> Origins:
    """Origins of windows of (requests, hits gained over 100, policy)."""
    records = []
    for window, (requests, gained, policy) in enumerate(windows):
        records.append(record("baseline", window, requests, 100))
        records.append(record("aura", window, requests, 100 + gained, policy=policy, plan_id=f"plan-{window}", **changes))
    found = origins(gather(folder_of(records, warmup=warmup)))
    assert found is not None
    return found


def test_settings_divide_the_gain(record: Record) -> None:
    # Warm-up, then 30 + 50 hits of 1,000 requests each at high, and 20 of 2,000 at low: 100 hits of 4,000 requests.
    found = run(record, (1000, 400, HIGH), (1000, 30, HIGH), (2000, 20, LOW), (1000, 50, HIGH), warmup=1)
    assert (found.hits_gained, found.points) == (100, 2.5)
    high, low = found.settings
    assert (high.label, high.windows, high.hits_gained) == ("frequency high, admit all", 2, 80)
    assert (high.points, high.contribution, high.share) == (4.0, 2.0, 0.8)
    assert (low.label, low.windows, low.hits_gained) == ("frequency low, admit all, 1 protected category", 1, 20)
    assert (low.points, low.contribution, low.share) == (1.0, 0.5, 0.2)


def test_a_setting_that_lost_has_a_negative_share(record: Record) -> None:
    found = run(record, (1000, 60, HIGH), (1000, -20, Policy()))
    assert [(row.label, row.share) for row in found.settings] == [("frequency high, admit all", 1.5), ("no lever moved", -0.5)]
    assert "−1.00" in picture(found.settings, "x")


def test_a_difference_that_equal_arms_can_have_is_not_divided(record: Record) -> None:
    found = run(record, (1000, 30, HIGH), (1000, -28, LOW), prefetches=5, prefetch_hits=1)
    assert found.points == pytest.approx(0.1)
    assert [row.share for row in found.settings] == [None, None]
    assert found.prefetch.share is None


def test_the_smallest_of_many_settings_are_one_row(record: Record) -> None:
    many = [(1000, 100 - 10 * n, Policy(protect=tuple("abcdefghij"[:n]))) for n in range(10)]
    found = run(record, *many)
    assert len(found.settings) == 8
    last = found.settings[-1]
    # The seven with 100 to 40 hits are shown; 30 + 20 + 10 are left.
    assert (last.label, last.windows, last.hits_gained, last.points) == ("3 other settings", 3, 60, 2.0)
    assert sum(row.contribution for row in found.settings) == pytest.approx(found.points) == pytest.approx(5.5)


def test_best_and_worst_windows_with_their_plans(record: Record) -> None:
    found = run(record, *[(1000, gained, HIGH) for gained in (5, 90, -10, 40, 40, 7, 60)])
    assert [(row.record.window, row.points) for row in found.best] == [(1, 9.0), (6, 6.0), (3, 4.0)]
    assert [(row.record.window, row.points) for row in found.worst] == [(2, -1.0), (0, 0.5), (5, 0.7)]
    assert found.best[0].record.plan_id == "plan-1"
    few = run(record, (1000, 5, HIGH), (1000, 6, HIGH), (1000, 7, HIGH))
    assert [row.record.window for row in few.best + few.worst] == [2, 0]


def test_prefetches_brought_at_most_their_first_hits(record: Record) -> None:
    found = run(record, (1000, 30, HIGH), (1000, 50, HIGH), prefetches=40, prefetch_hits=10)
    part = found.prefetch
    assert (part.prefetches, part.hits, part.rest, part.share) == (80, 20, 60, 0.25)
    lost = run(record, (1000, -30, HIGH), prefetches=40, prefetch_hits=10).prefetch
    assert (lost.hits, lost.rest, lost.share) == (10, -40, None)


def test_nothing_to_take_apart(record: Record) -> None:
    assert origins(gather(folder_of([record("baseline", 0), record("noop", 0)]))) is None
    assert origins(gather(folder_of([record("baseline", 0, 0, 0), record("aura", 0, 0, 0)]))) is None
    assert origins(gather(folder_of([record("baseline", 0), record("aura", 0)], warmup=1))) is None
