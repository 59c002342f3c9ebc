"""What sharding costs: hit ratios of the same log and the same memory in one, two and four shards, simulated.

`python benchmarks/hit_ratio/shards.py [--data DIR] [--capacity 5%] [--shards 1,2,4]` prints a table and writes it to
docs/decisions/0018-shards.md. DIR is that of hit_ratio.py. Figures are of the whole log, its start included.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from logs import LIMIT, Log, logs
from page import replace_table

from aura_cli.signals import StopSignals
from aura_cli.simulation.run import Quiet, simulate
from aura_contract.experiment import AuraExperiment
from aura_contract.results import Verdict
from aura_replayer.parts import RunSettings

TABLE = Path(__file__).parents[2] / "docs" / "decisions" / "0018-shards.md"


def measure(log: Log, capacity: str, shards: int) -> Verdict:
    """The verdict of a simulated run with a heuristic planner beside the baseline."""
    spec: dict[str, Any] = {
        "workload": {**log.workload, "limit": LIMIT, "shards": shards},
        "catalog": log.catalog,
        "cache": {"capacity": capacity},
        "planner": {"backend": "heuristic"},
        "seed": 1,
    }
    whole = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "shards"}, "spec": spec}
    with tempfile.TemporaryDirectory() as scratch:
        settings = RunSettings(AuraExperiment.model_validate(whole), Path(), "shards", Path(scratch), "fail")
        with StopSignals() as signals:
            simulate(settings, Quiet(), signals)
        return Verdict.model_validate_json((Path(scratch) / "verdict.json").read_bytes())


def line(log: Log, capacity: str, found: dict[int, Verdict]) -> str:
    """A line of the table: baseline and heuristic at each number of shards, then the gain in points."""
    cells = [log.name, capacity, f"{found[1].arms['baseline'].requests:,}"]
    for arm in ("baseline", "aura"):
        cells += [f"{verdict.arms[arm].hit_ratio:.4f}" for verdict in found.values()]
    cells += [f"{100 * (verdict.arms['aura'].hit_ratio - verdict.arms['baseline'].hit_ratio):+.2f}" for verdict in found.values()]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure all, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of logs; without it only the packaged data set is used")
    parser.add_argument("--capacity", default="5%", help="cache sizes, as shares of the distinct items")
    parser.add_argument("--shards", default="1,2,4", help="numbers of shards, 1 among them")
    options = parser.parse_args()
    counts = [int(count) for count in options.shards.split(",")]
    titles = ["log", "size", "requests", *(f"{what}, {count}" for what in ("baseline", "heuristic", "gain") for count in counts)]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for log in logs(options.data, Path(scratch)):
            for capacity in options.capacity.split(","):
                found = {count: measure(log, capacity, count) for count in counts}
                lines.append(line(log, capacity, found))
                print(lines[-1], flush=True)
    replace_table(TABLE, lines)


if __name__ == "__main__":
    main()
