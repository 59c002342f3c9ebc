"""What each user requested in earlier sessions, and how likely it is to be requested again when a session starts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_replayer.rules.expansions import FLOOR, HISTORY, MOST, Expansions
from aura_replayer.rules.users import Columns, UserTable

__all__ = ["ITEMS_EACH", "History", "UserItems"]

MAX_USERS = 100_000
ITEMS_EACH = 64
"""Items remembered of one user; the least likely makes room for a new one."""

MAX_ROUNDS = 64
"""Sessions of one user in one window that are learnt from."""

TIMES = np.array([1, 2, 3, 5, 9])
AWAY = np.array([0, 1, 2, 5, 11])
SHARES = 8
BUCKETS = (len(TIMES) + 1) * (len(AWAY) + 1) * SHARES
PRIOR_HITS, PRIOR_TRIALS = 0.2, 1.0


@dataclass(frozen=True)
class _Runs:
    """Requests of one session of each of some users: `rows` of the users (each once), their `sessions`, the place `at` of the
    first request, and each request's number of its run (`run`) and item (`codes`)."""

    rows: NDArray[np.int64]
    sessions: NDArray[np.uint32]
    at: NDArray[np.int64]
    run: NDArray[np.int64]
    codes: NDArray[np.int32]


@dataclass(frozen=True)
class UserItems(Columns):
    """Arrays by row; the first six also by place among the user's items, shape (rows, ITEMS_EACH).

    `items` holds item codes, -1 where there is none, `times` the sessions with the item, `first` and `last` the numbers of the
    first and last of them, `bucket` the item's class when the session began, -1 without one, `again` whether it was requested
    since. `sessions` counts the user's sessions, `current` is the hash of the last one.
    """

    items: NDArray[np.int32]
    times: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    bucket: NDArray[np.int16]
    again: NDArray[np.bool_]
    sessions: NDArray[np.int32]
    current: NDArray[np.uint32]

    @classmethod
    def blank(cls, rows: int) -> "UserItems":
        """See `Columns.blank`."""
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
        )


