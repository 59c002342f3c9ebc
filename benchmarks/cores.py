"""What an event costs each part of a run in processor time, for the arithmetic of docs/scaling.md.

`python benchmarks/cores.py [--runs 3]` replays the packaged log through two arms with a heuristic planner, reads the processor
times of all parts while it goes on, and writes the table in docs/scaling.md: medians over the runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from pyarrow.csv import CSVWriter

sys.path.append(str(Path(__file__).parent / "hit_ratio"))

from page import replace_table

from aura_cli.embedded.ports import free_port
from aura_contract.workload import WorkloadSpec
from aura_data.catalog import EmptyCatalog
from aura_data.tables import open_table
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.shards import Shard

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
EVENTS, WINDOW = 1_200_000, 5000
COLUMNS = {"time": "time", "user": "user", "session": "session", "item": "item", "action": "action"}
WORKLOAD: dict[str, Any] = {
    "source": {"dataset": "complete-journey"},
    "columns": COLUMNS,
    "requests": ["purchase"],
    "limit": EVENTS,
}
PARTS = {
    "replayer": "aura_replayer",
    "Redis, baseline": "redis-baseline",
    "Redis, planned arm": "redis-aura",
    "executor": "aura-executor",
    "planner": "aura_planner",
    "Kafka broker": "tansu",
}
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(run: int) -> dict[str, float]:
    """Processor time so far of each part that the process `run` has started, its threads together."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        part = next((name for name, word in PARTS.items() if word in command and int(fields[1]) == run), None)
        if part:
            found[part] = (int(fields[11]) + int(fields[12])) / TICKS
    return found


def progress(address: str) -> dict[str, Any] | None:
    """What the replayer says of itself, None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}/progress", timeout=2) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError):
        return None


def replayed() -> dict[str, float]:
    """Microseconds of processor an event costs each part while the log is replayed."""
    spec = {
        "workload": WORKLOAD,
        "catalog": {"source": {"dataset": "complete-journey"}},
        "cache": {"capacity": "5%"},
        "trigger": {"everyEvents": WINDOW},
        "planner": {"backend": "heuristic"},
        "seed": 1,
    }
    whole = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "cores"}, "spec": spec}
    with tempfile.TemporaryDirectory() as scratch:
        manifest, listen = Path(scratch) / "cores.yaml", f"127.0.0.1:{free_port()}"
        manifest.write_text(yaml.safe_dump(whole), encoding="utf-8")
        argv = [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", f"{scratch}/run", "--listen", listen]
        first = last = None
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                now = progress(listen)
                if now and now["phase"] == "replaying" and now["events"]:
                    last = (now["events"], processor_seconds(process.pid))
                    first = first or last
                time.sleep(0.1)
        if process.returncode or not first or not last:
            raise SystemExit(f"aura run ended with exit code {process.returncode}")
    events = last[0] - first[0]
    return {part: 1e6 * (last[1][part] - first[1][part]) / events for part in PARTS}


def read(shard: Shard, source: dict[str, str]) -> float:
    """Microseconds of processor that reading the log costs an event of the whole log, of which one shard is kept."""
    spec = WorkloadSpec.model_validate({**WORKLOAD, "source": source})
    log = EventLog(spec, Path(), ItemTable(EmptyCatalog(), 0), "fail", shard=shard)
    started = time.process_time()
    rows = max(block.stop_row for block in log.blocks())
    return 1e6 * (time.process_time() - started) / rows


def as_csv(path: Path) -> None:
    """Write the packaged log as a CSV file."""
    spec = WorkloadSpec.model_validate(WORKLOAD)
    table = open_table(spec.source, spec.format, COLUMNS, base=Path(), limit=EVENTS, bad_rows="fail", required=["item"])
    batches = table.batches()
    first = next(batches)
    with CSVWriter(path, first.schema) as target:
        target.write(first)
        for batch in batches:
            target.write(batch)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    replays = [replayed() for _ in range(runs)]
    cost = {part: median(one[part] for one in replays) for part in PARTS}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "log.csv"
        as_csv(path)
        for kind, source in {"the package's columns": WORKLOAD["source"], "CSV": {"path": str(path)}}.items():
            for name, shard in {"one shard": Shard(), "one of 8 shards": Shard(0, 8)}.items():
                cost[f"reading {kind}, {name}"] = median(read(shard, source) for _ in range(runs))
    lines = ["| part | µs of processor an event | events/s a core |", "|---|---|---|"]
    lines += [
        f"| {part} | {micros:.2f} | {1e6 / micros:,.0f} |" if micros else f"| {part} | 0 | – |" for part, micros in cost.items()
    ]
    print("\n".join(lines))
    replace_table(PAGE, lines)


if __name__ == "__main__":
    main()
