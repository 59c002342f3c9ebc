"""A bounded table of users, columns instead of objects."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns", "UserTable"]

FEWEST = 16


@dataclass(frozen=True)
class Columns(ABC):
    """Arrays with one row for each user; a subclass says which."""

    @classmethod
    @abstractmethod
    def blank(cls, rows: int) -> Self:
        """Rows without a user."""

    def picked(self, rows: NDArray[np.int64], size: int) -> Self:
        """A table of `size` rows that begins with `rows` of this one."""
        found = self.blank(size)
        for field in fields(self):
            getattr(found, field.name)[: len(rows)] = getattr(self, field.name)[rows]
        return found


Kind = TypeVar("Kind", bound=Columns)


class UserTable(Generic[Kind]):
    """Rows of `columns` by the user's hash; at most `max_users`, or those of one window where these are more.

    Where they would be more, the quarter that was away longest is forgotten.
    """

    def __init__(self, max_users: int, kind: type[Kind]) -> None:
        self._max_users = max_users
        self._ids = np.zeros(0, np.uint32)
        self._rows = np.zeros(0, np.int64)
        self._seen = np.zeros(FEWEST, np.int64)
        self._window = 0
        self.columns = kind.blank(FEWEST)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, user: int) -> bool:
        return bool(self._known(np.array([user], np.uint32))[0])

    def enter(self, users: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Begin a window: the rows of its `users`, shape (n,); new ones get a row."""
        self._window += 1
        ids, place = np.unique(users, return_inverse=True)
        new = ids[~self._known(ids)]
        if len(self) + len(new) > self._max_users:
            self._forget(ids)
        if len(new):
            self._add(new)
        rows = self._rows[np.searchsorted(self._ids, ids)]
        self._seen[rows] = self._window
        return np.asarray(rows[place])

    def rows(self, users: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Rows of known `users`, shape (n,)."""
        return np.asarray(self._rows[np.searchsorted(self._ids, users)])

    def _known(self, users: NDArray[np.uint32]) -> NDArray[np.bool_]:
        if not len(self):
            return np.zeros(len(users), np.bool_)
        place = np.minimum(np.searchsorted(self._ids, users), len(self) - 1)
        return np.asarray(self._ids[place] == users)

    def _add(self, new: NDArray[np.uint32]) -> None:
        used = len(self)
        if used + len(new) > len(self._seen):
            self._resize(np.arange(used), max(used + len(new), 2 * used))
        place = np.searchsorted(self._ids, new)
        self._ids = np.insert(self._ids, place, new)
        self._rows = np.insert(self._rows, place, np.arange(used, used + len(new)))

    def _resize(self, rows: NDArray[np.int64], size: int) -> None:
        self.columns = self.columns.picked(rows, size)
        seen = np.zeros(size, np.int64)
        seen[: len(rows)] = self._seen[rows]
        self._seen = seen

    def _forget(self, wanted: NDArray[np.uint32]) -> None:
        """Drop the quarter of the users that was away longest, none of `wanted`."""
        here = np.isin(self._ids, wanted)
        seen = np.where(here, self._window, self._seen[self._rows])
        kept = np.sort(np.argsort(-seen, kind="stable")[: max(len(self) * 3 // 4, int(here.sum()))])
        self._resize(self._rows[kept], max(len(kept), FEWEST))
        self._ids, self._rows = self._ids[kept], np.arange(len(kept))
