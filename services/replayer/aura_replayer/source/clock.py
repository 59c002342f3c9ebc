"""The experiment's clock: milliseconds from 0 at the log's first event, by event rate or by the log's own times."""

import numpy as np
from numpy.typing import NDArray

from aura_contract.workload import ClockSpec

__all__ = ["EventClock"]

FARTHEST = 2.0**62
"""What a clock of integers can still hold."""


class EventClock:
    """Turns rows into clock readings that never run backwards."""

    def __init__(self, spec: ClockSpec) -> None:
        self._rate = spec.events_per_second
        self._speedup = spec.timestamps.speedup if spec.timestamps else 1.0
        self._origin: float | None = None
        self._last = 0

    @property
    def needs_times(self) -> bool:
        """Whether the log must have a time column."""
        return self._rate is None

    def read(self, first_row: int, count: int, times: NDArray[np.float64] | None) -> NDArray[np.int64]:
        """Clock in ms of rows first_row .. first_row+count-1, shape (count,).

        `times` are epoch seconds, shape (count,), used only by a timestamp clock; a missing time repeats the one before.
        """
        if self._rate is not None:
            return ((np.arange(first_row, first_row + count) * 1000.0) / self._rate).astype(np.int64)
        assert times is not None
        known = times[~np.isnan(times)]
        if self._origin is None and len(known):
            self._origin = float(known[0])
        relative = np.nan_to_num((times - (self._origin or 0.0)) * 1000.0 / self._speedup, nan=-1.0)
        clock = np.maximum.accumulate(np.minimum(np.maximum(relative, self._last), FARTHEST)).astype(np.int64)
        self._last = int(clock[-1]) if count else self._last
        return clock

    def after(self, block_end_row: int, last: int) -> int:
        """Clock in ms at which the row after `block_end_row` may happen at the earliest; `last` is the clock of that row."""
        return last if self._rate is None else int((block_end_row + 1) * 1000.0 / self._rate)
