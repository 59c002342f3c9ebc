"""One cluster and one operator for all tests; a namespace for each."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from live_cluster import Kubectl, Operator

ROOT = Path(__file__).parents[3]
GIVEN = "KUBECONFIG_TEST"
"""Names the kubeconfig of a cluster to use; without it one is made by kind, and removed afterwards."""


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster in which no pod is started, with the definition of experiments."""
    given = os.environ.get(GIVEN)
    if given:
        _prepare(Path(given))
        yield Path(given)
        return
    if not shutil.which("kind") or not shutil.which("kubectl"):
        pytest.skip(f"needs kind and kubectl, or {GIVEN}")
    path, name = tmp_path_factory.mktemp("kind") / "kubeconfig", f"aura-test-{uuid.uuid4().hex[:6]}"
    image = os.environ.get("KIND_NODE_IMAGE")
    flags = ["--name", name, "--kubeconfig", str(path)]
    try:
        subprocess.run(
            ["kind", "create", "cluster", "--wait", "180s", *flags, *(["--image", image] if image else [])], check=True
        )
        _prepare(path)
        yield path
    finally:
        subprocess.run(["kind", "delete", "cluster", *flags], check=False)


def _prepare(path: Path) -> None:
    kubectl = Kubectl(path)
    kubectl("cordon", "--selector=kubernetes.io/hostname")
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    kubectl("wait", "--for=condition=Established", "crd/auraexperiments.aura.dev")


@pytest.fixture(scope="session")
def operator(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator, watching the whole cluster."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "settings.yaml").write_text("statusSeconds: 0.5\n")
    found = Operator(kubeconfig, folder, "--settings", str(folder / "settings.yaml"))
    yield found
    assert found.stop() == 0, found.log()[-3000:]
    assert "Traceback" not in found.log()


@pytest.fixture
def kubectl(kubeconfig: Path, operator: Operator, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-") + f"-{uuid.uuid4().hex[:4]}"
    found = Kubectl(kubeconfig, name)
    found("create", "namespace", name)
    yield found
    found("delete", "ax", "--all", "--wait=false")
    found("delete", "namespace", name, "--wait=false")
