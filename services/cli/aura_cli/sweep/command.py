"""`aura sweep` from manifest to tables."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from aura_cli.embedded.household import Household
from aura_cli.errors import InputError, InterruptedRunError, PartLostError
from aura_cli.preflight import check_files, warnings
from aura_cli.rundir import resolved, writable_or_raise
from aura_cli.signals import StopSignals
from aura_cli.sweep.grid import Cell, common, grid, own_capacity, parse_capacities, seeds_from
from aura_cli.sweep.runner import Runner
from aura_cli.sweep.store import LOG, Store
from aura_cli.sweep.summary import show_sweep
from aura_cli.sweep.view import SweepView
from aura_contract.experiment import AuraExperiment, ExperimentSpec
from aura_contract.manifest import load_manifest
from aura_contract.results import SweepCell, SweepResult

__all__ = ["SweepOptions", "sweep_experiment"]

STOP_SECONDS = 20.0
"""A run that is asked to stop gives its own parts a few seconds first."""


@dataclass(frozen=True)
class SweepOptions:
    """What the command line says beside the manifest; None stands for the default."""

    capacity: str | None = None
    seeds: int = 1
    out: Path | None = None
    jobs: int | None = None
    servers: bool = False
    bad_rows: Literal["fail", "skip"] = "fail"
    force: bool = False


def sweep_experiment(console: Console, errors: Console, manifest: Path, options: SweepOptions) -> None:
    """Run the cells that are not there yet, write `sweep.json` and `sweep.html`, and print the tables.

    Raises InputError before anything is run, InterruptedRunError when the user stops it, and PartLostError after the end
    when cells failed.
    """
    experiment = load_manifest(manifest)
    cells = _cells(experiment, manifest, options)
    jobs = min(_jobs(experiment.spec, options), len(cells))
    check_files(experiment.spec, manifest.resolve().parent, options.bad_rows)
    for text in warnings(experiment.spec):
        errors.print(f"aura: warning: {text}", highlight=False, soft_wrap=True, markup=False)
    folder = (options.out or Path("runs") / f"{experiment.metadata.name}-sweep").absolute()
    shared = {"manifest": common(cells[0].manifest), "servers": options.servers, "bad_rows": options.bad_rows}
    store = Store(folder, shared)
    with store.opened(force=options.force):
        failed = _run(console, store, cells, jobs, options)
        result = _result(experiment, store, cells, failed, options)
        _warn_of_other_data(errors, result)
        show_sweep(console, result, _write(folder, result))
    _raise_for_failed(folder, result)


def _cells(experiment: AuraExperiment, manifest: Path, options: SweepOptions) -> tuple[Cell, ...]:
    spec = experiment.spec
    capacities = (own_capacity(spec.cache),) if options.capacity is None else parse_capacities(options.capacity)
    return grid(resolved(manifest), capacities, seeds_from(spec.seed, options.seeds))


def _jobs(spec: ExperimentSpec, options: SweepOptions) -> int:
    if options.jobs is None:
        return 1 if options.servers else _cores()
    if options.jobs < 1:
        raise InputError(f"--jobs {options.jobs}: must be at least 1; it is the number of cells that run at a time")
    needs = spec.dependencies
    if options.servers and options.jobs > 1 and (needs.redis.external or needs.kafka_server):
        raise InputError(
            f"--jobs {options.jobs}: the manifest names servers of yours in dependencies, which one cell at a time can use; "
            "leave --jobs out"
        )
    return options.jobs


def _cores() -> int:
    """Cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(console: Console, store: Store, cells: Sequence[Cell], jobs: int, options: SweepOptions) -> dict[str, str]:
    """Run what is not done; returns what went wrong by folder of the cell."""
    waiting = [cell for cell in cells if store.verdict(cell) is None]
    arguments = ["run" if options.servers else "simulate", *(["--bad-rows", "skip"] if options.bad_rows == "skip" else [])]
    failed: dict[str, str] = {}
    view = SweepView(console, len(cells), len(cells) - len(waiting), jobs)
    with StopSignals() as signals, Household(store.folder) as house:
        signals.kill = house.kill
        runner = Runner(house, store, arguments, signals.check)
        view.begin()
        try:
            for finished in runner.run(waiting, jobs):
                view.ended(finished, runner.ages)
                if finished.error is not None:
                    failed[finished.cell.folder] = finished.error
                    # A full disk fails every cell to come, and swallows what they would say.
                    writable_or_raise(store.folder)
        except InterruptedRunError as error:
            house.stop(STOP_SECONDS)
            raise _interrupted(store, cells) from error
        finally:
            view.end()
    return failed


def _interrupted(store: Store, cells: Sequence[Cell]) -> InterruptedRunError:
    done = sum(store.verdict(cell) is not None for cell in cells)
    return InterruptedRunError(
        f"interrupted: the cells at work were stopped, and {done} of {len(cells)} are done; run the same command again to go on "
        f"with the rest in {store.folder}"
    )


def _result(
    experiment: AuraExperiment, store: Store, cells: Sequence[Cell], failed: dict[str, str], options: SweepOptions
) -> SweepResult:
    from aura_evidence.sweep import gather_sweep  # noqa: PLC0415 - brings numpy, for which bad input need not wait

    asked = (
        SweepCell(capacity=cell.capacity.text, seed=cell.seed, folder=cell.folder, error=failed.get(cell.folder))
        for cell in cells
    )
    return gather_sweep(store.folder, experiment.metadata.name, asked, servers=options.servers)


def _write(folder: Path, result: SweepResult) -> Path:
    from aura_evidence.folder import ReportError  # noqa: PLC0415 - as above
    from aura_evidence.sweep_page import write_sweep  # noqa: PLC0415 - brings matplotlib, which takes a second

    try:
        return write_sweep(folder, result)
    except ReportError as error:
        raise InputError(str(error)) from error


def _warn_of_other_data(errors: Console, result: SweepResult) -> None:
    if len({cell.data_sha256 for cell in result.cells if cell.error is None}) > 1:
        text = "aura: warning: the log has changed since the first cells were run; add --force to run all of them on the same"
        errors.print(text, highlight=False, soft_wrap=True, markup=False)


def _raise_for_failed(folder: Path, result: SweepResult) -> None:
    lost = [cell for cell in result.cells if cell.error is not None]
    if not lost:
        return
    first = f"{len(lost)} of {len(result.cells)} cells failed and the others are kept; run the same command again to repeat them"
    lines = [f"capacity {cell.capacity}, seed {cell.seed}: {cell.error}; see {folder / cell.folder / LOG}" for cell in lost]
    raise PartLostError("\n".join([first, *lines]))
