"""The simulated arm against the exact policies and against rules worked out by hand."""

import numpy as np
import pytest

from aura_simulator import TtlTiers, decayed_frequency, frequency_bonus, sampled_priority, simulate
from aura_simulator.arm import SimulatedCache

NO_TTL = TtlTiers(long=10**12, medium=10**12, short=10**12)
HELD = np.zeros(10_000, np.bool_)
NO_FILL, PREFETCH, HELD_OUT, NEVER = 4, 8, 16, 3


def serve(cache: SimulatedCache, codes: list[int], *flags: int, first: int = 0, now: int = 0) -> dict[str, int]:
    entries = np.array(codes, np.int32)
    chosen = np.array(flags or [0] * len(codes), np.uint8)
    cache.serve(entries, np.zeros(len(codes), np.int64), chosen, first, now)
    return cache.counts


def replay(codes: np.ndarray, capacity: int, bonus: np.ndarray, batch: int, seed: int = 0) -> float:
    cache = SimulatedCache(capacity, NO_TTL, seed=seed)
    for start in range(0, len(codes), batch):
        part = codes[start : start + batch].astype(np.int32)
        cache.serve(part, bonus[start : start + batch], np.zeros(len(part), np.uint8), start, start)
    return cache.counts["hits"] / len(codes)


@pytest.mark.parametrize("capacity", [200, 1000])
def test_without_levers_it_is_lru(capacity: int) -> None:
    codes = np.random.default_rng(1).zipf(1.2, 100_000) % 20_000
    assert replay(codes, capacity, np.zeros(len(codes), np.int64), capacity // 16) == pytest.approx(
        simulate("lru", codes, capacity).mean(), abs=0.003
    )


def test_with_a_frequency_it_is_the_sampled_priority() -> None:
    codes = np.random.default_rng(2).zipf(1.15, 100_000) % 20_000
    bonus = frequency_bonus(decayed_frequency(codes, 16 * 500), 8, 500)
    expected = sampled_priority(codes, 500, bonus, samples=10).mean()
    assert replay(codes, 500, bonus, 31) == pytest.approx(expected, abs=0.003)


def test_the_same_seed_repeats_bit_for_bit_and_another_does_not() -> None:
    codes = np.random.default_rng(3).zipf(1.2, 50_000) % 20_000
    nothing = np.zeros(len(codes), np.int64)
    assert replay(codes, 300, nothing, 18, seed=1) == replay(codes, 300, nothing, 18, seed=1)
    assert replay(codes, 300, nothing, 18, seed=1) != replay(codes, 300, nothing, 18, seed=2)


def test_values_live_as_long_as_their_class_says() -> None:
    cache = SimulatedCache(100, TtlTiers(long=1000, medium=500, short=100, low=0.5, high=0.8))
    serve(cache, [1, 2, 3], 0, 2, NEVER)
    assert len(cache) == 2
    assert serve(cache, [1, 2], now=99)["hits"] == 2
    assert serve(cache, [2], now=100)["hits"] == 2
    assert cache.live([1, 2, 3]) == [True, True, False]
    assert serve(cache, [1], now=1000)["hits"] == 2


def test_what_rules_fetch_is_no_request_and_credited_once() -> None:
    cache = SimulatedCache(100, NO_TTL)
    cache.apply([], [], HELD, policy=True)
    counts = serve(cache, [1, 2, 1, 3], 0, PREFETCH, PREFETCH, PREFETCH + HELD_OUT)
    assert (counts["requests"], counts["prefetches"], len(cache)) == (1, 1, 2)
    assert serve(cache, [2, 2], first=1)["prefetch_hits"] == 1
    assert cache.credit(1) == 1


def test_a_plan_evicts_fetches_and_leaves_held_out_items_alone() -> None:
    cache, held = SimulatedCache(100, NO_TTL), HELD.copy()
    held[[2, 5]] = True
    serve(cache, [1, 2])
    done = cache.apply([1, 2, 9], [(4, 1000), (5, 1000), (2, 1000)], held, policy=False)
    assert (done.evicted, done.prefetched, done.held_evict, done.held_prefetch) == (1, 1, 1, 2)
    assert cache.live([1, 2, 4, 5]) == [False, True, True, False]


def test_prefetches_without_a_hit_stay_within_their_share_of_the_misses() -> None:
    cache = SimulatedCache(1000, NO_TTL, reads=50)
    serve(cache, list(range(40)))
    assert serve(cache, [101, 102, 103], PREFETCH, PREFETCH, PREFETCH)["prefetches"] == 2
    assert cache.apply([], [(104, 1000)], HELD, policy=False).over_budget == 1
    assert serve(cache, [101, 103], 0, PREFETCH)["prefetches"] == 3


def test_tables_grow_with_the_codes() -> None:
    cache = SimulatedCache(10, NO_TTL)
    serve(cache, [1, 5000, 1])
    serve(cache, [9000, 5000])
    assert cache.live([1, 5000, 9000, 400_000]) == [True, True, True, False]
    assert cache.counts["hits"] == 2
