"""What the observed objects of an experiment say, without any judgement on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import ValidationError

from aura_contract.results import Ending
from aura_operator.blueprint import Manifest
from aura_operator.naming import COMPLETION_INDEX, COMPONENT

__all__ = ["Facts", "PartState", "ReplayerState", "ending_of", "gather"]

SERVERS = ("redis-", "kafka", "mongodb", "milvus", "ollama")
Autoscaler = Literal["", "KEDA", "HorizontalPodAutoscaler"]

LOADER, PLANNER, REPLAYER, EXECUTOR = "loader", "planner", "replayer", "executor-"


@dataclass(frozen=True)
class PartState:
    """A Deployment or StatefulSet: pods that are wanted and that are ready."""

    component: str
    wanted: int
    ready: int

    @property
    def is_ready(self) -> bool:
        """Whether all of its pods are."""
        return self.ready >= self.wanted


@dataclass(frozen=True)
class ReplayerState:
    """The replayer's Job and the newest pod of each shard.

    `pod` is that of shard 0, which tells the verdict, `addresses` are those of running pods by shard. `ending` is what the
    last container of shard 0 said when it ended; of several shards, unless that is the verdict, what one that failed has said.
    `restarts` are that shard's.
    """

    succeeded: bool = False
    suspended: bool = False
    pod: str | None = None
    addresses: Mapping[int, str] = field(default_factory=dict)
    restarts: int = 0
    ending: Ending | None = None


@dataclass(frozen=True)
class Facts:
    """What is there. `loaded` is None when nothing has to be loaded."""

    servers: tuple[PartState, ...] = ()
    planners: PartState = PartState(PLANNER, 0, 0)
    autoscaler: Autoscaler = ""
    executors: tuple[PartState, ...] = ()
    loaded: bool | None = None
    replayer: ReplayerState | None = None
    pods: tuple[Manifest, ...] = field(default=(), repr=False)
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why the API server refuses the pods of a component."""

    def without_pods(self) -> "Facts":
        """The same in a few hundred bytes, for those who keep it."""
        return replace(self, pods=())


def gather(objects: Iterable[Manifest]) -> Facts:
    """The facts in all objects of one experiment."""
    listed = list(objects)
    pods = tuple(item for item in listed if item["kind"] == "Pod")
    parts = [_part(item) for item in listed if item["kind"] in ("Deployment", "StatefulSet")]
    jobs = {component(item): item for item in listed if item["kind"] == "Job"}
    planners = next((part for part in parts if part.component == PLANNER), Facts.planners)
    loader, replayer = jobs.get(LOADER), jobs.get(REPLAYER)
    refused = {component(item): why for item in listed if (why := _refusal(item)) and not _rests(item)}
    return Facts(
        servers=tuple(part for part in parts if part.component.startswith(SERVERS)),
        planners=planners,
        autoscaler=_autoscaler(listed),
        executors=tuple(part for part in parts if part.component.startswith(EXECUTOR)),
        loaded=_succeeded(loader) if loader else None,
        replayer=_replayer(replayer, pods) if replayer else None,
        pods=pods,
        refused=refused,
    )


def component(manifest: Manifest) -> str:
    """Component that an object belongs to."""
    return str((manifest["metadata"].get("labels") or {}).get(COMPONENT, ""))


def _part(item: Manifest) -> PartState:
    spec, status = item["spec"], item.get("status") or {}
    seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
    return PartState(component(item), spec.get("replicas", 1), status.get("readyReplicas", 0) if seen else 0)


def _autoscaler(listed: Iterable[Manifest]) -> Autoscaler:
    """KEDA makes a HorizontalPodAutoscaler of its own, with the same labels."""
    kinds = {item["kind"] for item in listed if component(item) == PLANNER}
    return "KEDA" if "ScaledObject" in kinds else "HorizontalPodAutoscaler" if "HorizontalPodAutoscaler" in kinds else ""


def _succeeded(job: Manifest) -> bool:
    return int((job.get("status") or {}).get("succeeded") or 0) >= int(job["spec"].get("completions") or 1)


def _rests(item: Manifest) -> bool:
    return item["kind"] == "Job" and (bool(item["spec"].get("suspend")) or _succeeded(item))


def _refusal(item: Manifest) -> str | None:
    conditions = (item.get("status") or {}).get("conditions") or []
    found = (one for one in conditions if one.get("type") == "ReplicaFailure" and one.get("status") == "True")
    return next((str(one.get("message", "")) for one in found), None)


def _replayer(job: Manifest, pods: Iterable[Manifest]) -> ReplayerState:
    own = [pod for pod in pods if component(pod) == REPLAYER and not pod["metadata"].get("deletionTimestamp")]
    own.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    newest = {_index(pod): pod for pod in own}
    told = _who_tells(newest)
    return ReplayerState(
        succeeded=_succeeded(job),
        suspended=bool(job["spec"].get("suspend")),
        pod=newest[0]["metadata"]["name"] if 0 in newest else None,
        addresses={index: address for index, pod in sorted(newest.items()) if (address := _address(pod))},
        restarts=int(told.get("restartCount", 0)),
        ending=ending_of(told),
    )


def _index(pod: Manifest) -> int:
    return int((pod["metadata"].get("annotations") or {}).get(COMPLETION_INDEX, 0))


def _container(pod: Manifest) -> Manifest:
    return next(iter((pod.get("status") or {}).get("containerStatuses") or []), {})


def _address(pod: Manifest) -> str | None:
    running = "running" in (_container(pod).get("state") or {})
    return (pod.get("status") or {}).get("podIP") if running else None


def _who_tells(pods: Mapping[int, Manifest]) -> Manifest:
    """The container that tells how the run ended or why it does not go on."""
    containers = {index: _container(pod) for index, pod in pods.items()}
    first = containers.pop(0, {})
    ending = ending_of(first)
    if ending is not None and ending.exit_code == 0:
        return first
    failed = [one for one in (first, *containers.values()) if (found := ending_of(one)) and found.exit_code]
    return max(failed, key=lambda one: int(one.get("restartCount", 0)), default=first)


def ending_of(container: Manifest) -> Ending | None:
    """What a replayer's container said when it last ended."""
    for state in ("state", "lastState"):
        ended = (container.get(state) or {}).get("terminated")
        if ended:
            try:
                return Ending.model_validate_json(ended.get("message") or "")
            except ValidationError:
                return None
    return None
