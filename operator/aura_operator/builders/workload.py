"""The kinds that hold pods, the Service before them, and the volumes that outlive them."""

from collections.abc import Mapping

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.quantities import canonical

__all__ = ["deployment", "job", "persistent_volume", "service", "stateful_set"]

# A Job is never given up: whether an experiment has failed is the operator's decision, and what made it fail can be mended.
BACKOFF_LIMIT = 100_000


def deployment(
    blueprint: Blueprint, component: str, template: Manifest, *, replicas: int | None = 1, strategy: Manifest | None = None
) -> Manifest:
    """A Deployment; with `replicas` None their number is left to somebody else, such as an autoscaler."""
    spec: Manifest = {
        "selector": {"matchLabels": blueprint.selector(component)},
        "template": template,
        "revisionHistoryLimit": 1,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    if strategy is not None:
        spec["strategy"] = strategy
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": blueprint.metadata(component), "spec": spec}


def stateful_set(blueprint: Blueprint, component: str, template: Manifest, storage: str) -> Manifest:
    """A StatefulSet of one pod; its volume `data` of size `storage` goes when the StatefulSet goes."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": blueprint.metadata(component),
        "spec": {
            "serviceName": blueprint.child(component),
            "replicas": 1,
            "selector": {"matchLabels": blueprint.selector(component)},
            "template": template,
            "revisionHistoryLimit": 1,
            # With the default order a pod that never gets ready, such as one with a wrong image, is not replaced by a right one.
            "podManagementPolicy": "Parallel",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _claim(blueprint, storage)}],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
        },
    }


def job(
    blueprint: Blueprint,
    component: str,
    template: Manifest,
    *,
    suspend: bool = False,
    completions: int = 1,
) -> Manifest:
    """A Job whose pod is tried again until it succeeds; its template cannot be changed once it is there.

    With more `completions` it has as many pods side by side, each with its number.
    """
    template["spec"]["restartPolicy"] = "OnFailure"
    spec: Manifest = {
        "template": template,
        "backoffLimit": BACKOFF_LIMIT,
        "suspend": suspend,
        # Never two at once: the next pod starts when the one before is gone.
        "podReplacementPolicy": "Failed",
    }
    if completions > 1:
        spec |= {"completions": completions, "parallelism": completions, "completionMode": "Indexed"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": blueprint.metadata(component), "spec": spec}


def persistent_volume(
    blueprint: Blueprint, component: str, storage: str, *, mode: str = "ReadWriteOnce", owned: bool = True
) -> Manifest:
    """A claim of `storage`, by default for the pods of one node; it stays when the experiment goes unless it is `owned`."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": blueprint.metadata(component, owned=owned),
        "spec": _claim(blueprint, storage, mode),
    }


def _claim(blueprint: Blueprint, storage: str, mode: str = "ReadWriteOnce") -> Manifest:
    claim: Manifest = {"accessModes": [mode], "resources": {"requests": {"storage": canonical(storage)}}}
    if blueprint.settings.storage_class_name:
        claim["storageClassName"] = blueprint.settings.storage_class_name
    return claim


def service(blueprint: Blueprint, component: str, ports: Mapping[str, int], *, headless: bool = False) -> Manifest:
    """A Service before a component's pods, by port name and number."""
    spec: Manifest = {
        "selector": blueprint.selector(component),
        "ports": [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in ports.items()],
    }
    if headless:
        spec["clusterIP"] = "None"
    return {"apiVersion": "v1", "kind": "Service", "metadata": blueprint.metadata(component), "spec": spec}
