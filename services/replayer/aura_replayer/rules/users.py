"""A bounded table of users by items, columns instead of objects."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["ITEMS_EACH", "MAX_USERS", "Columns", "UserTable"]

MAX_USERS = 100_000
"""Users that are remembered; beyond, the quarter that was away longest is forgotten."""

ITEMS_EACH = 64
"""Items remembered of one user; the least likely makes room for a new one."""

FEWEST = 16


@dataclass(frozen=True)
class Columns:
    """Arrays by row; the first six also by place among the user's items, shape (rows, ITEMS_EACH).

    `items` holds item codes, -1 where there is none, `times` the sessions with the item, `first` and `last` the numbers of the
    first and last of them, `bucket` the item's class when the session began, -1 without one, `again` whether it was requested
    since. `sessions` counts the user's sessions, `current` is the hash of the last one, `seen` the last window with the user.
    """

    items: NDArray[np.int32]
    times: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    bucket: NDArray[np.int16]
    again: NDArray[np.bool_]
    sessions: NDArray[np.int32]
    current: NDArray[np.uint32]
    seen: NDArray[np.int64]

    @classmethod
    def blank(cls, rows: int) -> "Columns":
        """Rows without a user."""
        shape = (rows, ITEMS_EACH)
        return cls(
            np.full(shape, -1, np.int32),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int32),
            np.full(shape, -1, np.int16),
            np.zeros(shape, np.bool_),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.uint32),
            np.zeros(rows, np.int64),
        )

    def picked(self, rows: NDArray[np.int64], size: int) -> "Columns":
        """A table of `size` rows that begins with `rows` of this one."""
        found = Columns.blank(size)
        for field in fields(self):
            getattr(found, field.name)[: len(rows)] = getattr(self, field.name)[rows]
        return found


class UserTable:
    """Rows of `columns` by the user's hash; at most `max_users`, or those of one window where these are more."""

    def __init__(self, max_users: int) -> None:
        self._max_users = max_users
        self._ids = np.zeros(0, np.uint32)
        self._rows = np.zeros(0, np.int64)
        self._window = 0
        self.columns = Columns.blank(FEWEST)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, user: int) -> bool:
        return bool(np.isin(user, self._ids))

    def enter(self, users: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Begin a window: the rows of its `users`, shape (n,); new ones get a row."""
        self._window += 1
        ids, place = np.unique(users, return_inverse=True)
        new = ids[~np.isin(ids, self._ids, assume_unique=True)]
        if len(self) + len(new) > self._max_users:
            self._forget(ids)
        if len(new):
            self._add(new)
        rows = self._rows[np.searchsorted(self._ids, ids)]
        self.columns.seen[rows] = self._window
        return np.asarray(rows[place])

    def _add(self, new: NDArray[np.uint32]) -> None:
        used = len(self)
        if used + len(new) > len(self.columns.items):
            self.columns = self.columns.picked(np.arange(used), max(used + len(new), 2 * used))
        place = np.searchsorted(self._ids, new)
        self._ids = np.insert(self._ids, place, new)
        self._rows = np.insert(self._rows, place, np.arange(used, used + len(new)))

    def _forget(self, wanted: NDArray[np.uint32]) -> None:
        """Drop the quarter of the users that was away longest, none of `wanted`."""
        seen = np.where(np.isin(self._ids, wanted), self._window, self.columns.seen[self._rows])
        kept = np.sort(np.argsort(-seen, kind="stable")[: len(self) * 3 // 4])
        self.columns = self.columns.picked(self._rows[kept], max(len(kept), FEWEST))
        self._ids, self._rows = self._ids[kept], np.arange(len(kept))
