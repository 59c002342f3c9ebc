"""The log's columns in a temporary file: the text of a log is read, split and looked up once, and replayed from here."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EventBlock", "Spool"]


@dataclass(frozen=True)
class EventBlock:
    """A shard's rows among the log's rows first_row .. stop_row-1, columns of shape (n,); all of them where there is one shard.

    `rows` are their numbers in the log, `items` are item codes, `requests` marks cache requests, `users` hashes of the user,
    0 where it is unknown, `sessions` those
    of the session, or of the user in a log without sessions, `actions` codes into the log's action names, `clock` the event
    clock in ms.
    """

    first_row: int
    stop_row: int
    rows: NDArray[np.int64]
    items: NDArray[np.int32]
    requests: NDArray[np.bool_]
    users: NDArray[np.uint32]
    sessions: NDArray[np.uint32]
    actions: NDArray[np.int16]
    clock: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls) -> "EventBlock":
        """No rows."""
        return cls(0, 0, *(np.zeros(0, kind) for kind in TYPES))

    @property
    def columns(self) -> "list[NDArray[Any]]":
        """All columns, in their order."""
        return [getattr(self, name) for name in COLUMNS]

    def between(self, first: int, stop: int) -> "EventBlock":
        """Those among the log's rows first .. stop-1, which are among this block's."""
        start, end = np.searchsorted(self.rows, (first, stop))
        return EventBlock(first, stop, *(column[start:end] for column in self.columns))

    def chosen(self, wanted: NDArray[np.bool_]) -> "EventBlock":
        """The same range of the log with the `wanted` rows only."""
        return EventBlock(self.first_row, self.stop_row, *(column[wanted] for column in self.columns))

    @classmethod
    def joined(cls, parts: "Sequence[EventBlock]") -> "EventBlock":
        """Blocks that follow each other as one."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns for part in parts), strict=True)
        return cls(parts[0].first_row, parts[-1].stop_row, *map(np.concatenate, columns))


COLUMNS = tuple(field.name for field in fields(EventBlock))[2:]
TYPES = tuple(np.dtype(kind) for kind in (np.int64, np.int32, np.bool_, np.uint32, np.uint32, np.int16, np.int64))


class Spool:
    """Blocks in the order they came, 31 bytes a row; the file has no name and is gone with this object."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this object
        self._spans: list[tuple[int, int, int]] = []
        self.complete = False

    def clear(self) -> None:
        """Begin again."""
        self._file.seek(0)
        self._file.truncate()
        self._spans = []

    def append(self, block: EventBlock) -> None:
        """Keep one block; raises OSError when the disk is full."""
        for column in block.columns:
            self._file.write(column.tobytes())
        self._spans.append((block.first_row, block.stop_row, len(block)))

    def blocks(self) -> Iterator[EventBlock]:
        """What was kept."""
        self._file.seek(0)
        for first, stop, rows in self._spans:
            yield EventBlock(first, stop, *(np.frombuffer(self._file.read(rows * kind.itemsize), kind) for kind in TYPES))
