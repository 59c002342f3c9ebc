"""Pictures over the log. Every arm has one colour in all pictures of the report."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from aura_contract.plan import Plan
from aura_contract.results import WindowRecord
from aura_evidence.facts import Facts
from aura_evidence.figure import GRID, INK, MARGIN, MUTED, arm_colour, canvas, spread, svg
from aura_evidence.verdict import MARGIN_POINTS

__all__ = ["curves", "latency", "pressure"]

SMOOTHED = 60
"""Longer series are drawn as a moving mean over this part of them, the windows themselves faintly behind."""

MOST_POINTS = 300
"""Longer series are drawn as means of neighbours, at most so many: more cannot be seen, and would only weigh."""

Series = NDArray[np.float64]


def _events(value: float, _position: int = 0) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def _thinned(x: Series, y: Series, weights: Series) -> tuple[Series, Series, Series]:
    """Means of neighbours, so that at most MOST_POINTS are left; `y` is weighted."""
    size = -(-len(x) // MOST_POINTS)
    if size < 2:
        return x, y, weights
    starts = np.arange(0, len(x), size)
    weights = np.maximum(weights, 1e-9)
    total = np.add.reduceat(weights, starts)
    counts = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / counts, np.add.reduceat(y * weights, starts) / total, total


def _smooth(values: Series, weights: Series) -> Series:
    """Weighted moving mean over a sixtieth of the series, shape as `values`."""
    span = len(values) // SMOOTHED
    if span < 2:
        return values
    ones = np.ones(span)
    weights = np.maximum(weights, 1e-9)
    mean = np.convolve(values * weights, ones, "same") / np.convolve(weights, ones, "same")
    return np.asarray(mean)


def _line(axes: Any, x: Series, y: Series, weights: Series, number: int) -> None:
    x, y, weights = _thinned(x, y, weights)
    colour = arm_colour(number)
    smooth = _smooth(y, weights)
    if smooth is not y:
        axes.plot(x, y, color=colour, linewidth=0.7, alpha=0.22)
    axes.plot(x, smooth, color=colour, marker="o" if len(x) == 1 else None)


def _middle(windows: Sequence[WindowRecord]) -> Series:
    return np.array([(record.first_event + record.last_event + 1) / 2 for record in windows], np.float64)


def _column(windows: Sequence[WindowRecord], name: str) -> Series:
    return np.array([getattr(record, name) for record in windows], np.float64)


def _time_axis(axes: Any, facts: Facts, label: str = "log events", ticks: int = 6) -> None:
    end = max((record.last_event + 1 for record in facts.baseline.windows), default=1)
    axes.set_xlim(0, end)
    axes.xaxis.set_major_formatter(FuncFormatter(_events))
    axes.xaxis.set_major_locator(MaxNLocator(ticks))
    axes.set_xlabel(label)
    if facts.warmup_event:
        axes.axvspan(0, facts.warmup_event, color=MARGIN, zorder=0, linewidth=0)


def curves(facts: Facts, name: str, *, wide: bool) -> Markup:
    """Hit ratio and difference to the baseline over the log, with plan marks, warm-up and ceilings."""
    size = (9.2, 4.9) if wide else (4.4, 5.4)
    with canvas(*size) as figure:
        top, low = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1.55, 1]})
        for arm in reversed(facts.arms):
            x, weights = _middle(arm.windows), _column(arm.windows, "requests")
            _line(top, x, 100 * _column(arm.windows, "hit_ratio"), weights, arm.number)
            if not arm.is_baseline and len(arm.pair.windows):
                known = set(arm.pair.windows.tolist())
                both = [record for record in arm.windows if record.window in known]
                _line(low, _middle(both), arm.pair.points, _column(both, "requests"), arm.number)
        top.set_title("Hit ratio by window, %")
        low.set_title("Difference to the baseline, points")
        low.axhspan(-MARGIN_POINTS, MARGIN_POINTS, color=GRID, zorder=0.5, linewidth=0)
        low.axhline(0, color=arm_colour(0), linewidth=1.2)
        for axes, label in ((top, ""), (low, "log events")):
            _time_axis(axes, facts, label, 6 if wide else 4)
        _focus(top, facts, "hit_ratio")
        _ceiling_lines(top, facts)
        _plan_marks(top, facts)
        return svg(figure, name, "Hit ratio of each arm over the log, and the difference to the baseline")


def _focus(axes: Any, facts: Facts, name: str) -> None:
    """Limit the panel to the values after warm-up: an empty cache would press them into a line."""
    settled = [100 * getattr(record, name) for arm in facts.arms for record in arm.windows[facts.verdict.warmup_windows :]]
    if settled:
        low, high = min(settled), max(settled)
        room = max(0.5, 0.12 * (high - low))
        axes.set_ylim(max(-0.5, low - room), high + room)


def _ceiling_lines(axes: Any, facts: Facts) -> None:
    """Lines of the ceilings that are near; those beyond the panel are named at its upper edge."""
    shown = [row for row in facts.ceilings if row.key != "clairvoyant_prefetch"]
    if not shown:
        return
    low, high = axes.get_ylim()
    reach = high - low
    near = [100 * row.hit_ratio for row in shown if low - reach / 2 < 100 * row.hit_ratio < high + reach / 2]
    low, high = min([low, *(value - 0.05 * reach for value in near)]), max([high, *(value + 0.05 * reach for value in near)])
    axes.set_ylim(low, high)
    for value in near:
        axes.axhline(value, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.75)
    places = spread([min(max(100 * row.hit_ratio, low), high) for row in shown], (high - low) * 0.085)
    for row, place in zip(shown, places, strict=True):
        value = 100 * row.hit_ratio
        arrow = "↑ " if value > high else "↓ " if value < low else ""
        text = f"{arrow}{row.label} {value:.1f}"
        axes.text(1.008, place, text, transform=axes.get_yaxis_transform(), va="center", size=9)


def _plan_marks(axes: Any, facts: Facts) -> None:
    """A tick at the foot for each plan that was applied, one row an arm."""
    low, high = axes.get_ylim()
    planned = [arm for arm in facts.planned if any(record.plan_id for record in arm.windows)]
    step = (high - low) * 0.05
    axes.set_ylim(low - step * (len(planned) + 0.4), high)
    for row, arm in enumerate(planned):
        x = _middle([record for record in arm.windows if record.plan_id])
        x = x[:: -(-len(x) // MOST_POINTS)]
        foot = np.full(len(x), low - step * (row + 0.7))
        width = 1.1 if len(x) <= 80 else 0.5
        axes.plot(x, foot, linestyle="none", marker="|", markersize=7, markeredgewidth=width, color=arm_colour(arm.number))


def pressure(facts: Facts, thresholds: tuple[float, float], name: str) -> Markup:
    """Memory pressure of each arm over the log, with the thresholds of the TTL tiers."""
    with canvas(4.6, 2.7) as figure:
        axes = figure.add_subplot()
        for value in thresholds:
            axes.axhline(100 * value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        for arm in reversed(facts.arms):
            x, y, _ = _thinned(_middle(arm.windows), 100 * _column(arm.windows, "pressure"), np.ones(len(arm.windows)))
            axes.plot(x, y, color=arm_colour(arm.number), marker="o" if len(x) == 1 else None)
        axes.set_ylim(bottom=0)
        _time_axis(axes, facts)
        axes.set_title("Memory pressure, % of the budget")
        return svg(figure, name, "Memory pressure of each arm over the log")


def latency(facts: Facts, plans: Sequence[Plan], name: str) -> Markup | None:
    """Seconds that each decision took, by window; None when there are no plans."""
    with canvas(4.6, 2.7) as figure:
        axes = figure.add_subplot()
        seconds: list[float] = []
        for arm in reversed(facts.planned):
            mine = [plan for plan in plans if plan.arm == arm.name and plan.window is not None]
            for good in (True, False):
                some = [plan for plan in mine if (plan.outcome in {"planned", "noop"}) == good]
                some = some[:: -(-len(some) // MOST_POINTS) or 1]
                y = [max(plan.latency_s, 1e-4) for plan in some]
                axes.plot([plan.window for plan in some], y, "o" if good else "x", color=arm_colour(arm.number), markersize=4)
                seconds += y
        if not seconds:
            return None
        if max(seconds) > 30 * min(seconds):
            axes.set_yscale("log")
            axes.minorticks_off()
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        else:
            axes.set_ylim(0, 1.15 * max(seconds))
        axes.set_xlabel("window")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_title("Time of a decision, s (× = no usable answer)")
        return svg(figure, name, "Seconds that each decision took")
