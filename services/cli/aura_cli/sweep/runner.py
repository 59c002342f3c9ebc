"""The processes of a sweep: so many cells at a time, each an `aura` of its own."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aura_cli.embedded.household import Child, Household
from aura_cli.rundir import write_private
from aura_cli.sweep.grid import Cell
from aura_cli.sweep.store import LOG, Store
from aura_contract.results import Verdict

__all__ = ["Finished", "Runner", "last_line"]

POLL_SECONDS = 0.1
TAIL_BYTES = 16_384


@dataclass(frozen=True)
class Finished:
    """A cell whose process has ended after so many seconds: with a verdict, or with an `error` that says why not."""

    cell: Cell
    seconds: float
    verdict: Verdict | None
    error: str | None


class Runner:
    """Runs cells inside `house`; `check` raises when the user wants to stop."""

    def __init__(self, house: Household, store: Store, arguments: Sequence[str], check: Callable[[], None]) -> None:
        self._house, self._store, self._check = house, store, check
        self._command, *self._more = arguments
        self._running: list[tuple[Cell, Child, float]] = []

    @property
    def ages(self) -> list[float]:
        """Seconds that each running cell has been at work."""
        return [time.monotonic() - started for _, _, started in self._running]

    def run(self, cells: Iterable[Cell], jobs: int) -> Iterator[Finished]:
        """Run all cells, at most `jobs` at a time, and give each as it ends."""
        waiting = list(cells)
        while waiting or self._running:
            self._check()
            while waiting and len(self._running) < jobs:
                self._start(waiting.pop(0))
            ended = [entry for entry in self._running if entry[1].exit_code is not None]
            for entry in ended:
                self._running.remove(entry)
                yield self._finished(*entry)
            if not ended:
                time.sleep(POLL_SECONDS)

    def _start(self, cell: Cell) -> None:
        out = self._store.begin(cell)
        manifest = self._manifest(cell)
        argv = [sys.executable, "-m", "aura_cli", self._command, str(manifest), "--out", str(out), "--force", *self._more]
        child = self._house.start(f"{cell.folder}/{Path(LOG).stem}", cell.title, argv)
        self._running.append((cell, child, time.monotonic()))

    def _manifest(self, cell: Cell) -> Path:
        """The whole manifest, for this user alone and until the sweep ends."""
        place = self._house.folder / cell.folder
        place.mkdir(parents=True, exist_ok=True)
        return write_private(cell.manifest, place)

    def _finished(self, cell: Cell, child: Child, started: float) -> Finished:
        seconds = time.monotonic() - started
        self._house.forget(child)
        verdict = self._store.verdict(cell) if child.exit_code == 0 else None
        if verdict is not None:
            return Finished(cell, seconds, verdict, None)
        return Finished(cell, seconds, None, child.said or last_line(child.log) or f"ended without a word ({child.ending})")


def last_line(log: Path) -> str:
    """The last line of a log that says something, without a frame around it; empty when there is none."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    return next((line.strip(" \t│") for line in reversed(lines) if any(map(str.isalnum, line))), "")
