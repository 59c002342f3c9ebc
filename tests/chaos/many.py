"""Runs side by side, with a line about each."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from chaos.run import Outcome, one_run

__all__ = ["many_runs"]


def many_runs(seed: int, workers: int, over: Callable[[Sequence[Outcome]], bool]) -> list[Outcome]:
    """Runs with seeds from `seed` up until they are `over`; files of a run that was wrong stay."""
    folder = Path(tempfile.mkdtemp(prefix="aura-chaos-"))
    outcomes: list[Outcome] = []

    def work(first: int) -> None:
        mine = first
        while not over(outcomes):
            outcome = one_run(mine, folder / str(mine))
            outcomes.append(outcome)
            _tell(outcome, folder / str(mine))
            mine += workers

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, seed + number) for number in range(workers)]:
            done.result()
    if not any(outcome.problems for outcome in outcomes):
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def _tell(outcome: Outcome, folder: Path) -> None:
    how = "verdict" if outcome.verdict else f"failed: {outcome.sentence}"
    print(f"seed {outcome.seed}: {len(outcome.faults)} faults, {outcome.seconds:.0f} s, {how}", flush=True)
    if not outcome.problems:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for problem in outcome.problems:
        print(f"  WRONG: {problem}", flush=True)
    for line in [*(json.dumps(asdict(fault)) for fault in outcome.faults), *outcome.told]:
        print(f"    {line}", flush=True)
    print(f"    all its files: {folder}", flush=True)
