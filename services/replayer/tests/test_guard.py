"""The guard: what it refuses, what it takes back, when it stops listening, and that it lets good plans through."""

import numpy as np
import pyarrow as pa
import pytest

from aura_contract.plan import Plan, Policy
from aura_data.catalog import EmptyCatalog
from aura_replayer.context.snapshot import WorkloadSnapshot
from aura_replayer.context.windows import Window
from aura_replayer.guard.ghost import LEAST_ITEMS, Ghost, Sample, sampled
from aura_replayer.guard.guard import PAUSE, STRIKES, Guard
from aura_replayer.levers import Stream
from aura_replayer.rules.expansions import Expansions
from aura_replayer.source.items import ItemTable
from aura_replayer.source.spool import EventBlock
from aura_simulator import decayed_frequency, simulate

CAPACITY, SIZE, SEED = 200, 5000, 3
HARM = Policy(admit="frequent", ttl={"*": "none"})
NO_EXPANSIONS = np.zeros(0, np.float32)


def skewed(requests: int, items: int = 4000) -> np.ndarray:
    return (np.random.default_rng(SEED).zipf(1.1, requests) % items).astype(np.int64)


def windows(codes: np.ndarray, table: ItemTable) -> list[Window]:
    encoded = table.encode(pa.array([str(code) for code in codes]))
    frequency = decayed_frequency(encoded.astype(np.int64), 16 * CAPACITY).astype(np.float32)
    snapshot = WorkloadSnapshot("", "", "", np.zeros(0, np.int64))
    return [
        Window(
            number, EventBlock.empty(), start, encoded[start : start + SIZE], table.entries(encoded[start : start + SIZE]),
            np.arange(start, start + SIZE), frequency[start : start + SIZE], Expansions.empty(), NO_EXPANSIONS, start,
            start + SIZE, start + SIZE, snapshot,
        )
        for number, start in enumerate(range(0, len(codes), SIZE))
    ]  # fmt: skip


class World:
    """A guard over one arm, and the windows of a log that items come back in."""

    def __init__(self, codes: np.ndarray) -> None:
        self.items = ItemTable(EmptyCatalog(), 16)
        self.windows = windows(codes, self.items)
        self.guard = Guard(["aura"], self.items, CAPACITY, SIZE, SEED)
        self.policy = Policy()

    def pass_by(self, number: int) -> None:
        window = self.windows[number]
        self.guard.observe(window, {"aura": (self.policy, Stream.of(window, self.policy, self.items, CAPACITY))})

    def judge(self, **plan: object) -> str | None:
        return self.guard.judge("aura", Plan.model_validate({"plan_id": "p", **plan}))


@pytest.fixture
def world() -> World:
    world = World(skewed(40 * SIZE))
    for number in range(3):
        world.pass_by(number)
    return world


def test_a_plan_that_stores_nothing_is_refused(world: World) -> None:
    assert world.judge(policy=HARM.model_dump()) == "ghost"


@pytest.mark.parametrize("frequency", ["low", "medium", "high"])
def test_a_plan_that_helps_passes(world: World, frequency: str) -> None:
    assert world.judge(policy={"frequency": frequency}) is None


def test_a_plan_like_what_stands_passes(world: World) -> None:
    assert world.judge(policy={}) is None
    assert world.judge(prefetch=[{"k": "item:1", "v": "x", "ttl": 60}]) is None


def test_evicting_what_is_asked_for_is_refused_and_what_is_not_is_not(world: World) -> None:
    asked_for = list(dict.fromkeys(world.windows[2].codes.tolist()))
    names = world.items.names
    assert world.judge(evict=[f"item:{names[code]}" for code in asked_for[:20]]) == "evictions"
    others = sorted(set(range(len(names))) - set(asked_for))
    assert world.judge(evict=[f"item:{names[code]}" for code in others[:20]]) is None
    assert world.judge(evict=["item:never-heard-of"]) is None


def test_before_the_first_window_nothing_can_be_judged() -> None:
    assert World(skewed(SIZE)).judge(policy=HARM.model_dump()) is None


def test_harm_on_and_on_opens_the_breaker_for_longer_each_time(world: World) -> None:
    good = {"policy": {"frequency": "high"}}

    def harm(number: int) -> str | None:
        asked_for = list(dict.fromkeys(world.windows[number].codes.tolist()))[:20]
        return world.judge(evict=[f"item:{world.items.names[code]}" for code in asked_for])

    assert [harm(2) for _ in range(STRIKES)] == ["evictions"] * STRIKES
    reasons = []
    for number in range(3, 3 + PAUSE):
        world.pass_by(number)
        reasons.append(world.judge(**good))
    assert reasons == ["breaker"] * (PAUSE - 1) + [None]
    assert [harm(2 + PAUSE) for _ in range(STRIKES)] == ["evictions"] * STRIKES
    closed = 0
    for number in range(3 + PAUSE, 40):
        world.pass_by(number)
        closed += world.judge(**good) == "breaker"
    assert closed == 2 * PAUSE - 1


