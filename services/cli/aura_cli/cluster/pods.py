"""The pods of an experiment's parts."""

from collections.abc import Collection
from typing import Any

from aura_cli.cluster.connection import TIMEOUT, Connection, asking
from aura_operator.experiment import Experiment
from aura_operator.naming import COMPONENT, EXPERIMENT

__all__ = ["component", "components", "pods_of"]

REPLAYER, PLANNER, EXECUTOR = "replayer", "planner", "executor"


def components(experiment: Experiment, part: str, arm: str | None) -> set[str]:
    """Components of a part (replayer, planner, executor or all); of executors the one of `arm` alone if it is given."""
    arms = [arm] if arm else list(experiment.spec.planned_arms)
    executors = {f"{EXECUTOR}-{one}" for one in arms}
    return {"all": {REPLAYER, PLANNER, *executors}, EXECUTOR: executors}.get(part, {part})


def pods_of(connection: Connection, experiment: Experiment, wanted: Collection[str]) -> list[Any]:
    """The pods of some components, by component and name."""
    selector = f"{EXPERIMENT}={experiment.name},{COMPONENT} in ({','.join(sorted(wanted))})"
    with asking("list", "pods"):
        found = connection.core.list_namespaced_pod(connection.namespace, label_selector=selector, _request_timeout=TIMEOUT).items
    return sorted(found, key=lambda pod: (component(pod), str(pod.metadata.name)))


def component(pod: Any) -> str:
    """The component that a pod belongs to."""
    return str(pod.metadata.labels.get(COMPONENT, ""))
