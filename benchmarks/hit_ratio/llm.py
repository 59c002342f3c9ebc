"""What local language models are worth as planners: each asked in every window of one log, beside all controls.

`python benchmarks/hit_ratio/llm.py --endpoint http://127.0.0.1:11434 MODEL…` runs `aura simulate` once a model, prints a
table, writes it to docs/llm.md, and keeps the model's plans in recordings/, so that the result repeats without the model
(tests/test_llm_recordings.py).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from page import replace_table

from aura_contract.plan import Plan, Prefetch

RECORDINGS = Path(__file__).parent / "recordings"
TABLE = Path(__file__).parents[2] / "docs" / "llm.md"
CONTROLS = ["heuristic", "bandit", "random", "noop"]
TITLES = ("model", "median s", "planned", "unplanned", "vetoed", "hit ratio", *CONTROLS, "credit", "95 %", "time ×0", "time ×10")


def manifest(planner: dict[str, Any]) -> dict[str, Any]:
    """The experiment: twenty windows of a grocer's tills at a hundred events a second, with that `planner`."""
    spec = {
        "workload": {
            "source": {"dataset": "complete-journey"},
            "columns": {"time": "time", "user": "user", "session": "session", "item": "item", "action": "action"},
            "requests": ["purchase"],
            "limit": 60_000,
            "clock": {"rate": 100},
        },
        "catalog": {"source": {"dataset": "complete-journey"}},
        "cache": {"capacity": "5%", "ttl": {"long": 18_000, "medium": 9_000, "short": 3_000}},
        "trigger": {"everyEvents": 3000},
        "planner": planner,
        "controls": CONTROLS,
        "seed": 1,
    }
    return {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": "llm"}, "spec": spec}


def simulate(planner: dict[str, Any], out: Path) -> dict[str, Any]:
    """Verdict of one simulated run with that `planner`, its files in `out`."""
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(manifest(planner)))
    argv = [sys.executable, "-m", "aura_cli", "simulate", str(path), "--out", str(out), "--force"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{planner}: {done.stderr[-1000:]}")
    verdict: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return verdict


def keep(out: Path, model: str, verdict: dict[str, Any]) -> None:
    """The model's plans without the catalogue's words, and what came of them."""
    RECORDINGS.mkdir(exist_ok=True)
    plans = [Plan.model_validate_json(line) for line in (out / "plans.jsonl").read_text().splitlines()]
    mine = [plan for plan in plans if plan.arm == "aura"]
    bare = [plan.model_copy(update={"prefetch": _without_words(plan), "guard": None}) for plan in mine]
    name = model.replace(":", "-").replace("/", "-")
    (RECORDINGS / f"{name}.jsonl").write_text("".join(plan.model_dump_json(exclude_defaults=True) + "\n" for plan in bare))
    arm = verdict["arms"]["aura"]
    result = {"model": model, "hits": arm["hits"], "backend_reads": arm["backend_reads"], "vetoed": arm["plans"]["vetoed"]}
    (RECORDINGS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def _without_words(plan: Plan) -> tuple[Prefetch, ...]:
    return tuple(action.model_copy(update={"v": ""}) for action in plan.prefetch)


def line(out: Path, model: str, verdict: dict[str, Any]) -> str:
    """A line of the table; the credit is over the best control, after warm-up, with its interval."""
    from aura_evidence.facts import gather  # noqa: PLC0415 - brings matplotlib
    from aura_evidence.folder import read_folder  # noqa: PLC0415

    facts = gather(read_folder(out))
    assert facts.credit is not None
    best = facts.credit.best
    plans, arms = verdict["arms"]["aura"]["plans"], verdict["arms"]
    late = json.loads((out / "sensitivity.json").read_text()) if (out / "sensitivity.json").exists() else {}
    cells = [f"`{model}`", f"{facts.decision_seconds:.1f}", str(plans["decided"]), str(sum(plans["unplanned"].values()))]
    cells += [str(sum(plans["vetoed"].values())), f"{arms['aura']['hit_ratio']:.4f}"]
    cells += [f"{arms[name]['hit_ratio']:.4f}" for name in CONTROLS]
    cells += [f"{best.gain.points:+.2f} over {best.name}", f"{best.gain.low:+.2f} to {best.gain.high:+.2f}"]
    cells += [f"{late[factor]['hit_ratio']:.4f}" if late else "–" for factor in ("0", "10")]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Ask every model, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--endpoint", default="http://127.0.0.1:11434", help="base url of an Ollama server that has the models")
    parser.add_argument("--timeout", type=int, default=120, help="seconds for one answer")
    options = parser.parse_args()
    lines = ["| " + " | ".join(TITLES) + " |", "|" + "---|" * len(TITLES)]
    print("\n".join(lines), flush=True)
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            ollama = {"backend": "ollama", "model": model, "endpoint": options.endpoint, "timeoutSeconds": options.timeout}
            verdict = simulate(ollama, out)
            keep(out, model, verdict)
            lines.append(line(out, model, verdict))
            print(lines[-1], flush=True)
    replace_table(TABLE, lines)


if __name__ == "__main__":
    main()
