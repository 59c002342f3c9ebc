"""The Secret with the passwords that were generated for the embedded parts."""

import base64
import secrets

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Blueprint, Manifest

__all__ = ["MONGODB", "PASSWORDS", "REDIS", "REDIS_CONF", "build", "generate", "needed", "read"]

PASSWORDS = "passwords"
REDIS, MONGODB = "redis", "mongodb"
REDIS_CONF = "redis.conf"

CONF = """\
requirepass {password}
port 6379
bind * -::*
save ""
appendonly no
dir /data
"""


def generate() -> dict[str, str]:
    """New passwords, one for each kind of embedded server that takes one."""
    return {name: secrets.token_urlsafe(24) for name in (REDIS, MONGODB)}


def read(secret: Manifest | None) -> dict[str, str]:
    """The passwords in a Secret that was made earlier; empty where it lacks one."""
    data = (secret or {}).get("data") or {}
    known = {name: base64.b64decode(data.get(name, "")).decode() for name in (REDIS, MONGODB)}
    return known if all(known.values()) else {}


def needed(spec: ExperimentSpec) -> bool:
    """Whether there is a server of ours that takes a password."""
    dependencies = spec.dependencies
    return dependencies.redis.external is None or (dependencies.mongodb is not None and dependencies.mongodb_server is None)


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Secret NAME-passwords: each password by part, and Redis' configuration, which keeps it out of process lists.

    Nothing where the user brings both kinds of server.
    """
    if not needed(blueprint.spec):
        return []
    texts = {**blueprint.passwords, REDIS_CONF: CONF.format(password=blueprint.passwords[REDIS])}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": blueprint.metadata(PASSWORDS), "type": "Opaque", "data": data},
    ]
