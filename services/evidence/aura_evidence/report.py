"""The report: one HTML file that needs nothing but itself."""

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aura_evidence import bars, charts
from aura_evidence.facts import Facts, gather
from aura_evidence.figure import ARM_COLOURS, minus
from aura_evidence.folder import ReportError, RunFolder, read_folder
from aura_evidence.frontier import frontier
from aura_evidence.moments import moments
from aura_evidence.origins import Origins, origins
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
    manifest) and perhaps `ceilings.json` and `sensitivity.json`. Raises ReportError with one sentence when a file is missing
    or damaged, or the report cannot be written.
    """
    page = render(read_folder(folder))
    path = folder / NAME
    draft = folder / f".{NAME}.tmp"
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ReportError(f"{path}: cannot be written: {error.strerror}; free some space or check its permissions") from error
    return path


def render(folder: RunFolder) -> str:
    """The report as HTML; all text that comes from the folder is escaped."""
    facts = gather(folder)
    found = origins(facts)
    environment = Environment(
        loader=PackageLoader("aura_evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent, signed=_signed, gained=_gained, count=_count, seconds=_seconds, size=_bytes, milli=_milli
    )
    style = files("aura_evidence").joinpath("templates", "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.jinja").render(
        facts=facts,
        verdict=facts.verdict,
        spec=folder.experiment.spec,
        headline=HEADLINES[facts.verdict.verdict],
        pictures=_pictures(folder, facts, found),
        origins=found,
        sensitivity=folder.sensitivity,
        moments=moments(facts, folder.plans, folder.receipts),
        receipts=_receipt_times(folder),
        manifest=folder.manifest,
        margin=MARGIN_POINTS,
        reads_limit=READS_LIMIT,
        colours=len(ARM_COLOURS),
        style=Markup(style),  # noqa: S704 (the package's own file)
    )


def _pictures(folder: RunFolder, facts: Facts, found: Origins | None) -> dict[str, Markup | None]:
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
        "sensitivity": bars.sensitivity(folder.sensitivity, "sensitivity") if folder.sensitivity else None,
        "pressure": charts.pressure(facts, folder.experiment.spec.cache.ttl.thresholds, "pressure"),
        "latency": charts.latency(facts, folder.plans, "latency"),
    }


def _receipt_times(folder: RunFolder) -> tuple[int, float, float] | None:
    """Receipts, and median and largest milliseconds that the executor took for a plan."""
    times = sorted(receipt.latency_ms for receipt in folder.receipts)
    return (len(times), times[len(times) // 2], times[-1]) if times else None


def _percent(value: float, digits: int = 2) -> str:
    return minus(f"{100 * value:z.{digits}f} %")


def _signed(value: float) -> str:
    return minus(f"{value:+z.2f}")


def _count(value: int) -> str:
    return f"{value:,}"


def _gained(value: int) -> str:
    return minus(f"{value:+,}")


def _seconds(value: float) -> str:
    if value < 1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _milli(value: float) -> str:
    return f"{value:.2f} ms"


def _bytes(value: int) -> str:
    for size, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} bytes"
