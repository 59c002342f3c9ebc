"""The end of a run in words: verdict, a small table of arms, where the report is."""

from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from aura_cli.errors import InputError
from aura_contract.results import Verdict

__all__ = ["read_verdict", "sentence", "show_outcome", "write_report"]


def read_verdict(folder: Path) -> Verdict:
    """The verdict of a finished run; raises InputError for a folder without one."""
    path = folder / "verdict.json"
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; name the folder of a run that was finished") from error
    except ValidationError as error:
        raise InputError(f"{path}: is no verdict of this version; run the experiment again") from error


def write_report(folder: Path) -> Path:
    """Write report.html of a finished run; returns its path."""
    from aura_evidence.report import ReportError  # noqa: PLC0415 - brings matplotlib, which takes a second
    from aura_evidence.report import write_report as write  # noqa: PLC0415

    try:
        return write(folder)
    except ReportError as error:
        raise InputError(str(error)) from error


def sentence(verdict: Verdict) -> str:
    """The answer with its reason."""
    return f"{verdict.verdict}: {verdict.reason}"


def show_outcome(console: Console, verdict: Verdict, report: Path) -> None:
    """Print verdict, arms, windows that ran unplanned, and the report's place."""
    skipped = f", {verdict.bad_rows:,} bad rows skipped" if verdict.bad_rows else ""
    console.print()
    console.print(sentence(verdict), style="bold", highlight=False, soft_wrap=True, markup=False)
    console.print()
    console.print(_arms(verdict))
    for name, arm in verdict.arms.items():
        reasons = ", ".join(f"{count} {reason}" for reason, count in arm.plans.unplanned.items() if count)
        if reasons:
            console.print(f"{name}: windows without a plan: {reasons}", highlight=False, soft_wrap=True, markup=False)
    console.print()
    console.print(
        f"{verdict.events:,} events in {verdict.wall_seconds:.1f} s ({verdict.events_per_second:,.0f}/s), "
        f"{verdict.windows} windows, {verdict.warmup_windows} of them warm-up{skipped}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"Report: {report}", highlight=False, soft_wrap=True, markup=False)


def _arms(verdict: Verdict) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("arm", no_wrap=True)
    table.add_column("planner", no_wrap=True)
    for name in ("hit ratio", "backend reads", "prefetches", "plans applied"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, arm in verdict.arms.items():
        refused = f", {arm.plans.refused} refused" if arm.plans.refused else ""
        applied = f"{arm.plans.applied} of {arm.plans.decided}{refused}" if arm.planner else ""
        row = [f"{arm.hit_ratio:.4f}", f"{arm.backend_reads:,}", f"{arm.prefetches:,}", applied]
        table.add_row(name, arm.planner or "none", *row)
    return table
