"""`aura load` into MongoDB, and a run that reads its catalogue from there."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from testcontainers.core.container import DockerContainer

pytestmark = pytest.mark.integration

MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: loaded}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: 30000}}
  catalog: {{source: {{dataset: complete-journey}}}}
  cache: {{capacity: 5%}}
  planner: {{backend: heuristic}}
  dependencies: {{mongodb: {{external: {{endpoint: {endpoint}}}}}}}
"""


@pytest.fixture(scope="module")
def mongodb() -> Iterator[str]:
    with DockerContainer("mongo:8.0").with_exposed_ports(27017) as container:
        url = f"mongodb://{container.get_container_host_ip()}:{container.get_exposed_port(27017)}/loaded"
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(url, serverSelectionTimeoutMS=500)
        deadline = time.monotonic() + 60
        while True:
            try:
                client.admin.command("ping")
                break
            except pymongo.errors.PyMongoError:
                assert time.monotonic() < deadline, "MongoDB does not start"
        client.close()
        yield url


def aura(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aura_cli", *arguments], capture_output=True, text=True, timeout=280, check=False
    )


def test_run_reads_the_loaded_catalogue(mongodb: str, tmp_path: Path) -> None:
    manifest = tmp_path / "experiment.yaml"
    manifest.write_text(MANIFEST.format(endpoint=mongodb))
    early = aura("run", str(manifest), "--out", str(tmp_path / "early"))
    assert early.returncode == 2
    assert "holds no catalogue; load it with aura load" in early.stderr
    loaded = aura("load", str(manifest))
    assert loaded.returncode == 0, loaded.stderr
    assert "MongoDB holds 92,331 items of the catalogue" in loaded.stdout
    done = aura("run", str(manifest), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    arm = json.loads((tmp_path / "out" / "verdict.json").read_text())["arms"]["aura"]
    assert (arm["requests"], arm["plans"]["applied"]) == (30_000, 5)
