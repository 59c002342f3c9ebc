"""`kubectl aura`: every command on a real experiment, as kubectl runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster import Namespace, until
from experiments import Experiment, manifest

# Three thousand windows in lockstep, so that there is time to look.
SPEC = {"workload": {"limit": 300_000}, "trigger": {"everyEvents": 100}, "controls": ["noop"]}
ATTEMPTS = 8


@dataclass(frozen=True)
class Plugin:
    """`kubectl aura` in a namespace; make install has put it beside this Python."""

    namespace: Namespace

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **self.namespace.cluster.environment, "PATH": path, "COLUMNS": "200"}
        command = ["kubectl", "aura", *arguments, "-n", self.namespace.name]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it printed, on standard error where it is to fail."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=180)
        assert process.returncode == code, f"{arguments}: exit status {process.returncode}\n{out[-2000:]}{err[-2000:]}"
        return err if code else out


def readers(namespace: Namespace) -> list[str]:
    return [pod["metadata"]["name"] for pod in namespace.items("pods", "app.kubernetes.io/component=reader")]


@pytest.fixture
def aura(namespace: Namespace) -> Iterator[Plugin]:
    # Tests that were started in the background ignore Ctrl-C, and so would everything that they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Plugin(namespace)
    signal.signal(signal.SIGINT, before)


def test_every_command(
    aura: Plugin, namespace: Namespace, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    experiment = Experiment.applied(namespace, manifest("told", **SPEC))
    experiment.wait_for_events(3000, 180)
    follower = aura.start("logs", "told", "--part", "executor", "--arm", "aura", "--follow")
    while_it_runs(aura)
    assert "told suspended" in aura("suspend", "told")
    experiment.wait_for("Suspended", seconds=30)
    assert "told in " in aura("status", "told")
    assert ": Suspended" in aura("status")
    assert aura("resume", "told") == "told resumed\n"
    status = experiment.wait_for("Succeeded", seconds=300)
    after_the_end(aura, status["verdict"], tmp_path)
    assert not readers(namespace)
    said, _ = follower.communicate(timeout=60)
    assert follower.returncode == 0
    assert {line.split(" | ")[0].rpartition("-executor-")[0] for line in said.splitlines()} == {"told"}
    record_property("followed", len(said.splitlines()))
    interrupted(aura, namespace, tmp_path / "interrupted.html")


def while_it_runs(aura: Plugin) -> None:
    status = aura("status", "told")
    assert ": Running, " in status
    assert [line.split()[0] for line in status.splitlines() if line.startswith(("baseline", "aura", "noop"))] == [
        "baseline", "aura", "noop",
    ]  # fmt: skip
    parts = {line.split(" | ")[0].split("-")[1] for line in aura("logs", "told").splitlines()}
    assert parts == {"replayer", "planner", "executor"}
    plans = [line for line in aura("plans", "told", "--last", "3", "--arm", "aura").splitlines() if line.startswith("window")]
    assert len(plans) == 3
    assert all(", aura: " in line and " by heuristic in " in line for line in plans)
    assert "told is Running" in aura("report", "told", code=2)


def after_the_end(aura: Plugin, verdict: str, folder: Path) -> None:
    out = folder / "told.html"
    assert f"Report: {out}" in aura("report", "told", "--out", str(out))
    page = out.read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    assert verdict in page
    plans = aura("plans", "told", "--last", "400").splitlines()
    assert {line.split(", ")[1].partition(":")[0] for line in plans if line.startswith("window")} == {"aura", "noop"}
    assert any(line.startswith("  applied: evicted ") for line in plans)
    assert verdict in aura("status", "told")
    assert "has ended (Succeeded)" in aura("suspend", "told", code=2)


def interrupted(aura: Plugin, namespace: Namespace, out: Path) -> None:
    """Ctrl-C while the reader's pod is there, which may be gone again before it is seen."""
    for _ in range(ATTEMPTS):
        code, err = attempt(aura, namespace, out)
        until("the reader's pod is gone", lambda: not readers(namespace), 30)
        if code:
            break
        out.unlink()
    assert (code, err) == (130, "kubectl aura: interrupted\n")
    assert not out.exists()


def attempt(aura: Plugin, namespace: Namespace, out: Path) -> tuple[int, str]:
    process = aura.start("report", "told", "--out", str(out))
    until("the reader's pod", lambda: readers(namespace) or process.poll() is not None, 30, pause=0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err
