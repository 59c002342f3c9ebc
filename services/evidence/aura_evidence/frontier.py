"""The frontier: what hit ratio each arm bought with what backend reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from aura_evidence.facts import Facts
from aura_evidence.figure import INK, MUTED, arm_colour, canvas, clean, spread, svg

__all__ = ["frontier"]

Mark = tuple[float, float, str]
"""Backend reads for 100 requests, hit ratio in percent, label."""


def frontier(facts: Facts, name: str) -> Markup:
    """Hit ratio against backend reads: on the line nothing was prefetched, right of it hits were bought with reads."""
    arms = [(100 * arm.result.backend_reads / max(1, arm.result.requests), 100 * arm.result.hit_ratio, arm) for arm in facts.arms]
    requests = max(1, facts.baseline.result.requests)
    ceilings = [
        (100 * row.backend_reads / requests, 100 * row.hit_ratio, row.label) for row in facts.ceilings if row.backend_reads
    ]
    with canvas(4.6, 3.7) as figure:
        axes = figure.add_subplot()
        _limits(axes, [(x, y) for x, y, _ in [*arms, *ceilings]])
        for x, y, arm in reversed(arms):
            axes.plot(x, y, "o", color=arm_colour(arm.number), markersize=9, alpha=0.9)
        for x, y, _ in ceilings:
            axes.plot(x, y, "D", markerfacecolor="none", markeredgecolor=INK, markersize=6)
        # Nothing lies left of and below the line, and little right of and above it: labels there cover no marks.
        _labels(axes, ceilings, -1)
        _labels(axes, [(x, y, clean(arm.name)) for x, y, arm in arms], 1)
        axes.set_xlabel("backend reads for 100 requests")
        axes.set_title("Hit ratio, %, against backend reads")
        return svg(figure, name, "Hit ratio against backend reads of each arm, with exact policies as marks")


def _limits(axes: Any, marks: Sequence[tuple[float, float]]) -> None:
    low, high = min(y for _, y in marks), max(y for _, y in marks)
    left, right = min(x for x, _ in marks), max(x for x, _ in marks)
    room = max(1.0, 0.16 * (high - low))
    ends = np.array([low - room, high + room])
    axes.plot(100 - ends, ends, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_ylim(*ends)
    axes.set_xlim(left - max(2.0, 0.85 * (right - left)), right + max(2.0, 0.45 * (right - left)))


def _labels(axes: Any, marks: Sequence[Mark], side: int) -> None:
    """Names beside their marks, left and lower for side -1, right and higher for 1; close ones are moved apart."""
    low, high = axes.get_ylim()
    gap = 0.07 * (high - low)
    places = spread([y + side * gap / 2 for _, y, _ in marks], gap)
    for (x, _, text), place in zip(marks, places, strict=True):
        axes.annotate(
            text, (x, place), (9 * side, 0), textcoords="offset points", ha="left" if side > 0 else "right", va="center", size=9
        )
