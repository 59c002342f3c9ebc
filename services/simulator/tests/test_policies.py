"""The simulators against naive ones, against each other, and on real requests."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_policies import most_hits, naive_lru, naive_priority, naive_s3fifo

from aura_simulator import POLICIES, belady, hit_ratio, lru, priority, s3fifo, simulate, ttl
from aura_simulator.priority import TtlTiers, decayed_frequency, frequency_bonus
from aura_simulator.trace import Codes

traces = st.lists(st.integers(-3, 12), max_size=120).map(lambda codes: np.array(codes, np.int64))
tiny_traces = st.lists(st.integers(0, 4), max_size=12).map(lambda codes: np.array(codes, np.int64))
capacities = st.integers(1, 8)


@given(traces, capacities)
def test_lru_is_the_naive_list(codes: Codes, capacity: int) -> None:
    assert lru(codes, capacity).tolist() == naive_lru(codes.tolist(), capacity)


@given(traces, st.integers(1, 25))
def test_s3fifo_is_the_papers_algorithm(codes: Codes, capacity: int) -> None:
    assert s3fifo(codes, capacity).tolist() == naive_s3fifo(codes.tolist(), capacity)


@given(tiny_traces, st.integers(1, 3))
def test_belady_is_the_exhaustive_optimum(codes: Codes, capacity: int) -> None:
    assert belady(codes, capacity).sum() == most_hits(tuple(codes.tolist()), capacity)


@given(traces, capacities, st.randoms(use_true_random=False))
def test_priority_evicts_the_lowest(codes: Codes, capacity: int, random: Random) -> None:
    bonus = np.array([random.randint(0, 40) for _ in codes], np.int64)
    assert priority(codes, capacity, bonus).tolist() == naive_priority(codes.tolist(), capacity, bonus.tolist())


@given(traces, capacities, st.integers(1, 60), st.randoms(use_true_random=False))
def test_ttl_expires_on_the_event_clock(codes: Codes, capacity: int, lifetime: int, random: Random) -> None:
    now = np.cumsum([random.randint(0, 9) for _ in codes], dtype=np.int64)
    bonus = np.array([random.randint(0, 20) for _ in codes], np.int64)
    tiers = TtlTiers(3 * lifetime, 2 * lifetime, lifetime)
    expected = naive_priority(codes.tolist(), capacity, bonus.tolist(), now.tolist(), tiers)
    assert ttl(codes, capacity, now, tiers, bonus).tolist() == expected


@given(traces, capacities)
def test_priority_without_bonus_and_ttl_without_end_are_lru(codes: Codes, capacity: int) -> None:
    expected = lru(codes, capacity).tolist()
    assert priority(codes, capacity).tolist() == expected
    assert ttl(codes, capacity, np.arange(len(codes)), 10**9).tolist() == expected


@given(traces, capacities)
def test_no_policy_beats_belady(codes: Codes, capacity: int) -> None:
    best = belady(codes, capacity).sum()
    assert all(simulate(policy, codes, capacity).sum() <= best for policy in POLICIES)


@given(traces, st.integers(1, 7))
def test_a_larger_lru_cache_holds_all_a_smaller_one_does(codes: Codes, capacity: int) -> None:
    assert (lru(codes, capacity + 1) >= lru(codes, capacity)).all()


@given(traces, capacities)
def test_a_first_request_never_hits_and_codes_are_only_names(codes: Codes, capacity: int) -> None:
    first = np.unique(codes, return_index=True)[1]
    for policy in POLICIES:
        hits = simulate(policy, codes, capacity)
        assert hits.shape == codes.shape
        assert hits.dtype == np.bool_
        assert not hits[first].any()
        assert (simulate(policy, codes * 1_000_003 - 7, capacity) == hits).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_everything_fits(policy: str) -> None:
    codes = np.tile(np.arange(50), 4)
    assert simulate(policy, codes, 50).sum() == 150


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("codes", "capacity", "message"),
    [
        (np.arange(6).reshape(2, 3), 1, "one-dimensional"),
        (np.array([0.5]), 1, "integers"),
        (np.array([1]), 0, "at least one item"),
    ],
)
def test_bad_input_is_named(policy: str, codes: Codes, capacity: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(policy, codes, capacity)


def test_an_unknown_policy_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match="unknown policy 'fifo'; there are lru, s3fifo, belady"):
        simulate("fifo", np.array([1]), 1)


def test_shapes_of_further_arrays_are_checked() -> None:
    codes = np.array([1, 2])
    with pytest.raises(ValueError, match="bonus must have one entry"):
        priority(codes, 1, np.array([1]))
    with pytest.raises(ValueError, match="out of range"):
        priority(codes, 1, np.array([0, 2**62]))
    with pytest.raises(ValueError, match="now_ms must have one entry"):
        ttl(codes, 1, np.array([1]), 1000)


def test_frequency_halves_and_outlives_residency() -> None:
    frequency = decayed_frequency(np.array([7, 1, 7, 1, 1, 1, 7]), half_life=2.0)
    assert frequency[[0, 1]].tolist() == [0, 0]
    assert frequency[2] == 0.5
    assert frequency[6] == pytest.approx(1.5 * 0.25)
    assert frequency_bonus(np.array([0.0, 1.0, 3.0]), 0.5, 10).tolist() == [0, 5, 10]


@settings(deadline=None)
@given(traces)
def test_frequency_is_the_sum_of_decayed_requests(codes: Codes) -> None:
    expected = [sum(0.5 ** ((t - s) / 9.0) for s in range(t) if codes[s] == codes[t]) for t in range(len(codes))]
    assert decayed_frequency(codes, 9.0) == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.05, 0.10])
def test_real_requests_agree_with_the_naive_policies(complete_journey: Codes, share: float) -> None:
    codes = complete_journey[:4000]
    capacity = round(share * len(np.unique(codes)))
    bonus = frequency_bonus(decayed_frequency(codes, 16.0 * capacity), 2.0, capacity)
    assert lru(codes, capacity).tolist() == naive_lru(codes.tolist(), capacity)
    assert s3fifo(codes, capacity).tolist() == naive_s3fifo(codes.tolist(), capacity)
    assert priority(codes, capacity, bonus).tolist() == naive_priority(codes.tolist(), capacity, bonus.tolist())


def test_real_requests_rank_the_policies(complete_journey: Codes) -> None:
    capacity = round(0.05 * len(np.unique(complete_journey)))
    ratios = {policy: hit_ratio(simulate(policy, complete_journey, capacity)) for policy in POLICIES}
    assert ratios["lru"] < ratios["s3fifo"] < ratios["belady"]
    again = {policy: hit_ratio(simulate(policy, complete_journey, capacity)) for policy in POLICIES}
    assert ratios == again


def test_no_requests_have_a_hit_ratio() -> None:
    assert hit_ratio(lru(np.zeros(0, np.int64), 1)) == 0.0
