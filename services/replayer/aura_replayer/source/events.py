"""The log as columns: blocks of rows cut into windows, with one copy in memory at a time."""

import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aura_contract.workload import WorkloadSpec
from aura_data.tables import DataError, Table, open_table
from aura_replayer.source.clock import EventClock
from aura_replayer.source.items import ItemTable

__all__ = ["EventBlock", "EventLog"]

CODE_BYTES = 4


@dataclass(frozen=True)
class EventBlock:
    """Consecutive rows of the log, columns of shape (n,).

    `items` are item codes, `requests` marks cache requests, `groups` hashes of the session (or user), 0 without either,
    `actions` codes into the log's action names, `clock` the event clock in ms.
    """

    first_row: int
    items: NDArray[np.int32]
    requests: NDArray[np.bool_]
    groups: NDArray[np.uint32]
    actions: NDArray[np.int16]
    clock: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.items)

    def slice(self, start: int, stop: int) -> "EventBlock":
        """Rows start .. stop-1 of this block."""
        columns = {field.name: getattr(self, field.name)[start:stop] for field in fields(self)[1:]}
        return EventBlock(self.first_row + start, **columns)


class EventLog:
    """The log of one experiment, read from the start on each iteration."""

    def __init__(self, spec: WorkloadSpec, base: Path, items: ItemTable, bad_rows: str) -> None:
        self._spec = spec
        self._base = base
        self._items = items
        self._skip = bad_rows
        self._action_codes: dict[str, int] = {}
        # Item codes of the rows read so far, 4 bytes each: looking the ids up is most of the work on a row, and is done once.
        self._codes = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        self._coded = 0
        self.bad_rows = 0

    @property
    def action_names(self) -> list[str]:
        """Name of each action code."""
        return list(self._action_codes)

    def _open(self) -> Table:
        columns = self._spec.columns
        # Only what is used is decoded: times belong to a timestamp clock, users stand in where sessions are missing.
        unused = {"user" if columns.session else None, None if self._spec.clock.timestamps else "time"}
        roles = {role: name for role, name in columns.model_dump().items() if name is not None and role not in unused}
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
        clock = EventClock(self._spec.clock)
        table = self._open()
        row = 0
        for batch in table.batches():
            if batch.num_rows:
                yield self._block(batch, row, clock)
                row += batch.num_rows
        self.bad_rows = table.bad_rows
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
        group = _column(batch, "session")
        if group is None:
            group = _column(batch, "user")
        times = _column(batch, "time")
        seconds = times.to_numpy(zero_copy_only=False).astype(np.float64) if times is not None else None
        return EventBlock(
            row,
            self._item_codes(batch, row),
            requests,
            _hashes(group, n),
            actions,
            clock.read(row, n, seconds if clock.needs_times else None),
        )

    def _item_codes(self, batch: pa.RecordBatch, row: int) -> NDArray[np.int32]:
        n = batch.num_rows
        if row + n <= self._coded:
            self._codes.seek(row * CODE_BYTES)
            return np.frombuffer(self._codes.read(n * CODE_BYTES), np.int32)
        codes = self._items.encode(batch.column("item"))
        if row == self._coded:
            self._codes.seek(row * CODE_BYTES)
            self._codes.write(codes.tobytes())
            self._coded += n
        return codes

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
