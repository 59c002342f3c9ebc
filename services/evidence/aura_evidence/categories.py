"""Where the gain of the arm `aura` came from by category of the requested items."""

from collections.abc import Sequence
from dataclasses import dataclass

from aura_contract.results import CategoryHits, CategoryTotals
from aura_evidence.rows import BASELINE, PLANNED

__all__ = ["CategoryGain", "category_gains"]

SHOWN = 8
WITHOUT = "no category"


@dataclass(frozen=True)
class CategoryGain:
    """One category: hit ratios of both arms on its requests, and what it contributed to the gain in points of hit ratio.

    `share` is its part of all requests. Contributions of all categories add up to the whole gain.
    """

    label: str
    share: float
    baseline: float
    planned: float
    contribution: float


def category_gains(found: CategoryTotals) -> list[CategoryGain]:
    """The categories that contributed most, either way, the greatest first, then all others as one; empty without categories."""
    parts = [*found.categories, *([found.rest] if found.rest else [])]
    if not found.requests or all(not part.category for part in parts):
        return []
    ordered = sorted(parts, key=lambda part: (part is found.rest, -abs(_gained(part)), part.category))
    shown, others = ordered[:SHOWN], ordered[SHOWN:]
    if found.rest in shown:
        shown, others = shown[:-1], [found.rest, *others]
    rows = [_row(part.category or WITHOUT, [part], found.requests) for part in shown]
    return [*rows, _row("all others", others, found.requests)] if others else rows


def _gained(part: CategoryHits) -> int:
    return part.hits.get(PLANNED, 0) - part.hits.get(BASELINE, 0)


def _row(label: str, parts: Sequence[CategoryHits | None], requests: int) -> CategoryGain:
    some = [part for part in parts if part is not None]
    mine = sum(part.requests for part in some)
    before, after = (sum(part.hits.get(arm, 0) for part in some) for arm in (BASELINE, PLANNED))
    return CategoryGain(label, mine / requests, before / mine, after / mine, 100 * (after - before) / requests)
