"""The clairvoyant prefetcher against everything that could have been done."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_policies import most_hits

from aura_simulator import belady, clairvoyant_prefetch, hit_ratio
from aura_simulator.trace import Codes

tiny_traces = st.lists(st.integers(0, 4), max_size=10).map(lambda codes: np.array(codes, np.int64))
traces = st.lists(st.integers(0, 12), max_size=120).map(lambda codes: np.array(codes, np.int64))


@settings(deadline=None, max_examples=150)
@given(tiny_traces, st.integers(1, 3), st.integers(0, 2), st.integers(1, 5))
def test_hits_are_the_exhaustive_optimum(codes: Codes, capacity: int, budget: int, window: int) -> None:
    result = clairvoyant_prefetch(codes, capacity, budget, window)
    assert result.hits.sum() == most_hits(tuple(codes.tolist()), capacity, budget, window)


@given(traces, st.integers(1, 8), st.integers(0, 5), st.integers(1, 30))
def test_a_prefetch_is_worth_one_hit_at_most(codes: Codes, capacity: int, budget: int, window: int) -> None:
    result = clairvoyant_prefetch(codes, capacity, budget, window)
    windows = -(-len(codes) // window)
    assert result.prefetches <= budget * windows
    gain = int(result.hits.sum()) - int(belady(codes, capacity).sum())
    assert 0 <= gain <= result.prefetches


@given(traces, st.integers(1, 8))
def test_without_budget_it_is_belady(codes: Codes, capacity: int) -> None:
    result = clairvoyant_prefetch(codes, capacity, 0, 10)
    assert (result.hits == belady(codes, capacity)).all()
    assert result.prefetches == 0


def test_what_is_new_can_be_prefetched() -> None:
    result = clairvoyant_prefetch(np.arange(10), 2, 2, 5)
    assert result.hits.tolist() == [True, True, False, False, False] * 2
    assert result.prefetches == 4


@pytest.mark.parametrize(("budget", "window"), [(-1, 10), (1, 0)])
def test_bad_budgets_are_named(budget: int, window: int) -> None:
    with pytest.raises(ValueError, match="budget must not be negative"):
        clairvoyant_prefetch(np.array([1]), 1, budget, window)


def test_real_requests_gain_at_most_the_budget(complete_journey: Codes) -> None:
    capacity = round(0.05 * len(np.unique(complete_journey)))
    plain = hit_ratio(belady(complete_journey, capacity))
    result = clairvoyant_prefetch(complete_journey, capacity, 20, 5000)
    assert plain < hit_ratio(result.hits) <= plain + 20 / 5000 + 1e-12
    assert result.prefetches <= 20 * 12
