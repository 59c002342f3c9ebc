"""A run repeated from its recording: the same contexts, the same plans, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: recorded}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: 100000}}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 10%}}
  planner: {planner}
  controls: {controls}
  seed: 3
"""
COMPARED = ("window", "context_id", "evict", "prefetch", "policy", "latency_s", "apply_at", "expires_at", "outcome")


def run(folder: Path, planner: str, controls: str = "[]") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    folder.mkdir()
    manifest = folder / "experiment.yaml"
    manifest.write_text(MANIFEST.format(planner=planner, controls=controls))
    subprocess.run(
        [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(folder / "out")], check=True, timeout=200
    )
    lines = (folder / "out" / "plans.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], json.loads((folder / "out" / "verdict.json").read_text())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("recorded") / "first"
    plans, verdict = run(folder, "{backend: random}")
    return folder / "out" / "plans.jsonl", plans, verdict


def test_recording_repeats_contexts_and_plans(
    recorded: tuple[Path, list[dict[str, Any]], dict[str, Any]], tmp_path: Path
) -> None:
    recording, first, verdict = recorded
    again, repeated = run(tmp_path / "again", f"{{backend: recorded, recording: {recording}}}")
    assert len(first) == 19
    assert [{name: plan[name] for name in COMPARED} for plan in again] == [
        {name: plan[name] for name in COMPARED} for plan in first
    ]
    assert repeated["data_sha256"] == verdict["data_sha256"]
    for arm in ("baseline", "aura"):
        assert abs(repeated["arms"][arm]["hit_ratio"] - verdict["arms"][arm]["hit_ratio"]) < 0.01  # Redis samples what it evicts
    # What the guard refuses, it refuses again.
    plans = verdict["arms"]["aura"]["plans"]
    assert repeated["arms"]["aura"]["plans"] == plans
    assert plans["applied"] + plans["refused"] == 19
    assert plans["applied"] >= 15


def test_a_recording_can_be_a_control(recorded: tuple[Path, list[dict[str, Any]], dict[str, Any]], tmp_path: Path) -> None:
    recording, first, verdict = recorded
    again, repeated = run(tmp_path / "again", f"{{backend: heuristic, recording: {recording}}}", "[recorded]")
    control = [plan for plan in again if plan["arm"] == "recorded"]
    assert [{name: plan[name] for name in COMPARED} for plan in control] == [
        {name: plan[name] for name in COMPARED} for plan in first
    ]
    assert repeated["arms"]["recorded"]["plans"] == verdict["arms"]["aura"]["plans"]
    assert repeated["arms"]["recorded"]["planner"] == "recorded"
    assert abs(repeated["arms"]["recorded"]["hit_ratio"] - verdict["arms"]["aura"]["hit_ratio"]) < 0.01
