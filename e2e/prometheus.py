"""A Prometheus Operator in the cluster, one Prometheus of it, and what that answers."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cluster import Cluster, Manifest, Namespace, run, until
from installation import Options, fetch
from servers import manifests, ready

__all__ = ["BUNDLE", "Prometheus", "prometheus_operator"]

BUNDLE = "E2E_PROMETHEUS"
"""The variable that says where the Prometheus Operator's bundle.yaml is: a path or a url."""

IMAGE = "quay.io/prometheus/prometheus:v3.7.3"
OPERATOR = "quay.io/prometheus-operator/prometheus-operator:v0.85.0"
RELOADER = "quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0"


@contextmanager
def prometheus_operator(cluster: Cluster, options: Options) -> Iterator[None]:
    """Meanwhile the cluster has a Prometheus Operator; its kinds and all objects of them go with it."""
    bundle = os.environ[BUNDLE]
    fetch(IMAGE, OPERATOR, RELOADER)
    run("kind", "load", "docker-image", IMAGE, OPERATOR, RELOADER, "--name", options.cluster, seconds=600)
    # The bundle's definitions are too large for an annotation.
    cluster.kubectl("apply", "--server-side", "-f", bundle)
    try:
        ready(cluster.namespace("default"), "prometheus-operator")
        yield
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", bundle, seconds=180)


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus in a namespace, asked by way of the API server."""

    namespace: Namespace

    @classmethod
    def applied(cls, namespace: Namespace) -> "Prometheus":
        """Bring one up; returns when it answers."""
        namespace.apply(*manifests("prometheus", NAMESPACE=namespace.name, IMAGE=IMAGE))
        found = cls(namespace)
        until("Prometheus ready", found._is_ready, 180, otherwise=lambda: namespace.kubectl("get", "pods,prometheus"))
        return found

    def _is_ready(self) -> bool:
        pods = self.namespace.items("pods", "app.kubernetes.io/name=prometheus")
        conditions = [one for pod in pods for one in pod["status"].get("conditions") or []]
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def remove(self) -> None:
        """Take away what does not go with the namespace."""
        name = f"{self.namespace.name}-prometheus"
        self.namespace.cluster.kubectl("delete", "--ignore-not-found", f"clusterrole/{name}", f"clusterrolebinding/{name}")

    def ask(self, path: str, **parameters: str) -> Any:
        """Data of an answer of its HTTP API."""
        base = f"/api/v1/namespaces/{self.namespace.name}/services/prometheus-operated:9090/proxy/api/v1"
        query = f"?{urlencode(parameters)}" if parameters else ""
        answer = json.loads(self.namespace.cluster.kubectl("get", "--raw", f"{base}/{path}{query}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, query: str) -> dict[str, float]:
        """Every number that a query has now, by its labels."""
        found = {_named(one["metric"]): float(one["value"][1]) for one in self.ask("query", query=query)["result"]}
        return {labels: value for labels, value in found.items() if not math.isnan(value)}

    def all_values(self, queries: Mapping[str, str], seconds: float) -> dict[str, dict[str, float]]:
        """What each query had first; those that had nothing within `seconds` are left empty."""
        found: dict[str, dict[str, float]] = {name: {} for name in queries}
        end = time.monotonic() + seconds
        while time.monotonic() < end and (left := [name for name, values in found.items() if not values]):
            found |= {name: self.values(queries[name]) for name in left}
        return found

    def rules(self) -> list[Manifest]:
        """All rules that it evaluates, with their health."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]


def _named(labels: Mapping[str, str]) -> str:
    shown = {name: value for name, value in sorted(labels.items()) if name not in ("__name__", "namespace", "experiment")}
    return ", ".join(f"{name}={value}" for name, value in shown.items())
