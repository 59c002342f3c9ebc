"""Many short runs under faults: `make chaos`, or `python -m chaos --faults 1000`."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

from chaos.many import many_runs
from chaos.run import Outcome

EXAMPLE = """examples:
  python -m chaos                       ten minutes of it
  python -m chaos --faults 1000         until so many faults were injected
  python -m chaos --seed 17 --runs 1    one run again, as it was drawn
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

    outcomes = many_runs(options.seed, 1 if options.runs == 1 else options.workers, over)
    print(json.dumps(summary(outcomes, time.monotonic() - started)))
    return 1 if any(outcome.problems for outcome in outcomes) else 0


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
        "wrong": sum(bool(outcome.problems) for outcome in outcomes),
        "seconds": round(seconds),
    }


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
