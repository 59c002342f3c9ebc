"""The command `kubectl aura`, which kubectl finds as `kubectl-aura` on the PATH."""

from enum import StrEnum
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated

import typer
from rich.console import Console

from aura_cli.cluster.commands import fetch_report, show_logs, show_plans, show_status, suspend_experiment
from aura_cli.cluster.connection import Connection, connect
from aura_cli.entry import run_app
from aura_cli.signals import interruptible

__all__ = ["app", "main"]

NAME = "kubectl aura"

app = typer.Typer(
    name=NAME,
    help="Experiments in a cluster: how they stand, what they say, what they found. The cluster is kubectl's own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
# Wide enough for the table of arms wherever the output goes.
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=max(110, get_terminal_size().columns))

Name = Annotated[str, typer.Argument(metavar="NAME", help="The experiment.", show_default=False)]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="By default that of the context.", show_default=False)]
Context = Annotated[str | None, typer.Option("--context", help="By default the kubeconfig's current one.", show_default=False)]
Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", help="By default $KUBECONFIG or ~/.kube/config.", show_default=False)
]
Arm = Annotated[str | None, typer.Option("--arm", help="Of this arm alone, such as aura or noop.", show_default=False)]


class Part(StrEnum):
    """Whose logs."""

    replayer = "replayer"
    planner = "planner"
    executor = "executor"
    all = "all"


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error came from.")] = False) -> None:
    """Reads the option that every command shares."""
    del debug  # run_app() looks for it itself, since it must outlive the parsing


@app.command(epilog="Example: `kubectl aura status quickstart -n shop`")
def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="By default all of the namespace.", show_default=False)
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Phase, arms, planners, and the conditions that are not well."""
    show_status(console, connect(kubeconfig, context, namespace), name)


@app.command(epilog="Example: `kubectl aura logs quickstart --part executor --arm aura --follow`")
def logs(
    name: Name,
    part: Annotated[Part, typer.Option(help="Whose logs.")] = Part.all,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the experiment has ended.")] = False,
    arm: Arm = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Logs of the parts, each line after the name of its pod; control characters are escaped."""
    with interruptible():
        show_logs(console, connect(kubeconfig, context, namespace), name, part.value, arm, follow=follow)


@app.command(epilog="Example: `kubectl aura report quickstart --out report.html`")
def report(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="The file to write; NAME.html by default.", show_default=False)] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Fetch the HTML report of a finished experiment from its results volume, through a pod that is removed afterwards."""
    with interruptible():
        fetch_report(console, connect(kubeconfig, context, namespace), name, out or Path(f"{name}.html"))


@app.command(epilog="Example: `kubectl aura plans quickstart --last 5 --arm aura`")
def plans(
    name: Name,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 10,
    arm: Arm = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """The last plans: what was decided, by whom, and what came of it."""
    with interruptible():
        show_plans(console, connect(kubeconfig, context, namespace), name, last, arm)


@app.command(epilog="Example: `kubectl aura suspend quickstart`")
def suspend(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Stop the replay where it is; the caches stay."""
    _set_suspended(connect(kubeconfig, context, namespace), name, suspended=True)


@app.command(epilog="Example: `kubectl aura resume quickstart`")
def resume(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Go on with a suspended replay."""
    _set_suspended(connect(kubeconfig, context, namespace), name, suspended=False)


def _set_suspended(connection: Connection, name: str, *, suspended: bool) -> None:
    console.print(suspend_experiment(connection, name, suspended=suspended))


def main() -> None:
    """Run the command; every failure is one sentence on standard error and an exit code of its own."""
    run_app(app, NAME)
