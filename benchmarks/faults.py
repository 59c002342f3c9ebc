"""A thousand faults in many short runs (tests/chaos): how many runs were wrong."""

import sys
from pathlib import Path

from results import Result, at_least, below

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from chaos.many import many_runs

__all__ = ["chaos_benchmarks"]

FAULTS, WORKERS, SEED = 1000, 3, 2000


def chaos_benchmarks() -> list[Result]:
    """`chaos_faults` and `chaos_wrong_runs`."""
    outcomes = many_runs(SEED, WORKERS, lambda found: sum(len(outcome.faults) for outcome in found) >= FAULTS)
    faults, wrong = sum(len(outcome.faults) for outcome in outcomes), sum(bool(outcome.problems) for outcome in outcomes)
    return [at_least("chaos_faults", faults, "faults", FAULTS, 1.0), below("chaos_wrong_runs", wrong, "runs", 1.0)]
