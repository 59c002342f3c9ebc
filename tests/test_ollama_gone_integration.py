"""The model server is killed, paused and started again in the middle of a run: windows go without a plan, and the run goes on."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testcontainers.core.container import DockerContainer

from aura_cli.embedded.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MODEL, ROWS, WINDOWS, TIMEOUT = "smollm2:135m", 18_000, 18, 45
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: mute}}
spec:
  workload: {{source: {{path: log.csv}}, columns: {{time: null, user: null, session: null, item: item, action: null}}}}
  cache: {{capacity: 10%}}
  trigger: {{everyEvents: 1000}}
  planner: {{backend: ollama, model: '{model}', endpoint: '{endpoint}', timeoutSeconds: {timeout}, latency: free}}
"""


@pytest.fixture
def ollama() -> Iterator[tuple[Any, str]]:
    port = free_port()
    with DockerContainer("ollama/ollama:0.17.4").with_bind_ports(11434, port) as container:
        url = f"http://127.0.0.1:{port}"
        answering(url, MODEL)
        yield container.get_wrapped_container(), url


def answering(url: str, model: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/api/tags", timeout=2) as answer:
                assert model in {found["name"] for found in json.load(answer)["models"]}
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("Ollama did not start")


def test_a_run_outlives_its_model_server(ollama: tuple[Any, str], tmp_path: Path) -> None:
    container, url = ollama
    items = np.random.default_rng(5).zipf(1.2, ROWS) % 900
    (tmp_path / "log.csv").write_text("item\n" + "\n".join(map(str, items.tolist())) + "\n")
    manifest, out = tmp_path / "mute.yaml", tmp_path / "out"
    manifest.write_text(MANIFEST.format(model=MODEL, endpoint=url, timeout=TIMEOUT))
    argv = [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(out)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:

        def plans() -> list[dict[str, Any]]:
            lines = (out / "plans.jsonl").read_text().splitlines() if (out / "plans.jsonl").exists() else []
            return [json.loads(line) for line in lines]

        def until(seen: Callable[[list[dict[str, Any]]], object]) -> None:
            deadline = time.monotonic() + 200
            while not seen(plans()):
                assert run.poll() is None, run.communicate()[0]
                assert time.monotonic() < deadline, plans()
                time.sleep(0.05)

        until(lambda found: len(found) >= 2)
        container.kill()
        until(lambda found: any(plan["outcome"] == "unreachable" for plan in found))
        container.start()
        answering(url, MODEL)
        back = len(plans())
        until(lambda found: any(plan["outcome"] not in {"unreachable", "timeout"} for plan in found[back:]))
        container.pause()
        time.sleep(3)
        container.unpause()
        output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    verdict = json.loads((out / "verdict.json").read_text())
    assert {arm["requests"] for arm in verdict["arms"].values()} == {ROWS}
    assert len(plans()) == WINDOWS - 1
