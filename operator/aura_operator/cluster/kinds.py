"""The kinds of objects that an experiment may own."""

from dataclasses import dataclass

from aura_operator.blueprint import KEDA, MONITORING, Manifest

__all__ = ["EVENTS", "OPTIONAL", "OWNED", "PODS", "Kind", "kind_of"]


@dataclass(frozen=True)
class Kind:
    """A kind of the API; `group` is empty for the core."""

    api_version: str
    name: str

    @property
    def group(self) -> str:
        """API group, empty for the core."""
        return self.api_version.rpartition("/")[0]


OWNED = (
    Kind("v1", "ServiceAccount"),
    Kind("v1", "Secret"),
    Kind("v1", "ConfigMap"),
    Kind("v1", "PersistentVolumeClaim"),
    Kind("v1", "Service"),
    Kind("networking.k8s.io/v1", "NetworkPolicy"),
    Kind("policy/v1", "PodDisruptionBudget"),
    Kind("apps/v1", "StatefulSet"),
    Kind("apps/v1", "Deployment"),
    Kind("batch/v1", "Job"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler"),
)
OPTIONAL = {
    MONITORING: (Kind(f"{MONITORING}/v1", "ServiceMonitor"),),
    KEDA: (Kind(f"{KEDA}/v1alpha1", "ScaledObject"), Kind(f"{KEDA}/v1alpha1", "TriggerAuthentication")),
}
"""Kinds that only some clusters serve, by API group."""

PODS = Kind("v1", "Pod")
EVENTS = Kind("v1", "Event")


def kind_of(manifest: Manifest) -> Kind:
    """Kind of an object."""
    return Kind(manifest["apiVersion"], manifest["kind"])
