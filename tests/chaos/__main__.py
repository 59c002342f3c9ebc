"""Many short runs under faults: `make chaos`, or `python -m chaos --faults 1000`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext

from chaos.many import many_runs, summary
from chaos.run import Outcome
from chaos.scene import started_servers

EXAMPLE = """examples:
  python -m chaos                       ten minutes of it
  python -m chaos --faults 1000         until so many faults were injected
  python -m chaos --seed 17 --runs 1    one run again, as it was drawn
  python -m chaos --containers          with MongoDB, Milvus and Ollama
"""


def main() -> int:
    """Run, tell a line a run and the sums, and return 1 when anything was wrong."""
    options = _parser().parse_args()
    started = time.monotonic()

    def over(outcomes: Sequence[Outcome]) -> bool:
        if options.runs:
            return len(outcomes) >= int(options.runs)
        if options.faults:
            return sum(len(outcome.faults) for outcome in outcomes) >= int(options.faults)
        return time.monotonic() - started > float(options.seconds)

    workers = 1 if options.runs == 1 else options.workers
    with started_servers() if options.containers else nullcontext() as servers:
        outcomes = many_runs(options.seed, workers, over, servers)
    print(json.dumps(summary(outcomes, time.monotonic() - started)))
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "chaos", description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="begin no new run after so long")
    parser.add_argument("--faults", type=int, default=0, help="go on until so many were injected, instead")
    parser.add_argument("--runs", type=int, default=0, help="stop after so many runs, instead")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; later ones count up")
    parser.add_argument(
        "--containers", action="store_true", help="ask MongoDB, Milvus and Ollama in containers, and hit them too; needs docker"
    )
    parser.add_argument("--workers", type=int, default=3, help="runs at once; they mostly wait")
    return parser


if __name__ == "__main__":
    sys.exit(main())
