"""The picture of a sweep: hit ratio by capacity, a line for each arm with a band from its worst seed to its best."""

from collections.abc import Sequence
from math import log10

from markupsafe import Markup

from aura_contract.results import SweepCapacity
from aura_evidence.figure import arm_colour, canvas, clean, svg

__all__ = ["labelled", "places", "ratios"]

WIDE_GAP, NARROW_GAP = 0.06, 0.13
"""Labels of the axis that are nearer than this part of it would run into each other."""


def places(capacities: Sequence[SweepCapacity]) -> tuple[list[float], bool]:
    """Where capacities stand on the axis, and whether it is logarithmic.

    It is in items, which shares and byte sizes have in common; when items are unknown or alike, in steps.
    """
    items = [float(capacity.capacity_items) for capacity in capacities]
    if min(items) > 0 and len(set(items)) == len(items):
        return items, True
    return [float(number) for number in range(len(items))], False


def labelled(positions: Sequence[float], gap: float) -> list[int]:
    """Indices of the rising positions, on a linear axis, whose labels are `gap` of it apart; the first always is there."""
    kept: list[int] = []
    reach = positions[-1] - positions[0]
    for index, place in enumerate(positions):
        if not kept or place - positions[kept[-1]] >= gap * reach:
            kept.append(index)
    return kept


def ratios(capacities: Sequence[SweepCapacity], name: str, *, wide: bool) -> Markup | None:
    """Hit ratio by capacity; None when no cell ended. Smaller caches are left of larger ones."""
    ended = sorted((capacity for capacity in capacities if capacity.arms), key=lambda capacity: capacity.capacity_items)
    if not ended:
        return None
    x, logarithmic = places(ended)
    with canvas(*((9.2, 4.2) if wide else (4.4, 4.2))) as figure:
        axes = figure.add_subplot()
        if logarithmic:
            axes.set_xscale("log")
        for number, arm in reversed(list(enumerate(ended[0].arms))):
            spreads = [capacity.arms[arm].hit_ratio for capacity in ended]
            low, high = [100 * spread.low for spread in spreads], [100 * spread.high for spread in spreads]
            colour = arm_colour(number)
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
            # A band of one capacity has no width.
            axes.vlines(x, low, high, color=colour, linewidth=1.2, alpha=0.6)
            axes.plot(x, [100 * spread.mean for spread in spreads], "o-", color=colour, markersize=5)
        axes.minorticks_off()
        shown = labelled([log10(place) if logarithmic else place for place in x], WIDE_GAP if wide else NARROW_GAP)
        axes.set_xticks([x[index] for index in shown], [clean(ended[index].capacity) for index in shown])
        axes.set_xlabel("capacity of each arm" + (", logarithmic" if logarithmic else ""))
        axes.set_title("Hit ratio over the whole log by capacity, %")
        return svg(figure, name, "Hit ratio of each arm by capacity")
