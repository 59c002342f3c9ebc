"""Runs side by side, with a line about each."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from chaos.run import Outcome, one_run
from chaos.servers import Servers

__all__ = ["many_runs", "summary"]


def many_runs(
    seed: int, workers: int, over: Callable[[Sequence[Outcome]], bool], servers: Servers | None = None
) -> list[Outcome]:
    """Runs with seeds from `seed` up until they are `over`; files of a run that was wrong stay. `servers` are one run's at a time."""
    workers = 1 if servers else workers
    folder = Path(tempfile.mkdtemp(prefix="aura-chaos-"))
    outcomes: list[Outcome] = []

    def work(first: int) -> None:
        mine = first
        while not over(outcomes):
            outcome = one_run(mine, folder / str(mine), servers)
            outcomes.append(outcome)
            _tell(outcome, folder / str(mine))
            mine += workers

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, seed + number) for number in range(workers)]:
            done.result()
    if not any(outcome.problems for outcome in outcomes):
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def summary(outcomes: Sequence[Outcome], seconds: float) -> dict[str, object]:
    """Figures over all runs."""
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    return {
        "runs": len(outcomes),
        "faults": len(faults),
        "by_kind": dict(sorted(Counter(f"{fault.action} {fault.part}" for fault in faults).items())),
        "verdicts": sum(outcome.verdict is not None for outcome in outcomes),
        "failed": sum(outcome.verdict is None for outcome in outcomes),
        "lost_arms": sum(bool(outcome.lost) for outcome in outcomes),
        "resumed": sum(len(outcome.told) for outcome in outcomes),
        "unplanned": dict(sorted(sum((outcome.unplanned for outcome in outcomes), Counter()).items())),
        "failed_lookups": dict(sorted(sum((Counter(outcome.failed_lookups) for outcome in outcomes), Counter()).items())),
        "wrong": sum(bool(outcome.problems) for outcome in outcomes),
        "seconds": round(seconds),
    }


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
