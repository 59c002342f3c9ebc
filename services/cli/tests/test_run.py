"""Whole runs with real servers: how they end, and that nothing is left of them."""

import contextlib
import http.client
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_helpers import ENVIRONMENT, children, eventually, group_alive

from aura_cli.embedded.ports import free_port

EVENTS = 20_000
MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: small}}
spec:
  workload:
    source: {{path: log.csv}}
    columns: {{user: user, item: item, action: action}}
    clock: {{rate: {rate}}}
  cache: {{{cache}}}
  trigger: {{everyEvents: {window}}}
  planner: {{{planner}}}
  seed: 1
"""
FAST = {"rate": 1000, "cache": "capacity: 10%", "window": 500, "planner": "backend: heuristic, latency: free"}
# On the wall clock the run takes its 40 s, time enough to break it in the middle.
SLOW = {"rate": 500, "cache": "memory: 1Mi, clock: wall", "window": 500, "planner": "backend: heuristic, mode: async"}


@dataclass
class Running:
    """An `aura run` in a process of its own, and what it had started when it was replaying."""

    process: subprocess.Popen[str]
    out: Path
    listen: str
    parts: dict[int, str]

    def part(self, *words: str) -> int:
        """Process id of the one part whose command line has all the words."""
        (found,) = (pid for pid, command in self.parts.items() if all(word in command for word in words))
        return found

    def ended(self, seconds: float = 60) -> tuple[int, str, str]:
        """Exit code and both outputs, once it ended and nothing of it is left."""
        out, err = self.process.communicate(timeout=seconds)
        assert eventually(lambda: not any(group_alive(pid) for pid in self.parts)), "left running"
        return self.process.returncode, out, err


def write(folder: Path, settings: dict[str, object], rows: int = EVENTS) -> Path:
    chance = random.Random(1)
    lines = [f"u{chance.randrange(200)},i{int(chance.random() ** 3 * 4000)},click" for _ in range(rows)]
    (folder / "log.csv").write_text("user,item,action\n" + "\n".join(lines) + "\n")
    (folder / "small.yaml").write_text(MANIFEST.format(**settings))
    return folder / "small.yaml"


def command(manifest: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(out), *more]


def run_to_end(manifest: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    temporary = set(Path(tempfile.gettempdir()).glob("aura-*/redis-*"))
    done = subprocess.run(
        command(manifest, out, *more), capture_output=True, text=True, timeout=240, env=ENVIRONMENT, check=False
    )
    assert not set(Path(tempfile.gettempdir()).glob("aura-*/redis-*")) - temporary or os.environ.get("PYTEST_XDIST_WORKER")
    return done


def events_so_far(listen: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{listen}/progress", timeout=2) as answer:
            return int(json.load(answer)["events"])
    except (OSError, http.client.HTTPException, ValueError):
        return 0


Begin = Callable[..., Running]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a slow run and returns once its first windows are through."""
    started: list[subprocess.Popen[str]] = []

    def start() -> Running:
        listen, out = f"127.0.0.1:{free_port()}", tmp_path / "out"
        process = subprocess.Popen(
            command(write(tmp_path, SLOW), out, "--listen", listen),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        started.append(process)
        assert eventually(lambda: events_so_far(listen) > 0 or process.poll() is not None, 90)
        assert process.poll() is None, process.communicate()
        parts = {pid: text for pid, text in children(process.pid).items() if "guardian.py" not in text}
        return Running(process, out, listen, parts)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_run_ends_in_a_verdict_and_a_report(tmp_path: Path) -> None:
    done = run_to_end(write(tmp_path, FAST), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    for arm in verdict["arms"].values():
        assert arm["hits"] + arm["misses"] == arm["requests"] == EVENTS
    for name in ("windows.jsonl", "plans.jsonl", "receipts.jsonl", "report.html", "experiment.yaml"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    assert verdict["arms"]["aura"]["plans"]["applied"] > 0
    assert f"{verdict['verdict']}: " in done.stdout
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in done.stdout
    assert "replaying: " in done.stdout
    again = subprocess.run(
        [sys.executable, "-m", "aura_cli", "report", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert again.returncode == 0, again.stderr


def test_bad_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    manifest = write(tmp_path, FAST, 3000)
    with (tmp_path / "log.csv").open("a") as log:
        log.write("u1,i1\nu2,i2,click\n")
    failed = run_to_end(manifest, tmp_path / "failed")
    assert failed.returncode == 2
    sentence = "line 3002 has 2 fields where the header has 3; correct it or skip such rows with --bad-rows skip"
    assert failed.stderr == f"aura: {tmp_path}/log.csv: {sentence}\n"
    skipped = run_to_end(manifest, tmp_path / "skipped", "--bad-rows", "skip")
    assert skipped.returncode == 0, skipped.stderr
    verdict = json.loads((tmp_path / "skipped" / "verdict.json").read_text())
    assert (verdict["bad_rows"], verdict["events"]) == (1, 3001)


def test_a_capacity_that_is_too_small(tmp_path: Path) -> None:
    done = run_to_end(write(tmp_path, {**FAST, "cache": "capacity: 0.01%"}, 3000), tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("aura: ")
    assert "capacity" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_ollama_that_is_away_leaves_the_windows_unplanned(tmp_path: Path) -> None:
    planner = "backend: ollama, model: m, endpoint: 'http://127.0.0.1:9', latency: free, timeoutSeconds: 2"
    done = run_to_end(write(tmp_path, {**FAST, "planner": planner}, 3000), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("aura: warning: Ollama at http://127.0.0.1:9 does not answer")
    plans = json.loads((tmp_path / "out" / "verdict.json").read_text())["arms"]["aura"]["plans"]
    assert plans["applied"] == 0
    assert sum(plans["unplanned"].values()) > 0


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_to_end(write(tmp_path, FAST, 3000), tmp_path / "out", "--listen", listen)
    assert done.returncode == 2
    assert done.stderr == f"aura: --listen {listen}: Address already in use; choose another port, or 0 for any\n"


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        done = run_to_end(write(tmp_path, {**FAST, "window": 100}), disk / "out")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"aura: {disk}/out")
    assert done.stderr.endswith("No space left on device; free some space or choose another --out\n")
    assert done.stderr.count("\n") == 1


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    manifest = write(tmp_path, {**FAST, "window": 100})
    done = subprocess.run(
        command(manifest, tmp_path / "out"),
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000)),
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"aura: {tmp_path}/out")
    assert done.stderr.endswith("File too large; free some space or choose another --out\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "title", "log"),
    [
        (("redis-aura", "redis.conf"), "the Redis server of arm aura", "redis-aura"),
        (("redis-baseline", "redis.conf"), "the Redis server of arm baseline", "redis-baseline"),
        (("tansu",), "the Kafka broker", "kafka"),
        (("aura-executor",), "the executor of arm aura", "executor-aura"),
        (("aura_planner",), "the planner", "planner"),
        (("aura_replayer",), "the replayer", "replayer"),
    ],
    ids=["redis-aura", "redis-baseline", "kafka", "executor", "planner", "replayer"],
)
def test_a_part_that_is_killed_is_named(words: tuple[str, ...], title: str, log: str, begin: Begin) -> None:
    running = begin()
    os.kill(running.part(*words), signal.SIGKILL)
    code, _, err = running.ended()
    assert code == 3
    assert err == f"aura: {title} stopped during the run (ended by SIGKILL); its log is {running.out}/logs/{log}.log\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_stops_in_order(number: signal.Signals, begin: Begin) -> None:
    running = begin()
    assert not any("redis://" in command for command in running.parts.values()), "a password in the arguments"
    running.process.send_signal(number)
    code, _, err = running.ended(30)
    assert code == 130
    assert err == (
        "aura: interrupted: everything was stopped and no verdict was written; the arms lived in memory, so the run "
        "cannot be resumed: start it again from the beginning\n"
    )
    assert not (running.out / "verdict.json").exists()


def test_a_second_interrupt_kills_at_once(begin: Begin) -> None:
    running = begin()
    os.kill(running.part("aura_planner"), signal.SIGSTOP)
    running.process.send_signal(signal.SIGINT)
    time.sleep(1)
    started = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    code, _, _ = running.ended(30)
    assert code == 130
    assert time.monotonic() - started < 3


def test_a_killed_run_leaves_nothing(begin: Begin) -> None:
    running = begin()
    folders = {Path(command.split()[-1]).parents[1] for command in running.parts.values() if "redis.conf" in command}
    running.process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.process.communicate(timeout=10)
    assert eventually(lambda: not any(group_alive(pid) for pid in running.parts))
    assert eventually(lambda: not any(folder.exists() for folder in folders))
