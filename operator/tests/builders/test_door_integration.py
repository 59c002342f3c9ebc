"""Apache Kafka with the settings that the operator gives it: nobody comes in without a password, inside and by the door."""

import base64
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sample_blueprints import PASSWORDS, PLACED_EMBEDDED
from testcontainers.core.container import DockerContainer

from aura_bus import BusError, Publisher, Subscriber, ensure_topics
from aura_contract.credentials import variable
from aura_operator.blueprint import Door
from aura_operator.builders import credentials, door, kafka
from aura_operator.builders import secrets as passwords
from aura_operator.settings import Images

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"


@pytest.fixture
def secrets() -> dict[str, str]:
    return door.generate(HOST)


def free_ports() -> Iterator[int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind((HOST, 0))
        yield from (probe.getsockname()[1] for probe in (one, other))


@dataclass(frozen=True)
class Broker:
    """Its two addresses from here: that of the experiment's own pods, and the door's."""

    inside: str
    door: str


@pytest.fixture
def broker(secrets: dict[str, str], tmp_path: Path) -> Iterator[Broker]:
    inside, port = list(free_ports())
    opened = replace(PLACED_EMBEDDED, door=Door(HOST, port, secrets))
    jaas = base64.b64decode(passwords.build(opened)[0]["data"][passwords.KAFKA_JAAS]).decode()
    values = {**secrets, passwords.KAFKA_JAAS: jaas}
    (keystore, folder) = (tmp_path / "server.pem", "/run/secrets/door")
    keystore.write_text(secrets["server.pem"])
    for path in (tmp_path, keystore):
        path.chmod(0o755)
    container = DockerContainer(Images().kafka).with_bind_ports(door.PORT, port).with_bind_ports(inside, inside)
    container.with_volume_mapping(str(tmp_path), folder, "ro")
    for one in kafka.build(opened)[0]["spec"]["template"]["spec"]["containers"][0]["env"]:
        value = one.get("value") or values[one["valueFrom"]["secretKeyRef"]["key"]]
        # A container's name is no Service; the broker has to find itself at the address that it tells of.
        value = value.replace("CLIENTS://:9092", f"CLIENTS://:{inside}")
        container.with_env(one["name"], value.replace("grocer-kafka.shop.svc:9092", f"localhost:{inside}"))
    with container:
        yield Broker(f"localhost:{inside}", f"{HOST}:{port}")


def carries_messages(address: str) -> None:
    ensure_topics(address, {"contexts": 2}, timeout=90)
    publisher = Publisher(address)
    publisher.publish("contexts", b"aura", b"a window")
    publisher.flush()
    with Subscriber(address, ["contexts"], group="planners") as subscriber:
        found = next(message for _ in range(60) if (message := subscriber.poll(0.5)))
    assert found.value == b"a window"


def test_the_door_opens_for_its_password_alone(
    broker: Broker, secrets: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_text(secrets["ca.crt"])
    for field in ("username", "password", "mechanism"):
        monkeypatch.setenv(variable("KAFKA", field), secrets[field])
    monkeypatch.setenv(variable("KAFKA", "ca"), str(tmp_path / "ca.crt"))
    carries_messages(broker.door)
    monkeypatch.setenv(variable("KAFKA", "password"), "another")
    with pytest.raises(BusError, match="refuses user and password"):
        ensure_topics(broker.door, {"contexts": 2}, timeout=5)
    monkeypatch.setenv(variable("KAFKA", "ca"), str(tmp_path / "other.crt"))
    (tmp_path / "other.crt").write_text(door.generate(HOST)["ca.crt"])
    with pytest.raises(BusError, match="has a certificate that is not trusted"):
        ensure_topics(broker.door, {"contexts": 2}, timeout=5)


def test_the_experiments_own_pods_log_in_too(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    for item in credentials.access(PLACED_EMBEDDED, "planner").env:
        monkeypatch.setenv(item["name"], item.get("value") or PASSWORDS["kafka"])
    carries_messages(broker.inside)
    monkeypatch.setenv(variable("KAFKA", "password"), "another")
    with pytest.raises(BusError, match="refuses user and password"):
        ensure_topics(broker.inside, {"contexts": 2}, timeout=5)
    for field in ("username", "password", "mechanism"):
        monkeypatch.delenv(variable("KAFKA", field))
    with pytest.raises(BusError):
        ensure_topics(broker.inside, {"contexts": 2}, timeout=5)
