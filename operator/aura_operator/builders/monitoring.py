"""What Prometheus is told, where its operator is installed: one ServiceMonitor, and Services to find the pods by."""

import re

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
    names = [PLANNER, *endpoints.executors(blueprint)]
    return [*(service(blueprint, name, {HTTP: HTTP_PORT}) for name in names), _monitor(blueprint, [REPLAYER, *names])]


def _monitor(blueprint: Blueprint, names: list[str]) -> Manifest:
    services = {
        "matchLabels": {EXPERIMENT: blueprint.name},
        "matchExpressions": [{"key": COMPONENT, "operator": "In", "values": names}],
    }
    metadata = blueprint.metadata("metrics")
    settings = blueprint.settings
    metadata["labels"] = {**settings.service_monitor_labels, **metadata["labels"]}
    endpoint = {"port": HTTP, "path": "/metrics", "interval": settings.scrape_interval, "relabelings": _labels()}
    return {
        "apiVersion": f"{MONITORING}/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata,
        "spec": {"selector": services, "endpoints": [endpoint]},
    }


def _labels() -> list[Manifest]:
    """Series carry the experiment and the part; those of executors, which know no other arm, the arm too."""
    return [
        _label("experiment", _service_label(EXPERIMENT), "(.+)"),
        _label("component", _service_label(COMPONENT), "(.+)"),
        _label("arm", _service_label(COMPONENT), endpoints.executor("(.+)")),
    ]


def _label(name: str, source: str, pattern: str) -> Manifest:
    # All that the API would fill in, so that it is no drift.
    return {"action": "replace", "sourceLabels": [source], "regex": pattern, "replacement": "$1", "targetLabel": name}


def _service_label(name: str) -> str:
    return f"__meta_kubernetes_service_label_{re.sub('[^a-zA-Z0-9_]', '_', name)}"
