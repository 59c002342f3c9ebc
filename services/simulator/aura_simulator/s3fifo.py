"""S3-FIFO: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1."""

from collections import OrderedDict, deque

import numpy as np

from aura_simulator.trace import Codes, Hits, items_of

__all__ = ["s3fifo"]

SMALL_SHARE = 0.1
MOST = 3
"""Largest value of the two-bit counter."""


class _Queues:
    """The small and the main queue, the counters of what is in them, and the ghost of what left the small one."""

    def __init__(self, capacity: int) -> None:
        self.small_size = max(1, int(capacity * SMALL_SHARE))
        self.main_size = capacity - self.small_size
        self.room = capacity
        self.small: deque[int] = deque()
        self.main: deque[int] = deque()
        self.ghost: OrderedDict[int, None] = OrderedDict()
        self.frequency: dict[int, int] = {}

    def insert(self, code: int) -> None:
        """Store a missed item, in the main queue when the ghost remembers it."""
        while not self.room:
            if len(self.small) >= self.small_size or not self.main:
                self._evict_small()
            else:
                self._evict_main()
        self.room -= 1
        self.frequency[code] = 0
        if code in self.ghost:
            del self.ghost[code]
            self.main.append(code)
        else:
            self.small.append(code)

    def _evict_small(self) -> None:
        small, main, frequency = self.small, self.main, self.frequency
        while small:
            code = small.popleft()
            if frequency[code] > 1:
                frequency[code] = 0
                main.append(code)
                if len(main) > self.main_size:
                    self._evict_main()
                    return
            else:
                del frequency[code]
                self.room += 1
                self.ghost[code] = None
                if len(self.ghost) > self.main_size:
                    self.ghost.popitem(last=False)
                return

    def _evict_main(self) -> None:
        main, frequency = self.main, self.frequency
        while main:
            code = main.popleft()
            if frequency[code]:
                frequency[code] -= 1
                main.append(code)
            else:
                del frequency[code]
                self.room += 1
                return


def s3fifo(codes: Codes, capacity: int) -> Hits:
    """Hits of S3-FIFO with `capacity` items; shape (n,), raises ValueError.

    As in the paper: the small queue is 10 % of the cache, the ghost as long as the main queue, counters hold two bits, an
    item moves from the small to the main queue after two hits, and the move clears its counter.
    """
    hits = bytearray(len(codes))
    queues = _Queues(capacity)
    frequency, insert = queues.frequency, queues.insert
    for t, code in enumerate(items_of(codes, capacity)):
        seen = frequency.get(code)
        if seen is None:
            insert(code)
        else:
            hits[t] = 1
            if seen < MOST:
                frequency[code] = seen + 1
    return np.frombuffer(hits, np.bool_)
