"""The page of a sweep: chart, arms by capacity, and a link to the report of each cell."""

from pathlib import Path
from urllib.parse import quote

from aura_contract.results import SweepCapacity, SweepResult
from aura_evidence.page import fill, write_page
from aura_evidence.sweep_chart import ratios

__all__ = ["render_sweep", "write_sweep"]

NUMBERS, PAGE = "sweep.json", "sweep.html"


def write_sweep(folder: Path, result: SweepResult) -> Path:
    """Write `sweep.json` and `sweep.html` into the sweep's folder and return the page's path; raises ReportError."""
    write_page(folder / NUMBERS, result.model_dump_json(indent=2) + "\n")
    return write_page(folder / PAGE, render_sweep(result))


def render_sweep(result: SweepResult) -> str:
    """The page as HTML; links are relative to the sweep's folder."""
    return fill(
        "sweep.html.jinja",
        result=result,
        arms=next((capacity.arms for capacity in result.capacities if capacity.arms), {}),
        picture=ratios(result.capacities, "ratios", wide=True),
        picture_narrow=ratios(result.capacities, "narrow", wide=False),
        verdicts=_verdicts,
        link=lambda folder: quote(f"{folder}/report.html"),
    )


def _verdicts(capacity: SweepCapacity) -> str:
    return ", ".join(f"{count} {name}" for name, count in capacity.verdicts.items())
