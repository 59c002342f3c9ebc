"""The executors: one for each planned arm of each shard, which alone change the arm on behalf of a plan."""

from aura_contract.planner import MAX_AHEAD_SECONDS
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints
from aura_operator.builders.endpoints import EXECUTOR
from aura_operator.builders.pod import env
from aura_operator.builders.service_pod import LISTEN, service_pod
from aura_operator.builders.workload import deployment

__all__ = ["build"]


def build(blueprint: Blueprint) -> list[Manifest]:
    """A Deployment for each planned arm of each shard."""
    return [_arm(blueprint, arm, shard) for shard in blueprint.shards for arm in blueprint.spec.planned_arms]


def _arm(blueprint: Blueprint, arm: str, shard: int | None) -> Manifest:
    component = endpoints.executor(arm, shard)
    template = service_pod(
        blueprint,
        EXECUTOR,
        blueprint.settings.images.executor,
        component=component,
        variables=env({"AURA_REDIS": endpoints.redis_url(blueprint, arm, shard)}),
        reads_manifest=False,
        arguments=_arguments(blueprint, arm, shard),
        ready="/readyz",
    )
    return deployment(blueprint, component, template)


def _arguments(blueprint: Blueprint, arm: str, shard: int | None) -> list[str]:
    spec = blueprint.spec
    prefix, caps, ahead = endpoints.topic_prefix(blueprint), spec.executor, spec.planner.max_ahead_seconds
    options = {
        "--kafka": endpoints.kafka(blueprint),
        **({"--topic-prefix": prefix} if prefix else {}),
        "--experiment": blueprint.name,
        "--arm": arm,
        **({"--shard": str(shard)} if shard is not None else {}),
        "--run": blueprint.run,
        "--mode": "plain" if spec.cache.clock == "wall" else "arm",
        "--listen": LISTEN,
        "--max-evict": str(caps.max_evict),
        "--max-prefetch": str(caps.max_prefetch),
        "--ttl-min": str(caps.ttl_min),
        "--ttl-max": str(caps.ttl_max),
        **({"--max-ahead": str(ahead)} if ahead > MAX_AHEAD_SECONDS else {}),
    }
    return [f"{name}={value}" for name, value in options.items()]
