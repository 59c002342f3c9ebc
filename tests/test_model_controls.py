"""Language models as controls beside a cheap planner: one experiment, the same contexts, one arm each."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from model_server import model_server

from aura_contract.results import Verdict

ROWS, WINDOWS = 8000, 8
ANSWER = json.dumps(
    {"frequency": "high", "admit": "all", "ahead": "none", "long": [], "short": [], "protect": [], "seeds": [], "drop": []}
)
MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: beside}}
spec:
  workload: {{source: {{path: log.csv}}, columns: {{time: null, user: null, session: null, item: item, action: null}}}}
  cache: {{capacity: 5%}}
  trigger: {{everyEvents: 1000}}
  planner: {{backend: heuristic, model: tiny, endpoint: '{endpoint}', latency: free}}
  controls: {controls}
"""


def replay(folder: Path, endpoint: str, controls: str) -> tuple[Verdict, str]:
    """The verdict of a run with a heuristic and these controls, and what was said beside it."""
    items = np.random.default_rng(5).zipf(1.2, ROWS) % 2000
    (folder / "log.csv").write_text("item\n" + "\n".join(map(str, items.tolist())) + "\n")
    (folder / "beside.yaml").write_text(MANIFEST.format(endpoint=endpoint, controls=controls))
    argv = [sys.executable, "-m", "aura_cli", "run", "beside.yaml", "--out", "out"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return Verdict.model_validate_json((folder / "out" / "verdict.json").read_text()), " ".join(done.stderr.split())


def test_models_plan_for_arms_of_their_own(tmp_path: Path) -> None:
    with model_server("tiny", ANSWER) as url:
        verdict, _ = replay(tmp_path, url, "[ollama, openai, noop]")
    assert {name: arm.planner for name, arm in verdict.arms.items()} == {
        "baseline": None, "aura": "heuristic", "ollama": "ollama", "openai": "openai", "noop": "noop",
    }  # fmt: skip
    plans = [json.loads(line) for line in (tmp_path / "out" / "plans.jsonl").read_text().splitlines()]
    for arm in ("ollama", "openai"):
        mine = [plan for plan in plans if plan["arm"] == arm]
        assert [plan["outcome"] for plan in mine] == ["planned"] * (WINDOWS - 1)
        assert {plan["planner"] for plan in mine} == {f"{arm}/tiny"}
        assert {plan["policy"]["frequency"] for plan in mine} == {"high"}


def test_a_model_that_is_away_costs_its_own_arm_alone(tmp_path: Path) -> None:
    verdict, said = replay(tmp_path, "http://127.0.0.1:1", "[ollama]")
    told = (
        "Ollama at http://127.0.0.1:1 does not answer, so the windows of arm ollama run unplanned; start it with `ollama serve`"
    )
    assert told in said
    assert verdict.arms["aura"].plans.decided == WINDOWS - 1
    assert verdict.arms["ollama"].plans.decided == 0
