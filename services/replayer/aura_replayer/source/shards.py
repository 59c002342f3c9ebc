"""Which rows of the log are a shard's: all of a user, by a hash that every process computes alike."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aura_data.tables import DataError
from aura_replayer.source.hashing import hashes
from aura_replayer.source.spool import EventBlock

__all__ = ["Census", "Shard", "keys_of", "shards_of"]

KEYS = ("user", "session", "item")
"""Columns that rows are shared by, the first that a row has."""

MIX = np.uint64(0x9E3779B1)
"""2³² over the golden ratio (Knuth, TAOCP 6.4): spreads keys whose CRCs differ in a few bits."""

COUNTED_KEYS = 10_000


@dataclass(frozen=True)
class Shard:
    """Shard `index` of `count`, numbered from 0."""

    index: int = 0
    count: int = 1

    def part(self, whole: int) -> int:
        """This shard's part of `whole`: all parts together are the whole, and the first ones are greater by one where needed."""
        return whole // self.count + (self.index < whole % self.count)


def keys_of(batch: pa.RecordBatch) -> NDArray[np.uint32]:
    """Hash of what each row is shared by, shape (rows,): its user, else its session, else its item."""
    found = None
    for role in KEYS:
        if role in batch.schema.names:
            column = batch.column(role)
            named = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
            found = named if found is None else pc.coalesce(found, named)
            if not found.null_count:
                break
    return hashes(found)


def shards_of(keys: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
    """Shard of each key, shape as `keys`."""
    mixed = keys.astype(np.uint64) * MIX & np.uint64(2**32 - 1)
    return (mixed * np.uint64(count) >> np.uint64(32)).astype(np.int64)


class Census:
    """What all shards of a log hold, counted while it is read: `requests` of each shard, shape (count,)."""

    def __init__(self, count: int) -> None:
        self.requests = np.zeros(count, np.int64)
        self._requested = np.zeros(0, np.bool_)
        self._keys: set[int] = set()
        self._named = "item"

    @property
    def distinct(self) -> int:
        """Distinct requested items of the whole log."""
        return int(self._requested.sum())

    def take(self, batch: pa.RecordBatch, whole: EventBlock, keys: NDArray[np.uint32], shards: NDArray[np.int64]) -> None:
        """Count one batch: its rows of all shards, their keys and shards."""
        self._named = next(role for role in KEYS if role in batch.schema.names)
        self.requests += np.bincount(shards[whole.requests], minlength=len(self.requests))
        codes = whole.items[whole.requests]
        if (highest := int(codes.max(initial=-1))) >= len(self._requested):
            more = max(len(self._requested), highest + 1 - len(self._requested))
            self._requested = np.concatenate([self._requested, np.zeros(more, np.bool_)])
        self._requested[codes] = True
        if len(self._keys) <= COUNTED_KEYS:
            self._keys.update(np.unique(keys[whole.requests]).tolist())

    def check(self) -> None:
        """Raise DataError where a shard has no request: its arms could not even be measured."""
        empty = np.flatnonzero(self.requests == 0)
        if not len(empty):
            return
        count, found = len(self.requests), len(self._keys)
        known = f"{found:,}" if found <= COUNTED_KEYS else f"more than {COUNTED_KEYS:,}"
        of = f"{known} {self._named}{'s' if found > 1 else ''}"
        raise DataError(
            f"workload.shards is {count}, but the log's requests are of {of}, and none of them "
            f"falls to shard {empty[0]}; set it to {min(count - 1, found)} or less"
        )
