"""Many short runs under faults: `make chaos`, or `python -m chaos --faults 1000`."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from chaos.run import Outcome, one_run

EXAMPLE = """examples:
  python -m chaos                       ten minutes of it
  python -m chaos --faults 1000         until so many faults were injected
  python -m chaos --seed 17 --runs 1    one run again, as it was drawn
"""


def main() -> int:
    """Run, tell a line a run, and return 1 when anything was wrong."""
    options = _parser().parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aura-chaos-"))
    started, outcomes = time.monotonic(), list[Outcome]()

    def over() -> bool:
        if options.runs:
            return bool(len(outcomes) >= options.runs)
        if options.faults:
            return bool(sum(len(outcome.faults) for outcome in outcomes) >= options.faults)
        return bool(time.monotonic() - started > options.seconds)

    def work(first: int) -> None:
        seed = first
        while not over():
            outcome = one_run(seed, folder / str(seed))
            outcomes.append(outcome)
            _tell(outcome, folder / str(seed))
            seed += options.workers

    workers = 1 if options.runs == 1 else options.workers
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, options.seed + number) for number in range(workers)]:
            done.result()
    bad = [outcome for outcome in outcomes if outcome.problems]
    print(json.dumps(summary(outcomes, time.monotonic() - started)))
    if not bad:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


def summary(outcomes: list[Outcome], seconds: float) -> dict[str, object]:
    """Figures over all runs."""
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    return {
        "runs": len(outcomes),
        "faults": len(faults),
        "by_kind": dict(sorted(Counter(f"{fault.action} {fault.part}" for fault in faults).items())),
        "verdicts": sum(outcome.verdict is not None for outcome in outcomes),
        "failed": sum(outcome.verdict is None for outcome in outcomes),
        "resumed": sum(len(outcome.told) for outcome in outcomes),
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "chaos", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="begin no new run after so long")
    parser.add_argument("--faults", type=int, default=0, help="go on until so many were injected, instead")
    parser.add_argument("--runs", type=int, default=0, help="stop after so many runs, instead")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; later ones count up")
    parser.add_argument("--workers", type=int, default=3, help="runs at once; they mostly wait")
    return parser


if __name__ == "__main__":
    sys.exit(main())
