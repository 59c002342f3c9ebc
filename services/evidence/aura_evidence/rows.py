"""Rows of the report: an arm, what became of its plans, and a ceiling."""

from dataclasses import dataclass

from aura_contract.results import ArmResult, WindowRecord
from aura_evidence.comparison import Difference, Paired

__all__ = ["BASELINE", "PLANNED", "ArmRow", "CeilingRow", "Share", "gap_closed"]

BASELINE, PLANNED = "baseline", "aura"

OUTCOMES = {
    "applied": "applied",
    "refused": "refused by the executor",
    "nothing": "nothing to change",
    "unplanned": "unplanned",
}


@dataclass(frozen=True)
class Share:
    """One part of a bar: `kind` picks the colour."""

    kind: str
    label: str
    count: int


@dataclass(frozen=True)
class ArmRow:
    """One arm; `number` is its colour, `gain` its difference to the baseline after warm-up, `pair` the windows behind it."""

    name: str
    number: int
    result: ArmResult
    windows: list[WindowRecord]
    pair: Paired
    gain: Difference | None
    reads_ratio: float
    gap_closed: float | None

    @property
    def is_baseline(self) -> bool:
        """Whether the others are held against this arm."""
        return self.name == BASELINE

    @property
    def precision(self) -> float | None:
        """Share of prefetches that were hit."""
        return self.result.prefetch_hits / self.result.prefetches if self.result.prefetches else None

    @property
    def outcomes(self) -> list[Share]:
        """What became of the windows' plans, without what never happened."""
        plans = self.result.plans
        counts = {
            "applied": plans.applied,
            "refused": plans.refused,
            # A plan that came too late is decided as well as unplanned.
            "nothing": max(0, plans.decided - plans.applied - plans.refused - plans.unplanned.get("late", 0)),
        }
        shares = [Share(kind, OUTCOMES[kind], count) for kind, count in counts.items()]
        reasons = [Share("unplanned", f"{OUTCOMES['unplanned']}: {reason}", n) for reason, n in sorted(plans.unplanned.items())]
        return [share for share in shares + reasons if share.count]


@dataclass(frozen=True)
class CeilingRow:
    """A policy that was computed exactly over the whole log."""

    key: str
    label: str
    hit_ratio: float
    backend_reads: int | None
    prefetches: int
    gap_closed: float | None


def gap_closed(ratio: float, lru: float | None, opt: float | None) -> float | None:
    """Share of the way from exact LRU to the optimum, (ratio - lru) / (opt - lru); None where there is no way to go."""
    if lru is None or opt is None or opt - lru < 1e-3:
        return None
    return (ratio - lru) / (opt - lru)
