"""A run repeated from its recording: the same contexts, the same plans, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: recorded}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: 100000}}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 10%}}
  planner: {planner}
  seed: 3
"""
COMPARED = ("window", "context_id", "evict", "prefetch", "policy", "latency_s", "apply_at", "expires_at", "outcome")


def run(folder: Path, planner: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    folder.mkdir()
    manifest = folder / "experiment.yaml"
    manifest.write_text(MANIFEST.format(planner=planner))
    subprocess.run(
        [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(folder / "out")], check=True, timeout=200
    )
    lines = (folder / "out" / "plans.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], json.loads((folder / "out" / "verdict.json").read_text())


def test_recording_repeats_contexts_and_plans(tmp_path: Path) -> None:
    first, verdict = run(tmp_path / "first", "{backend: random}")
    recording = tmp_path / "first" / "out" / "plans.jsonl"
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
