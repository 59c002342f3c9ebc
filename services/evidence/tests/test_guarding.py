"""What the guard did, with figures computed by hand."""

from collections.abc import Callable

import pytest
from hand_made import folder_of

from aura_contract.results import PlanCounts, WindowRecord
from aura_evidence.facts import gather
from aura_evidence.guarding import GuardRow, guarding

Record = Callable[..., WindowRecord]


def rows(records: list[WindowRecord], warmup: int = 0, **plans: object) -> list[GuardRow]:
    folder = folder_of(records, warmup=warmup)
    arm = folder.verdict.arms["aura"].model_copy(update={"plans": PlanCounts.model_validate(plans)})
    object.__setattr__(folder, "verdict", folder.verdict.model_copy(update={"arms": {**folder.verdict.arms, "aura": arm}}))
    return guarding(gather(folder))


def test_held_out_keys_are_held_against_the_baselines_own(record: Record) -> None:
    # Of 1,000 requests 100 are of held-out keys. Baseline: 40 of them hit, 400 of the others; aura: 45 and 490.
    (row,) = rows(
        [
            record("baseline", 0, 1000, 440, held_requests=100, held_hits=40),
            record("aura", 0, 1000, 535, held_requests=100, held_hits=45, prefetches=93, prefetch_hits=46),
        ],
        applied=1,
    )
    assert row.held == pytest.approx(5.0)
    assert row.touched == pytest.approx(10.0)
    assert row.by_item == pytest.approx(5.0)
    assert row.waste == pytest.approx(47 / 465)


def test_warm_up_is_left_out(record: Record) -> None:
    windows = [(0, 0), (1, 20)]
    records = [record("baseline", w, 1000, 100, held_requests=100, held_hits=10) for w, _ in windows]
    records += [record("aura", w, 1000, 100 + 10 * hits, held_requests=100, held_hits=10 + hits) for w, hits in windows]
    (row,) = rows(records, warmup=1, applied=1)
    assert row.held == pytest.approx(20.0)


def test_nothing_is_said_of_what_is_not_there(record: Record) -> None:
    records = [record("baseline", 0), record("aura", 0)]
    assert rows(records) == []
    (row,) = rows(records, vetoed={"ghost": 2})
    assert (row.vetoed, row.held, row.by_item) == ({"ghost": 2}, None, None)
    assert row.touched == 0
    (row,) = rows(records, rollbacks=3)
    assert row.rollbacks == 3
