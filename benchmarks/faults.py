"""A thousand faults in many short runs (tests/chaos), and some hundreds with servers in containers: how many runs were wrong."""

import json
import sys
import time
from pathlib import Path

from results import Result, at_least, below

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("tests", "tests/support"))

from chaos.faults import CONTEXT
from chaos.many import many_runs, summary
from chaos.run import Outcome
from chaos.scene import started_servers

__all__ = ["chaos_benchmarks", "chaos_containers_benchmarks"]

FAULTS, WORKERS, SEED = 1000, 3, 2000
CONTEXT_FAULTS, CONTEXT_SEED = 150, 3000


def chaos_benchmarks() -> list[Result]:
    """`chaos_faults` and `chaos_wrong_runs`."""
    outcomes = many_runs(SEED, WORKERS, lambda found: sum(len(outcome.faults) for outcome in found) >= FAULTS)
    faults, wrong = sum(len(outcome.faults) for outcome in outcomes), sum(bool(outcome.problems) for outcome in outcomes)
    return [at_least("chaos_faults", faults, "faults", FAULTS, 1.0), below("chaos_wrong_runs", wrong, "runs", 1.0)]


def chaos_containers_benchmarks() -> list[Result]:
    """`chaos_context_faults`, of MongoDB, Milvus and Ollama alone, and `chaos_context_wrong_runs`; needs docker."""
    started = time.monotonic()
    with started_servers() as servers:
        outcomes = many_runs(CONTEXT_SEED, 1, lambda found: sum(map(_context_faults, found)) >= CONTEXT_FAULTS, servers)
    print(json.dumps(summary(outcomes, time.monotonic() - started)))
    faults, wrong = sum(map(_context_faults, outcomes)), sum(bool(outcome.problems) for outcome in outcomes)
    return [
        at_least("chaos_context_faults", faults, "faults", CONTEXT_FAULTS, 1.0),
        below("chaos_context_wrong_runs", wrong, "runs", 1.0),
    ]


def _context_faults(outcome: Outcome) -> int:
    return sum(fault.part in CONTEXT for fault in outcome.faults)
