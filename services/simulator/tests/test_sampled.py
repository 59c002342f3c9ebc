"""Sampled eviction: repeatable, bounded by the optimum, and close to the exact order where Redis is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_simulator import belady, hit_ratio, lru, priority, sampled_priority
from aura_simulator.priority import decayed_frequency, frequency_bonus
from aura_simulator.trace import Codes

traces = st.lists(st.integers(0, 12), max_size=120).map(lambda codes: np.array(codes, np.int64))


@given(traces, st.integers(1, 8), st.integers(0, 99), st.integers(1, 7))
def test_the_seed_decides_and_the_optimum_bounds(codes: Codes, capacity: int, seed: int, samples: int) -> None:
    hits = sampled_priority(codes, capacity, seed=seed, samples=samples)
    assert (hits == sampled_priority(codes, capacity, seed=seed, samples=samples)).all()
    assert hits.sum() <= belady(codes, capacity).sum()
    assert not hits[np.unique(codes, return_index=True)[1]].any()


def test_everything_fits() -> None:
    assert sampled_priority(np.tile(np.arange(50), 4), 50).sum() == 150


def test_a_sample_of_the_age_is_nearly_lru(complete_journey: Codes) -> None:
    capacity = round(0.05 * len(np.unique(complete_journey)))
    sampled = [hit_ratio(sampled_priority(complete_journey, capacity, seed=seed)) for seed in range(2)]
    assert sampled == pytest.approx([hit_ratio(lru(complete_journey, capacity))] * 2, abs=0.01)
    assert abs(sampled[0] - sampled[1]) < 0.004


def test_new_items_get_a_chance_that_the_exact_order_denies_them() -> None:
    """A cache full of items with a past, and then other items that come twice: the exact order never keeps one."""
    codes = np.concatenate([np.tile(np.arange(100), 20), np.repeat(np.arange(100, 2100), 2).reshape(-1, 20)[:, ::-1].ravel()])
    bonus = frequency_bonus(decayed_frequency(codes, 10_000.0), 100.0, 100)
    late = slice(2000, None)
    assert hit_ratio(sampled_priority(codes, 100, bonus)[late]) > hit_ratio(priority(codes, 100, bonus)[late]) + 0.1


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="samples must be at least one"):
        sampled_priority(np.array([1]), 1, samples=0)
    with pytest.raises(ValueError, match="one entry a request"):
        sampled_priority(np.array([1, 2]), 1, np.array([1]))
