"""Pictures with one row an arm, a ceiling or a lever setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from markupsafe import Markup

from aura_evidence.categories import CategoryGain
from aura_evidence.comparison import Difference
from aura_evidence.credit import Credit
from aura_evidence.facts import Facts
from aura_evidence.figure import GRID, MUTED, arm_colour, canvas, clean, minus, svg
from aura_evidence.folder import Latency
from aura_evidence.origins import Setting
from aura_evidence.rows import BASELINE, PLANNED
from aura_evidence.verdict import MARGIN_POINTS

__all__ = ["categories", "credit", "gains", "gap", "precision", "sensitivity", "settings", "totals"]

OUTLINED = -1
"""In place of an arm's number: a ceiling, which is drawn in outline."""

SETTING_CHARS, SETTING_LINES = 25, 4
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class _Bar:
    label: str
    value: float
    number: int
    text: str


def totals(facts: Facts, name: str) -> Markup:
    """Hit ratio over the whole log: arms, and ceilings in outline."""
    rows = [(clean(arm.name), 100 * arm.result.hit_ratio, arm.number) for arm in facts.arms]
    rows += [(row.label, 100 * row.hit_ratio, OUTLINED) for row in facts.ceilings]
    bars = [_Bar(label, value, number, f"{value:.2f}") for label, value, number in rows]
    return _bars(bars, name, "Hit ratio over the whole log, %", "Hit ratio of each arm over the whole log")


def gap(facts: Facts, name: str) -> Markup | None:
    """Share of the way from exact LRU (0) to the optimum (100) that each arm went; None without these ceilings."""
    rows = [(clean(arm.name), arm.gap_closed, arm.number) for arm in facts.arms]
    rows += [(row.label, row.gap_closed, OUTLINED) for row in facts.ceilings if row.key == "s3fifo"]
    bars = [_Bar(label, 100 * part, number, minus(f"{100 * part:z.0f} %")) for label, part, number in rows if part is not None]
    if not bars:
        return None
    return _bars(bars, name, "LRU→OPT gap closed, %", "Share of the gap from LRU to the optimum that each arm closed", most=100)


def precision(facts: Facts, name: str) -> Markup | None:
    """Share of each arm's prefetches that were hit; None when nobody prefetched."""
    bars = [
        _Bar(clean(arm.name), 100 * arm.precision, arm.number, f"{100 * arm.precision:.0f} % of {arm.result.prefetches:,}")
        for arm in facts.planned
        if arm.precision is not None
    ]
    if not bars:
        return None
    title = "Prefetch precision: hit at least once, %"
    return _bars(bars, name, title, "Share of each arm's prefetched entries that were hit", most=100, room=1.42)


def _bars(bars: Sequence[_Bar], name: str, title: str, spoken: str, *, most: float = 0, room: float = 1.16) -> Markup:
    """Horizontal bars; the axis ends at `most` at least, times `room` for the numbers behind the bars."""
    with canvas(4.6, 0.75 + 0.34 * len(bars)) as figure:
        axes = figure.add_subplot()
        for place, bar in enumerate(bars):
            if bar.number == OUTLINED:
                axes.barh(place, bar.value, height=0.56, facecolor="none", edgecolor=MUTED, linewidth=1, linestyle=(0, (3, 2)))
            else:
                axes.barh(place, bar.value, height=0.66, color=arm_colour(bar.number))
            axes.annotate(bar.text, (max(0, bar.value), place), (5, 0), textcoords="offset points", va="center", size=9.5)
        _rows(axes, [bar.label for bar in bars])
        low = min(0.0, *(bar.value for bar in bars))
        axes.set_xlim(low, max(most, room * max(bar.value for bar in bars)) or 1)
        axes.set_title(title)
        return svg(figure, name, spoken)


def gains(facts: Facts, name: str) -> Markup:
    """Difference of each planned arm to the baseline after warm-up, with its interval."""
    rows = [(arm.name, arm.number, arm.gain) for arm in facts.planned if arm.gain]
    title = "Difference to the baseline, points (95 % interval)"
    return _intervals(rows, arm_colour(0), name, title, "Difference of each planned arm to the baseline with its interval")


