"""The file of a trained model: one line of JSON that says what it was trained on, then LightGBM's own text."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from aura_contract.base import CONTRACT_VERSION, MessageModel
from aura_planner.errors import SetupError
from aura_planner.ml.features import FEATURES

__all__ = ["AGAIN", "Model", "ModelHeader", "digest", "read_model", "write_model"]

AGAIN = "write it again with `aura train`"


class ModelHeader(MessageModel):
    """What a model was trained on: `rows` candidates, `positives` of them requested in the next window, of the windows of
    `every_events` log rows up to row `last_row`, counted from 0, of the data with this hash; `sha256` is of LightGBM's text."""

    kind: Literal["aura-ml"] = "aura-ml"
    contract: int = CONTRACT_VERSION
    features: tuple[str, ...] = FEATURES
    every_events: int
    last_row: int
    rows: int = Field(gt=0)
    positives: int
    data_sha256: str
    sha256: str


@dataclass(frozen=True)
class Model:
    """A model as it is on the disk."""

    header: ModelHeader
    text: str


def write_model(path: Path, model: Model) -> None:
    """Write the file so that a reader sees the old one or the new one, never half of it; raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(model.header.model_dump_json() + "\n" + model.text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def digest(text: str) -> str:
    """SHA-256 of LightGBM's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_model(path: Path, every_events: int) -> Model:
    """The model in a file; raises SetupError with a sentence when it is of no use to windows of `every_events` rows."""
    try:
        first, _, text = path.read_bytes().decode().partition("\n")
    except OSError as error:
        raise SetupError(f"{path}: the model cannot be read: {error.strerror}; {AGAIN}") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{path}: is no model of planner ml; {AGAIN}") from error
    try:
        header = ModelHeader.model_validate_json(first)
    except ValidationError as error:
        raise SetupError(f"{path}: is no model of planner ml; {AGAIN}") from error
    problem = _problem(header, text, every_events)
    if problem:
        raise SetupError(f"{path}: {problem}; {AGAIN}")
    return Model(header, text)


def _problem(header: ModelHeader, text: str, every_events: int) -> str | None:
    if header.sha256 != digest(text):
        return "the model is damaged"
    if header.contract != CONTRACT_VERSION or header.features != FEATURES:
        return "the model was trained on other features than this version has"
    if header.every_events != every_events:
        return f"the model was trained on windows of {header.every_events} events and trigger.everyEvents is {every_events}"
    return None
