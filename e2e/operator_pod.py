"""The operator's own pod: its metrics, and the lock by which tests agree on when it may be restarted."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from cluster import Cluster, Namespace
from installation import OUT, SYSTEM
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["metric", "pod_name", "restarting", "steady", "system", "writes"]

SELECTOR = "app.kubernetes.io/component=operator"


def system(cluster: Cluster) -> Namespace:
    """The namespace of the chart."""
    return cluster.namespace(SYSTEM)


def pod_name(cluster: Cluster) -> str:
    """Name of the operator's pod."""
    pods = [pod for pod in system(cluster).items("pods", SELECTOR) if not pod["metadata"].get("deletionTimestamp")]
    return str(pods[0]["metadata"]["name"])


def metric(namespace: Namespace, pod: str, name: str, **labels: str) -> float:
    """Sum of a metric of a pod over all label values but the given ones."""
    text = namespace.cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace.name}/pods/{pod}:8080/proxy/metrics")
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def writes(cluster: Cluster) -> float:
    """How often the operator has written to the API server."""
    return metric(system(cluster), pod_name(cluster), "aura_operator_writes_total")


@contextmanager
def steady() -> Iterator[None]:
    """Meanwhile no other test restarts the operator."""
    with _locked(fcntl.LOCK_SH):
        yield


@contextmanager
def restarting() -> Iterator[None]:
    """Meanwhile the operator may be restarted."""
    with _locked(fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(how: int) -> Iterator[None]:
    with (OUT / "operator.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, how)
        yield
