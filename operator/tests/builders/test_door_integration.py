"""Apache Kafka with the settings that the operator gives it: planners come in by the door, and nobody without its password."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_blueprints import PLACED_EMBEDDED
from testcontainers.core.container import DockerContainer

from aura_bus import BusError, Publisher, Subscriber, ensure_topics
from aura_contract.credentials import variable
from aura_operator.blueprint import Blueprint, Door
from aura_operator.builders import door, kafka
from aura_operator.settings import Images

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"


@pytest.fixture
def secrets() -> dict[str, str]:
    return door.generate(HOST)


@pytest.fixture
def broker(secrets: dict[str, str], tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    home = PLACED_EMBEDDED
    opened = Blueprint(home.name, home.namespace, home.uid, home.spec, home.settings, door=Door(HOST, port, secrets))
    (keystore, folder) = (tmp_path / "server.pem", "/run/secrets/door")
    keystore.write_text(secrets["server.pem"])
    for path in (tmp_path, keystore):
        path.chmod(0o755)
    container = DockerContainer(Images().kafka).with_bind_ports(door.PORT, port).with_volume_mapping(str(tmp_path), folder, "ro")
    for one in kafka.build(opened)[0]["spec"]["template"]["spec"]["containers"][0]["env"]:
        value = one.get("value") or secrets[one["valueFrom"]["secretKeyRef"]["key"]]
        # A container's name is no Service.
        container.with_env(one["name"], value.replace("grocer-kafka.shop.svc", "localhost"))
    with container:
        yield f"{HOST}:{port}"


def test_the_door_opens_for_its_password_alone(
    broker: str, secrets: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_text(secrets["ca.crt"])
    for field in ("username", "password", "mechanism"):
        monkeypatch.setenv(variable("KAFKA", field), secrets[field])
    monkeypatch.setenv(variable("KAFKA", "ca"), str(tmp_path / "ca.crt"))
    ensure_topics(broker, {"contexts": 2}, timeout=90)
    publisher = Publisher(broker)
    publisher.publish("contexts", b"aura", b"a window")
    publisher.flush()
    with Subscriber(broker, ["contexts"], group="planners") as subscriber:
        found = next(message for _ in range(60) if (message := subscriber.poll(0.5)))
    assert found.value == b"a window"
    monkeypatch.setenv(variable("KAFKA", "password"), "another")
    with pytest.raises(BusError, match="refuses user and password"):
        ensure_topics(broker, {"contexts": 2}, timeout=5)
    monkeypatch.setenv(variable("KAFKA", "ca"), str(tmp_path / "other.crt"))
    (tmp_path / "other.crt").write_text(door.generate(HOST)["ca.crt"])
    with pytest.raises(BusError, match="has a certificate that is not trusted"):
        ensure_topics(broker, {"contexts": 2}, timeout=5)
