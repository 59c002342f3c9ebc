"""The files of a run: append-only JSON lines, flushed line by line, and whole files that replace their predecessor."""

import os
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from aura_contract.base import MessageModel
from aura_contract.results import Verdict
from aura_replayer.arm.limit import FEWEST

__all__ = ["JsonLines", "SizingRecord", "known_verdict", "read_lines", "write_whole"]

Model = TypeVar("Model", bound=BaseModel)


class SizingRecord(MessageModel):
    """How large the arms were made, in bytes and items; kept so that a restarted replayer need not measure again.

    `empties` is what each arm's empty server uses, in the order of the arms, and `unknown` how many of the log's items the
    catalogue did not have; None in folders of earlier versions and where shards are merged.
    """

    run: str
    budget: int
    capacity_items: int
    item_bytes: float
    batch: int
    in_flight: int = FEWEST
    empties: tuple[int, ...]
    unknown: int | None = None


class JsonLines:
    """An append-only file of one model a line."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("ab", buffering=0)

    def write(self, record: BaseModel) -> None:
        """Append one record; raises OSError when the disk is full."""
        self._file.write(record.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path, model: type[Model]) -> list[Model]:
    """All whole records of a file; a last line that was cut off by a crash is removed from it."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return [model.model_validate_json(line) for line in whole.splitlines()]


def known_verdict(folder: Path, run: str) -> Verdict | None:
    """The verdict of a run in its folder, when it has come to its end."""
    try:
        verdict = Verdict.model_validate_json((folder / "verdict.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return verdict if verdict.run == run else None


def write_whole(path: Path, record: BaseModel) -> None:
    """Write one record so that a reader sees the old file or the new one, never half of it."""
    draft = path.with_suffix(".tmp")
    draft.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
