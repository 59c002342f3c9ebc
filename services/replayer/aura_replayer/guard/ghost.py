"""A small cache that stands for an arm: the requests of a hashed sample of the items, in memory, under any policy."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_replayer.levers import ENTRY, KEPT_NOT, NO_FILL, PREFETCH, Stream

__all__ = ["LEAST_ITEMS", "Ghost", "Sample", "sampled"]

LEAST_ITEMS, LEAST_REQUESTS = 128, 300
"""Items that a ghost holds and requests that it sees in a window, about: it then takes half a millisecond for one."""

SAMPLES = 5
"""Residents drawn for one eviction: half of what arms draw, since every draw costs a ghost as much as a hit."""

MULTIPLIER = 2_654_435_761
"""Knuth's multiplicative hash, The Art of Computer Programming 6.4: spreads neighbouring codes."""


@dataclass(frozen=True)
class Sample:
    """Which items ghosts see: `share` of them, spatially hashed (Waldspurger et al., SHARDS, FAST 2015); they hold `items`."""

    share: float
    items: int

    @classmethod
    def of(cls, capacity_items: int, window_requests: int) -> "Sample":
        """For an arm of `capacity_items` and windows of so many requests."""
        share = min(1.0, max(LEAST_ITEMS / capacity_items, LEAST_REQUESTS / window_requests))
        return cls(share, max(1, round(share * capacity_items)))

    def holds(self, codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether items are in the sample, shape as `codes`."""
        return np.asarray((codes.astype(np.uint64) * MULTIPLIER) % 2**32 < self.share * 2**32)


def sampled(stream: Stream, sample: Sample, first: int) -> list[tuple[int, int, int]]:
    """The sample's entries of a window's stream: code, priority (`first` is the window's first request number), flags."""
    places = np.flatnonzero(sample.holds(stream.codes))
    codes = stream.codes[places]
    requests = np.arange(len(stream.codes))
    if stream.places is not None:
        requests = np.searchsorted(stream.places[:-1], requests, side="right") - 1
    level, flags = first + requests[places], np.zeros(len(places), np.uint8)
    if stream.meta:
        meta = np.frombuffer(stream.meta, ENTRY)[places]
        level, flags = level + meta["bonus"].astype(np.int64), meta["flags"]
    return list(zip(codes.tolist(), level.tolist(), flags.tolist(), strict=True))


class Ghost:
    """Evicts the lowest priority of five residents drawn at random, when it is over its size, as an arm does; no TTLs."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._levels: dict[int, int] = {}
        self._residents: list[int] = []
        self._state = 2 * seed + 1

    @property
    def full(self) -> bool:
        """Whether it holds all that it can."""
        return len(self._residents) >= self._size

    def copy(self) -> "Ghost":
        """One that goes on from here on its own."""
        other = Ghost(self._size, 0)
        other._levels, other._residents, other._state = dict(self._levels), list(self._residents), self._state
        return other

    def drop(self, codes: Collection[int]) -> None:
        """Evict some items."""
        gone = self._levels.keys() & set(codes)
        for code in gone:
            del self._levels[code]
        if gone:
            self._residents = [code for code in self._residents if code not in gone]

    def serve(self, entries: list[tuple[int, int, int]]) -> list[bool]:
        """Serve entries (see `sampled`); whether each request among them was a hit."""
        levels, residents, hits = self._levels, self._residents, []
        for code, level, flags in entries:
            here = code in levels
            if flags & PREFETCH:
                if here or flags % 4 == KEPT_NOT:
                    continue
            else:
                hits.append(here)
                if not here and (flags & NO_FILL or flags % 4 == KEPT_NOT):
                    continue
            levels[code] = level
            if not here:
                residents.append(code)
                if len(residents) > self._size:
                    self._evict()
        return hits

    def _evict(self) -> None:
        levels, residents = self._levels, self._residents
        size, state, lowest, place = len(residents), self._state, 2**63, 0
        for _ in range(SAMPLES):
            # A linear congruential generator (Knuth's MMIX) costs a tenth of the library's.
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            at = (state >> 33) % size
            level = levels[residents[at]]
            if level < lowest:
                lowest, place = level, at
        self._state = state
        del levels[residents[place]]
        residents[place] = residents[-1]
        residents.pop()
