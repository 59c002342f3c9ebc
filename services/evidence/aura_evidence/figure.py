"""Matplotlib figures as inline SVG: text stays text, colours are the page's, nothing is loaded from anywhere."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

__all__ = ["ARM_COLOURS", "GRID", "INK", "MARGIN", "MUTED", "arm_colour", "canvas", "clean", "minus", "spread", "svg"]

ARM_COLOURS = ("#5f6b7a", "#d9480f", "#1971c2", "#2b8a3e", "#9c36b5", "#c2255c", "#0b7285")
"""The baseline's colour, then aura's, then the controls'; `report.css` has their counterparts for a dark page."""

INK, MUTED, GRID, MARGIN = "#010101", "#020202", "#030303", "#040404"

# Matplotlib writes colours as numbers only. These stand for the page's variables, which change with its colour scheme.
_VARIABLES = {
    INK: "var(--ink,#1b1f24)",
    MUTED: "var(--muted,#5c6570)",
    GRID: "var(--grid,#e3e6ea)",
    MARGIN: "var(--margin,#eef0f3)",
    **{f"#0a00{n:02x}": f"var(--arm-{n},{colour})" for n, colour in enumerate(ARM_COLOURS)},
}
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}
LABEL_CHARS = 26


def arm_colour(number: int) -> str:
    """Stand-in colour of the arm with this number; after the last of ARM_COLOURS those of controls come again."""
    if number >= len(ARM_COLOURS):
        number = 2 + (number - 2) % (len(ARM_COLOURS) - 2)
    return f"#0a00{number:02x}"


def clean(text: str) -> str:
    """A label of one line: printable characters, at most 26 of them."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LABEL_CHARS else line[: LABEL_CHARS - 1] + "…"


def minus(number: str) -> str:
    """A formatted number with a minus sign that is as wide as the plus."""
    return number.replace("-", "−")


def spread(values: Sequence[float], gap: float) -> list[float]:
    """The values moved apart so that neighbours are at least `gap` from each other, in the order given."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    places = [values[index] for index in order]
    for _ in range(50):
        for lower in range(len(places) - 1):
            missing = gap - (places[lower + 1] - places[lower])
            if missing > 0:
                places[lower] -= missing / 2
                places[lower + 1] += missing / 2
    result = [0.0] * len(values)
    for index, place in zip(order, places, strict=True):
        result[index] = place
    return result


@contextmanager
def canvas(width: float, height: float) -> Iterator[Any]:
    """An empty figure of so many inches, with the report's style while it is drawn on."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A label in a script that the measuring font lacks is drawn by the reader's own fonts.
        warnings.simplefilter("ignore")
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: Any, name: str, label: str) -> Markup:
    """The figure as an `<svg>` that fits its container; `name` keeps ids apart on one page, `label` is read aloud."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    opening, _, body = text.partition(">")
    view = re.search(r'viewBox="([^"]+)"', opening)
    body = body.replace("xlink:href=", "href=")
    # Names of groups would be there twice on a page of several figures, and its style sheet has the fonts and line caps.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"<style.*?</style>", "", body, count=1, flags=re.DOTALL)
    body = body.replace(" font-family: 'DejaVu Sans';", "")
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, variable)
    box = view.group(1) if view else "0 0 100 100"
    opening = Markup('<svg viewBox="{}" class="chart" role="img" aria-label="{}">').format(box, label)
    # Matplotlib's writer escapes all text; everything else in the body is its own.
    return opening + Markup(body)  # noqa: S704
