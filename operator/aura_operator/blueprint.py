"""What the builders build from: one experiment, the operator's settings, and what the cluster offers."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aura_contract.experiment import API_VERSION, KIND, ExperimentSpec
from aura_operator.naming import labels, run_id, selector
from aura_operator.settings import OperatorSettings

__all__ = ["KEDA", "MONITORING", "Blueprint", "Door", "Manifest", "digest"]

Manifest = dict[str, Any]
"""A Kubernetes object as the API server reads it."""

MONITORING, KEDA = "monitoring.coreos.com", "keda.sh"


@dataclass(frozen=True)
class Door:
    """Where other clusters reach an embedded broker, and by keys of its Secret what they and the broker need for it."""

    host: str
    port: int
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Blueprint:
    """One experiment as builders see it.

    `passwords` are those that were generated for the embedded parts (`redis`, `kafka`, `mongodb`, `milvus`); Kafka and Milvus
    without one are open, as they were when earlier operators made them. `secret_keys` are the keys of the
    Secrets that the spec names, by Secret, as far as they were found; `apis` are optional API groups that the
    cluster serves; `kafka_mechanism` is what the Secret of an external Kafka says, empty where it says nothing.
    `door` is open when planners elsewhere need an embedded broker.
    """

    name: str
    namespace: str
    uid: str
    spec: ExperimentSpec
    settings: OperatorSettings
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    apis: frozenset[str] = frozenset()
    kafka_mechanism: str = ""
    door: Door | None = None

    @property
    def run(self) -> str:
        """Id of the run: the same for the whole life of the resource, so that every part can go on after a restart."""
        return run_id(self.name, self.uid)

    @property
    def shards(self) -> list[int | None]:
        """Numbers of the shards of the log; None alone where there is one, whose parts are named without a number."""
        count = self.spec.workload.shards
        return [None] if count == 1 else list(range(count))

    def child(self, component: str) -> str:
        """Name of the object of a component."""
        return f"{self.name}-{component}"

    def labels(self, component: str) -> dict[str, str]:
        """All labels of an object of a component."""
        return labels(self.name, component)

    def selector(self, component: str) -> dict[str, str]:
        """Labels that find the pods of a component; they never change."""
        return selector(self.name, component)

    @property
    def place(self) -> str:
        """Name of the placement that is built for; empty at home."""
        return ""

    @property
    def topic_namespace(self) -> str | None:
        """What keeps the topics of a broker that others use apart; None where the broker is the experiment's own."""
        return None if self.spec.dependencies.kafka.external is None else f"{self.namespace}.{self.name}"

    def metadata(self, component: str, *, name: str | None = None, owned: bool = True) -> Manifest:
        """Metadata of an object of a component; what is not `owned` stays when the experiment is deleted."""
        found: Manifest = {
            "name": name or self.child(component),
            "namespace": self.namespace,
            "labels": self.labels(component),
        }
        if owned:
            found["ownerReferences"] = [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": self.name,
                    "uid": self.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ]
        return found


def digest(value: object) -> str:
    """Short hash of a JSON value, for annotations that roll pods when what they read has changed."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
