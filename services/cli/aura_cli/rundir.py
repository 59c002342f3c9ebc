"""The folder of a run: made, checked, and given a copy of the manifest."""

import datetime
import shutil
from pathlib import Path
from typing import Any

import yaml

from aura_cli.errors import InputError
from aura_contract.experiment import AuraExperiment
from aura_contract.redaction import redacted_manifest
from aura_replayer.parts import SHARDS

__all__ = [
    "MANIFEST", "arms_were_filled", "default_folder", "prepare", "resolved", "writable_or_raise", "write_manifest",
    "write_private",
]  # fmt: skip

MANIFEST = "experiment.yaml"
RESULTS = ("windows.jsonl", "plans.jsonl", "receipts.jsonl", "verdict.json", "report.html")
SIZING = "sizing.json"
OURS = (MANIFEST, *RESULTS, SIZING, "ceilings.json", "sensitivity.json")
LOGS = "logs"
PROBE_BYTES = 65_536


def default_folder(experiment: AuraExperiment) -> Path:
    """`runs/NAME-TIMESTAMP` below the working folder."""
    stamp = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{experiment.metadata.name}-{stamp}"


def prepare(folder: Path, *, force: bool) -> Path:
    """Make the folder and return its absolute path; a used one needs `force`, which removes an earlier run's files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not force:
            raise InputError(f"{folder}: is not empty; choose another --out, or add --force to replace the run in it")
        for name in OURS:
            (folder / name).unlink(missing_ok=True)
        for name in (LOGS, SHARDS):
            shutil.rmtree(folder / name, ignore_errors=True)
    except FileExistsError as error:
        raise InputError(f"{folder}: is a file; choose another --out") from error
    except OSError as error:
        raise _cannot_write(folder, error) from error
    writable_or_raise(folder)
    return folder.resolve()


def writable_or_raise(folder: Path) -> None:
    """Raise InputError when a small file cannot be written there: a full disk, or no permission."""
    probe = folder / ".probe"
    try:
        probe.write_bytes(b"\0" * PROBE_BYTES)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        probe.unlink(missing_ok=True)


def arms_were_filled(folder: Path) -> bool:
    """Whether the run in a folder came so far that its arms' servers have keys: their size is measured by filling them."""
    return any(folder.rglob(SIZING))


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder}: cannot be written: {error.strerror}; free some space or choose another --out")


def resolved(manifest: Path) -> dict[str, Any]:
    """The data of a valid manifest with its relative paths made absolute."""
    data: dict[str, Any] = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    base, spec = manifest.resolve().parent, data["spec"]
    for part in (spec["workload"], spec.get("catalog")):
        if part and "path" in part["source"]:
            part["source"]["path"] = str(base / part["source"]["path"])
    planner = spec.get("planner")
    for field in ("recording", "modelFile"):
        if planner and planner.get(field):
            planner[field] = str(base / planner[field])
    return data


def write_manifest(data: dict[str, Any], folder: Path) -> None:
    """Put a manifest's data beside the results, which others may see: without passwords in its addresses."""
    try:
        (folder / MANIFEST).write_text(redacted_manifest(_text(data)), encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write_private(data: dict[str, Any], folder: Path) -> Path:
    """The manifest as the run's own services read it, for this user alone; returns its path."""
    path = folder / MANIFEST
    try:
        path.touch(mode=0o600)
        path.write_text(_text(data), encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return path


def _text(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
