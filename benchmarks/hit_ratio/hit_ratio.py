"""Hit ratios of all automatic planners on every log in a folder, beside exact LRU, S3-FIFO and the optimum, at equal memory.

`python benchmarks/hit_ratio/hit_ratio.py [--data DIR] [--capacity 5%,10%] [--out DIR]` prints a table and writes it to
docs/hit_ratio.md and benchmarks/results.json. DIR holds a folder for each log, with events.csv.gz or trace.csv.gz, and
items.csv.gz where there is a catalogue. The model of planner `ml` is trained on the log's head; all figures are of the tail.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.append(str(Path(__file__).parents[1]))

from logs import LIMIT, Log, logs
from page import replace_table
from results import Result, merge
from tail import HEAD, Part, tail_of

TABLE = Path(__file__).parents[2] / "docs" / "hit_ratio.md"
AUTOMATIC = ("heuristic", "bandit", "ml")
CONTROLS = ("bandit", "ml", "random", "noop", "adversarial")
SHOWN = ("noop", *AUTOMATIC, "random", "adversarial", "lru", "s3fifo", "belady")
TITLES = {"lru": "LRU", "s3fifo": "S3-FIFO", "belady": "OPT"}
READS, POINTS = 1.05, 2.0
HARM = -0.2


def aura(*arguments: str) -> str | None:
    """Run the command; its last words when it fails."""
    command = [str(Path(sys.executable).with_name("aura")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.stdout[-500:]}{done.stderr[-1500:]}" if done.returncode else None


def measure(log: Log, capacity: str, out: Path, command: str) -> dict[str, Part]:
    """The tail of one run, by arm and exact policy."""
    out.mkdir(parents=True, exist_ok=True)
    manifest, folder, model = out / "experiment.yaml", out / "run", out / "model.txt"
    spec: dict[str, Any] = {
        "workload": {**log.workload, "limit": LIMIT},
        "catalog": log.catalog,
        "cache": {"capacity": capacity},
        "planner": {"backend": "heuristic", "modelFile": str(model.resolve())},
        "controls": list(CONTROLS),
        "seed": 1,
    }
    whole = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "hit-ratio"}, "spec": spec}
    manifest.write_text(yaml.safe_dump(whole), encoding="utf-8")
    refused = aura("train", str(manifest), "--out", str(model), "--head", f"{HEAD:.0%}")
    if refused:
        print(f"{log.name} at {capacity}: no arm ml: {refused.strip().splitlines()[-1]}", file=sys.stderr)
        spec["controls"] = [name for name in CONTROLS if name != "ml"]
        manifest.write_text(yaml.safe_dump(whole), encoding="utf-8")
    failed = aura(command, str(manifest), "--out", str(folder), "--force")
    if failed:
        raise SystemExit(f"{log.name} at {capacity}: {failed}")
    found = tail_of(folder)
    return {("heuristic" if name == "aura" else name): part for name, part in found.items()}


def line(log: Log, capacity: str, found: dict[str, Part]) -> str:
    """A line of the table; the best automatic planner against the better of LRU and S3-FIFO."""
    best, bar = _best(found), _bar(found)
    cells = [log.name, capacity, f"{best.requests:,}"]
    cells += [f"{found[name].ratio:.4f}" if name in found else "–" for name in SHOWN]
    cells += [f"{100 * (best.ratio - bar.ratio):+.2f}", f"{best.reads / bar.reads:.3f}"]
    return "| " + " | ".join(cells) + " |"


def _bar(found: dict[str, Part]) -> Part:
    return max((found["lru"], found["s3fifo"]), key=lambda part: part.hits)


def _best(found: dict[str, Part]) -> Part:
    return max((found[name] for name in AUTOMATIC if name in found), key=lambda part: part.hits)


def judged(log: Log, capacity: str, found: dict[str, Part]) -> list[Result]:
    """The goals of one log and size: best against the bar, worst automatic planner and adversary against no-op."""
    best, bar, noop = _best(found), _bar(found), found["noop"].ratio
    size = capacity.rstrip("%")
    name = f"hit_ratio_{log.name.replace('-', '_').replace(', ', '_')}_{size}"
    worst = 100 * min(found[planner].ratio - noop for planner in AUTOMATIC if planner in found)
    adversary = 100 * (found["adversarial"].ratio - noop)
    over = Result(
        name, round(best.ratio, 4), "hit ratio", round(bar.ratio, 4), round(best.ratio / bar.ratio, 4),
        "at least LRU's and S3-FIFO's", best.hits >= bar.hits,
    )  # fmt: skip
    return [over, _harm(f"{name}_worst_vs_noop", worst), _harm(f"{name}_adversarial_vs_noop", adversary)]


def _harm(name: str, points: float) -> Result:
    return Result(name, round(points, 2), "points", HARM, round(points / HARM, 2), "not below", points >= HARM)


def two_points(capacity: str, measured: list[tuple[Log, str, dict[str, Part]]]) -> Result:
    """On how many of the logs with users or sessions the best planner is two points ahead for at most 1.05 x the reads."""
    grouped = [found for log, size, found in measured if log.grouped and size == capacity]
    reached = 0
    for found in grouped:
        best, bar = _best(found), _bar(found)
        reached += 100 * (best.ratio - bar.ratio) >= POINTS and best.reads <= READS * bar.reads
    half = len(grouped) / 2
    name = f"hit_ratio_two_points_{capacity.rstrip('%')}"
    return Result(
        name, reached, "logs", half, round(reached / half, 2) if half else 0.0, "at least half of them", reached >= half
    )


def main() -> None:
    """Measure all, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of logs; without it only the packaged data set is used")
    parser.add_argument("--capacity", default="5%,10%", help="cache sizes, as shares of the distinct items")
    parser.add_argument("--out", type=Path, default=Path("runs/hit_ratio"), help="where the runs go")
    parser.add_argument("--simulated", action="store_true", help="with `aura simulate`; prints only, writes nothing")
    options = parser.parse_args()
    titles = ["log", "size", "requests", *(TITLES.get(name, name) for name in SHOWN), "best over bar", "reads"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    print("\n".join(lines), flush=True)
    measured = []
    for log in logs(options.data, options.out):
        for capacity in options.capacity.split(","):
            place = options.out / log.name.replace(", ", "-") / capacity.rstrip("%")
            found = measure(log, capacity, place, "simulate" if options.simulated else "run")
            measured.append((log, capacity, found))
            lines.append(line(log, capacity, found))
            print(lines[-1], flush=True)
    if options.simulated:
        return
    results = [result for log, capacity, found in measured for result in judged(log, capacity, found)]
    merge(results + [two_points(capacity, measured) for capacity in options.capacity.split(",")])
    replace_table(TABLE, lines)


if __name__ == "__main__":
    main()
