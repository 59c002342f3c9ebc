"""Turning `capacity: 5%` or `memory: 8Mi` into bytes, by filling a real arm with the log's own items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from aura_contract.experiment import CacheSpec
from aura_contract.quantities import parse_bytes, parse_share
from aura_data.tables import DataError

from aura_replayer.arm.base import Batch, Totals
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary

__all__ = ["BATCH", "Sizing", "batch_size", "measure"]

BATCH = 200
"""Requests in one call at the most: larger batches overshoot the budget, since Redis evicts only between calls."""

SMALLEST = 32
SAMPLE = 4000
NO_FILL = bytes((0, 0, 0, 0, 4))
WARM_CALLS = 26
IN_FLIGHT = 3


@dataclass(frozen=True)
class Sizing:
    """Equal for all arms: budget in bytes over an empty server, what that is in items, and the batch size."""

    budget: int
    capacity_items: int
    batch: int


class Scratch(Protocol):
    """An arm that can be filled and emptied before the run."""

    used: int

    def begin(self, run: str, empty: int, budget: int) -> Totals:
        """See `Arm.begin`."""

    def send(self, batch: Batch, meta: bytes, body: bytes) -> None:
        """See `Arm.send`."""

    def receive(self) -> Totals:
        """See `Arm.receive`."""

    def forget(self) -> None:
        """Empty the arm."""


def batch_size(capacity_items: int) -> int:
    """Requests a call, so that one call inserts at most a sixteenth of the cache and at most 200 items."""
    return max(1, min(BATCH, capacity_items // 16))


def measure(arms: Sequence[Scratch], spec: CacheSpec, items: ItemTable, log: LogSummary, seed: int) -> tuple[Sizing, list[int]]:
    """The sizing of this log, and what each empty arm uses in bytes under load.

    Raises DataError when the cache would hold fewer than 32 items.
    """
    rng = np.random.default_rng(seed)
    wanted = _wanted(spec, len(log.requested))
    sample = rng.permutation(log.requested)[: wanted or SAMPLE]
    empty, full = _fill(arms[0], items, sample, batch_size(wanted or SAMPLE))
    if wanted is None:
        assert spec.memory is not None
        budget = parse_bytes(spec.memory)
        wanted = int(budget * len(sample) / max(1, full - empty))
        _check(spec.memory, wanted, len(log.requested))
    else:
        budget = full - empty
    size = batch_size(wanted)
    empties = [_fill(arm, items, sample[:0], size, sample)[0] for arm in arms]
    return Sizing(budget, wanted, size), empties


def _wanted(spec: CacheSpec, distinct: int) -> int | None:
    if spec.capacity is None:
        return None
    wanted = round(parse_share(spec.capacity) * distinct)
    _check(spec.capacity, wanted, distinct)
    return wanted


def _check(size: str, items: int, distinct: int) -> None:
    if items < SMALLEST:
        raise DataError(
            f"cache of {size} holds {items} of the log's {distinct} distinct items; an arm needs room for {SMALLEST}: "
            "raise cache.capacity or cache.memory, or replay a longer log"
        )


def _fill(arm: Scratch, items: ItemTable, codes: np.ndarray, size: int, load: np.ndarray | None = None) -> tuple[int, int]:
    """Used bytes inside a call, without items and with those of `codes`; `load` are the items asked for meanwhile."""
    load = codes if load is None else load
    arm.begin("sizing", 0, 0)
    _send(arm, items, np.resize(load, WARM_CALLS * size), size, NO_FILL)
    empty = arm.used
    full = empty
    if len(codes):
        _send(arm, items, codes, size, b"")
        _send(arm, items, np.resize(codes, WARM_CALLS * size), size, NO_FILL)
        full = arm.used
    arm.forget()
    return empty, full


def _send(arm: Scratch, items: ItemTable, codes: np.ndarray, size: int, meta: bytes) -> None:
    under_way = 0
    for start in range(0, len(codes), size):
        chosen = codes[start : start + size].tolist()
        packed = [items.packed[code] for code in chosen]
        batch = Batch(0, start, 0, [items.keys[code] for code in chosen], packed)
        arm.send(batch, meta * len(chosen), b"".join(packed))
        under_way += 1
        if under_way == IN_FLIGHT:
            arm.receive()
            under_way -= 1
    for _ in range(under_way):
        arm.receive()
