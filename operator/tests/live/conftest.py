"""One cluster and one operator for all tests; a namespace for each."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_cluster import Kubectl, NoCluster, Operator, cluster

SETTINGS = """
statusSeconds: 0.5
placements: {host: 192.0.2.8, visitSeconds: 1, timeoutSeconds: 2, removalSeconds: 12}
"""


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster in which no pod is started."""
    try:
        with cluster(tmp_path_factory.mktemp("cluster")) as path:
            yield path
    except NoCluster as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def operator(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator, watching the whole cluster."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "settings.yaml").write_text(SETTINGS)
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
