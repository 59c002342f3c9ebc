"""Which servers an experiment has, where each is found, and who talks to whom."""

import hashlib

from aura_contract.dependencies import Embedded
from aura_operator.blueprint import Blueprint
from aura_operator.builders import redis

__all__ = [
    "CLIENTS",
    "DATABASE",
    "DEFAULT_MODEL",
    "EXECUTOR",
    "HTTP_PORT",
    "KAFKA",
    "LOADER",
    "MILVUS",
    "MONGODB",
    "OLLAMA",
    "PLANNER",
    "PORTS",
    "REDIS",
    "REPLAYER",
    "embedded",
    "embeds",
    "executor",
    "executors",
    "host",
    "kafka",
    "milvus",
    "mongodb",
    "ollama",
    "planner_model",
    "redis_url",
    "topic_prefix",
]

KAFKA, REDIS, MONGODB, MILVUS, OLLAMA = "kafka", "redis", "mongodb", "milvus", "ollama"
REPLAYER, PLANNER, EXECUTOR, LOADER = "replayer", "planner", "executor", "loader"

PORTS = {KAFKA: 9092, REDIS: redis.PORT, MONGODB: 27017, MILVUS: 19530, OLLAMA: 11434}
HTTP_PORT = 8080
"""Port of every service's /metrics, /healthz and, with the replayer, /progress."""

CLIENTS: dict[str, tuple[str, ...]] = {
    REPLAYER: (KAFKA, REDIS, MONGODB),
    PLANNER: (KAFKA, MONGODB, MILVUS, OLLAMA),
    EXECUTOR: (KAFKA, REDIS),
    LOADER: (MONGODB, MILVUS),
}
"""The parts that each service talks to."""

DATABASE = "aura"
DEFAULT_MODEL = "llama3.2:1b"
"""What planners ask Ollama for when the manifest names no model."""

LONGEST_PREFIX = 100


def executor(arm: str, shard: int | None = None) -> str:
    """Component name of an arm's executor, with the number of its shard where there are several."""
    return f"{EXECUTOR}-{arm}" if shard is None else f"{EXECUTOR}-{arm}-{shard}"


def executors(blueprint: Blueprint) -> list[str]:
    """Component names of all executors."""
    return [executor(arm, shard) for shard in blueprint.shards for arm in blueprint.spec.planned_arms]


def host(blueprint: Blueprint, component: str) -> str:
    """Name of a component's Service, which any namespace of the cluster can resolve."""
    return f"{blueprint.child(component)}.{blueprint.namespace}.svc"


def embeds(blueprint: Blueprint, part: str) -> bool:
    """Whether the operator brings this part up: only what this experiment can make use of."""
    spec = blueprint.spec
    dependencies = spec.dependencies
    if part == OLLAMA:
        return spec.asks_ollama and spec.model_endpoint is None
    if part == KAFKA:
        return dependencies.kafka.external is None
    if part == REDIS:
        return dependencies.redis.external is None
    named = dependencies.mongodb if part == MONGODB else dependencies.milvus
    # A server of our own holds nothing but the manifest's catalogue.
    return named is not None and named.external is None and spec.catalog is not None


def embedded(blueprint: Blueprint, part: str) -> Embedded:
    """What the manifest says about an embedded part."""
    found = getattr(blueprint.spec.dependencies, part)
    return (found and found.embedded) or Embedded()


def kafka(blueprint: Blueprint) -> str:
    """The broker, HOST:PORT."""
    external = blueprint.spec.dependencies.kafka_server
    return external.endpoint if external else _address(blueprint, KAFKA)


def topic_prefix(blueprint: Blueprint) -> str:
    """What goes before each topic's name: on a broker that is shared, the experiment's own name unless the manifest has one."""
    prefix, name = blueprint.spec.dependencies.kafka.topic_prefix, blueprint.topic_namespace
    if prefix or name is None:
        return prefix
    if len(name) >= LONGEST_PREFIX:
        short = hashlib.sha256(name.encode()).hexdigest()[:16]
        name = f"{name[: LONGEST_PREFIX - len(short) - 2]}-{short}"
    return f"{name}."


def redis_url(blueprint: Blueprint, arm: str, shard: int | str | None) -> str:
    """An arm's Redis, without its password; `shard` may be an environment variable that stands for the number."""
    external = blueprint.spec.dependencies.redis.external
    address = external.endpoints[arm] if external else f"{host(blueprint, redis.component(arm, shard))}:{redis.PORT}"
    return f"redis://{address}"


def mongodb(blueprint: Blueprint) -> str | None:
    """The catalogue's server, without user and password of an embedded one; None when there is none."""
    external = blueprint.spec.dependencies.mongodb_server
    if external is not None:
        return external.endpoint
    # The root user lives in the database admin.
    return f"mongodb://{_address(blueprint, MONGODB)}/{DATABASE}?authSource=admin" if embeds(blueprint, MONGODB) else None


def milvus(blueprint: Blueprint) -> str | None:
    """Url of the vector server; None when there is none."""
    external = blueprint.spec.dependencies.milvus_server
    if external is not None:
        return external.endpoint
    return f"http://{_address(blueprint, MILVUS)}" if embeds(blueprint, MILVUS) else None


def ollama(blueprint: Blueprint) -> str | None:
    """Url of the embedded model server; None when there is none."""
    return f"http://{_address(blueprint, OLLAMA)}" if embeds(blueprint, OLLAMA) else None


def planner_model(blueprint: Blueprint) -> str:
    """The model that an embedded Ollama must answer with."""
    return blueprint.spec.planner.model or DEFAULT_MODEL


def _address(blueprint: Blueprint, part: str) -> str:
    return f"{host(blueprint, part)}:{PORTS[part]}"
