"""Kafka: one KRaft node, broker and controller in one. The services make their topics themselves, with explicit partitions."""

import base64
import hashlib

from aura_operator.blueprint import Blueprint, Manifest, digest
from aura_operator.builders import door, endpoints, secrets
from aura_operator.builders.credentials import KAFKA_MECHANISM
from aura_operator.builders.pod import container, empty_dir, env, pod_template, scratch_mount, secret_env, tcp_probe
from aura_operator.builders.workload import service, stateful_set
from aura_operator.naming import TEMPLATE_HASH

__all__ = ["build", "cluster_id"]

UID = 1000
"""The image's own user `appuser`."""

# A file system of its own has a folder lost+found at its root, and Kafka refuses to start on a folder that is no partition.
LOG_FOLDER = "/var/lib/kafka/data/log"
OPEN, LOGIN = ("PLAINTEXT", "PLAINTEXT"), ("CLIENTS", "SASL_PLAINTEXT")
"""Name and protocol of the listener for the experiment's own pods, without and with a password."""

LARGEST_MESSAGE = 5 * 1024 * 1024
"""Contexts have up to 4 MiB, and the broker counts a batch's header too."""


def build(blueprint: Blueprint) -> list[Manifest]:
    """A StatefulSet and a Service; nothing where the user brings the broker."""
    if not endpoints.embeds(blueprint, endpoints.KAFKA):
        return []
    embedded, settings = endpoints.embedded(blueprint, endpoints.KAFKA), blueprint.settings
    certificates, mounts = door.volume(blueprint)
    ports = {"kafka": endpoints.PORTS[endpoints.KAFKA], **({door.PORT_NAME: door.PORT} if blueprint.door else {})}
    broker = container(
        blueprint,
        "kafka",
        embedded.image or settings.images.kafka,
        embedded.resources or settings.resources.kafka,
        ports=ports,
        env=[*env(_variables(blueprint)), *_login(blueprint), *door.variables(blueprint)],
        # By TCP: Kafka's own scripts start a virtual machine each.
        startupProbe=tcp_probe("kafka", period=2, failures=90),
        readinessProbe=tcp_probe("kafka", period=2),
        livenessProbe=tcp_probe("kafka", period=10, failures=6),
        volumeMounts=[
            {"name": "data", "mountPath": "/var/lib/kafka/data"},
            # The image's start script writes its configuration.
            {"name": "config", "mountPath": "/opt/kafka/config"},
            {"name": "logs", "mountPath": "/opt/kafka/logs"},
            scratch_mount(),
            *mounts,
        ],
    )
    volumes = [*(empty_dir(name) for name in ("config", "logs", "scratch")), *certificates]
    # Read once, at the broker's start; the certificate is no secret.
    certificate = {TEMPLATE_HASH: digest(blueprint.door.secrets["ca.crt"])} if blueprint.door else None
    template = pod_template(blueprint, endpoints.KAFKA, [broker], uid=UID, volumes=volumes, annotations=certificate)
    storage = embedded.storage or settings.part_storage
    return [
        stateful_set(blueprint, endpoints.KAFKA, template, storage),
        service(blueprint, endpoints.KAFKA, {"kafka": endpoints.PORTS[endpoints.KAFKA]}),
    ]


def cluster_id(uid: str) -> str:
    """Kafka's form of a cluster id, 16 bytes in 22 characters of URL-safe base64, from the experiment's uid."""
    found = base64.urlsafe_b64encode(hashlib.sha256(uid.encode()).digest()[:16]).decode().rstrip("=")
    # A leading dash would be taken for an option when storage is formatted.
    return f"A{found[1:]}" if found.startswith("-") else found


def _listener(blueprint: Blueprint) -> tuple[str, str]:
    return LOGIN if secrets.KAFKA in blueprint.passwords else OPEN


def _login(blueprint: Blueprint) -> list[Manifest]:
    """What the listener with a password asks for, and what the broker, a client of its own, says to it."""
    if _listener(blueprint) == OPEN:
        return []
    prefix = f"KAFKA_LISTENER_NAME_{LOGIN[0]}"
    settings = {
        f"{prefix}_SASL_ENABLED_MECHANISMS": KAFKA_MECHANISM,
        "KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL": KAFKA_MECHANISM,
    }
    jaas = f"{prefix}_{KAFKA_MECHANISM}_SASL_JAAS_CONFIG"
    return [*env(settings), secret_env(jaas, blueprint.child(secrets.PASSWORDS), secrets.KAFKA_JAAS)]


def _variables(blueprint: Blueprint) -> dict[str, str]:
    port, outside = endpoints.PORTS[endpoints.KAFKA], door.listener(blueprint)
    name, protocol = _listener(blueprint)
    return {
        "CLUSTER_ID": cluster_id(blueprint.uid),
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        # The controller is for this process alone; clients come through the Service, so its name is the one to tell them.
        "KAFKA_LISTENERS": f"{name}://:{port},CONTROLLER://localhost:9093{outside.get('bound', '')}",
        "KAFKA_ADVERTISED_LISTENERS": f"{name}://{endpoints.kafka(blueprint)}{outside.get('advertised', '')}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": f"CONTROLLER:PLAINTEXT,{name}:{protocol}{outside.get('map', '')}",
        "KAFKA_INTER_BROKER_LISTENER_NAME": name,
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LOG_DIRS": LOG_FOLDER,
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        # A topic that a consumer made by asking for it would have the wrong number of partitions.
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        # A replayer that was restarted reads plans and receipts again from their start.
        "KAFKA_LOG_RETENTION_MS": "-1",
        "KAFKA_MESSAGE_MAX_BYTES": str(LARGEST_MESSAGE),
        # Shares of the container's limit, whatever the manifest sets it to.
        "KAFKA_HEAP_OPTS": "-XX:InitialRAMPercentage=25 -XX:MaxRAMPercentage=50",
    }
