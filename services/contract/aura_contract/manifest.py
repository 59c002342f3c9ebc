"""Reading a manifest file, with errors that name the file, the field and what to do."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from aura_contract.experiment import AuraExperiment
from aura_contract.redaction import redacted

__all__ = ["ManifestError", "load_manifest", "parse_manifest"]


class ManifestError(ValueError):
    """A manifest that cannot be used; the message is one line a problem."""


def load_manifest(path: Path) -> AuraExperiment:
    """The experiment in a YAML or JSON file; raises ManifestError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ManifestError(f"{path}: cannot be read: {reason}") from error
    return parse_manifest(text, str(path))


def parse_manifest(text: str, name: str = "manifest") -> AuraExperiment:
    """The experiment in a YAML or JSON text; `name` begins each line of the ManifestError."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ManifestError(f"{name}: is not valid YAML{where}: {getattr(error, 'problem', error)}") from error
    if not isinstance(data, dict):
        raise ManifestError(f"{name}: holds no AuraExperiment; start from examples/quickstart.yaml")
    try:
        return AuraExperiment.model_validate(data)
    except ValidationError as error:
        lines = [f"{name}: {_field(item['loc'])}: {_sentence(item)}" for item in error.errors()]
        raise ManifestError("\n".join(lines)) from error


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "manifest"


def _sentence(item: object) -> str:
    error = dict(item)  # type: ignore[call-overload]
    kind = error["type"]
    if kind == "extra_forbidden":
        return "is not a field of AuraExperiment; check its spelling"
    if kind == "missing":
        return "is required"
    message = str(error["msg"]).removeprefix("Value error, ")
    value = error.get("input")
    value = redacted(value) if isinstance(value, str) else value
    shown = f" (got {value!r})" if isinstance(value, str | int | float) else ""
    return f"{message[:1].lower()}{message[1:]}{shown}"
