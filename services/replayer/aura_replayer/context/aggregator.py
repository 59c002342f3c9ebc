"""Counts of the log as it is replayed: this window's, the one before, and a decayed count of every item."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_replayer.context.ranking import largest
from aura_replayer.source.spool import EventBlock

__all__ = ["HALF_LIFE_FILLS", "ContextAggregator"]

HALF_LIFE_FILLS = 16
"""Requests after which an old request counts half, in fills of the cache: long enough to outlive residency."""

SESSION_EVENTS = 10
HEAVIEST = 100
RESCALE_AT = 1e30


class ContextAggregator:
    """Works on whole windows; arrays are indexed by item code and grow with the log's distinct items."""

    def __init__(self, capacity_items: int) -> None:
        self._half_life = HALF_LIFE_FILLS * max(1, capacity_items)
        self._scale = 1.0
        self._weights = np.zeros(1024, np.float64)
        self._last_seen = np.full(1024, -1, np.int64)
        self._before = np.zeros(1024, np.int32)
        self._before_items = np.zeros(0, np.int64)
        self.window = EventBlock.empty()
        self.items = np.zeros(0, np.int64)
        self.counts = np.zeros(0, np.int64)
        self.trend = np.zeros(0, np.int64)
        self.new_items = 0
        self.heaviest = np.zeros(0, np.int64)
        """Codes of the 100 items with the largest decayed counts, heaviest first."""

    def _grow(self, size: int) -> None:
        room = len(self._weights)
        if size > room:
            more = max(room, size - room)
            self._weights = np.concatenate([self._weights, np.zeros(more)])
            self._last_seen = np.concatenate([self._last_seen, np.full(more, -1)])
            self._before = np.concatenate([self._before, np.zeros(more, np.int32)])

    def frequency(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Decayed requests of the same item before each request of the coming window, shape as `codes`."""
        self._grow(int(codes.max(initial=-1)) + 1)
        return (self._weights[codes] / self._scale + _earlier(codes)).astype(np.float32)

    def observe(self, block: EventBlock) -> None:
        """Take in one window of the log."""
        self._grow(int(block.items.max(initial=-1)) + 1)
        self._before[self._before_items] = 0
        self._before_items = self.items
        self._before[self.items] = self.counts
        self.window = block
        codes = block.items[block.requests]
        self.items, self.counts = np.unique(codes, return_counts=True)
        self.trend = self.counts - self._before[self.items]
        self.new_items = int((self._last_seen[self.items] < 0).sum())
        self._scale *= 2.0 ** (len(codes) / self._half_life)
        self._weights[self.items] += self.counts * self._scale
        if self._scale > RESCALE_AT:
            self._weights /= self._scale
            self._scale = 1.0
        self._last_seen[codes] = block.rows[block.requests]
        # All weights decay alike, so whoever was not requested cannot have risen among the heaviest.
        risen = self.items[largest(self._weights[self.items], HEAVIEST)]
        pool = np.unique(np.concatenate([self.heaviest, risen]))
        self.heaviest = pool[largest(self._weights[pool], HEAVIEST)]

    def weight(self, items: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Decayed request counts of `items`, shape (len(items),)."""
        return np.asarray(self._weights[items] / self._scale)

    def last_seen(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows since the last request of each of `items`, counted from the window's end, shape (len(items),)."""
        return np.asarray(self.window.stop_row - self._last_seen[items])

    def count_before(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Requests of `items` in the window before this one, shape (len(items),)."""
        return self._before[items].astype(np.int64)

    def sample_sessions(self, count: int) -> list[NDArray[np.int64]]:
        """Positions in the window of the last 10 events of `count` groups: those with the most events, oldest event first."""
        groups = self.window.sessions
        if not groups.any():
            return []
        ids, counts = np.unique(groups, return_counts=True)
        chosen = ids[np.lexsort((ids, -np.minimum(counts, SESSION_EVENTS)))][:count]
        return [np.flatnonzero(groups == group)[-SESSION_EVENTS:] for group in chosen]


def _earlier(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """How often each code stands earlier in `codes`, shape as `codes`."""
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else np.zeros(0, np.int64)
    run = np.zeros(len(ranked), np.int64)
    run[starts] = starts
    earlier = np.empty(len(codes), np.int64)
    earlier[order] = np.arange(len(ranked)) - np.maximum.accumulate(run)
    return earlier
