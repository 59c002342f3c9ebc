"""`aura simulate` on the grocery log: events a second of a whole run's replay, as its verdict has it."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from results import Result, at_least

__all__ = ["simulation_benchmarks"]

RUNS = 5
GOAL = 200_000
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: bench}
spec:
  workload:
    source: {dataset: complete-journey}
    columns: {user: user, session: session, item: item, action: action}
    requests: [purchase]
    limit: 400000
  catalog: {source: {dataset: complete-journey}}
  cache: {capacity: 5%}
  planner: {backend: heuristic}
"""


def simulation_benchmarks() -> list[Result]:
    """`simulated_events_per_second`; the first run may have to compile the simulator and does not count."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, out = Path(folder) / "experiment.yaml", Path(folder) / "out"
        manifest.write_text(MANIFEST)
        rates = []
        for _ in range(RUNS + 1):
            argv = [sys.executable, "-m", "aura_cli", "simulate", str(manifest), "--out", str(out), "--force"]
            subprocess.run(argv, check=True, capture_output=True)
            rates.append(float(json.loads((out / "verdict.json").read_text())["events_per_second"]))
    return [at_least("simulated_events_per_second", statistics.median(rates[1:]), "log events/s", GOAL, 1.0)]
