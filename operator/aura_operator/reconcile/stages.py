"""What should be there now: servers first, then what loads them, then what works with them; keepsakes after the end."""

from collections.abc import Collection
from dataclasses import dataclass

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import stages
from aura_operator.builders.endpoints import REPLAYER
from aura_operator.cluster.children import ChildKey
from aura_operator.naming import COMPONENT
from aura_operator.status.derive import waiting_for
from aura_operator.status.facts import Facts

__all__ = ["Plan", "plan"]


@dataclass(frozen=True)
class Plan:
    """Objects that should be there, and the components that have to be ready before the replay."""

    desired: list[Manifest]
    servers_wanted: frozenset[str]


def plan(
    blueprint: Blueprint,
    facts: Facts,
    present: Collection[ChildKey],
    *,
    finished: bool,
    blocked: bool,
    held: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for an experiment of which `present` is there.

    `blocked` when something it needs is missing; `held` are components that are not made yet, but left as they are.
    """
    if finished:
        return Plan(_after_the_end(blueprint, facts), frozenset())
    servers = stages.servers(blueprint)
    wanted = frozenset(item["metadata"]["labels"][COMPONENT] for item in servers if item["kind"] in ("Deployment", "StatefulSet"))
    servers = [item for item in servers if not _held(item, held, present)]
    loading = stages.loading(blueprint)
    if blocked and facts.replayer is None:
        # Nothing is brought up for an experiment that could not begin, and nothing torn down for one that may go on.
        everything = [*servers, *loading, *stages.workers(blueprint)]
        return Plan([item for item in everything if (item["kind"], item["metadata"]["name"]) in present], wanted)
    desired = servers
    ready = not [part for part in waiting_for(facts, wanted) if part != "loader"]
    if ready or facts.replayer is not None:
        desired = desired + loading
    loaded = bool(facts.loaded) or not loading
    if (ready and loaded) or facts.replayer is not None:
        workers = _without_rival(stages.workers(blueprint), present)
        desired = desired + _without_lost_result(workers, facts)
    return Plan(desired, wanted)


def _held(item: Manifest, held: frozenset[str], present: Collection[ChildKey]) -> bool:
    there = (item["kind"], item["metadata"]["name"]) in present
    return item["kind"] == "StatefulSet" and not there and item["metadata"]["labels"][COMPONENT] in held


def _after_the_end(blueprint: Blueprint, facts: Facts) -> list[Manifest]:
    replayer = facts.replayer
    told = replayer is not None and replayer.ending is not None and replayer.ending.exit_code == 0
    # A Job that was cut off would go on; one that has told its verdict is about to end.
    done = told or (replayer is not None and replayer.succeeded)
    return [item for item in stages.keepsakes(blueprint) if item["kind"] != "Job" or done]


def _without_rival(workers: list[Manifest], present: Collection[ChildKey]) -> list[Manifest]:
    """Leave out a ScaledObject until the HorizontalPodAutoscaler of before is gone: KEDA refuses what another one scales."""
    rivals = {name for kind, name in present if kind == "HorizontalPodAutoscaler"}
    return [item for item in workers if item["kind"] != "ScaledObject" or item["metadata"]["name"] not in rivals]


def _without_lost_result(workers: list[Manifest], facts: Facts) -> list[Manifest]:
    """Leave out a Job that has succeeded and whose pod is gone with the result: made anew, it says its result again."""
    replayer = facts.replayer
    if replayer is None or not replayer.succeeded or replayer.pod is not None:
        return workers
    return [item for item in workers if item["kind"] != "Job" or item["metadata"]["labels"][COMPONENT] != REPLAYER]
