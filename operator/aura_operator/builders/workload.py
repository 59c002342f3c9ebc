"""The kinds that hold pods, and the Service before them."""

from collections.abc import Mapping

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.naming import selector

__all__ = ["deployment", "service", "stateful_set"]


def deployment(
    blueprint: Blueprint, component: str, template: Manifest, *, replicas: int | None = 1, strategy: Manifest | None = None
) -> Manifest:
    """A Deployment; with `replicas` None their number is left to somebody else, such as an autoscaler."""
    spec: Manifest = {
        "selector": {"matchLabels": selector(blueprint.name, component)},
        "template": template,
        "revisionHistoryLimit": 1,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    if strategy is not None:
        spec["strategy"] = strategy
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": blueprint.metadata(component), "spec": spec}


def stateful_set(blueprint: Blueprint, component: str, template: Manifest, storage: str | None) -> Manifest:
    """A StatefulSet of one pod; its volume `data` of size `storage` goes when the StatefulSet goes."""
    spec: Manifest = {
        "serviceName": blueprint.child(component),
        "replicas": 1,
        "selector": {"matchLabels": selector(blueprint.name, component)},
        "template": template,
        "revisionHistoryLimit": 1,
    }
    if storage is not None:
        claim: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
        if blueprint.settings.storage_class_name:
            claim["storageClassName"] = blueprint.settings.storage_class_name
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": blueprint.metadata(component), "spec": spec}


def service(blueprint: Blueprint, component: str, ports: Mapping[str, int], *, headless: bool = False) -> Manifest:
    """A Service before a component's pods, by port name and number."""
    spec: Manifest = {
        "selector": selector(blueprint.name, component),
        "ports": [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in ports.items()],
    }
    if headless:
        spec["clusterIP"] = "None"
    return {"apiVersion": "v1", "kind": "Service", "metadata": blueprint.metadata(component), "spec": spec}
