"""Cold items that are alike hot ones: what a log cannot tell of items that nobody has asked for yet."""

from dataclasses import dataclass

from aura_contract.context import ContextSnapshot
from aura_planner.enrichment import Enrichment

__all__ = ["Alike", "alike"]

HOTTEST, EACH, MOST = 5, 3, 3


@dataclass(frozen=True)
class Alike:
    """An item that is no candidate of the window, with its title and category, and the title of the hot one that it is like."""

    item: str
    title: str
    category: str
    like: str


def alike(context: ContextSnapshot, enrichment: Enrichment) -> tuple[Alike, ...]:
    """At most three neighbours by embedding of the window's hottest items, of the hottest first; empty without neighbours."""
    hot = {stat.item: stat.title or stat.item for stat in context.workload.top_items[:HOTTEST]}
    known = set(context.workload.candidates.item) | set(hot)
    found = {}
    for item, near in enrichment.similar(list(hot), EACH).items():
        found.update({one: item for one in near if one not in known and one not in found})
    chosen = list(found)[:MOST]
    rows = enrichment.rows(chosen)
    return tuple(Alike(item, rows[item].title, rows[item].category, hot[found[item]]) for item in chosen if item in rows)
