"""Model servers that take a request and never answer: every window goes on without a plan when its time is up, and no later."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server import model_server

from aura_contract.results import Verdict

ROWS, WINDOWS, TIMEOUT = 6000, 6, 1.0
NEVER = 3600.0
OVERHEAD = 0.5
"""Seconds a window may take beside its wait: replay, context, message, plan."""

PLANNER_STARTS = 15.0
"""Seconds until the planner's first message, for which the first window waits too."""

MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: mute}}
spec:
  workload: {{source: {{path: log.csv}}, columns: {{time: null, user: null, session: null, item: item, action: null}}}}
  cache: {{capacity: 5%}}
  trigger: {{everyEvents: 1000}}
  planner: {{backend: ollama, model: mute, endpoint: '{endpoint}', timeoutSeconds: {timeout:g}, mode: {mode}}}
"""


@pytest.fixture
def half_dead() -> Iterator[str]:
    """Lists its models at once and never answers a question."""
    with model_server("mute", "{}", seconds=NEVER) as url:
        yield url


@pytest.fixture
def mute() -> Iterator[str]:
    """Takes connections and says nothing at all."""
    held = []

    def hold(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                held.append(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hold, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    for connection in held:
        connection.close()


def replay(folder: Path, **values: Any) -> Verdict:
    items = np.random.default_rng(5).zipf(1.2, ROWS) % 2000
    (folder / "log.csv").write_text("item\n" + "\n".join(map(str, items.tolist())) + "\n")
    (folder / "mute.yaml").write_text(MANIFEST.format(timeout=TIMEOUT, **values))
    argv = [sys.executable, "-m", "aura_cli", "run", "mute.yaml", "--out", "out"]
    started = time.monotonic()
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 100
    verdict = Verdict.model_validate_json((folder / "out" / "verdict.json").read_text())
    assert {arm.requests for arm in verdict.arms.values()} == {ROWS}
    return verdict


@pytest.mark.parametrize("server", ["half_dead", "mute"])
def test_no_window_waits_longer_than_its_timeout(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    verdict = replay(tmp_path, endpoint=request.getfixturevalue(server), mode="lockstep")
    plans = verdict.arms["aura"].plans
    assert (plans.decided, sum(plans.unplanned.values())) == (0, WINDOWS - 1)
    waits = [json.loads(line)["latency_s"] for line in (tmp_path / "out" / "plans.jsonl").read_text().splitlines()]
    assert len(waits) == WINDOWS - 1
    assert TIMEOUT <= min(waits) <= max(waits) < TIMEOUT + OVERHEAD
    assert verdict.wall_seconds < WINDOWS * (TIMEOUT + OVERHEAD) + PLANNER_STARTS


def test_nobody_waits_in_asynchronous_mode(half_dead: str, tmp_path: Path) -> None:
    verdict = replay(tmp_path, endpoint=half_dead, mode="async")
    assert verdict.arms["aura"].plans.decided == 0
    assert verdict.wall_seconds < WINDOWS * OVERHEAD