def credit(found: Credit, name: str) -> Markup:
    """The arm `aura` minus each control after warm-up, with its interval."""
    rows = [(f"minus {rival.name}", rival.number, rival.gain) for rival in found.rivals]
    title = f"{PLANNED} minus each control, points (95 % interval)"
    return _intervals(rows, arm_colour(1), name, title, "Difference of the arm aura to each control with its interval")


def _intervals(rows: Sequence[tuple[str, int, Difference]], zero: str, name: str, title: str, spoken: str) -> Markup:
    with canvas(4.6, 0.95 + 0.42 * max(1, len(rows))) as figure:
        axes = figure.add_subplot()
        axes.axvspan(-MARGIN_POINTS, MARGIN_POINTS, color=GRID, zorder=0.5, linewidth=0)
        axes.axvline(0, color=zero, linewidth=1.2)
        for place, (_, number, gain) in enumerate(rows):
            colour = arm_colour(number)
            axes.plot([gain.low, gain.high], [place, place], color=colour, linewidth=2.4)
            axes.plot(gain.points, place, "o", color=colour, markersize=7)
            axes.text(gain.points, place - 0.24, minus(f"{gain.points:+.2f}"), ha="center", va="bottom", size=9.5)
        _rows(axes, [clean(label) for label, _, _ in rows])
        axes.set_ylim(max(0.5, len(rows) - 0.5), -0.75)
        axes.margins(x=0.12)
        axes.set_title(title)
        return svg(figure, name, spoken)


def settings(found: Sequence[Setting], name: str) -> Markup:
    """What each lever setting contributed to the gain, in points of the hit ratio of all windows."""
    rows = [(_wrapped(row.label), row.contribution) for row in found]
    spoken = "Points of hit ratio that each lever setting contributed to the gain"
    return _points(rows, name, "Contribution to the gain, points", spoken)


def categories(found: Sequence[CategoryGain], name: str) -> Markup:
    """What each category contributed to the gain, in points of the hit ratio of all requests."""
    rows = [(_wrapped(row.label), row.contribution) for row in found]
    spoken = "Points of hit ratio that requests of each category contributed to the gain"
    return _points(rows, name, "Contribution to the gain, points", spoken)


def sensitivity(found: Mapping[int, Latency], name: str) -> Markup:
    """Gain of `aura` over the baseline by how many times the planner's time is charged."""
    rows = [(f"time × {factor}", entry.delta_points) for factor, entry in found.items()]
    title = f"{PLANNED} minus {BASELINE}, points"
    return _points(rows, name, title, "Gain of the arm aura by how many times the planner's time is charged")


def _points(rows: Sequence[tuple[str, float]], name: str, title: str, spoken: str) -> Markup:
    """Horizontal bars of differences, which may be of either sign."""
    lines = max(1 + text.count("\n") for text, _ in rows)
    with canvas(4.6, 0.75 + (0.16 + 0.18 * lines) * len(rows)) as figure:
        axes = figure.add_subplot()
        values = [value for _, value in rows]
        for place, value in enumerate(values):
            axes.barh(place, value, height=0.6, color=arm_colour(1))
            text = minus(f"{value:+.2f}")
            axes.annotate(text, (max(0, value), place), (5, 0), textcoords="offset points", va="center", size=9.5)
        axes.axvline(0, color=arm_colour(0), linewidth=1.2)
        _rows(axes, [text for text, _ in rows])
        high, low = max(0.0, *values), min(0.0, *values)
        axes.set_xlim(1.05 * low, high + 0.22 * (high - low) or 1)
        axes.set_title(title)
        return svg(figure, name, spoken)


def _wrapped(text: str) -> str:
    """A setting in lines of whole levers."""
    glued = "".join(c if c.isprintable() else " " for c in text).replace(" ", NO_BREAK).replace(f",{NO_BREAK}", ", ")
    lines = wrap(glued, SETTING_CHARS)
    return "\n".join(lines[:SETTING_LINES]).replace(NO_BREAK, " ") + ("…" if len(lines) > SETTING_LINES else "")


def _rows(axes: Any, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
