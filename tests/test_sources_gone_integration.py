"""MongoDB and Milvus go away in the middle of a run: less context, said once, counted, and a verdict all the same."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from model_server import model_server
from testcontainers.core.container import DockerContainer

pytestmark = pytest.mark.integration

MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: gone}}
spec:
  workload: {{source: {{path: log.csv}}, requests: [click], columns: {{user: user, session: session, item: item, action: action}}}}
  catalog: {{source: {{path: items.csv}}}}
  cache: {{capacity: 20%}}
  trigger: {{everyEvents: 1000}}
  planner: {{backend: ollama, model: fixed, endpoint: '{model}', latency: free}}
  dependencies: {{mongodb: {{external: {{endpoint: '{mongodb}'}}}}, milvus: {{external: {{endpoint: '{milvus}'}}}}}}
"""
WINDOWS = 40
ANSWER = (
    '{"frequency":"high","admit":"all","ahead":"none","long":[],"short":[],"protect":[],"expand":"similar","seeds":[1],"drop":[]}'
)


@pytest.fixture
def model() -> Iterator[str]:
    with model_server("fixed", ANSWER, seconds=0.3) as url:
        yield url


@pytest.fixture
def servers() -> Iterator[dict[str, tuple[DockerContainer, str]]]:
    milvus = DockerContainer("milvusdb/milvus:v2.6.0").with_command("milvus run standalone")
    for name, value in {"ETCD_USE_EMBED": "true", "COMMON_STORAGETYPE": "local", "DEPLOY_MODE": "STANDALONE"}.items():
        milvus = milvus.with_env(name, value)
    with DockerContainer("mongo:8.0").with_exposed_ports(27017) as mongodb, milvus.with_exposed_ports(19530):
        host = mongodb.get_container_host_ip()
        yield {
            "mongodb": (mongodb, f"mongodb://{host}:{mongodb.get_exposed_port(27017)}/gone"),
            "milvus": (milvus, f"http://{host}:{milvus.get_exposed_port(19530)}"),
        }


def loaded(manifest: Path) -> None:
    """Load the catalogue as soon as both servers answer."""
    deadline = time.monotonic() + 120
    while True:
        done = subprocess.run(
            [sys.executable, "-m", "aura_cli", "load", str(manifest)], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        assert time.monotonic() < deadline, done.stderr
        time.sleep(1)


def metric(log: Path, source: str) -> float:
    address = re.search(r'"address": ?"([^"]+)"', log.read_text())
    assert address, log.read_text()
    with urllib.request.urlopen(f"http://{address[1]}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(rf'aura_planner_failed_lookups_total{{source="{source}"}} ([0-9.]+)', text)
    assert found, text
    return float(found[1])


def test_a_run_outlives_its_catalogue_and_its_neighbours(
    servers: dict[str, tuple[DockerContainer, str]], model: str, tmp_path: Path
) -> None:
    wanted = np.random.default_rng(5).zipf(1.2, WINDOWS * 1000) % 900
    rows = [f"u{n % 30},s{n // 10},{item},click" for n, item in enumerate(wanted.tolist())]
    (tmp_path / "log.csv").write_text("user,session,item,action\n" + "\n".join(rows) + "\n")
    items = [f"{n},{['green', 'black', 'white', 'herbal'][n % 4]} tea {n},tea,acme" for n in range(900)]
    (tmp_path / "items.csv").write_text("item,title,category,brand\n" + "\n".join(items) + "\n")
    manifest, out = tmp_path / "gone.yaml", tmp_path / "out"
    manifest.write_text(MANIFEST.format(model=model, mongodb=servers["mongodb"][1], milvus=servers["milvus"][1]))
    loaded(manifest)
    argv = [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(out)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        plans, log = out / "plans.jsonl", out / "logs" / "planner.log"
        deadline = time.monotonic() + 120
        while not plans.exists() or len(plans.read_text().splitlines()) < 5:
            assert run.poll() is None, run.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        before = [json.loads(line) for line in plans.read_text().splitlines()]
        assert metric(log, "catalogue") == metric(log, "neighbours") == 0
        for container, _ in servers.values():
            container.get_wrapped_container().kill()
        while not all(metric(log, source) >= 1 for source in ("catalogue", "neighbours")):
            assert run.poll() is None, run.communicate()[0]
        output, _ = run.communicate(timeout=200)
    assert run.returncode == 0, output
    verdict = json.loads((out / "verdict.json").read_text())
    assert {arm["requests"] for arm in verdict["arms"].values()} == {WINDOWS * 1000}
    assert verdict["arms"]["aura"]["plans"]["decided"] == WINDOWS - 1
    # With neighbours a seed brought others with it; without it comes alone.
    after = [json.loads(line) for line in plans.read_text().splitlines()][-3:]
    assert max(len(plan["prefetch"]) for plan in before) > 1
    assert max(len(plan["prefetch"]) for plan in after) == 1
    said = [json.loads(line)["message"] for line in log.read_text().splitlines() if "cannot be used" in line]
    assert sorted(text.split()[1] for text in said) == ["catalogue", "neighbours"]
