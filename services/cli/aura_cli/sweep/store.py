"""The folder of a sweep: whose it is, which cells are done, and what is written into it."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from aura_cli.errors import InputError
from aura_cli.rundir import writable_or_raise
from aura_cli.sweep.grid import Cell
from aura_contract.redaction import redacted_data
from aura_contract.results import Verdict
from aura_evidence.folder import ReportError, read_outcome

__all__ = ["CELL", "LOG", "Store"]

SWEEP, CELL, LOG = "sweep.yaml", "cell.yaml", "cell.log"
ENDS = ("sweep.json", "sweep.html")
OTHER = "choose another --out, or add --force to replace it"


class Store:
    """DIR of a sweep; `sweep.yaml` in it says what all its cells share. Logins of addresses are in none of its files."""

    def __init__(self, folder: Path, shared: dict[str, Any]) -> None:
        self.folder = folder
        self._shared = redacted_data(shared)

    @contextlib.contextmanager
    def opened(self, *, force: bool) -> Iterator[None]:
        """Make the folder, or take up the sweep in it, and keep other sweeps out meanwhile; raises InputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"{self.folder}: is a file; choose another --out") from error
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            self._lock(handle)
            self._take_up(force=force)
            yield
        finally:
            os.close(handle)

    def _lock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{self.folder}: another sweep is running in it; let it end, or choose another --out") from error
        except OSError:
            # A file system without locks is no reason not to run.
            return

    def _take_up(self, *, force: bool) -> None:
        writable_or_raise(self.folder)
        if force:
            self._remove()
        elif (self.folder / SWEEP).exists():
            if redacted_data(_read(self.folder / SWEEP)) != self._shared:
                raise InputError(f"{self.folder}: {self._difference()}; {OTHER}")
        elif any(self.folder.iterdir()):
            raise InputError(f"{self.folder}: is not empty and holds no sweep; choose another --out, or add --force to use it")
        self._write(self.folder / SWEEP, self._shared)

    def _difference(self) -> str:
        before = redacted_data(_read(self.folder / SWEEP))
        if not isinstance(before, dict) or before.get("manifest") != self._shared["manifest"]:
            return "holds a sweep of another manifest"
        if before.get("servers") != self._shared["servers"]:
            return f"holds a sweep of this manifest that {'ran on real servers' if before.get('servers') else 'was simulated'}"
        return f"holds a sweep of this manifest with --bad-rows {before.get('bad_rows')}"

    def _remove(self) -> None:
        """Take away what an earlier sweep left; files that are not a sweep's stay."""
        try:
            for manifest in list(self.folder.glob(f"*/seed-*/{CELL}")):
                shutil.rmtree(manifest.parent)
                with contextlib.suppress(OSError):
                    manifest.parents[1].rmdir()
            for name in (SWEEP, *ENDS):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot_write(error) from error

    def verdict(self, cell: Cell) -> Verdict | None:
        """The verdict of a cell that ended with exactly this manifest but for logins, else None."""
        place = self.folder / cell.folder
        # The report is the last that a run writes.
        if not (place / "report.html").is_file() or redacted_data(_read(place / CELL)) != redacted_data(cell.manifest):
            return None
        try:
            return read_outcome(place)[0]
        except ReportError:
            return None

    def begin(self, cell: Cell) -> Path:
        """Make the cell's folder, write its manifest for those who look at it later, and return the folder; raises InputError."""
        place = self.folder / cell.folder
        try:
            place.mkdir(parents=True, exist_ok=True)
            # A verdict of another manifest must not stand beside this one, even when the run does not come so far.
            for name in ("verdict.json", "report.html", LOG):
                (place / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot_write(error) from error
        self._write(place / CELL, redacted_data(cell.manifest))
        return place

    def _write(self, path: Path, data: dict[str, Any]) -> None:
        try:
            path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> InputError:
        return InputError(f"{self.folder}: cannot be written: {error.strerror}; free some space or choose another --out")


def _read(path: Path) -> object:
    """The data of a YAML file, None when there is none."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
