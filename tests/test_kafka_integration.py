"""The same parts against Apache Kafka instead of the embedded broker."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer

from aura_bus import Publisher, Subscriber, ensure_topics
from aura_cli.embedded.ports import free_port

pytestmark = pytest.mark.integration

IMAGE = "apache/kafka:4.1.1"
MANIFEST = """
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: on-kafka}
spec:
  workload: {source: {dataset: complete-journey}, requests: [purchase], limit: 50000}
  catalog: {source: {dataset: complete-journey}}
  cache: {capacity: 5%}
  planner: {backend: heuristic}
  dependencies: {kafka: {topicPrefix: on-kafka-}}
"""


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    port = free_port()
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_HEAP_OPTS": "-Xmx256m -Xms256m",
    }
    container = DockerContainer(IMAGE).with_bind_ports(9092, port)
    for name, value in settings.items():
        container.with_env(name, value)
    with container:
        ensure_topics(f"127.0.0.1:{port}", {"ready": 1}, timeout=90)
        yield f"127.0.0.1:{port}"


def test_messages_are_published_committed_and_not_seen_again(kafka: str) -> None:
    ensure_topics(kafka, {"events": 1})
    publisher = Publisher(kafka)
    for number in range(3):
        publisher.publish("events", b"key", str(number).encode())
    publisher.flush()
    with Subscriber(kafka, ["events"], group="readers") as readers:
        first = [readers.poll(20) for _ in range(2)]
        assert [message.value for message in first if message] == [b"0", b"1"]
        assert first[1] is not None
        first[1].commit()
        time.sleep(1)
    with Subscriber(kafka, ["events"], group="readers") as readers:
        again = readers.poll(20)
        assert again is not None
        assert again.value == b"2"


def test_whole_run_on_apache_kafka(kafka: str, tmp_path: Path) -> None:
    manifest = tmp_path / "experiment.yaml"
    manifest.write_text(MANIFEST)
    argv = [sys.executable, "-m", "aura_cli", "run", str(manifest), "--out", str(tmp_path / "out"), "--kafka", kafka]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    arm = verdict["arms"]["aura"]
    assert arm["requests"] == arm["hits"] + arm["misses"] == 50_000
    assert arm["plans"]["applied"] == 9
    assert verdict["delta_points"] > 2
