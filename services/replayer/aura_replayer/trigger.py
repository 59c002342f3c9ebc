"""When a planner is asked: at every window's end, or only when something happened."""

import random
from collections.abc import Sequence

from aura_contract.planner import TriggerSpec

__all__ = ["Trigger"]

BEFORE = 4
"""Windows whose mean hit ratio a window is held against."""


class Trigger:
    """Decides for one arm after each window; the first window always asks, since no levers stand yet."""

    def __init__(self, spec: TriggerSpec, seed: int) -> None:
        self._spec, self._seed = spec, seed
        self._pressure: float | None = None
        self._asked = False

    def fires(self, window: int, history: Sequence[float], pressure: float) -> bool:
        """Whether to ask at the end of `window`; `history` holds the last windows' hit ratios, `pressure` is a fraction."""
        before, self._pressure = self._pressure, pressure
        asked, self._asked = self._asked, True
        if not self._spec.when or not asked:
            return True
        found = {
            "drop": self._dropped(history),
            "pressure": before is not None and 100 * (pressure - before) >= self._spec.pressure_points,
            "random": random.Random(f"{self._seed}:{window}").random() < self._spec.share,
        }
        return any(found[reason] for reason in self._spec.when)

    def _dropped(self, history: Sequence[float]) -> bool:
        earlier = history[-BEFORE - 1 : -1]
        return bool(earlier) and 100 * (sum(earlier) / len(earlier) - history[-1]) >= self._spec.drop_points
