"""Runs the benchmarks and writes results.json: `python benchmarks/run.py [NAME…]`, all but the long ones without a name."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# A package of that name would be taken for the standard library's.
sys.path.append(str(Path(__file__).parent / "operator"))

from execution import executor_benchmarks
from faults import chaos_benchmarks, chaos_containers_benchmarks
from memory import memory_benchmarks
from operator_scale import operator_benchmarks, operator_hour_benchmarks
from planner import planner_benchmarks
from replay import replay_benchmarks
from results import RESULTS, Result, merge
from simulation import simulation_benchmarks
from soak import soak_benchmarks

SUITES: dict[str, Callable[[], list[Result]]] = {
    "executor": executor_benchmarks,
    "memory": memory_benchmarks,
    "operator": operator_benchmarks,
    "planner": planner_benchmarks,
    "replay": replay_benchmarks,
    "simulation": simulation_benchmarks,
}
LONG: dict[str, Callable[[], list[Result]]] = {
    "chaos": chaos_benchmarks,
    "chaos_containers": chaos_containers_benchmarks,
    "operator_hour": operator_hour_benchmarks,
    "soak": soak_benchmarks,
}
"""Run when they are named: they take many minutes and are not about speed."""


def main() -> None:
    """Run the named suites, print a line a result, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "suites", nargs="*", metavar="NAME", help=f"of: {', '.join(SUITES)}; and {', '.join(LONG)}, which take long"
    )
    names = parser.parse_args().suites or list(SUITES)
    unknown = [name for name in names if name not in SUITES | LONG]
    if unknown:
        parser.error(f"no suite {unknown[0]}; there are {', '.join(SUITES | LONG)}")
    for name in names:
        results = (SUITES | LONG)[name]()
        merge(results)
        for result in results:
            met = "met" if result.met else "MISSED"
            print(
                f"{result.name}: {result.value:,g} {result.unit}, {result.ratio:.2f} of {result.limit:,g} ({result.goal}: {met})"
            )
    print(f"written to {RESULTS}")


if __name__ == "__main__":
    main()
