"""A result folder as `aura run` leaves it, read and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from aura_contract.base import MessageModel
from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import ManifestError, load_manifest
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import CategoryTotals, Verdict, WindowRecord

__all__ = ["CEILING_NAMES", "Ceiling", "Latency", "ReportError", "RunFolder", "read_folder", "read_outcome"]

Model = TypeVar("Model", bound=MessageModel)

CEILING_NAMES: Mapping[str, str] = {
    "lru": "exact LRU",
    "s3fifo": "S3-FIFO",
    "belady": "OPT (Belady)",
    "clairvoyant_prefetch": "clairvoyant prefetch",
}

NOT_FINISHED = "the run did not finish; start `aura run` again and let it end"


class ReportError(RuntimeError):
    """A result folder that no report can be made of; the message is one sentence that names the file and what to do."""


class Ceiling(MessageModel):
    """One policy of `ceilings.json`; counts are absent when only the hit ratio is known."""

    hit_ratio: float = Field(ge=0, le=1)
    backend_reads: int | None = None
    prefetches: int = 0


class Latency(MessageModel):
    """One run of `sensitivity.json`: the arm `aura` when its planner's time is charged so many times over.

    `hit_ratio` is over the whole log, `delta_points` the difference to the baseline after warm-up in points.
    """

    hit_ratio: float = Field(ge=0, le=1)
    delta_points: float = Field(ge=-100, le=100)


@dataclass(frozen=True)
class RunFolder:
    """Everything a report is made of.

    `manifest` is the text of experiment.yaml; `ceilings` is empty when there are none, and so is `sensitivity`, which goes
    by the factor that latency was charged with, the smallest first. `categories` is None when there is none.
    """

    verdict: Verdict
    experiment: AuraExperiment
    manifest: str
    windows: list[WindowRecord]
    plans: list[Plan]
    receipts: list[Receipt]
    ceilings: dict[str, Ceiling]
    sensitivity: dict[int, Latency]
    categories: CategoryTotals | None = None


def read_folder(folder: Path) -> RunFolder:
    """Read a result folder; raises ReportError."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: is not a folder; give the folder that `aura run --out` wrote")
    verdict, windows = read_outcome(folder)
    manifest = folder / "experiment.yaml"
    text = _text(manifest, "copy the manifest of the run there")
    try:
        experiment = load_manifest(manifest)
    except ManifestError as error:
        raise ReportError(f"{str(error).splitlines()[0]}; copy the manifest of the run there") from error
    return RunFolder(
        verdict=verdict,
        experiment=experiment,
        manifest=text,
        windows=windows,
        plans=_lines(folder / "plans.jsonl", Plan),
        receipts=_lines(folder / "receipts.jsonl", Receipt),
        ceilings=_ceilings(folder / "ceilings.json"),
        sensitivity=_sensitivity(folder / "sensitivity.json"),
        categories=_categories(folder / "categories.json", verdict),
    )


def read_outcome(folder: Path) -> tuple[Verdict, list[WindowRecord]]:
    """Verdict and windows of a result folder, checked against each other; raises ReportError."""
    verdict = _verdict(folder / "verdict.json")
    windows = _lines(folder / "windows.jsonl", WindowRecord)
    _check_windows(folder / "windows.jsonl", windows, verdict)
    return verdict, windows


def _text(path: Path, advice: str = NOT_FINISHED) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ReportError(f"{path}: is missing; {advice}") from error
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: is not UTF-8 text; {advice}") from error


def _verdict(path: Path) -> Verdict:
    try:
        return Verdict.model_validate_json(_text(path))
    except ValidationError as error:
        raise ReportError(f"{path}: is not a verdict ({_problem(error)}); {NOT_FINISHED}") from error


def _lines(path: Path, model: type[Model]) -> list[Model]:
    result = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            result.append(model.model_validate_json(line))
        except ValidationError as error:
            kind = model.__name__
            raise ReportError(f"{path}, line {number}: is not a {kind} ({_problem(error)}); {NOT_FINISHED}") from error
    return result


def _check_windows(path: Path, windows: list[WindowRecord], verdict: Verdict) -> None:
    if not windows:
        raise ReportError(f"{path}: holds no windows; {NOT_FINISHED}")
    for record in windows:
        if record.arm not in verdict.arms:
            raise ReportError(f"{path}: has the arm {record.arm!r} that verdict.json has not; do not mix files of two runs")
        if record.hits + record.misses != record.requests:
            raise ReportError(
                f"{path}: hits and misses of window {record.window} of arm {record.arm} are not its requests; "
                "the file was changed, so repeat the run"
            )


def _ceilings(path: Path) -> dict[str, Ceiling]:
    if not path.exists():
        return {}
    try:
        data = json.loads(_text(path))
        return {name: Ceiling.model_validate(data[name]) for name in CEILING_NAMES if name in data}
    except (ValidationError, ValueError, TypeError) as error:
        raise ReportError(f"{path}: does not hold ceilings by policy; delete it, or write it again") from error


def _sensitivity(path: Path) -> dict[int, Latency]:
    if not path.exists():
        return {}
    try:
        entries = {int(factor): Latency.model_validate(entry) for factor, entry in json.loads(_text(path)).items()}
    except (ValidationError, ValueError, TypeError, AttributeError) as error:
        raise ReportError(f"{path}: does not hold hit ratios by latency factor; delete it, or write it again") from error
    return dict(sorted(entries.items()))


def _categories(path: Path, verdict: Verdict) -> CategoryTotals | None:
    if not path.exists():
        return None
    try:
        found = CategoryTotals.model_validate_json(_text(path))
    except ValidationError as error:
        raise ReportError(f"{path}: does not hold hits by category ({_problem(error)}); delete it") from error
    if found.run != verdict.run:
        raise ReportError(f"{path}: is of the run {found.run!r} and verdict.json is not; do not mix files of two runs")
    return found


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else str(first["msg"])
