"""The log as columns: blocks of rows cut into windows, with one copy in memory at a time."""

import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aura_contract.workload import WorkloadSpec
from aura_data.tables import DataError, Table, open_table
from aura_replayer.source.clock import EventClock
from aura_replayer.source.items import ItemTable
from aura_replayer.source.spool import EventBlock, Spool

__all__ = ["EventLog"]


class EventLog:
    """The log of one experiment, from the start on each iteration; `spool` is the folder for its columns, None the system's."""

    def __init__(self, spec: WorkloadSpec, base: Path, items: ItemTable, bad_rows: str, spool: Path | None = None) -> None:
        self._spec = spec
        self._base = base
        self._items = items
        self._skip = bad_rows
        self._action_codes: dict[str, int] = {}
        self._spool = Spool(spool)
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
                block = self._block(batch, row, clock)
                self._spool.append(block)
                yield block
                row += batch.num_rows
        self.bad_rows = table.bad_rows
        self._spool.complete = True
        if row == 0:
            raise DataError(f"{table.description}: holds no rows; an experiment needs a log with requests")

    def windows(self, size: int) -> Iterator[EventBlock]:
        """Blocks of exactly `size` rows, the last one shorter."""
        parts: list[EventBlock] = []
        held = 0
        for block in self.blocks():
            start = 0
            while held + len(block) - start >= size:
                stop = start + size - held
                parts.append(block.slice(start, stop))
                yield _join(parts)
                parts, held, start = [], 0, stop
            if start < len(block):
                parts.append(block.slice(start, len(block)))
                held += len(block) - start
        if parts:
            yield _join(parts)

    def _block(self, batch: pa.RecordBatch, row: int, clock: EventClock) -> EventBlock:
        n = batch.num_rows
        actions, requests = self._actions(_column(batch, "action"), n)
        users, sessions = (_hashes(_column(batch, role), n) for role in ("user", "session"))
        times = _column(batch, "time")
        seconds = times.to_numpy(zero_copy_only=False).astype(np.float64) if times is not None else None
        return EventBlock(
            row,
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
        codes = np.array([self._action_codes.setdefault(name, len(self._action_codes)) for name in names], np.int16)
        wanted = np.array([name in self._spec.requests for name in names], np.bool_)
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        return codes[indices], wanted[indices]


def _join(parts: list[EventBlock]) -> EventBlock:
    if len(parts) == 1:
        return parts[0]
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(EventBlock)[1:]}
    return EventBlock(parts[0].first_row, **columns)


def _column(batch: pa.RecordBatch, role: str) -> pa.Array | None:
    return batch.column(role) if role in batch.schema.names else None


def _hashes(column: pa.Array | None, n: int) -> NDArray[np.uint32]:
    if column is None:
        return np.zeros(n, np.uint32)
    encoded = column.fill_null("").dictionary_encode()
    # CRC-32 rather than hash(): the same in every process, so that sampled sessions repeat.
    hashes = np.array([zlib.crc32(value.encode()) for value in encoded.dictionary.to_numpy(zero_copy_only=False)], np.uint32)
    return np.asarray(hashes[encoded.indices.to_numpy(zero_copy_only=False)])
