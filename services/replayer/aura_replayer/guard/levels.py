"""Ghosts that try every level of the lever `frequency` beside the replay, so that no arm has to pay for finding out."""

import math
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from aura_contract.context import GhostStat
from aura_contract.plan import Frequency
from aura_replayer.context.windows import Window
from aura_replayer.guard.ghost import Ghost, Sample
from aura_replayer.levers import FREQUENCY_WEIGHT

__all__ = ["LevelGhosts"]

LEVELS: tuple[Frequency, ...] = get_args(Frequency)
DECAY = 0.9
"""Weight of a window against the one after it."""


class LevelGhosts:
    """One ghost for each level. `plain_hits` are those of level `none` in the last window, in the order of the requests."""

    def __init__(self, sample: Sample, capacity_items: int, seed: int) -> None:
        self._sample, self._capacity = sample, capacity_items
        self._ghosts = {level: Ghost(sample.items, seed) for level in LEVELS}
        self._won = dict.fromkeys(LEVELS, 0.0)
        self._apart = dict.fromkeys(LEVELS, 0.0)
        self._requests = 0.0
        self.plain_hits: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def observe(self, window: Window) -> None:
        """A window is over."""
        places = np.flatnonzero(self._sample.holds(window.codes))
        codes, frequency = window.codes[places].tolist(), np.log2(window.frequency[places] + 1.0)
        filled = self._ghosts["none"].full
        hits = {level: self._served(level, codes, window.first + places, frequency) for level in LEVELS}
        self.plain_hits = hits["none"]
        if not filled:
            return
        self._requests = DECAY * self._requests + len(codes)
        for level, found in hits.items():
            won, lost = int((found & ~self.plain_hits).sum()), int((self.plain_hits & ~found).sum())
            self._won[level] = DECAY * self._won[level] + won - lost
            self._apart[level] = DECAY * self._apart[level] + won + lost

    def _served(
        self, level: Frequency, codes: list[int], requests: NDArray[np.int64], frequency: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        bonus = (FREQUENCY_WEIGHT[level] * self._capacity * frequency).astype(np.int64)
        entries = zip(codes, (requests + bonus).tolist(), [0] * len(codes), strict=True)
        return np.array(self._ghosts[level].serve(list(entries)), np.bool_)

    def stats(self) -> tuple[GhostStat, ...]:
        """One for each level; the error is that of a difference of paired hits (McNemar 1947)."""
        if not self._requests:
            return ()
        return tuple(
            GhostStat(
                frequency=level,
                gain=round(self._won[level] / self._requests, 6),
                error=round(math.sqrt(self._apart[level]) / self._requests, 6),
            )
            for level in LEVELS
        )
