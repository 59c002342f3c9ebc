"""What the subcommands do, without the command line around them."""

from pathlib import Path

from rich.console import Console

from aura_cli.cluster.connection import Connection
from aura_cli.cluster.experiments import all_experiments, find_experiment, set_suspended
from aura_cli.cluster.logs import Wanted, follow_logs, read_logs
from aura_cli.cluster.plans import last_decisions, lines
from aura_cli.cluster.results import results
from aura_cli.cluster.story import show
from aura_cli.cluster.text import printable
from aura_cli.errors import InputError
from aura_operator.experiment import Experiment

__all__ = ["fetch_report", "show_logs", "show_plans", "show_status", "suspend_experiment"]


def show_status(console: Console, connection: Connection, name: str | None) -> None:
    """`kubectl aura status`: one experiment, or all of the namespace."""
    found = [find_experiment(connection, name)] if name else all_experiments(connection)
    if not found:
        console.print(f"no experiment in namespace {connection.namespace}")
    for number, experiment in enumerate(found):
        if number:
            console.print()
        show(console, experiment)


def show_logs(console: Console, connection: Connection, name: str, part: str, arm: str | None, *, follow: bool) -> None:
    """`kubectl aura logs`."""
    experiment, wanted = find_experiment(connection, name), Wanted(part, arm)
    wanted.check(experiment)
    (follow_logs if follow else read_logs)(connection, experiment, wanted, console.print)


def fetch_report(console: Console, connection: Connection, name: str, out: Path) -> None:
    """`kubectl aura report`: the report of an experiment that has ended, as a file."""
    experiment = find_experiment(connection, name)
    status = experiment.status
    if not status.verdict:
        share = f" ({status.progress})" if status.progress else ""
        why = "ended without a verdict" if status.finished_at else "is written at the end"
        raise InputError(f"{name} is {status.phase}{share}: its report {why}; {status.message}")
    with results(connection, experiment) as found:
        page = found.read("report.html")
    try:
        out.write_bytes(page)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written: {error.strerror}") from error
    console.print(printable(f"{status.verdict}: {status.reason}"))
    console.print(f"Report: {out}")


def show_plans(console: Console, connection: Connection, name: str, last: int, arm: str | None) -> None:
    """`kubectl aura plans`."""
    experiment = find_experiment(connection, name)
    Wanted("planner", arm).check(experiment)
    with results(connection, experiment) as found:
        decisions = last_decisions(found, last, arm)
    if not decisions:
        console.print(_none_yet(experiment))
    for decision in decisions:
        for line in lines(decision):
            console.print(line)


def _none_yet(experiment: Experiment) -> str:
    return f"{experiment.name} has no plan{'' if experiment.status.finished_at else ' yet'}"


def suspend_experiment(connection: Connection, name: str, *, suspended: bool) -> str:
    """`kubectl aura suspend` and `resume`: a sentence on what comes of it."""
    return set_suspended(connection, find_experiment(connection, name), suspended)
