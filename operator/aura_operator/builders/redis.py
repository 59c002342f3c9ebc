"""Redis: one server for each arm, without persistence, since an arm that lost its memory is another experiment."""

from aura_contract.dependencies import Resources
from aura_contract.quantities import parse_bytes
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders.pod import container, empty_dir, pod_template, tcp_probe
from aura_operator.builders.secrets import PASSWORDS, REDIS_CONF
from aura_operator.builders.workload import deployment, service
from aura_operator.quantities import at_least

__all__ = ["PORT", "build", "component", "components"]

PORT = 6379
UID = 999
"""The image's own user `redis`."""

OVERHEAD = 64 * 1024**2
"""For the program itself, its connections and scripts."""


def component(arm: str, shard: int | str | None = None) -> str:
    """Component name of an arm's Redis, with the number of its shard where there are several."""
    return f"redis-{arm}" if shard is None else f"redis-{arm}-{shard}"


def components(blueprint: Blueprint) -> list[str]:
    """Component names of all arms of all shards."""
    return [component(arm, shard) for shard in blueprint.shards for arm in blueprint.spec.arms]


def build(blueprint: Blueprint) -> list[Manifest]:
    """A Deployment and a Service for each arm of each shard; nothing where the user brings the servers."""
    if blueprint.spec.dependencies.redis.external is not None:
        return []
    return [built for name in components(blueprint) for built in _arm(blueprint, name)]


def _arm(blueprint: Blueprint, name: str) -> list[Manifest]:
    embedded = blueprint.spec.dependencies.redis.embedded
    settings = blueprint.settings
    server = container(
        blueprint,
        "redis",
        (embedded and embedded.image) or settings.images.redis,
        (embedded and embedded.resources) or _resources(blueprint),
        ports={"redis": PORT},
        args=["redis-server", "/etc/redis/redis.conf"],
        readinessProbe=tcp_probe("redis", period=2),
        # An eviction sweep may hold the server for a while; a restart would lose the arm.
        livenessProbe=tcp_probe("redis", period=10, failures=6),
        volumeMounts=[
            {"name": "data", "mountPath": "/data"},
            {"name": "config", "mountPath": "/etc/redis", "readOnly": True},
        ],
    )
    config = {"secretName": blueprint.child(PASSWORDS), "items": [{"key": REDIS_CONF, "path": REDIS_CONF}]}
    volumes = [empty_dir("data", "64Mi"), {"name": "config", "secret": config}]
    template = pod_template(blueprint, name, [server], uid=UID, volumes=volumes)
    # Two servers of one arm at once would each hold half of the truth.
    return [
        deployment(blueprint, name, template, strategy={"type": "Recreate"}),
        service(blueprint, name, {"redis": PORT}),
    ]


def _resources(blueprint: Blueprint) -> Resources:
    """The operator's defaults, raised where the manifest's budget would not fit into them.

    The limit leaves room for fragmentation: a server counts what it uses, the kernel what it holds.
    """
    default, budget = blueprint.settings.resources.redis, blueprint.spec.cache.memory
    if budget is None:
        return default
    size = parse_bytes(budget) // blueprint.spec.workload.shards
    raised = {"requests": size + OVERHEAD, "limits": 2 * size + OVERHEAD}
    return Resources(
        **{
            kind: {**quantities, "memory": at_least(quantities["memory"], raised[kind])} if "memory" in quantities else quantities
            for kind, quantities in (("requests", default.requests), ("limits", default.limits))
        }
    )
