"""PodDisruptionBudgets: what a drained node may take from an experiment."""

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints, redis
from aura_operator.naming import COMPONENT, EXPERIMENT, selector

__all__ = ["build"]


def build(blueprint: Blueprint) -> list[Manifest]:
    """Budgets for arms and for planners; all other pods may be evicted.

    An arm that loses its memory ruins the run, so its eviction is refused until the run is over: a drain waits, as it does
    for any work that cannot be moved, and who cannot wait deletes the experiment. Kafka comes back with its volume, the
    replayer at its checkpoint, and an executor at its last commit: that costs seconds and no counts. Of several planners one
    at a time may go.
    """
    found = []
    if endpoints.embeds(blueprint, endpoints.REDIS):
        names = redis.components(blueprint)
        arms = {
            "matchLabels": {EXPERIMENT: blueprint.name},
            "matchExpressions": [{"key": COMPONENT, "operator": "In", "values": names}],
        }
        found.append(_budget(blueprint, "arms", arms, 0))
    planners = {"matchLabels": selector(blueprint.name, endpoints.PLANNER)}
    return [*found, _budget(blueprint, endpoints.PLANNER, planners, 1)]


def _budget(blueprint: Blueprint, component: str, pods: Manifest, unavailable: int) -> Manifest:
    spec = {
        "selector": pods,
        "maxUnavailable": unavailable,
        # A pod that is broken anyway holds up no node.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": blueprint.metadata(component),
        "spec": spec,
    }
