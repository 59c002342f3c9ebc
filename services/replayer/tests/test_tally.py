"""Hits by category: every traced request is counted once, and the sums are those of the arms."""

import numpy as np

from aura_replayer.tally import MOST, Tally, category_totals


def test_hits_are_counted_by_category() -> None:
    tallies = {"baseline": Tally(), "aura": Tally()}
    categories = np.array([1, 2, 1, 3], np.int32)
    for arm, trace in (("baseline", b"0100"), ("aura", b"1101")):
        tallies[arm].add(categories, trace)
        tallies[arm].add(np.array([7], np.int32), b"1")
    found = category_totals("r1", tallies, [f"c{code}" for code in range(8)])
    assert found.requests == 5
    assert [(row.category, row.requests, row.hits) for row in found.categories] == [
        ("c1", 2, {"baseline": 0, "aura": 1}),
        ("c2", 1, {"baseline": 1, "aura": 1}),
        ("c3", 1, {"baseline": 0, "aura": 1}),
        ("c7", 1, {"baseline": 1, "aura": 1}),
    ]
    assert found.rest is None


def test_the_least_of_many_are_one() -> None:
    tally = Tally()
    lots = np.random.default_rng(1)
    categories = lots.integers(0, 200, 5000).astype(np.int32)
    trace = lots.integers(48, 50, 5000).astype(np.uint8).tobytes()
    tally.add(categories, trace)
    found = category_totals("r1", {"aura": tally}, ["x" * 200] * 200)
    assert found.rest is not None
    rows = [*found.categories, found.rest]
    assert len(rows) == MOST + 1
    assert sum(row.requests for row in rows) == found.requests == 5000
    assert sum(row.hits["aura"] for row in rows) == trace.count(b"1")
    assert {len(row.category) for row in found.categories} == {80}


def test_a_run_without_requests_has_none() -> None:
    found = category_totals("r1", {"aura": Tally()}, [""])
    assert (found.requests, found.categories, found.rest) == (0, (), None)
