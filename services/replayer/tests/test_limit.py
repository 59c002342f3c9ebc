"""The memory limit that keeps an arm's items at their budget, against a model of a server with buffers."""

import random
from dataclasses import replace

import pytest

from aura_replayer.arm.limit import Memory, MemoryLimit, Room, batches_under_way

EMPTY, ITEM, WANTED = 1_000_000, 200, 1_000
TABLES = 20 * WANTED
BUDGET = (ITEM + 20) * WANTED
ROOM = Room(BUDGET, WANTED, ITEM)


class Server:
    """Evicts before each batch down to the limit, buffers included, then fills."""

    def __init__(self, buffers: int, jitter: int, item: int = ITEM, tables: int = TABLES) -> None:
        self.buffers, self._jitter, self._item, self._tables, self.items = buffers, jitter, item, tables, 0
        self._lots = random.Random(1)

    def memory(self) -> Memory:
        return Memory(EMPTY + self.items * self._item + self._tables, 0, 0, self._tables, self.items)

    def batch(self, limit: int, fills: int) -> tuple[int, int]:
        around = self.buffers + self._lots.randint(0, self._jitter)
        room = max(0, limit - EMPTY - self._tables - around) // self._item
        before = self.items = min(self.items, room)
        self.items += fills
        return before, self.items


def held(server: Server, limit: MemoryLimit, batches: int, weigh_every: int = 20, deep: int = ROOM.in_flight) -> list[float]:
    """Mean number of items during each batch; a new limit takes effect when what is under way is over."""
    means, under_way = [], [limit.bytes] * deep
    for number in range(batches):
        before, after = server.batch(under_way.pop(0), 40)
        limit.follow(before, after)
        under_way.append(limit.bytes)
        means.append((before + after) / 2)
        if number % weigh_every == 0:
            limit.weigh(server.memory())
    return means


@pytest.mark.parametrize("buffers", [0, 40_000, 120_000])
@pytest.mark.parametrize("jitter", [0, 32_000])
def test_items_stay_at_the_budget_whatever_buffers_take(buffers: int, jitter: int) -> None:
    server = Server(buffers, jitter)
    means = held(server, MemoryLimit(EMPTY, ROOM, server.memory()), 400)
    assert sum(means[100:]) / len(means[100:]) == pytest.approx(WANTED, rel=0.01)


def test_buffers_that_come_and_go_are_followed() -> None:
    server = Server(20_000, 8_000)
    limit = MemoryLimit(EMPTY, ROOM, server.memory())
    for buffers in (20_000, 100_000, 20_000):
        server.buffers = buffers
        means = held(server, limit, 300)
        assert sum(means[150:]) / len(means[150:]) == pytest.approx(WANTED, rel=0.01)


def test_tables_that_have_doubled_cost_no_items() -> None:
    for tables in (TABLES, 2 * TABLES):
        server = Server(20_000, 8_000, tables=tables)
        means = held(server, MemoryLimit(EMPTY, ROOM, server.memory()), 400)
        assert sum(means[100:]) / len(means[100:]) == pytest.approx(WANTED, rel=0.01)


def test_heavier_items_are_fewer() -> None:
    server = Server(20_000, 8_000, item=2 * ITEM)
    means = held(server, MemoryLimit(EMPTY, ROOM, server.memory()), 800)
    assert sum(means[500:]) / len(means[500:]) == pytest.approx(WANTED / 2, rel=0.02)


def test_items_stay_at_the_budget_with_many_batches_under_way() -> None:
    server = Server(40_000, 32_000)
    room = replace(ROOM, in_flight=8)
    means = held(server, MemoryLimit(EMPTY, room, server.memory()), 800, deep=8)
    assert sum(means[200:]) / len(means[200:]) == pytest.approx(WANTED, rel=0.01)


@pytest.mark.parametrize(("items", "stops", "batches"), [(740, False, 3), (1968, False, 7), (10**5, False, 8), (10**5, True, 3)])
def test_small_arms_and_runs_that_stop_have_fewer_batches_under_way(items: int, stops: bool, batches: int) -> None:
    assert batches_under_way(items, stops=stops) == batches


def test_an_arm_that_fills_is_not_corrected() -> None:
    limit = MemoryLimit(EMPTY, ROOM, Memory(EMPTY, 0, 0, 0, 0))
    before = limit.bytes
    assert not any(limit.follow(items, items + 40) for items in range(0, 900, 40))
    assert limit.bytes == before


def test_without_a_known_weight_nothing_is_set_until_it_is_learnt() -> None:
    limit = MemoryLimit(EMPTY, Room(BUDGET), Memory(EMPTY, 0, 0, 0, 0))
    assert not any(limit.follow(2000, 2000) for _ in range(20))
    limit.weigh(Memory(EMPTY + 2000 * ITEM, 0, 0, 0, 2000))
    assert any(limit.follow(2000, 2000) for _ in range(20))
    assert limit.bytes < EMPTY + BUDGET
