"""What users have asked for in the long run, by category: a few decayed counts for each of many users."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_replayer.rules.users import Columns, UserTable

__all__ = ["CATEGORIES_EACH", "HALF_LIFE", "MAX_USERS", "Affinities"]

MAX_USERS = 1_000_000
"""About 60 bytes each; beyond, the quarter that was away longest is forgotten."""

CATEGORIES_EACH = 6
"""Categories remembered of one user; others push the least of them down until it is replaced (Misra and Gries 1982)."""

HALF_LIFE = 200.0
"""Requests of a user after which an old one of hers counts half."""


@dataclass(frozen=True)
class Profiles(Columns):
    """By row and place, shape (rows, CATEGORIES_EACH): category codes, -1 where there is none, and their decayed counts."""

    category: NDArray[np.int32]
    weight: NDArray[np.float32]

    @classmethod
    def blank(cls, rows: int) -> "Profiles":
        """See `Columns.blank`."""
        shape = (rows, CATEGORIES_EACH)
        return cls(np.full(shape, -1, np.int32), np.zeros(shape, np.float32))


class Affinities:
    """Category affinities of the log's users; code 0, no category, counts for nobody."""

    def __init__(self, max_users: int = MAX_USERS) -> None:
        self._table = UserTable(max_users, Profiles)

    def __len__(self) -> int:
        return len(self._table)

    def observe(self, users: NDArray[np.uint32], categories: NDArray[np.int32], names: int) -> NDArray[np.float64]:
        """Take in one window's requests, columns of shape (n,): what its users asked for before.

        Returns the mean over those of its users who have a past of each category's share in it, shape (names,), 0 without any.
        """
        known = np.flatnonzero((users != 0) & (categories > 0))
        if not len(known):
            return np.zeros(names)
        rows = self._table.enter(users[known])
        here, place = np.unique(rows, return_inverse=True)
        shares = self._shares(here, names)
        pairs, times = np.unique(place * np.int64(names) + categories[known], return_counts=True)
        self._learn(here, pairs // names, (pairs % names).astype(np.int32), times)
        return shares

    def profile(self, user: int) -> list[int]:
        """Codes of a user's categories, the most asked for first; empty for one who was never seen."""
        if user not in self._table:
            return []
        (row,) = self._table.rows(np.array([user], np.uint32))
        category, weight = self._table.columns.category[row], self._table.columns.weight[row]
        return [int(category[place]) for place in np.argsort(-weight, kind="stable") if category[place] >= 0]

    def _shares(self, rows: NDArray[np.int64], names: int) -> NDArray[np.float64]:
        table = self._table.columns
        total = table.weight[rows].sum(axis=1)
        rows, total = rows[total > 0], total[total > 0]
        if not len(rows):
            return np.zeros(names)
        share = table.weight[rows] / total[:, None]
        filled = table.category[rows] >= 0
        return np.bincount(table.category[rows][filled], weights=share[filled], minlength=names) / len(rows)

    def _learn(
        self, rows: NDArray[np.int64], user: NDArray[np.int64], category: NDArray[np.int32], times: NDArray[np.int64]
    ) -> None:
        """Count `times` requests of `category` by the user in `rows[user]`; pairs are distinct, `user` ascends."""
        table = self._table.columns
        table.weight[rows] *= 2.0 ** (-np.bincount(user, weights=times, minlength=len(rows)) / HALF_LIFE)[:, None]
        same = table.category[rows[user]] == category[:, None]
        known, slot = same.any(1), same.argmax(1)
        table.weight[rows[user[known]], slot[known]] += times[known]
        user, category, times = user[~known], category[~known], times[~known]
        # The most asked for first, each against the next weakest.
        order = np.lexsort((category, -times, user))
        user, category, times = user[order], category[order], times[order]
        number = np.arange(len(user)) - np.searchsorted(user, user)
        fits = number < CATEGORIES_EACH
        row, number = rows[user[fits]], number[fits]
        weakest = np.argsort(table.weight[rows], axis=1, kind="stable")
        slot = weakest[user[fits], number]
        least, times = table.weight[row, slot], times[fits]
        taken = least < times
        table.weight[row, slot] = np.where(taken, times, least - times)
        table.category[row[taken], slot[taken]] = category[fits][taken]
