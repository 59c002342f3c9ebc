"""Turning `capacity: 5%` or `memory: 8Mi` into bytes, by filling a real arm with the log's own items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_contract.cache import CacheSpec
from aura_contract.quantities import parse_bytes, parse_share
from aura_data.tables import DataError
from aura_replayer.arm.base import Arm, Batch
from aura_replayer.arm.limit import FEWEST, Room, batches_under_way
from aura_replayer.levers import NO_FILL
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary
from aura_replayer.source.shards import Shard

__all__ = ["BATCH", "Sizing", "batch_size", "check_items", "measure", "wanted_items"]

BATCH = 200
"""Requests in one call at the most: larger batches overshoot the budget, since Redis evicts only between calls."""

PART, PART_WITH_PLANS = 10, 16
"""Larger calls are fewer, and make the number of items in small arms unsteady (docs/decisions/0020-two-arms-on-two-cores.md)."""

SMALLEST = 32
SAMPLE = 4000
UNFILLED = bytes((0, 0, 0, 0, NO_FILL))
WARM_CALLS = 26
CHURN_ROUNDS = 16
CHURN_REQUESTS = 200_000


@dataclass(frozen=True)
class Sizing:
    """Equal for all arms: budget in bytes over an empty server, what that is in items, the bytes of one without its share of the
    server's tables, the batch size, and how many batches are under way at the most."""

    budget: int
    capacity_items: int
    item_bytes: float
    batch: int
    in_flight: int = FEWEST

    @property
    def room(self) -> Room:
        """What an arm is told."""
        return Room(self.budget, self.capacity_items, self.item_bytes, self.in_flight)


def batch_size(capacity_items: int, *, stops: bool) -> int:
    """Requests a call: at most 200, and no more than a part of the cache, which is smaller where the replay stops for plans."""
    return max(1, min(BATCH, capacity_items // (PART_WITH_PLANS if stops else PART)))


def wanted_items(spec: CacheSpec, log: LogSummary, shard: Shard) -> int | None:
    """A shard's part of `capacity: 5%` of the log's items, None with `memory`; raises DataError where these are too few."""
    if spec.capacity is None:
        return None
    wanted = shard.part(round(parse_share(spec.capacity) * log.distinct))
    check_items(spec.capacity, wanted, log, shard)
    return wanted


def check_items(size: str, items: int, log: LogSummary, shard: Shard) -> None:
    """Raises DataError where a shard's part of a cache of `size` holds too few `items`."""
    if items < min(SMALLEST, len(log.requested)):
        part, fewer = (f"one of {shard.count} shards of a ", "lower workload.shards, ") if shard.count > 1 else ("", "")
        raise DataError(
            f"{part}cache of {size} holds {items} of the log's {log.distinct} distinct items; an arm needs room for {SMALLEST}: "
            f"{fewer}raise cache.capacity or cache.memory, or replay a longer log"
        )


def measure(
    arms: Sequence[Arm], spec: CacheSpec, items: ItemTable, log: LogSummary, seed: int, shard: Shard, *, stops: bool = True
) -> tuple[Sizing, tuple[int, ...]]:
    """The sizing of this shard of the log, and what each empty arm uses in bytes, connections apart.

    `stops` where the replay stops for plans at each window's end. Raises DataError when the cache would hold fewer than 32 items.
    """
    wanted = wanted_items(spec, log, shard)
    rng = np.random.default_rng(seed)
    sample = rng.permutation(log.requested)[: wanted or SAMPLE]
    size = batch_size(wanted or SAMPLE, stops=stops)
    filled = [_empty_and_full(arm, items, sample, size) for arm in arms]
    rounds = min(CHURN_ROUNDS, max(3, CHURN_REQUESTS // len(sample)))
    # As popular as in the log: what is requested often is what a cache holds.
    load = rng.choice(log.requested, (rounds, len(sample)), p=log.counts / log.counts.sum())
    budget = filled[0][1] - filled[0][0]
    churned = [_churned(arm, items, load, size, empty, budget) for arm, (empty, _) in zip(arms, filled, strict=True)]
    per_item, item_bytes = (float(np.mean(column)) for column in zip(*(shares for shares, _ in churned), strict=True))
    if wanted is None:
        assert spec.memory is not None
        budget = shard.part(parse_bytes(spec.memory))
        # Where nothing ever comes and goes there is no weight to be found, and any budget holds all there is.
        wanted = int(budget / per_item) if per_item > 0 else len(log.requested)
        check_items(spec.memory, wanted, log, shard)
    else:
        budget = int(wanted * per_item)
    # Read again at the last moment: what a server has allocated for good meanwhile is no room for items.
    empties = tuple(max(arm.memory().data, empty) for arm, (_, empty) in zip(arms, churned, strict=True))
    return Sizing(budget, wanted, item_bytes, batch_size(wanted, stops=stops), batches_under_way(wanted, stops=stops)), empties


def _empty_and_full(arm: Arm, items: ItemTable, codes: NDArray[np.int64], size: int) -> tuple[int, int]:
    """Used bytes, connections apart, without items and with those of `codes`."""
    empty = full = 0
    # The first round lets the server allocate what it keeps for good: statistics, buffers, tables.
    for _ in range(2):
        arm.begin("sizing", 0, Room())
        _send(arm, items, np.resize(codes, WARM_CALLS * size), size, UNFILLED)
        empty = arm.memory().data
        _send(arm, items, codes, size, b"")
        full = arm.memory().data
        arm.forget()
    return empty, full


def _churned(
    arm: Arm, items: ItemTable, load: NDArray[np.int64], size: int, empty: int, budget: int
) -> tuple[tuple[float, float], int]:
    """Bytes an item takes with and without its share of the server's tables, while items come and go; what the empty arm takes.

    `load` are rounds of requested codes, shape (rounds, n); the last half of the rounds is measured.
    """
    arm.begin("sizing", empty, Room(budget))
    seen = []
    for codes in load:
        _send(arm, items, codes, size, b"")
        seen.append(arm.memory())
        arm.weigh()
    arm.forget()
    empty = max(empty, arm.memory().data)
    shares = [((now.data - empty) / max(1, now.items), now.tables / max(1, now.items)) for now in seen[len(seen) // 2 :]]
    whole, tables = np.mean(shares, axis=0)
    return (float(whole), float(whole - tables)), empty


def _send(arm: Arm, items: ItemTable, codes: NDArray[np.int64], size: int, meta: bytes) -> None:
    under_way = 0
    for start in range(0, len(codes), size):
        chosen = codes[start : start + size].tolist()
        packed = [items.packed[code] for code in chosen]
        batch = Batch(0, start, 0, [items.keys[code] for code in chosen], packed)
        arm.send(batch, meta * len(chosen), b"".join(packed))
        under_way += 1
        if under_way == FEWEST:
            arm.receive()
            under_way -= 1
    for _ in range(under_way):
        arm.receive()
