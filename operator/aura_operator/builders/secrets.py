"""The Secret with the passwords that were generated for the embedded parts."""

import base64
import secrets

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Blueprint, Manifest

__all__ = [
    "DERIVED", "KAFKA", "KAFKA_JAAS", "KAFKA_USER", "MILVUS", "MONGODB", "PASSWORDS", "REDIS", "REDIS_CONF",
    "build", "generate", "needed", "read",
]  # fmt: skip

PASSWORDS = "passwords"
REDIS, KAFKA, MONGODB, MILVUS = "redis", "kafka", "mongodb", "milvus"
PARTS = (REDIS, KAFKA, MONGODB, MILVUS)
REDIS_CONF, KAFKA_JAAS = "redis.conf", "kafka.jaas"
DERIVED = (REDIS_CONF, KAFKA_JAAS)
"""Keys whose values hold a password in the form that its server reads."""

KAFKA_USER = "aura"

CONF = """\
requirepass {password}
port 6379
bind * -::*
save ""
appendonly no
dir /data
"""

# The first pair is what the broker says to itself, the second whom it lets in.
JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'username="{KAFKA_USER}" password="{{password}}" user_{KAFKA_USER}="{{password}}";'
)


def generate() -> dict[str, str]:
    """New passwords, one for each kind of embedded server that takes one."""
    return {name: secrets.token_urlsafe(24) for name in PARTS}


def read(secret: Manifest | None) -> dict[str, str]:
    """The passwords in a Secret that was made earlier, without those that it lacks."""
    data = (secret or {}).get("data") or {}
    return {name: base64.b64decode(data[name]).decode() for name in PARTS if data.get(name)}


def needed(spec: ExperimentSpec) -> bool:
    """Whether there is a server of ours that takes a password."""
    parts = spec.dependencies
    named = ((parts.mongodb, parts.mongodb_server), (parts.milvus, parts.milvus_server))
    always = parts.redis.external is None or parts.kafka.external is None
    return always or any(part is not None and server is None for part, server in named)


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Secret NAME-passwords: each password by part, and what Redis and Kafka read, which keeps it out of process lists.

    Nothing where the user brings all servers that take one.
    """
    if not needed(blueprint.spec):
        return []
    texts = {**blueprint.passwords, REDIS_CONF: CONF.format(password=blueprint.passwords[REDIS])}
    if KAFKA in blueprint.passwords:
        texts[KAFKA_JAAS] = JAAS.format(password=blueprint.passwords[KAFKA])
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": blueprint.metadata(PASSWORDS), "type": "Opaque", "data": data},
    ]
