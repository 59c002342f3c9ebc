"""MongoDB with a password behind TLS: a catalogue that is loaded and read, and the sentence and exit code when either is wrong."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from testcontainers.core.container import DockerContainer
from tls_front import Certificates, TlsFront

from aura_data.catalog import MongoCatalog

pytestmark = pytest.mark.integration

USER, PASSWORD = "root", "a-secret-word"
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: secured}}
spec:
  workload: {{source: {{path: items.csv}}}}
  catalog: {{source: {{path: items.csv}}, columns: {{category: null, brand: null}}}}
  cache: {{capacity: 5%}}
  dependencies: {{mongodb: {{external: {{endpoint: "127.0.0.1:{port}", tls: true}}}}}}
"""


@pytest.fixture(scope="module")
def mongodb(certificates: Certificates) -> Iterator[int]:
    """Port of a server that wants TLS and a password."""
    container = DockerContainer("mongo:8.0").with_exposed_ports(27017)
    container.with_env("MONGO_INITDB_ROOT_USERNAME", USER).with_env("MONGO_INITDB_ROOT_PASSWORD", PASSWORD)
    with container:
        port = int(container.get_exposed_port(27017))
        _wait(port)
        front = TlsFront(certificates, port)
        yield front.port
        front.close()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 120
    client: MongoClient[dict[str, object]] = MongoClient(
        "127.0.0.1", port, username=USER, password=PASSWORD, serverSelectionTimeoutMS=1000
    )
    while True:
        try:
            client.admin.command("ping")
        except PyMongoError:
            assert time.monotonic() < deadline, "MongoDB does not start"
            time.sleep(0.5)
        else:
            return client.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, certificates: Certificates) -> pytest.MonkeyPatch:
    for field, value in {"USERNAME": USER, "PASSWORD": PASSWORD, "CA": str(certificates.ca)}.items():
        monkeypatch.setenv(f"AURA_MONGODB_{field}", value)
    return monkeypatch


def load(folder: Path, port: int) -> tuple[int, str]:
    """Exit code and standard error of `aura load`."""
    (folder / "items.csv").write_text("item,title\na,tea\nb,green tea\n")
    (folder / "experiment.yaml").write_text(MANIFEST.format(port=port))
    argv = [sys.executable, "-m", "aura_cli", "load", str(folder / "experiment.yaml")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def test_user_and_certificate(mongodb: int, told: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load(tmp_path, mongodb) == (0, "")
    catalog = MongoCatalog(f"127.0.0.1:{mongodb}")
    assert catalog.lookup(["a"])["a"].title == "tea"
    catalog.close()


@pytest.mark.parametrize("password", ["another-word", None])
def test_wrong_password(mongodb: int, told: pytest.MonkeyPatch, tmp_path: Path, password: str | None) -> None:
    told.setenv("AURA_MONGODB_PASSWORD", password or "")
    told.setenv("AURA_MONGODB_USERNAME", USER if password else "")
    fix = "correct AURA_MONGODB_USERNAME and AURA_MONGODB_PASSWORD, in Kubernetes the Secret's username and password"
    assert load(tmp_path, mongodb) == (3, f"aura: MongoDB at 127.0.0.1:{mongodb}: refuses user and password; {fix}\n")


def test_certificate_that_is_not_trusted(
    mongodb: int, told: pytest.MonkeyPatch, certificates: Certificates, tmp_path: Path
) -> None:
    told.setenv("AURA_MONGODB_CA", str(certificates.other_ca))
    reason = "has a certificate that is not trusted (unable to get local issuer certificate)"
    fix = "give its CA in AURA_MONGODB_CA, in Kubernetes ca.crt"
    assert load(tmp_path, mongodb) == (3, f"aura: MongoDB at 127.0.0.1:{mongodb}: {reason}; {fix}\n")
