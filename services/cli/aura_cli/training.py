"""`aura train`: from a manifest to a model file, by way of the log's head."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from aura_cli.errors import InputError, PartLostError
from aura_cli.head import Head, examples, find_head
from aura_contract.credentials import adopt
from aura_contract.experiment import ExperimentSpec
from aura_contract.manifest import load_manifest
from aura_contract.quantities import parse_share
from aura_data.errors import DataError, ServerError
from aura_data.tables import fingerprint
from aura_planner.errors import SetupError
from aura_planner.ml.fitting import Fitted, fit
from aura_planner.ml.model import Model, ModelHeader, digest, write_model

__all__ = ["train"]

FEWEST_WINDOWS = 5
DEFAULT_NAME = "model.txt"


@dataclass(frozen=True)
class Trained:
    """A model with its head and its scores."""

    model: Model
    head: Head
    fitted: Fitted


def train(console: Console, manifest: Path, out: Path | None, head: str, bad_rows: Literal["fail", "skip"]) -> None:
    """Write the model of a manifest's log and print how good it is; `out` defaults to the manifest's `planner.modelFile`."""
    share = _share(head)
    experiment = load_manifest(manifest)
    spec, base = experiment.spec, manifest.resolve().parent
    adopt(spec.dependencies, kafka=False)
    path = out or base / (spec.planner.model_file or DEFAULT_NAME)
    _writable_or_raise(path)
    try:
        with console.status("reading the log's head"):
            trained = _trained(spec, base, share, bad_rows)
    except ServerError as error:
        raise PartLostError(str(error)) from error
    except (DataError, SetupError) as error:
        raise InputError(str(error)) from error
    try:
        write_model(path, trained.model)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}; choose another --out") from error
    for line in _lines(trained, path):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _trained(spec: ExperimentSpec, base: Path, share: float, bad_rows: Literal["fail", "skip"]) -> Trained:
    head = find_head(spec, base, share, bad_rows)
    if head.rows < FEWEST_WINDOWS * head.size:
        raise InputError(
            f"the head holds {head.rows // head.size} windows of {head.size:,} events of the log's {head.total:,}, and training "
            f"needs {FEWEST_WINDOWS}; lower trigger.everyEvents, raise --head, or take a longer log"
        )
    windows = examples(spec, base, head, bad_rows)
    fitted = fit(windows, spec.seed)
    header = ModelHeader(
        every_events=head.size,
        last_row=head.rows - 1,
        rows=sum(len(window.requested) for window in windows),
        positives=sum(int(window.requested.sum()) for window in windows),
        data_sha256=fingerprint(spec.workload.source, base),
        sha256=digest(fitted.text),
    )
    return Trained(Model(header, fitted.text), head, fitted)


def _share(text: str) -> float:
    try:
        share = parse_share(text)
    except ValueError as error:
        raise InputError(f"--head {error}") from error
    if share == 1:
        raise InputError("--head 100%: leaves no tail to judge the model on; take less, such as 30%")
    return share


def _writable_or_raise(path: Path) -> None:
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        reason = "is a folder" if path.is_dir() else "its folder is not there or cannot be written"
        raise InputError(f"{path}: {reason}; choose another --out")


def _lines(trained: Trained, path: Path) -> list[str]:
    header, head, fitted = trained.model.header, trained.head, trained.fitted
    after = head.rows // head.size
    share = f"{header.positives / header.rows:.1%}"
    score = "not known, since all or none were requested" if math.isnan(fitted.score.auc) else f"{fitted.score.auc:.4f}"
    return [
        f"head: rows 0 to {header.last_row:,} of {head.total:,}, {after} windows of {head.size:,} events",
        f"candidates: {header.rows:,}, of which {header.positives:,} ({share}) are requested in the next window",
        f"trees: {fitted.trees}, from {fitted.trained} windows; validated on the {fitted.validated} after them",
        f"AUC: {score} (ranking by frequency alone: {fitted.frequency_auc:.4f}; chance: 0.5)",
        f"log loss: {fitted.score.log_loss:.4f} (base rate alone: {fitted.base_log_loss:.4f})",
        f"model: {path}",
        f"Its hit ratio counts from window {after} on: what comes before, the model has seen.",
    ]
