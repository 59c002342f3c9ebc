"""What the guard did in each planned arm, and what the keys that it holds out say."""

from collections.abc import Sequence
from dataclasses import dataclass

from aura_contract.results import WindowRecord
from aura_evidence.facts import Facts

__all__ = ["GuardRow", "guarding"]


@dataclass(frozen=True)
class GuardRow:
    """One arm. `vetoed` counts refused plans by reason, `waste` is prefetches without a hit over misses.

    `touched` and `held` are the arm's hit ratio over the baseline's, in points and after warm-up, on the keys that plans may
    evict and prefetch and on those held out: the levers act on both, so that their difference is what evictions and
    prefetches brought. None where there are none.
    """

    name: str
    vetoed: dict[str, int]
    rollbacks: int
    waste: float
    touched: float | None
    held: float | None

    @property
    def by_item(self) -> float | None:
        """Points that evictions and prefetches brought on the keys they may touch."""
        return None if self.touched is None or self.held is None else self.touched - self.held


def guarding(facts: Facts) -> list[GuardRow]:
    """A row for each planned arm whose planner acted or was kept from it."""
    baseline = facts.baseline.windows[facts.verdict.warmup_windows :]
    rows = []
    for arm in facts.planned:
        result, plans = arm.result, arm.result.plans
        if not (plans.applied or plans.vetoed or plans.rollbacks):
            continue
        windows = arm.windows[facts.verdict.warmup_windows :]
        waste = (result.prefetches - result.prefetch_hits) / result.misses if result.misses else 0.0
        held = _gain(_held(windows), _held(baseline))
        rows.append(GuardRow(arm.name, plans.vetoed, plans.rollbacks, waste, _gain(_others(windows), _others(baseline)), held))
    return rows


def _held(windows: Sequence[WindowRecord]) -> tuple[int, int]:
    return sum(record.held_hits for record in windows), sum(record.held_requests for record in windows)


def _others(windows: Sequence[WindowRecord]) -> tuple[int, int]:
    hits, requests = sum(record.hits for record in windows), sum(record.requests for record in windows)
    held_hits, held_requests = _held(windows)
    return hits - held_hits, requests - held_requests


def _gain(arm: tuple[int, int], baseline: tuple[int, int]) -> float | None:
    """Difference of two hit ratios in points, from hits and requests."""
    if not arm[1] or not baseline[1]:
        return None
    return 100 * (arm[0] / arm[1] - baseline[0] / baseline[1])
