"""Runs of several shards: with real servers and simulated, exact counts, merged files, and what is refused."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import ENVIRONMENT, children, eventually, group_alive

from aura_contract.manifest import load_manifest
from aura_data.errors import DataError
from aura_replayer.merging import merge
from aura_replayer.parts import RunSettings

EVENTS, WINDOW, SHARDS = 9_000, 500, 3
MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: small}}
spec:
  workload:
    source: {{path: log.csv}}
    columns: {{user: user, item: item, action: action}}
    shards: {shards}
  cache: {{capacity: 10%{clock}}}
  trigger: {{everyEvents: 500}}
  planner: {{backend: heuristic, latency: free}}
  controls: [noop]
  seed: 1
"""


def write(folder: Path, *, shards: int = SHARDS, users: int = 200, rows: int = EVENTS, clock: str = "") -> Path:
    chance = random.Random(1)
    lines = [
        f"u{chance.randrange(users)},i{int(chance.random() ** 3 * 4000)},{'click' if chance.random() < 0.8 else 'view'}"
        for _ in range(rows)
    ]
    (folder / "log.csv").write_text("user,item,action\n" + "\n".join(lines) + "\n")
    (folder / "small.yaml").write_text(MANIFEST.format(shards=shards, clock=clock))
    return folder / "small.yaml"


def aura(command: str, manifest: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "aura_cli", command, str(manifest), "--out", str(out), *more]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, env=ENVIRONMENT, check=False)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def clicks_by_window(folder: Path) -> list[int]:
    actions = [row.rpartition(",")[2] for row in (folder / "log.csv").read_text().splitlines()[1:]]
    return [actions[start : start + WINDOW].count("click") for start in range(0, len(actions), WINDOW)]


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_a_run_of_several_shards_has_the_counts_of_the_log(command: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = aura(command, write(tmp_path), out)
    assert done.returncode == 0, done.stderr
    verdict, requests = json.loads((out / "verdict.json").read_text()), clicks_by_window(tmp_path)
    assert verdict["events"] == EVENTS
    for arm in verdict["arms"].values():
        assert arm["hits"] + arm["misses"] == arm["requests"] == sum(requests)
    for name in ("baseline", "aura", "noop"):
        windows = [one for one in lines(out / "windows.jsonl") if one["arm"] == name]
        assert [one["requests"] for one in windows] == requests
        assert [one["first_event"] for one in windows] == list(range(0, EVENTS, WINDOW))
    parts = [json.loads((out / "shards" / str(number) / "verdict.json").read_text()) for number in range(SHARDS)]
    assert sum(part["events"] for part in parts) == EVENTS
    assert sum(part["capacity_items"] for part in parts) == verdict["capacity_items"]
    plans = lines(out / "plans.jsonl")
    assert len({plan["plan_id"] for plan in plans}) == len(plans)
    assert Counter(plan["shard"] for plan in plans) == dict.fromkeys(range(SHARDS), 2 * (EVENTS // WINDOW - 1))
    assert {receipt["shard"] for receipt in lines(out / "receipts.jsonl")} == set(range(SHARDS))
    assert verdict["arms"]["aura"]["plans"]["decided"] == SHARDS * (EVENTS // WINDOW - 1)
    assert (out / "report.html").stat().st_size > 0


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_more_shards_than_users(command: str, tmp_path: Path) -> None:
    done = aura(command, write(tmp_path, shards=8, users=3, rows=2000), tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("aura: workload.shards is 8, but the log's requests are of 3 users, and none of them falls to")
    assert done.stderr.endswith("; set it to 3 or less\n")


@pytest.mark.parametrize("shards", [0, 65])
def test_a_number_of_shards_that_is_none(shards: int, tmp_path: Path) -> None:
    done = aura("simulate", write(tmp_path, shards=shards, rows=10), tmp_path / "out")
    assert done.returncode == 2
    assert "spec.workload.shards" in done.stderr


def test_ports_beyond_the_last_one(tmp_path: Path) -> None:
    done = aura("run", write(tmp_path, rows=10), tmp_path / "out", "--listen", "127.0.0.1:65534")
    assert (done.returncode, done.stderr) == (
        2,
        "aura: --listen 127.0.0.1:65534: 3 shards take as many ports from there on; choose a lower one\n",
    )


def test_external_servers_are_one_an_arm(tmp_path: Path) -> None:
    manifest = write(tmp_path, rows=10)
    endpoints = "{baseline: 'h:1', aura: 'h:2', noop: 'h:3'}"
    text = manifest.read_text() + f"  dependencies: {{redis: {{external: {{endpoints: {endpoints}}}}}}}\n"
    manifest.write_text(text)
    done = aura("simulate", manifest, tmp_path / "out")
    assert done.returncode == 2
    assert "workload.shards above 1 needs embedded Redis" in done.stderr


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert aura("simulate", write(tmp_path, rows=3000), out).returncode == 0
    settings = RunSettings(load_manifest(out / "experiment.yaml"), out, "small-simulated", out, "fail")
    before = (out / "verdict.json").read_text()
    (out / "verdict.json").unlink()
    merge(settings, wall_seconds=sum)
    assert (out / "verdict.json").read_text() == before
    (out / "verdict.json").unlink()
    shutil.rmtree(out / "shards" / "1")
    with pytest.raises(DataError, match="shard 1 of 3 did not come to an end, so there is no verdict"):
        merge(settings)
    assert not (out / "verdict.json").exists()


def test_a_lost_part_of_a_shard_is_named_and_an_interrupt_ends_all(tmp_path: Path) -> None:
    manifest = write(tmp_path, rows=40_000)
    manifest.write_text(manifest.read_text().replace("capacity: 10%", "memory: 1Mi, clock: wall"))
    for number, (part, code) in enumerate({"redis-aura-1": 3, "": 130}.items()):
        out = tmp_path / f"out-{number}"
        argv = [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(out)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        windows = [out / "shards" / str(shard) / "windows.jsonl" for shard in range(SHARDS)]
        assert eventually(lambda: all(path.exists() for path in windows) or process.poll() is not None, 120)  # noqa: B023
        parts = {pid: text for pid, text in children(process.pid).items() if "guardian.py" not in text}
        if part:
            (server,) = (pid for pid, text in parts.items() if f"{part}-" in text)
            os.kill(server, signal.SIGKILL)
        else:
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert err.startswith("aura: the Redis server of arm aura of shard 1 stopped" if part else "aura: interrupted: ")
        assert eventually(lambda: not any(group_alive(pid) for pid in parts)), "left running"  # noqa: B023
        assert not (out / "verdict.json").exists()
