"""What the subcommands do, without the command line around them."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rich.console import Console

from aura_cli import rundir
from aura_cli.embedded import Household
from aura_cli.embedded.services import RunPlan
from aura_cli.errors import InputError, PartLostError
from aura_cli.leftovers import clear_servers
from aura_cli.outcome import read_verdict, show_outcome, write_report
from aura_cli.preflight import check_files, warnings
from aura_cli.signals import StopSignals
from aura_cli.supervisor import Supervisor
from aura_cli.view import make_view
from aura_contract.credentials import adopt
from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import load_manifest
from aura_data.errors import DataError, ServerError
from aura_data.loading import load_catalogue
from aura_replayer.ceilings import write_ceilings
from aura_replayer.merging import merge
from aura_replayer.parts import RunSettings

__all__ = ["load_servers", "run_experiment", "simulate_experiment", "validate_experiment"]


def run_experiment(
    console: Console,
    errors: Console,
    manifest: Path,
    out: Path | None,
    kafka: str | None,
    bad_rows: Literal["fail", "skip"],
    listen: str | None,
    *,
    force: bool,
) -> None:
    """`aura run`: from manifest to verdict and report."""
    _check_address("--kafka", kafka)
    _check_address("--listen", listen)
    with StopSignals() as signals:
        experiment = load_manifest(manifest)
        _check_ports(listen, experiment.spec.workload.shards)
        adopt(experiment.spec.dependencies, kafka=kafka is not None)
        check_files(experiment.spec, manifest.resolve().parent, bad_rows)
        for text in warnings(experiment.spec):
            errors.print(f"aura: warning: {text}", highlight=False, soft_wrap=True, markup=False)
        folder = rundir.prepare(out or rundir.default_folder(experiment), force=force)
        data = rundir.resolved(manifest)
        rundir.write_manifest(data, folder)
        server = experiment.spec.dependencies.kafka_server
        plan = RunPlan(
            manifest=manifest,
            experiment=experiment.metadata.name,
            spec=experiment.spec,
            run=f"{experiment.metadata.name}-{secrets.token_hex(4)}",
            kafka=kafka or (server.endpoint if server else ""),
            out=folder,
            bad_rows=bad_rows,
            listen=listen,
        )
        signals.check()
        try:
            with Household(folder / "logs") as house:
                signals.kill = house.kill
                plan = replace(plan, manifest=rundir.write_private(data, house.folder))
                with make_view(console) as view:
                    Supervisor(house, plan, view, signals.check).run()
            if plan.spec.workload.shards > 1:
                merge(RunSettings(experiment, folder, plan.run, folder, bad_rows))
        except DataError as error:
            raise PartLostError(str(error)) from error
        except (PartLostError, OSError):
            # A full disk also swallows the sentences that the parts write into their logs.
            rundir.writable_or_raise(folder)
            raise
        finally:
            clear_servers(errors, experiment.spec, filled=rundir.arms_were_filled(folder))
        _evidence(console, AuraExperiment.model_validate(data), folder, bad_rows, signals)


def simulate_experiment(
    console: Console, errors: Console, manifest: Path, out: Path | None, bad_rows: Literal["fail", "skip"], *, force: bool
) -> None:
    """`aura simulate`: from manifest to verdict and report, with simulated arms."""
    from aura_cli.simulation.run import Watcher, simulate  # noqa: PLC0415 - brings the compiled simulator, which takes a second

    with StopSignals() as signals:
        experiment = load_manifest(manifest)
        adopt(experiment.spec.dependencies, kafka=True)
        check_files(experiment.spec, manifest.resolve().parent, bad_rows)
        for text in warnings(experiment.spec):
            errors.print(f"aura: warning: {text}", highlight=False, soft_wrap=True, markup=False)
        folder = rundir.prepare(out or rundir.default_folder(experiment), force=force)
        data = rundir.resolved(manifest)
        rundir.write_manifest(data, folder)
        absolute = AuraExperiment.model_validate(data)
        settings = RunSettings(absolute, folder, f"{experiment.metadata.name}-simulated", folder, bad_rows)
        try:
            with make_view(console) as view:
                simulate(settings, Watcher(view), signals)
        except OSError:
            rundir.writable_or_raise(folder)
            raise
        _evidence(console, absolute, folder, bad_rows, signals)


def _evidence(
    console: Console,
    experiment: AuraExperiment,
    folder: Path,
    bad_rows: Literal["fail", "skip"],
    signals: StopSignals,
) -> None:
    """What stands beside a verdict: ceilings, sensitivity to the planner's time, the report; the paths are absolute."""
    from aura_cli.simulation.sensitivity import write_sensitivity  # noqa: PLC0415 - brings the compiled simulator

    with console.status("computing ceilings and what a slower planner would lose"):
        write_ceilings(experiment.spec, folder, folder, bad_rows)
        write_sensitivity(experiment, folder, bad_rows, signals)
    report = write_report(folder)
    show_outcome(console, read_verdict(folder), report)


def _check_address(option: str, address: str | None) -> None:
    if address is None:
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65_536):
        raise InputError(f"{option} {address}: is not HOST:PORT; write it like 127.0.0.1:9092")


def _check_ports(listen: str | None, shards: int) -> None:
    port = int(listen.rpartition(":")[2]) if listen else 0
    if port + shards > 65_536:
        raise InputError(f"--listen {listen}: {shards} shards take as many ports from there on; choose a lower one")


def validate_experiment(manifest: Path) -> tuple[str, list[str]]:
    """`aura validate`: what the manifest will do in one sentence, and warnings; raises for what cannot work."""
    experiment = load_manifest(manifest)
    spec = experiment.spec
    check_files(spec, manifest.resolve().parent)
    source = spec.workload.source
    log = source.path or source.url or source.dataset
    size = spec.cache.memory or spec.cache.capacity
    arms = ", ".join(f"{arm} ({planner})" for arm, planner in spec.planned_arms.items())
    text = f"{experiment.metadata.name}: replays {log} through baseline and {arms}, {size} each"
    if spec.workload.shards > 1:
        text += f", in {spec.workload.shards} shards"
    return text, warnings(spec)


def load_servers(console: Console, manifest: Path) -> None:
    """`aura load`: fill the servers of `dependencies` from the catalogue, with a line for each."""
    experiment = load_manifest(manifest)
    adopt(experiment.spec.dependencies, kafka=False)
    try:
        with console.status("loading") as status:
            load_catalogue(
                experiment,
                manifest,
                lambda server, done: status.update(f"{server}: {done:,} items"),
                lambda text: console.print(text, highlight=False),
            )
    except ServerError as error:
        raise PartLostError(str(error)) from error
    except DataError as error:
        raise InputError(str(error)) from error
