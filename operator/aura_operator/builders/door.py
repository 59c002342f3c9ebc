"""The door of an embedded Kafka for planners in other clusters: a Service, and a listener with TLS and a password."""

import base64
import secrets

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders.certificates import issue
from aura_operator.builders.pod import env, secret_env

__all__ = [
    "COMPONENT",
    "HOST",
    "LOGIN",
    "PORT",
    "PORT_NAME",
    "address",
    "build",
    "build_service",
    "generate",
    "listener",
    "needed",
    "read",
    "variables",
    "volume",
]

COMPONENT = "kafka-door"
PORT_NAME, PORT = "door", 9094
LISTENER = "DOOR"
FOLDER = "/run/secrets/door"
READ_BY_GROUP = 0o440

HOST, JAAS, KEYSTORE = "host", "jaas", "server.pem"
LOGIN = ("username", "password", "mechanism", "ca.crt")
"""What planners need of the Secret; the rest is the broker's."""
KEYS = (*LOGIN, HOST, JAAS, KEYSTORE)

USER, MECHANISM = "planner", "PLAIN"


def needed(spec: ExperimentSpec) -> bool:
    """Whether an embedded broker has to be reached from elsewhere."""
    return bool(spec.planner.placements) and spec.dependencies.kafka.external is None


def generate(host: str) -> dict[str, str]:
    """A new password and certificate for a broker that is reached at `host`, by keys of the Secret."""
    password, pems = secrets.token_urlsafe(24), issue(host)
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{password}";'
    return {
        "username": USER, "password": password, "mechanism": MECHANISM, "ca.crt": pems.ca,
        HOST: host, JAAS: login, KEYSTORE: pems.key + pems.certificate,
    }  # fmt: skip


def read(secret: Manifest | None) -> dict[str, str]:
    """What a Secret holds that was made earlier; empty where it lacks anything."""
    data = (secret or {}).get("data") or {}
    found = {key: base64.b64decode(data.get(key, "")).decode() for key in KEYS}
    return found if all(found.values()) else {}


def address(blueprint: Blueprint) -> str:
    """HOST:PORT of the open door."""
    assert blueprint.door is not None
    host = blueprint.door.host
    return f"[{host}]:{blueprint.door.port}" if ":" in host else f"{host}:{blueprint.door.port}"


def build_service(blueprint: Blueprint) -> list[Manifest]:
    """The Service NAME-kafka-door; it is there before its address is known."""
    if blueprint.door is None and not needed(blueprint.spec):
        return []
    ports = [{"name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME, "protocol": "TCP"}]
    spec = {"type": blueprint.settings.placements.service, "selector": blueprint.selector("kafka"), "ports": ports}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": blueprint.metadata(COMPONENT), "spec": spec}]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Service, and once the door is open the Secret NAME-kafka-door."""
    found = build_service(blueprint)
    if blueprint.door is None:
        return found
    data = {key: base64.b64encode(text.encode()).decode() for key, text in blueprint.door.secrets.items()}
    metadata = blueprint.metadata(COMPONENT)
    # Not Opaque: passwords of that type are never changed, and these change with the address.
    return [*found, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "aura.dev/door", "data": data}]


def listener(blueprint: Blueprint) -> dict[str, str]:
    """Name, place and address of the listener, as parts of Kafka's settings; empty while the door is shut."""
    if blueprint.door is None:
        return {}
    return {
        "bound": f",{LISTENER}://:{PORT}",
        "advertised": f",{LISTENER}://{address(blueprint)}",
        "map": f",{LISTENER}:SASL_SSL",
    }


def variables(blueprint: Blueprint) -> list[Manifest]:
    """Kafka's further environment variables."""
    if blueprint.door is None:
        return []
    prefix = f"KAFKA_LISTENER_NAME_{LISTENER}"
    settings = {
        f"{prefix}_SASL_ENABLED_MECHANISMS": MECHANISM,
        f"{prefix}_SSL_KEYSTORE_TYPE": "PEM",
        f"{prefix}_SSL_KEYSTORE_LOCATION": f"{FOLDER}/{KEYSTORE}",
    }
    login = secret_env(f"{prefix}_{MECHANISM}_SASL_JAAS_CONFIG", blueprint.child(COMPONENT), JAAS)
    return [*env(settings), login]


def volume(blueprint: Blueprint) -> tuple[list[Manifest], list[Manifest]]:
    """The volume with the broker's certificate, and its mount."""
    if blueprint.door is None:
        return [], []
    items = [{"key": KEYSTORE, "path": KEYSTORE}]
    source = {"secretName": blueprint.child(COMPONENT), "items": items, "defaultMode": READ_BY_GROUP}
    return [{"name": "door", "secret": source}], [{"name": "door", "mountPath": FOLDER, "readOnly": True}]
