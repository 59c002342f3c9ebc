"""The log as columns: blocks of rows cut into windows, with one copy in memory at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aura_contract.workload import WorkloadSpec
from aura_data.tables import DataError, Table, open_table
from aura_replayer.source.clock import EventClock
from aura_replayer.source.hashing import hashes
from aura_replayer.source.items import ItemTable
from aura_replayer.source.shards import Census, Shard, keys_of, shards_of
from aura_replayer.source.spool import EventBlock, Spool

__all__ = ["EventLog"]

ALL = Shard()

MOST_ACTIONS = 2**15
LAST_CLOCK = 9 * 10**12
"""In ms; with the longest TTL on top an arm's 13 digits still hold it."""

MS_A_YEAR = 365.25 * 86_400_000


class EventLog:
    """One shard of the log of an experiment, from the start on each iteration; by default all of it.

    `spool` is the folder for its columns, None the system's. Items have the same codes in every shard, since each reads the
    whole log; `census` has counted all shards when that is done, and is None where there is one.
    """

    def __init__(
        self,
        spec: WorkloadSpec,
        base: Path,
        items: ItemTable,
        bad_rows: str,
        spool: Path | None = None,
        shard: Shard = ALL,
    ) -> None:
        self._spec = spec
        self._base = base
        self._items = items
        self._skip = bad_rows
        self._action_codes: dict[str, int] = {}
        self._spool = Spool(spool)
        self._shard = shard
        self.census = Census(shard.count) if shard.count > 1 else None
        self.bad_rows = 0

    @property
    def action_names(self) -> list[str]:
        """Name of each action code."""
        return list(self._action_codes)

    def _open(self) -> Table:
        columns = self._spec.columns
        # Only what is used is decoded: times belong to a timestamp clock.
        unused = None if self._spec.clock.timestamps else "time"
        roles = {role: name for role, name in columns.model_dump().items() if name is not None and role != unused}
        required = ["item", *(["time"] if self._spec.clock.timestamps else [])]
        return open_table(
            self._spec.source,
            self._spec.format,
            roles,
            base=self._base,
            limit=self._spec.limit,
            bad_rows="skip" if self._skip == "skip" else "fail",
            required=required,
        )

    def blocks(self) -> Iterator[EventBlock]:
        """Blocks in the log's order, of the reader's size; raises DataError for a log that cannot be read."""
        if self._spool.complete:
            yield from self._spool.blocks()
            return
        self._spool.clear()
        clock = EventClock(self._spec.clock)
        table = self._open()
        row = 0
        for batch in table.batches():
            if batch.num_rows:
                block = self._mine(batch, self._checked(table.description, self._block(batch, row, clock)))
                self._spool.append(block)
                yield block
                row += batch.num_rows
        self.bad_rows = table.bad_rows
        self._spool.complete = True
        if row == 0:
            raise DataError(f"{table.description}: holds no rows; an experiment needs a log with requests")

    def windows(self, size: int) -> Iterator[EventBlock]:
        """Blocks that cover exactly `size` rows of the log each, the last one fewer; a shard may have none of them."""
        parts: list[EventBlock] = []
        end = size
        for block in self.blocks():
            left = block
            while left.stop_row >= end:
                parts.append(left.between(left.first_row, end))
                yield EventBlock.joined(parts)
                parts, left, end = [], left.between(end, left.stop_row), end + size
            if left.first_row < left.stop_row:
                parts.append(left)
        if parts:
            yield EventBlock.joined(parts)

    def rows_before(self, row: int) -> int:
        """How many of the shard's rows come before a row of the log."""
        return sum(int(np.searchsorted(block.rows, row)) for block in self.blocks())

    def _checked(self, description: str, block: EventBlock) -> EventBlock:
        if len(self._action_codes) > MOST_ACTIONS:
            column = self._spec.columns.action
            raise DataError(f"{description}: column '{column}' holds more than {MOST_ACTIONS:,} actions; name another for action")
        if block.clock[-1] > LAST_CLOCK:
            row = int(np.argmax(block.clock > LAST_CLOCK))
            years, most = block.clock[row] / MS_A_YEAR, LAST_CLOCK / MS_A_YEAR
            told = f"row {block.rows[row] + 1} is {years:,.0f} years after the first; an experiment's clock ends after {most:.0f}"
            raise DataError(f"{description}: {told}; correct the times, or raise the clock's rate or speedup")
        return block

    def _mine(self, batch: pa.RecordBatch, whole: EventBlock) -> EventBlock:
        if self.census is None:
            return whole
        keys = keys_of(batch)
        shards = shards_of(keys, self._shard.count)
        self.census.take(batch, whole, keys, shards)
        return whole.chosen(shards == self._shard.index)

    def _block(self, batch: pa.RecordBatch, row: int, clock: EventClock) -> EventBlock:
        n = batch.num_rows
        actions, requests = self._actions(_column(batch, "action"), n)
        users, sessions = (_hashed(_column(batch, role), n) for role in ("user", "session"))
        times = _column(batch, "time")
        seconds = times.to_numpy(zero_copy_only=False).astype(np.float64) if times is not None else None
        return EventBlock(
            row,
            row + n,
            np.arange(row, row + n),
            self._items.encode(batch.column("item")),
            requests,
            users,
            sessions if "session" in batch.schema.names else users,
            actions,
            clock.read(row, n, seconds if clock.needs_times else None),
        )

    def _actions(self, column: pa.Array | None, n: int) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        if column is None:
            code = self._action_codes.setdefault("request", len(self._action_codes))
            return np.full(n, code, np.int16), np.ones(n, np.bool_)
        encoded = column.fill_null("").dictionary_encode()
        names: list[str] = encoded.dictionary.to_pylist()
        codes = np.array([self._action_codes.setdefault(name, len(self._action_codes)) for name in names])
        wanted = np.array([name in self._spec.requests for name in names], np.bool_)
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        return codes[indices].astype(np.int16), wanted[indices]


def _column(batch: pa.RecordBatch, role: str) -> pa.Array | None:
    return batch.column(role) if role in batch.schema.names else None


def _hashed(column: pa.Array | None, n: int) -> NDArray[np.uint32]:
    return np.zeros(n, np.uint32) if column is None else hashes(column)