def test_a_setting_that_loses_is_taken_back(world: World) -> None:
    high = Policy(frequency="high")
    assert world.guard.harmful("aura", 3, high, -0.03)
    assert not world.guard.harmful("aura", 4, Policy(), -0.03)
    assert [world.guard.harmful("aura", 5 + n, high, -0.004) for n in range(3)] == [False, False, True]


def test_a_setting_that_wins_stays_and_a_new_one_is_judged_anew(world: World) -> None:
    high, low = Policy(frequency="high"), Policy(frequency="low")
    assert not any(world.guard.harmful("aura", 3 + n, high, gain) for n, gain in enumerate([0.1, 0.05, -0.015, 0.1]))
    assert [world.guard.harmful("aura", 10 + n, low, -0.004) for n in range(2)] == [False, False]


def test_ghosts_find_the_level_that_suits_the_log() -> None:
    world = World(skewed(8 * SIZE))
    for number in range(8):
        world.pass_by(number)
    gains = {stat.frequency: stat.gain for stat in world.guard.levels.stats()}
    assert gains["none"] == 0
    assert 0.01 < gains["low"] < gains["high"]
    assert all(stat.error < 0.02 for stat in world.guard.levels.stats())


def test_ghosts_find_that_nothing_beats_lru_where_items_come_back_once_and_soon() -> None:
    """Every item is asked for three times within 90 requests and never again."""
    codes = np.concatenate(
        [np.repeat(np.arange(start, start + 30), 1) for start in range(0, 8 * SIZE // 3, 30) for _ in range(3)]
    )
    world = World(codes[: 8 * SIZE // SIZE * SIZE])
    for number in range(len(world.windows)):
        world.pass_by(number)
    stats = world.guard.levels.stats()
    assert all(stat.gain <= stat.error for stat in stats)


def test_before_a_ghost_has_filled_it_says_nothing() -> None:
    world = World(skewed(2 * SIZE))
    assert world.guard.levels.stats() == ()
    world.pass_by(0)
    assert world.guard.levels.stats() == ()


def test_two_guards_over_the_same_log_judge_alike() -> None:
    answers = []
    for _ in range(2):
        world, found = World(skewed(6 * SIZE)), []
        for number in range(6):
            world.pass_by(number)
            for admit in ("all", "second_hit", "frequent"):
                found.append(world.judge(policy={"frequency": "low", "admit": admit}))
        answers.append(found)
    assert answers[0] == answers[1]


def test_a_ghost_stands_for_the_whole_cache() -> None:
    """The sample's hit ratio is that of the whole log within what so few items allow."""
    codes = skewed(30 * SIZE)
    items = ItemTable(EmptyCatalog(), 16)
    capacity = 1000
    sample = Sample.of(capacity, SIZE)
    assert (sample.items, sample.share) == (LEAST_ITEMS, LEAST_ITEMS / capacity)
    assert Sample.of(10**6, SIZE).share == 300 / SIZE
    ghost, hits, seen = Ghost(sample.items, SEED), 0, 0
    for window in windows(codes, items):
        served = ghost.serve(sampled(Stream.of(window, Policy(), items, capacity), sample, window.first))
        hits, seen = hits + sum(served), seen + len(served)
    # A tenth of the requests go to few items, so that the share of requests in the sample varies more than that of items.
    whole = simulate("lru", codes, capacity).mean()
    assert 0.3 * sample.share < seen / len(codes) < 3 * sample.share
    assert hits / seen == pytest.approx(whole, abs=0.15)


def test_a_ghost_as_large_as_the_cache_is_the_cache() -> None:
    codes = skewed(4 * SIZE, items=300)
    items = ItemTable(EmptyCatalog(), 16)
    sample, ghost, hits = Sample.of(100, SIZE), Ghost(100, SEED), 0
    assert sample.share == 1
    for window in windows(codes, items):
        hits += sum(ghost.serve(sampled(Stream.of(window, Policy(), items, 100), sample, window.first)))
    assert hits / len(codes) == pytest.approx(simulate("lru", codes, 100).mean(), abs=0.01)
