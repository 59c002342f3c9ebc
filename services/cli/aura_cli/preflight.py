"""What can be known to be wrong before anything is started: files, columns, model servers."""

from pathlib import Path
from typing import Literal

from aura_cli.errors import InputError
from aura_contract.experiment import ExperimentSpec
from aura_contract.redaction import redacted
from aura_contract.workload import CatalogSpec, SourceSpec, WorkloadSpec
from aura_data.tables import DataError, TableKind, open_table
from aura_planner.errors import SetupError
from aura_planner.ml.model import read_model
from aura_planner.reasoners.http import ModelMisconfigured, ModelUnreachable
from aura_planner.reasoners.ollama import OllamaServer

__all__ = ["check_files", "warnings"]

SAMPLE_ROWS = 1000
ANSWER_SECONDS = 3.0


def check_files(spec: ExperimentSpec, base: Path, bad_rows: str = "fail") -> None:
    """Read the first rows of log and catalogue; raises InputError naming the file, the column or the line."""
    if spec.planner.recording and not (base / spec.planner.recording).is_file():
        raise InputError(f"{base / spec.planner.recording}: no such file; planner.recording names the plans.jsonl of a run")
    if spec.planner.model_file and "ml" in spec.planned_arms.values():
        _check_model(base / spec.planner.model_file, spec.trigger.every_events)
    log, catalog = spec.workload, spec.catalog
    timed = ["time"] if log.clock.timestamps else []
    if timed and log.columns.time is None:
        raise InputError("spec.workload.clock.timestamps needs spec.workload.columns.time: name the log's time column")
    limit = min(log.limit or SAMPLE_ROWS, SAMPLE_ROWS)
    rows = _sample("workload", log, base, limit, bad_rows, ["item", *timed])
    if rows == 0:
        raise InputError(f"{_name(log.source, base)}: holds no rows; an experiment needs a log with requests")
    if catalog:
        _sample("catalog", catalog, base, SAMPLE_ROWS, "fail", ["item"])


def _check_model(path: Path, every_events: int) -> None:
    try:
        read_model(path, every_events)
    except SetupError as error:
        raise InputError(str(error)) from error


def _sample(kind: TableKind, spec: WorkloadSpec | CatalogSpec, base: Path, limit: int, bad_rows: str, required: list[str]) -> int:
    roles = {role: name for role, name in spec.columns.model_dump().items() if name is not None}
    policy: Literal["fail", "skip"] = "skip" if bad_rows == "skip" else "fail"
    try:
        table = open_table(spec.source, spec.format, roles, base=base, limit=limit, bad_rows=policy, required=required, kind=kind)
        return sum(batch.num_rows for batch in table.batches())
    except DataError as error:
        raise InputError(str(error)) from error


def _name(source: SourceSpec, base: Path) -> str:
    return str(base / source.path) if source.path else redacted(str(source.url or source.dataset))


def warnings(spec: ExperimentSpec) -> list[str]:
    """One sentence for each thing that will not work as named, though the run can go on."""
    placed = ["planner.placements are Kubernetes' alone: this run plans on this machine"] if spec.planner.placements else []
    return placed + _model_warnings(spec)


def _model_warnings(spec: ExperimentSpec) -> list[str]:
    planner = spec.planner
    if not spec.asks_ollama:
        return []
    asking = " and ".join(arm for arm, backend in spec.planned_arms.items() if backend == "ollama")
    unplanned = f"the windows of arm {asking} run unplanned"
    otherwise = "the planner falls back to the heuristic" if planner.backend == "auto" else unplanned
    server = OllamaServer(spec.model_endpoint, planner.model, spec.seed)
    try:
        models = server.models(ANSWER_SECONDS)
    except ModelMisconfigured as error:
        return [f"{error}; until then {otherwise}"]
    except ModelUnreachable:
        return [f"{server.shown} does not answer, so {otherwise}; start it with `ollama serve`"]
    wanted = planner.model
    if wanted and not {wanted, f"{wanted}:latest"} & models:
        have = ", ".join(sorted(models)[:5]) or "none"
        return [f"{server.shown} has no model {wanted} (it has {have}), so {otherwise}; run `ollama pull {wanted}`"]
    return []
