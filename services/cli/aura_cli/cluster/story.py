"""`kubectl aura status`: what a line of `kubectl get ax` cannot say."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from aura_cli.cluster.text import printable
from aura_contract.status import ArmStatus, Condition, ExperimentStatus
from aura_operator.experiment import Experiment

__all__ = ["not_well", "show"]

WELL = {
    "Ready": "True",
    "DependenciesReady": "True",
    "Progressing": "True",
    "Suspended": "False",
    "Degraded": "False",
    "Failed": "False",
}
"""How the conditions stand when all goes well."""

AFTER_THE_END = ("Failed",)


def show(console: Console, experiment: Experiment) -> None:
    """Print where an experiment stands: phase, sentence, arms, planners, and what is not well."""
    status = experiment.status
    for line in _head(experiment):
        console.print(printable(line))
    if status.arms:
        console.print()
        console.print(_arms(status))
    troubles = not_well(status)
    if troubles:
        console.print("\nNot well:")
    for one in troubles:
        console.print(printable(f"  {one.type}={one.status}  {one.reason}: {one.message or 'no message'}"))


def not_well(status: ExperimentStatus) -> list[Condition]:
    """The conditions that are not as they should be; after the end only the one that tells of a failure."""
    looked_at = AFTER_THE_END if status.finished_at else tuple(WELL)
    return [one for one in status.conditions if one.type in looked_at and one.status != WELL[one.type]]


def _head(experiment: Experiment) -> Iterator[str]:
    status = experiment.status
    share = f", {status.progress} of {int(status.total_events):,} events" if status.progress and status.total_events else ""
    yield f"{experiment.name} in {experiment.namespace}: {status.phase}{share}"
    if status.verdict:
        yield f"{status.verdict}: {status.reason}"
        yield f"delta {status.delta_points} points, 95 % interval {status.interval}"
    elif status.message:
        yield status.message
    times = [f"{name} {when}" for name, when in (("started", status.started_at), ("ended", status.finished_at)) if when]
    if status.run:
        yield ", ".join([f"run {status.run}", *times])
    if not status.finished_at:
        scaler = f", their number is up to {status.planners.autoscaler}" if status.planners.autoscaler else ""
        yield f"planners {status.planners.ready} of {status.planners.replicas} ready{scaler}"


def _arms(status: ExperimentStatus) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("arm", no_wrap=True)
    table.add_column("planner", no_wrap=True)
    for name in ("hit ratio", "against baseline", "backend reads", "plans applied", "refused", "unplanned"):
        table.add_column(name, justify="right", no_wrap=True)
    baseline = status.arms.get("baseline")
    for name, arm in sorted(status.arms.items(), key=_order):
        plans = (_applied(arm), arm.plans_refused, arm.unplanned) if name != "baseline" else ("", "", "")
        reads = f"{int(arm.backend_reads):,}" if arm.backend_reads else "–"
        table.add_row(printable(name), printable(arm.planner or "none"), arm.hit_ratio, _delta(arm, baseline), reads, *plans)
    return table


def _order(named: tuple[str, ArmStatus]) -> tuple[bool, bool, str]:
    return named[0] != "baseline", named[0] != "aura", named[0]


def _applied(arm: ArmStatus) -> str:
    return f"{arm.plans_applied} of {arm.plans_decided}" if arm.plans_decided else ""


def _delta(arm: ArmStatus, baseline: ArmStatus | None) -> str:
    if baseline is None or arm is baseline or not (arm.hit_ratio and baseline.hit_ratio):
        return ""
    return f"{100 * (float(arm.hit_ratio) - float(baseline.hit_ratio)):+.2f} points"
