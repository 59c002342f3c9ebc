"""Apache Kafka with SASL and TLS: a whole run, and the sentence when user or certificate are wrong."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from tls_front import Certificates

from aura_bus import BusError, ensure_topics
from aura_cli.embedded.ports import free_port
from aura_cli.embedded.services import find_executor

pytestmark = pytest.mark.integration

IMAGE = "apache/kafka:4.1.1"
USER, PASSWORD = "aura", "a-secret-word"
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {{name: secured}}
spec:
  workload: {{source: {{dataset: complete-journey}}, requests: [purchase], limit: 30000}}
  cache: {{capacity: 5%}}
  planner: {{backend: heuristic}}
  dependencies: {{kafka: {{topicPrefix: secured-, external: {{endpoint: "{kafka}", tls: true}}}}}}
"""


@pytest.fixture(scope="module")
def kafka(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("kafka")
    folder.chmod(0o755)
    store = folder / "server.pem"
    store.write_bytes(certificates.server_key.read_bytes() + certificates.server.read_bytes())
    store.chmod(0o644)
    port = free_port()
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAIN://:9092,CONTROLLER://:9093,SECURE://:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAIN://localhost:9092,SECURE://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,SECURE:SASL_SSL",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAIN",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_SASL_ENABLED_MECHANISMS": "SCRAM-SHA-512",
        "KAFKA_LISTENER_NAME_SECURE_SCRAM___SHA___512_SASL_JAAS_CONFIG": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "KAFKA_SSL_KEYSTORE_TYPE": "PEM",
        "KAFKA_SSL_KEYSTORE_LOCATION": "/secrets/server.pem",
        "KAFKA_HEAP_OPTS": "-Xmx256m -Xms256m",
    }
    container = DockerContainer(IMAGE).with_bind_ports(9094, port).with_volume_mapping(str(folder), "/secrets", "ro")
    for name, value in settings.items():
        container.with_env(name, value)
    with container:
        _add_user(container)
        yield f"127.0.0.1:{port}"


def _add_user(container: DockerContainer) -> None:
    configs = "/opt/kafka/bin/kafka-configs.sh --bootstrap-server localhost:9092 --alter --entity-type users"
    add = f"{configs} --entity-name {USER} --add-config SCRAM-SHA-512=[password={PASSWORD}]"
    deadline = time.monotonic() + 120
    while container.exec(add).exit_code:
        assert time.monotonic() < deadline, "Kafka does not start"
        time.sleep(1)


def test_whole_run_with_user_and_certificate(kafka: str, certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(MANIFEST.format(kafka=kafka))
    argv = [sys.executable, "-m", "aura_cli", "run", str(tmp_path / "experiment.yaml"), "--out", str(tmp_path / "out")]
    told = {"AURA_KAFKA_USERNAME": USER, "AURA_KAFKA_PASSWORD": PASSWORD, "AURA_KAFKA_CA": str(certificates.ca)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=280, check=False, env={**os.environ, **told})
    assert done.returncode == 0, done.stdout + done.stderr
    arm = json.loads((tmp_path / "out" / "verdict.json").read_text())["arms"]["aura"]
    assert (arm["requests"], arm["plans"]["applied"]) == (30_000, 5)
    written = "".join(path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert PASSWORD not in written


def fails(kafka: str, sentence: str) -> None:
    with pytest.raises(BusError) as caught:
        ensure_topics(kafka, {"t": 1}, timeout=5)
    assert str(caught.value) == f"Kafka at {kafka} {sentence}"


def test_wrong_password(kafka: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURA_KAFKA_CA", str(certificates.ca))
    monkeypatch.setenv("AURA_KAFKA_USERNAME", USER)
    monkeypatch.setenv("AURA_KAFKA_PASSWORD", "another")
    fix = "correct AURA_KAFKA_USERNAME and AURA_KAFKA_PASSWORD, in Kubernetes the Secret's username and password"
    fails(kafka, f"refuses user and password; {fix}")


def test_certificate_that_is_not_trusted(kafka: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURA_KAFKA_CA", str(certificates.other_ca))
    reason = "unable to get local issuer certificate"
    fails(kafka, f"has a certificate that is not trusted ({reason}); give its CA in AURA_KAFKA_CA, in Kubernetes ca.crt")


def test_tls_that_is_not_set(kafka: str) -> None:
    fails(kafka, "speaks TLS; set AURA_KAFKA_TLS=true, or tls: true beside its endpoint in the manifest")


def executor_says(kafka: str) -> str:
    """What an executor writes before it gives up on its Redis; on Kafka it never does, since a broker may be mended."""
    argv = [find_executor(), "--kafka", kafka, "--redis", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--redis-timeout", "6"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_executor_says_what_is_wrong(kafka: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    speaks_tls = "Kafka does not take our TLS; correct AURA_KAFKA_TLS, AURA_KAFKA_CERT and AURA_KAFKA_KEY"
    monkeypatch.setenv("AURA_KAFKA_CA", str(certificates.other_ca))
    untrusted = executor_says(kafka)
    assert "Kafka has a certificate that is not trusted; give its CA in AURA_KAFKA_CA, in Kubernetes ca.crt" in untrusted
    assert speaks_tls not in untrusted
    monkeypatch.setenv("AURA_KAFKA_CA", str(certificates.ca))
    monkeypatch.setenv("AURA_KAFKA_USERNAME", USER)
    monkeypatch.setenv("AURA_KAFKA_PASSWORD", "another-word")
    refused = executor_says(kafka)
    fix = "correct AURA_KAFKA_USERNAME, AURA_KAFKA_PASSWORD and AURA_KAFKA_MECHANISM"
    assert f"Kafka refuses user and password; {fix}" in refused
    assert "another-word" not in refused
    monkeypatch.setenv("AURA_KAFKA_PASSWORD", PASSWORD)
    known = executor_says(kafka)
    assert "Kafka refuses" not in known
    assert "not trusted" not in known
