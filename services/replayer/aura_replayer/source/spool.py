"""The log's columns in a temporary file: the text of a log is read, split and looked up once, and replayed from here."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["EventBlock", "Spool"]


@dataclass(frozen=True)
class EventBlock:
    """Consecutive rows of the log, columns of shape (n,).

    `items` are item codes, `requests` marks cache requests, `users` hashes of the user, 0 where it is unknown, `sessions` those
    of the session, or of the user in a log without sessions, `actions` codes into the log's action names, `clock` the event
    clock in ms.
    """

    first_row: int
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
        return cls(0, *(np.zeros(0, kind) for kind in TYPES))

    def slice(self, start: int, stop: int) -> "EventBlock":
        """Rows start .. stop-1 of this block."""
        columns = {field.name: getattr(self, field.name)[start:stop] for field in fields(self)[1:]}
        return EventBlock(self.first_row + start, **columns)


TYPES = tuple(np.dtype(kind) for kind in (np.int32, np.bool_, np.uint32, np.uint32, np.int16, np.int64))


class Spool:
    """Blocks in the order they came, 23 bytes a row; the file has no name and is gone with this object."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this object
        self._rows: list[int] = []
        self.complete = False

    def clear(self) -> None:
        """Begin again."""
        self._file.seek(0)
        self._file.truncate()
        self._rows = []

    def append(self, block: EventBlock) -> None:
        """Keep one block; raises OSError when the disk is full."""
        for column in (block.items, block.requests, block.users, block.sessions, block.actions, block.clock):
            self._file.write(column.tobytes())
        self._rows.append(len(block))

    def blocks(self) -> Iterator[EventBlock]:
        """What was kept."""
        self._file.seek(0)
        first = 0
        for rows in self._rows:
            columns = [np.frombuffer(self._file.read(rows * kind.itemsize), kind) for kind in TYPES]
            yield EventBlock(first, *columns)
            first += rows
