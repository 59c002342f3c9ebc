"""What Prometheus is told, where its operator is installed: one ServiceMonitor, and Services to find the pods by."""

from aura_operator.blueprint import MONITORING, Blueprint, Manifest
from aura_operator.builders import endpoints
from aura_operator.builders.endpoints import HTTP_PORT, PLANNER, REPLAYER
from aura_operator.builders.service_pod import HTTP
from aura_operator.builders.workload import service
from aura_operator.naming import COMPONENT, EXPERIMENT

__all__ = ["build"]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The ServiceMonitor NAME-metrics and the Services of planner and executors; the replayer has one anyway."""
    wanted = blueprint.settings.service_monitors
    if wanted == "never" or (wanted == "auto" and MONITORING not in blueprint.apis):
        return []
    names = [PLANNER, *(endpoints.executor(arm) for arm in blueprint.spec.planned_arms)]
    return [*(service(blueprint, name, {HTTP: HTTP_PORT}) for name in names), _monitor(blueprint, [REPLAYER, *names])]


def _monitor(blueprint: Blueprint, names: list[str]) -> Manifest:
    services = {
        "matchLabels": {EXPERIMENT: blueprint.name},
        "matchExpressions": [{"key": COMPONENT, "operator": "In", "values": names}],
    }
    return {
        "apiVersion": f"{MONITORING}/v1",
        "kind": "ServiceMonitor",
        "metadata": blueprint.metadata("metrics"),
        "spec": {
            "selector": services,
            "endpoints": [{"port": HTTP, "path": "/metrics", "interval": "15s"}],
            # Series carry the experiment and the part.
            "targetLabels": [EXPERIMENT, COMPONENT],
        },
    }
