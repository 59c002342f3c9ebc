"""Experiments of the tests: manifests for small logs, and a view of a running one."""

import copy
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster import OBJECTS, Manifest, Namespace, NotSeen, until

__all__ = ["SHARED_KAFKA", "Experiment", "manifest", "merged", "shop_log"]

FINISHED = ("Succeeded", "Failed")
SHARED_KAFKA = {"kafka": {"external": {"endpoint": "aura-kafka.aura-system.svc:9092"}}}
"""The chart's broker, which saves an experiment the start of its own."""


def manifest(name: str, **spec: Any) -> Manifest:
    """A slice of the quick start's log through two arms; `spec` is merged over it, and None takes a field out."""
    base: Manifest = {
        "workload": {
            "source": {"dataset": "complete-journey"},
            "columns": {"time": "time", "user": "user", "session": "session", "item": "item", "action": "action"},
            "requests": ["purchase"],
            "limit": 20_000,
            "clock": {"rate": 1000},
        },
        "catalog": {"source": {"dataset": "complete-journey"}},
        "cache": {"capacity": "5%"},
        "trigger": {"everyEvents": 2000},
        "planner": {"backend": "heuristic"},
        "seed": 1,
    }
    found: Manifest = {"apiVersion": "aura.dev/v1alpha1", "kind": "AuraExperiment", "metadata": {"name": name}}
    return {**found, "spec": merged(base, spec)}


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> Manifest:
    """A JSON merge patch, applied."""
    found = copy.deepcopy(dict(base))
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            found[key] = merged(found[key] if isinstance(found.get(key), Mapping) else {}, value)
        else:
            found[key] = value
    return found


def shop_log(requests: int, *, views: int = 0, items: int = 2000) -> str:
    """A log as CSV: `requests` clicks and `views` other rows, popular items far more often than others."""
    chance = random.Random(1)
    actions = ["click"] * requests + ["view"] * views
    chance.shuffle(actions)
    rows = (f"{at},u{at % 97},s{at // 20},i{int(items * chance.random() ** 3)},{action}" for at, action in enumerate(actions))
    return "\n".join(["time,user,session,item,action", *rows, ""])


@dataclass(frozen=True)
class Experiment:
    """An experiment in the cluster, by namespace and name."""

    namespace: Namespace
    name: str

    @classmethod
    def applied(cls, namespace: Namespace, wanted: Manifest) -> "Experiment":
        """Apply a manifest."""
        namespace.apply(wanted)
        return cls(namespace, wanted["metadata"]["name"])

    def resource(self) -> Manifest:
        """The resource, empty when it is gone."""
        return self.namespace.find("auraexperiment", self.name) or {}

    def status(self) -> Manifest:
        """Its status."""
        return dict(self.resource().get("status") or {})

    def condition(self, name: str) -> Manifest:
        """One of its conditions, empty when it has none."""
        return next((one for one in self.status().get("conditions") or [] if one["type"] == name), {})

    def patch(self, **spec: Any) -> None:
        """Merge a change into its spec."""
        self.namespace.kubectl("patch", "auraexperiment", self.name, "--type=merge", "--patch", json.dumps({"spec": spec}))

    def delete(self, *, wait: bool = True) -> None:
        """Delete it."""
        self.namespace.kubectl("delete", "auraexperiment", self.name, f"--wait={str(wait).lower()}", seconds=180)

    def children(self, kinds: str = OBJECTS) -> list[Manifest]:
        """All objects with its label."""
        return self.namespace.items(kinds, f"aura.dev/experiment={self.name}")

    def pods(self, component: str) -> list[Manifest]:
        """Pods of one of its parts that are not being deleted."""
        selector = f"aura.dev/experiment={self.name},app.kubernetes.io/component={component}"
        return [pod for pod in self.namespace.items("pods", selector) if not pod["metadata"].get("deletionTimestamp")]

    def versions(self, kinds: str = OBJECTS) -> dict[str, str]:
        """Resource version of itself and of every object with its label."""
        found = [self.resource(), *self.children(kinds)]
        return {f"{item['kind']} {item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in found if item}

    def wait(self, what: str, look: Callable[[Manifest], object], seconds: float) -> Manifest:
        """The status as soon as `look` finds it right; fails at once when the experiment ends in another way."""

        def seen() -> Manifest | None:
            status = self.status()
            if look(status):
                return status
            if status.get("phase") in FINISHED:
                raise NotSeen(f"ended before it was seen: {what}\n{self.told()}")
            return None

        return until(what, seen, seconds, otherwise=self.told)

    def wait_for(self, *phases: str, seconds: float) -> Manifest:
        """The status in one of some phases."""
        return self.wait(f"{self.name} {' or '.join(phases)}", lambda status: status.get("phase") in phases, seconds)

    def wait_for_events(self, events: int, seconds: float) -> Manifest:
        """The status once so many events of the log were replayed, or while it is unknown to be over."""
        return self.wait(f"{self.name} at event {events}", lambda status: int(status.get("events") or 0) >= events, seconds)

    def wait_for_trouble(self, reason: str, *parts: str, seconds: float) -> Manifest:
        """The status with Degraded for a reason, its message naming everything in `parts`."""

        def look(status: Manifest) -> bool:
            degraded: Manifest = next((one for one in status.get("conditions") or [] if one["type"] == "Degraded"), {})
            if degraded.get("status") != "True" or degraded["reason"] != reason:
                return False
            return all(part in degraded["message"] and part in status["message"] for part in parts)

        return self.wait(f"{self.name} Degraded, {reason} with {', '.join(parts)}", look, seconds)

    def wait_until_well(self, seconds: float) -> Manifest:
        """The status with Degraded False and every server ready, or the end."""

        def look(status: Manifest) -> bool:
            conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
            well = conditions.get("Degraded") == "False"
            return well and (conditions.get("DependenciesReady") == "True" or status["phase"] == "Succeeded")

        return self.wait(f"{self.name} well again", look, seconds)

    def told(self) -> str:
        """What the resource and its pods say, for the text of a failure."""
        status = self.status()
        lines = [f"phase {status.get('phase')}, {status.get('events')} events: {status.get('message')}"]
        for one in status.get("conditions") or []:
            lines.append(f"  {one['type']}={one['status']} {one['reason']}: {one.get('message', '')}")
        return "\n".join([*lines, *_pods(self.children("pods"))])


def _pods(pods: Iterable[Manifest]) -> Iterable[str]:
    for pod in pods:
        containers = pod["status"].get("containerStatuses") or []
        states = [f"{json.dumps(one['state'])} restarts={one['restartCount']}" for one in containers]
        yield f"  pod {pod['metadata']['name']} {pod['status'].get('phase')} {' '.join(states)}"