class History:
    """A table of users by items, bounded, and one calibration for all of them.

    An item of a user is described by the number of past sessions with it, how many sessions ago the last one was, and their
    share of the sessions since the first: 288 classes. How often items of a class were in the user's next session is counted
    as the log goes by, and is the probability of the class from then on.
    """

    def __init__(self, max_users: int = MAX_USERS) -> None:
        self.users = UserTable(max_users, UserItems)
        self._hits = np.zeros(BUCKETS)
        self._trials = np.zeros(BUCKETS)

    def observe(self, users: NDArray[np.uint32], sessions: NDArray[np.uint32], codes: NDArray[np.int32]) -> Expansions:
        """Take in one window's requests, columns of shape (n,): what could be fetched at each start of a session in it."""
        known = np.flatnonzero(users)
        if not len(known):
            return Expansions.empty()
        rows = self.users.enter(users[known])
        order = np.argsort(rows, kind="stable")
        row, session, code, at = rows[order], sessions[known][order], codes[known][order], known[order]
        new_row = np.concatenate([[True], row[1:] != row[:-1]])
        begins = new_row | np.concatenate([[True], session[1:] != session[:-1]])
        run, starts = np.cumsum(begins) - 1, np.flatnonzero(begins)
        first = np.maximum.accumulate(np.where(new_row[starts], np.arange(len(starts)), 0))
        turn = np.arange(len(starts)) - first
        parts = []
        for number in range(min(int(turn.max()) + 1, MAX_ROUNDS)):
            here = turn == number
            mine = here[run]
            local = np.cumsum(here) - 1
            runs = _Runs(row[starts][here], session[starts][here], at[starts][here], local[run[mine]], code[mine])
            parts.append(self._round(runs))
        return Expansions.joined(parts)

    def _round(self, runs: _Runs) -> Expansions:
        table = self.users.columns
        fresh = (table.current[runs.rows] != runs.sessions) | (table.sessions[runs.rows] == 0)
        rows = runs.rows[fresh]
        self._close(rows)
        found = self._open(rows, runs.at[fresh])
        table.current[runs.rows] = runs.sessions
        self._take(runs)
        return found

    def _close(self, rows: NDArray[np.int64]) -> None:
        """The users' last sessions are over: count which of the items that were known at their start came again."""
        bucket, again = self.users.columns.bucket[rows], self.users.columns.again[rows]
        self._trials += np.bincount(bucket[bucket >= 0], minlength=BUCKETS)
        self._hits += np.bincount(bucket[(bucket >= 0) & again], minlength=BUCKETS)
        self.users.columns.again[rows] = False

    def _open(self, rows: NDArray[np.int64], at: NDArray[np.int64]) -> Expansions:
        """Sessions of `rows` start with the requests `at`: what their users are likely to request, likeliest first."""
        table = self.users.columns
        past = table.sessions[rows][:, None]
        known = table.items[rows] >= 0
        bucket = np.where(known, _bucket(table.times[rows], past - table.last[rows], past - table.first[rows] + 1), -1)
        table.bucket[rows] = bucket
        table.sessions[rows] += 1
        likely = np.where(known, self._probability()[bucket], 0.0)
        best = np.argsort(-likely, axis=1, kind="stable")[:, :MOST]
        likely = np.take_along_axis(likely, best, 1)
        row, rank = np.nonzero(likely >= FLOOR)
        m = len(row)
        return Expansions(
            at[row],
            table.items[rows[row], best[row, rank]],
            likely[row, rank].astype(np.float32),
            rank.astype(np.int8),
            np.full(m, HISTORY, np.int8),
            np.ones(m, np.bool_),
        )

    def _probability(self) -> NDArray[np.float64]:
        return np.asarray((self._hits + PRIOR_HITS) / (self._trials + PRIOR_TRIALS))

    def _take(self, runs: _Runs) -> None:
        """Write the requests of the runs into their users' rows."""
        table = self.users.columns
        _, first = np.unique(runs.run * 2**32 + runs.codes, return_index=True)
        run, code = runs.run[first], runs.codes[first]
        row = runs.rows[run]
        same = table.items[row] == code[:, None]
        known, slot = same.any(1), same.argmax(1)
        session = table.sessions[row]
        here, place = row[known], slot[known]
        table.times[here, place] += table.last[here, place] != session[known]
        table.last[here, place] = session[known]
        table.again[here, place] = True
        self._insert(runs.rows, run[~known], code[~known], session[~known])

    def _insert(
        self, rows: NDArray[np.int64], run: NDArray[np.int64], code: NDArray[np.int32], session: NDArray[np.int32]
    ) -> None:
        """New items in the places of each user's least likely ones; `run` ascends and indexes `rows`."""
        if not len(run):
            return
        table = self.users.columns
        bucket = table.bucket[rows]
        # An item of this session has no class yet and stays.
        chance = np.where(bucket < 0, 1.0, self._probability()[bucket])
        chance[table.items[rows] < 0] = -1.0
        weakest = np.argsort(chance, axis=1, kind="stable")
        number = np.arange(len(run)) - np.searchsorted(run, run)
        fits = number < ITEMS_EACH
        row, slot = rows[run[fits]], weakest[run[fits], number[fits]]
        table.items[row, slot] = code[fits]
        table.times[row, slot] = 1
        table.first[row, slot] = table.last[row, slot] = session[fits]
        table.bucket[row, slot] = -1
        table.again[row, slot] = True


def _bucket(times: NDArray[np.int32], away: NDArray[np.int32], age: NDArray[np.int32]) -> NDArray[np.int64]:
    """Class of an item of a user: sessions with it, sessions since the last (0: it was the last), sessions since the first."""
    share = np.minimum(SHARES * times // np.maximum(age, 1), SHARES - 1)
    kind = np.searchsorted(TIMES, times) * (len(AWAY) + 1) + np.searchsorted(AWAY, away)
    return np.asarray(kind * SHARES + share)
