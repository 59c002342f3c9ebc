"""The report: one HTML file that needs nothing but itself."""

from pathlib import Path

from markupsafe import Markup

from aura_evidence import bars, charts
from aura_evidence.categories import CategoryGain, category_gains
from aura_evidence.facts import Facts, gather
from aura_evidence.folder import ReportError, RunFolder, read_folder
from aura_evidence.frontier import frontier
from aura_evidence.guarding import guarding
from aura_evidence.moments import moments
from aura_evidence.origins import Origins, origins
from aura_evidence.page import fill, write_page
from aura_evidence.verdict import MARGIN_POINTS, READS_LIMIT

__all__ = ["ReportError", "render", "write_report"]

NAME = "report.html"

HEADLINES = {
    "Better": ("Better", "The planner improved the cache."),
    "Worse": ("Worse", "The planner harmed the cache."),
    "NoDifference": ("No difference", "The planner changed nothing that matters."),
    "Inconclusive": ("Inconclusive", "This run does not tell whether the planner helped."),
}


def write_report(folder: Path) -> Path:
    """Write `report.html` from the files of a result folder and return its path.

    The folder holds `verdict.json`, `windows.jsonl`, `plans.jsonl`, `receipts.jsonl`, `experiment.yaml` (a copy of the
    manifest) and perhaps `ceilings.json`, `categories.json` and `sensitivity.json`. Raises ReportError with one sentence when
    a file is missing or damaged, or the report cannot be written.
    """
    return write_page(folder / NAME, render(read_folder(folder)))


def render(folder: RunFolder) -> str:
    """The report as HTML; all text that comes from the folder is escaped."""
    facts = gather(folder)
    found = origins(facts)
    categories = category_gains(folder.categories) if folder.categories else []
    return fill(
        "report.html.jinja",
        facts=facts,
        verdict=facts.verdict,
        spec=folder.experiment.spec,
        headline=HEADLINES[facts.verdict.verdict],
        pictures=_pictures(folder, facts, found, categories),
        origins=found,
        categories=categories,
        sensitivity=folder.sensitivity,
        guarding=guarding(facts),
        moments=moments(facts, folder.plans, folder.receipts),
        receipts=_receipt_times(folder),
        manifest=folder.manifest,
        margin=MARGIN_POINTS,
        reads_limit=READS_LIMIT,
    )


def _pictures(folder: RunFolder, facts: Facts, found: Origins | None, categories: list[CategoryGain]) -> dict[str, Markup | None]:
    return {
        "curves": charts.curves(facts, "curves", wide=True),
        "curves_narrow": charts.curves(facts, "narrow", wide=False),
        "totals": bars.totals(facts, "totals"),
        "gains": bars.gains(facts, "gains"),
        "gap": bars.gap(facts, "gap"),
        "frontier": frontier(facts, "frontier"),
        "precision": bars.precision(facts, "precision"),
        "credit": bars.credit(facts.credit, "credit") if facts.credit else None,
        "settings": bars.settings(found.settings, "settings") if found else None,
        "categories": bars.categories(categories, "categories") if categories else None,
        "sensitivity": bars.sensitivity(folder.sensitivity, "sensitivity") if folder.sensitivity else None,
        "pressure": charts.pressure(facts, folder.experiment.spec.cache.ttl.thresholds, "pressure"),
        "latency": charts.latency(facts, folder.plans, "latency"),
    }


def _receipt_times(folder: RunFolder) -> tuple[int, float, float] | None:
    """Receipts, and median and largest milliseconds that the executor took for a plan."""
    times = sorted(receipt.latency_ms for receipt in folder.receipts)
    return (len(times), times[len(times) // 2], times[-1]) if times else None
