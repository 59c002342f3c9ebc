"""What each setting of an arm's levers has brought, so that planners, which keep no state, can learn from it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from aura_contract.context import LeverStat
from aura_contract.plan import Admit, Frequency, Policy
from aura_contract.results import WindowRecord

__all__ = ["Scoreboard"]

DECAY = 0.98
"""Weight of a window against the one after it: half after 34 windows, since traffic changes."""


@dataclass
class _Sums:
    windows: float = 0.0
    gain: float = 0.0
    square: float = 0.0


class Scoreboard:
    """Statistics of one arm. `standing` counts the whole windows for which the setting has stood, -1 before the first."""

    def __init__(self) -> None:
        self.standing = -1
        self._setting: tuple[Frequency, Admit] | None = None
        self._sums: dict[tuple[Frequency, Admit], _Sums] = {}

    @classmethod
    def of(cls, records: Iterable[WindowRecord], arm: str) -> "Scoreboard":
        """That of an arm whose windows were recorded before a restart."""
        board = cls()
        baseline: dict[int, float] = {}
        for record in records:
            if record.arm == "baseline":
                baseline[record.window] = record.hit_ratio
            elif record.arm == arm:
                board.observe(record.policy, record.hit_ratio - baseline[record.window])
        return board

    def observe(self, policy: Policy, gain: float) -> None:
        """Take in a window: the policy at its end, and the arm's hit ratio less the baseline's.

        The first window of a setting is not counted: it began with what the setting before had left in the cache.
        """
        setting = (policy.frequency, policy.admit)
        self.standing = self.standing + 1 if setting == self._setting else 0
        self._setting = setting
        if not self.standing:
            return
        for sums in self._sums.values():
            sums.windows, sums.gain, sums.square = DECAY * sums.windows, DECAY * sums.gain, DECAY * sums.square
        sums = self._sums.setdefault(setting, _Sums())
        sums.windows, sums.gain, sums.square = sums.windows + 1, sums.gain + gain, sums.square + gain * gain

    def stats(self) -> tuple[LeverStat, ...]:
        """One entry for each setting that was tried, the best first."""
        found = [_stat(setting, sums) for setting, sums in self._sums.items()]
        return tuple(sorted(found, key=lambda stat: -stat.gain))


def _stat(setting: tuple[Frequency, Admit], sums: _Sums) -> LeverStat:
    mean = sums.gain / sums.windows
    spread = math.sqrt(max(0.0, sums.square / sums.windows - mean * mean))
    return LeverStat(
        frequency=setting[0], admit=setting[1], windows=round(sums.windows, 3), gain=round(mean, 6), spread=round(spread, 6)
    )
