"""The command `aura`."""

from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from aura_cli import commands, training
from aura_cli.entry import run_app
from aura_cli.outcome import read_verdict, sentence, write_report
from aura_cli.sweep import SweepOptions, sweep_experiment

__all__ = ["app", "main"]

app = typer.Typer(
    name="aura",
    help="Does a slow planner make a cache better on this log, and by how much? One manifest in, one verdict out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
console = Console()
errors = Console(stderr=True)

Manifest = Annotated[Path, typer.Argument(metavar="FILE", help="The AuraExperiment: a YAML or JSON file.")]


class BadRows(StrEnum):
    """What to do with rows that cannot be read."""

    fail = "fail"
    skip = "skip"


def _version(value: bool) -> None:
    if value:
        try:
            number = version("aura-experiment")
        except PackageNotFoundError:
            number = "unknown (not installed)"
        console.print(f"aura {number}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error came from.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reads the options that every command shares."""
    del debug, show_version  # main() looks for --debug itself, since it must outlive the parsing


@app.command(epilog="Example: `aura run examples/quickstart.yaml --out runs/first`")
def run(
    file: Manifest,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/NAME-TIMESTAMP by default.", show_default=False)
    ] = None,
    kafka: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A Kafka broker of yours; one is started by default.", show_default=False),
    ] = None,
    bad_rows: Annotated[
        BadRows, typer.Option(help="Rows that cannot be read: end the run, or count and skip them.")
    ] = BadRows.fail,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where /progress and /metrics are served, a port for each shard from this one on; any free ones by default.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier run in the folder.")] = False,
) -> None:
    """Replay the log through all arms, with all servers started and stopped by this command, and write verdict and report."""
    commands.run_experiment(console, errors, file, out, kafka, bad_rows.value, listen, force=force)


@app.command(epilog="Example: `aura simulate examples/quickstart.yaml`")
def simulate(
    file: Manifest,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/NAME-TIMESTAMP by default.", show_default=False)
    ] = None,
    bad_rows: Annotated[
        BadRows, typer.Option(help="Rows that cannot be read: end the run, or count and skip them.")
    ] = BadRows.fail,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier run in the folder.")] = False,
) -> None:
    """The same as `aura run`, with simulated arms instead of servers: within half a point of it, and many times as fast."""
    commands.simulate_experiment(console, errors, file, out, bad_rows.value, force=force)


@app.command(epilog="Example: `aura validate examples/llm.yaml`")
def validate(file: Manifest) -> None:
    """Check a manifest: its fields, that its files and columns are there, and that its model server answers."""
    text, warnings = commands.validate_experiment(file)
    for warning in warnings:
        errors.print(f"aura: warning: {warning}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"valid: {text}", highlight=False, soft_wrap=True, markup=False)


@app.command(epilog="Example: `aura load my-experiment.yaml`")
def load(file: Manifest) -> None:
    """Load the catalogue into the MongoDB and the Milvus that the manifest names in dependencies."""
    commands.load_servers(console, file)


@app.command(epilog="Example: `aura train my-experiment.yaml --head 30%`")
def train(
    file: Manifest,
    out: Annotated[
        Path | None,
        typer.Option(help="The model's file; planner.modelFile, or else model.txt beside the manifest.", show_default=False),
    ] = None,
    head: Annotated[str, typer.Option(metavar="SHARE", help="Part of the log's rows, from its start, to learn from.")] = "30%",
    bad_rows: Annotated[
        BadRows, typer.Option(help="Rows that cannot be read: end the training, or count and skip them.")
    ] = BadRows.fail,
) -> None:
    """Train the model of planner ml on the log's first rows, and say how good it is on the last of them."""
    training.train(console, file, out, head, bad_rows.value)


@app.command(epilog="Example: `aura report runs/first`")
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
) -> None:
    """Write report.html of a finished run again, from its result files."""
    verdict = read_verdict(folder)
    path = write_report(folder)
    console.print(sentence(verdict), highlight=False, soft_wrap=True, markup=False)
    console.print(f"Report: {path}", highlight=False, soft_wrap=True, markup=False)


@app.command(epilog="Example: `aura sweep examples/quickstart.yaml --capacity 1%,5%,10% --seeds 5`")
def sweep(
    file: Manifest,
    capacity: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Sizes of the arms, such as 1%,5%,8Mi; the manifest's own by default.", show_default=False
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, counted up from the manifest's.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/NAME-sweep by default.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Cells at a time; as many as cores, or one with --servers, by default.", show_default=False),
    ] = None,
    servers: Annotated[
        bool, typer.Option("--servers", help="Run each cell with real servers, instead of simulating it.")
    ] = False,
    bad_rows: Annotated[
        BadRows, typer.Option(help="Rows that cannot be read: end the cell, or count and skip them.")
    ] = BadRows.fail,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier sweep in the folder.")] = False,
) -> None:
    """Run an experiment over a grid of capacities and seeds; cells that are there from an earlier sweep are not run again."""
    options = SweepOptions(capacity, seeds, out, jobs, servers, bad_rows.value, force)
    sweep_experiment(console, errors, file, options)


def main() -> None:
    """Run the command; every failure is one sentence on standard error and an exit code of its own."""
    run_app(app, "aura")


if __name__ == "__main__":
    main()
