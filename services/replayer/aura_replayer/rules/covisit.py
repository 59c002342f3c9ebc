"""What sessions went on with after each item, and how likely each continuation is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_replayer.rules.expansions import COVISIT, FLOOR, Expansions

__all__ = ["NEXT_EACH", "SESSIONS", "Covisits"]

NEXT_EACH = 4
"""Continuations counted for each item; others push the rarest of them down until it is replaced (Misra and Gries 1982)."""

SESSIONS = 2**16
"""Places for open sessions; one that falls into another's place ends it."""

LEAST = 2.0
"""Times that a continuation must have been seen."""


class Covisits:
    """Tables by item code that grow with the log's distinct items, and one of the open sessions' last items."""

    def __init__(self) -> None:
        self._next = np.full((1024, NEXT_EACH), -1, np.int32)
        self._count = np.zeros((1024, NEXT_EACH), np.float32)
        self._total = np.zeros(1024, np.float32)
        self._open = np.zeros(SESSIONS, np.uint32)
        self._last = np.full(SESSIONS, -1, np.int32)
        self._learnt = False

    def observe(self, sessions: NDArray[np.uint32], codes: NDArray[np.int32]) -> Expansions:
        """Take in one window's requests, columns of shape (n,): what could be fetched after each of them."""
        known = np.flatnonzero(sessions)
        if not len(known):
            return Expansions.empty()
        self._grow(int(codes.max()) + 1)
        order = known[np.argsort(sessions[known], kind="stable")]
        session, code = sessions[order], codes[order]
        begins = np.concatenate([[True], session[1:] != session[:-1]])
        before = np.concatenate([[-1], code[:-1]]).astype(np.int32)
        place = session[begins] % SESSIONS
        before[begins] = np.where(self._open[place] == session[begins], self._last[place], -1)
        starts = np.zeros(len(codes), np.bool_)
        starts[order] = before < 0
        found = self._expand(np.sort(known), codes, starts)
        ends = np.concatenate([begins[1:], [True]])
        self._open[session[ends] % SESSIONS] = session[ends]
        self._last[session[ends] % SESSIONS] = code[ends]
        follows = (before >= 0) & (before != code)
        self._learn(before[follows], code[follows])
        return found

    def _grow(self, size: int) -> None:
        room = len(self._total)
        if size > room:
            more = max(room, size - room)
            self._next = np.concatenate([self._next, np.full((more, NEXT_EACH), -1, np.int32)])
            self._count = np.concatenate([self._count, np.zeros((more, NEXT_EACH), np.float32)])
            self._total = np.concatenate([self._total, np.zeros(more, np.float32)])

    def after(self, codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Likely continuations of `codes`, columns of shape (m,): places in `codes`, ascending, and items, likeliest first."""
        if not self._learnt:
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        self._grow(int(codes.max(initial=-1)) + 1)
        row, _, following, _ = self._likely(codes)
        return row, following

    def _likely(
        self, codes: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Place in `codes`, rank, item and probability of each continuation that is likely enough for a rule."""
        likely = self._count[codes] / (self._total[codes][:, None] + 1.0)
        likely[self._count[codes] < LEAST] = 0.0
        best = np.argsort(-likely, axis=1, kind="stable")
        likely = np.take_along_axis(likely, best, 1)
        row, rank = np.nonzero(likely >= FLOOR)
        return row, rank, self._next[codes[row], best[row, rank]], likely[row, rank]

    def _expand(self, at: NDArray[np.int64], codes: NDArray[np.int32], starts: NDArray[np.bool_]) -> Expansions:
        row, rank, following, probability = self._likely(codes[at])
        return Expansions(
            at[row],
            following,
            probability,
            rank.astype(np.int8),
            np.full(len(row), COVISIT, np.int8),
            starts[at[row]],
        )

    def _learn(self, before: NDArray[np.int32], after: NDArray[np.int32]) -> None:
        """Count that `after` followed `before`, columns of equal length."""
        self._learnt = True
        pairs, times = np.unique(before.astype(np.int64) * 2**32 + after, return_counts=True)
        item, following = pairs >> 32, (pairs & (2**32 - 1)).astype(np.int32)
        np.add.at(self._total, item, times.astype(np.float32))
        same = self._next[item] == following[:, None]
        known, slot = same.any(1), same.argmax(1)
        self._count[item[known], slot[known]] += times[known]
        item, following, times = item[~known], following[~known], times[~known]
        # One new continuation for each item and window, the commonest: the others will come again if they matter.
        order = np.lexsort((-times, item))
        item, following, times = item[order], following[order], times[order]
        first = np.concatenate([[True], item[1:] != item[:-1]]) if len(item) else np.zeros(0, np.bool_)
        item, following, times = item[first], following[first], times[first]
        rarest = self._count[item].argmin(1)
        least = self._count[item, rarest]
        taken = (least <= 0) | (least < times)
        self._count[item, rarest] = np.where(taken, times, least - times)
        self._next[item[taken], rarest[taken]] = following[taken]
