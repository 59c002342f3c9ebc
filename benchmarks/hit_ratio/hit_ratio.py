"""Hit ratios of the automatic planners on every log in a folder, beside exact LRU, S3-FIFO and the optimum, at equal memory.

`python benchmarks/hit_ratio/hit_ratio.py [--data DIR] [--capacity 5%,10%] [--out DIR]` prints a table and writes it to
docs/hit_ratio.md and benchmarks/results.json. DIR holds a folder for each log, with events.csv.gz or trace.csv.gz, and
items.csv.gz where there is a catalogue; columns are found by their names, so that nothing depends on what a log is called.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.append(str(Path(__file__).parents[1]))

from results import Result, merge

TABLE = Path(__file__).parents[2] / "docs" / "hit_ratio.md"
LIMIT = 400_000
PLANNERS = ("heuristic", "bandit", "random", "noop")
AUTOMATIC = ("heuristic", "bandit")
KNOWN = {"time": "ts", "user": "user", "session": "session", "item": "item", "action": "action"}
INTENTS = {"addtocart", "cart", "fav", "favorite", "wishlist", "remove"}
"""Actions that are no look at the item: they inform planners and are no requests."""


@dataclass(frozen=True)
class Log:
    """A log by its name, and what the manifest says of it."""

    name: str
    workload: dict[str, Any]
    catalog: dict[str, Any] | None


def logs(folder: Path | None) -> Iterator[Log]:
    """The data set that comes in a package, and all logs of the folder."""
    source = {"dataset": "complete-journey"}
    columns = {"time": "time", "user": "user", "session": "session", "item": "item", "action": "action"}
    yield Log("complete-journey", {"source": source, "columns": columns, "requests": ["purchase"]}, {"source": source})
    for place in sorted(folder.iterdir()) if folder else ():
        found = next((path for name in ("events.csv.gz", "trace.csv.gz") if (path := place / name).exists()), None)
        # The package brings the same log.
        if found is not None and place.name != "complete_journey":
            yield _read(place, found)


def _read(place: Path, events: Path) -> Log:
    with gzip.open(events, "rt", newline="") as file:
        rows = csv.DictReader(file)
        head = [row for row, _ in zip(rows, range(LIMIT), strict=False)]
    filled = {name for name in head[0] if any(row[name] for row in head[:1000])}
    columns = {role: name if name in filled else None for role, name in KNOWN.items()}
    actions = Counter(row["action"] for row in head) if columns["action"] else Counter({"click": 1})
    requests = sorted(action for action in actions if action.lower() not in INTENTS)
    workload = {"source": {"path": str(events.resolve())}, "columns": columns, "requests": requests}
    items = place / "items.csv.gz"
    if not items.exists():
        return Log(place.name, workload, None)
    with gzip.open(items, "rt", newline="") as file:
        names = next(csv.reader(file))
    shown = {role: role if role in names else None for role in ("title", "category", "brand")}
    return Log(place.name, workload, {"source": {"path": str(items.resolve())}, "columns": {"item": "item", **shown}})


def measure(log: Log, capacity: str, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The verdict and the ceilings of one run."""
    first, *controls = PLANNERS
    spec = {
        "workload": {**log.workload, "limit": LIMIT},
        "catalog": log.catalog,
        "cache": {"capacity": capacity},
        "planner": {"backend": first},
        "controls": controls,
        "seed": 1,
    }
    whole = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "hit-ratio"}, "spec": spec}
    out.mkdir(parents=True, exist_ok=True)
    manifest, folder = out / "experiment.yaml", out / "run"
    manifest.write_text(yaml.safe_dump(whole), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("aura")), "run", str(manifest), "--out", str(folder), "--force"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{log.name} at {capacity}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads((folder / "verdict.json").read_text()), json.loads((folder / "ceilings.json").read_text())


def row(log: Log, capacity: str, verdict: dict[str, Any], ceilings: dict[str, Any]) -> tuple[str, Result, Result]:
    """A line of the table; the best automatic planner against the better of LRU and S3-FIFO, and the worst against no-op."""
    arms = verdict["arms"]
    ratios = {name: arms["aura" if name == PLANNERS[0] else name]["hit_ratio"] for name in PLANNERS}
    lru, s3fifo, optimum = (ceilings[name]["hit_ratio"] for name in ("lru", "s3fifo", "belady"))
    best, bar = max(ratios[name] for name in AUTOMATIC), max(lru, s3fifo)
    reads = min(arms["aura" if name == "heuristic" else name]["backend_reads"] for name in AUTOMATIC if ratios[name] == best)
    bar_reads = min(ceilings[name]["backend_reads"] for name in ("lru", "s3fifo") if ceilings[name]["hit_ratio"] == bar)
    cells = [log.name, capacity, f"{verdict['events']:,}", f"{arms['baseline']['hit_ratio']:.4f}"]
    cells += [f"{ratios[name]:.4f}" for name in PLANNERS]
    cells += [f"{lru:.4f}", f"{s3fifo:.4f}", f"{optimum:.4f}", f"{100 * (best - bar):+.2f}", f"{reads / bar_reads:.3f}"]
    size = capacity.rstrip("%")
    name = f"hit_ratio_{log.name.replace('-', '_')}_{size}"
    over = Result(
        name, round(best, 4), "hit ratio", round(bar, 4), round(best / bar, 4), "at least LRU's and S3-FIFO's", best >= bar
    )
    worst = min(ratios[planner] for planner in AUTOMATIC) - ratios["noop"]
    safe = Result(
        f"{name}_worst_vs_noop", round(100 * worst, 2), "points", -0.2, round(100 * worst / -0.2, 2), "not below", worst >= -0.002
    )
    return "| " + " | ".join(cells) + " |", over, safe


def main() -> None:
    """Measure all, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of logs; without it only the packaged data set is used")
    parser.add_argument("--capacity", default="5%,10%", help="cache sizes, as shares of the distinct items")
    parser.add_argument("--out", type=Path, default=Path("runs/hit_ratio"), help="where the runs go")
    options = parser.parse_args()
    titles = ["log", "capacity", "events", "baseline", *PLANNERS, "LRU", "S3-FIFO", "OPT", "best over bar", "reads"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    print("\n".join(lines), flush=True)
    results: list[Result] = []
    for log in logs(options.data):
        for capacity in options.capacity.split(","):
            line, *found = row(log, capacity, *measure(log, capacity, options.out / log.name / capacity.rstrip("%")))
            print(line, flush=True)
            lines.append(line)
            results += found
    merge(results)
    text = TABLE.read_text(encoding="utf-8")
    before, _, after = text.partition("<!-- table -->\n")
    rest = after.partition("<!-- end -->\n")[2]
    TABLE.write_text(before + "<!-- table -->\n" + "\n".join(lines) + "\n<!-- end -->\n" + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
