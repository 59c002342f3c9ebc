"""What a cluster might hold: objects as the API server gives them, a verdict, an observation of an experiment."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aura_contract.experiment import ExperimentSpec
from aura_contract.results import ArmProgress, ArmResult, Ending, PlanCounts, Progress, Verdict
from aura_contract.status import Condition, ExperimentStatus
from aura_operator.blueprint import Manifest
from aura_operator.naming import labels
from aura_operator.status.derive import Observation
from aura_operator.status.facts import Facts, PartState, ReplayerState

__all__ = [
    "CREATED",
    "READY",
    "RUN",
    "SERVERS",
    "UID",
    "child",
    "condition",
    "deployment",
    "ending",
    "job",
    "observation",
    "pod",
    "progress",
    "replayer",
    "spec",
    "terminated",
    "verdict",
    "waiting",
]

CREATED = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
UID, RUN = "6f1c0b9e-3f6e-4c1b-9a53-0b6f1a2c3d4e", "grocer-6f1c0b9e"
SERVERS = frozenset({"kafka", "redis-aura", "redis-baseline"})
READY = tuple(PartState(name, 1, 1) for name in sorted(SERVERS))


def spec(**changes: Any) -> ExperimentSpec:
    """The least spec, with changes in camelCase."""
    least: dict[str, Any] = {"workload": {"source": {"url": "https://example.org/log.csv"}}, "cache": {"capacity": "5%"}}
    return ExperimentSpec.model_validate({**least, "planner": {"backend": "heuristic"}, **changes})


def verdict(name: str = "Better", delta: float = 1.5) -> Verdict:
    """A verdict of two arms."""
    arms = {"baseline": _arm(0.40, None), "aura": _arm(0.42, "heuristic")}
    return Verdict(
        experiment="grocer", run=RUN, verdict=name, reason="the gain is real", arms=arms, delta_points=delta,
        interval=(delta - 0.2, delta + 0.3), windows=40, warmup_windows=4, events=1000, bad_rows=0, events_per_second=10.0,
        wall_seconds=100.0, data_sha256="ab12",
    )  # fmt: skip


def _arm(ratio: float, planner: str | None) -> ArmResult:
    plans = PlanCounts(decided=9, applied=7, refused=1, unplanned={"timeout": 1, "invalid": 2})
    return ArmResult(
        requests=1000, hits=int(1000 * ratio), misses=1000 - int(1000 * ratio), hit_ratio=ratio, backend_reads=600, prefetches=5,
        prefetch_hits=3, plans=plans, planner=planner, batch_p99_ms=1.0,
    )  # fmt: skip


def ending(code: int = 0, message: str = "", told: Verdict | None = None) -> Ending:
    """How a replayer ended."""
    return Ending(run=RUN, exit_code=code, message=message, verdict=told)


def progress(phase: str = "replaying", events: int = 420, total: int = 1000) -> Progress:
    """What a replayer says of itself."""
    arm = ArmProgress(hit_ratio=0.4, pressure=0.9, plans_decided=4, plans_applied=3, plans_refused=1, unplanned=2)
    return Progress(
        phase=phase, experiment="grocer", run=RUN, events=events, total=total, window=3, events_per_second=99.0, eta_seconds=None,
        arms={"baseline": arm, "aura": arm.model_copy(update={"hit_ratio": 0.45678})},
    )  # fmt: skip


def replayer(**changes: Any) -> ReplayerState:
    """A replayer whose pod runs."""
    return ReplayerState(**{"pod": "grocer-replayer-x", "addresses": {0: "10.0.0.9"}, **changes})


def observation(
    before: ExperimentStatus | None = None, *, seconds: float = 10, facts: Facts | None = None, **changes: Any
) -> Observation:
    """A look at the experiment `seconds` after it was created; everything is ready unless said otherwise."""
    given: dict[str, Any] = {
        "name": "grocer", "run": RUN, "generation": 3, "created": CREATED, "spec": spec(),
        "before": before or ExperimentStatus(), "facts": facts or Facts(servers=READY), "troubles": (), "progress": None,
        "servers_wanted": SERVERS, "now": CREATED + timedelta(seconds=seconds),
    }  # fmt: skip
    return Observation(**{**given, **changes})


def condition(status: ExperimentStatus, name: str) -> Condition:
    """One condition of a status."""
    return next(one for one in status.conditions if one.type == name)


def child(kind: str, component: str, *, version: int = 1, api: str = "apps/v1", owner: str = "grocer", **rest: Any) -> Manifest:
    """An object of an experiment, as the API server gives it."""
    metadata = {
        "name": f"{owner}-{component}", "namespace": "shop", "labels": labels(owner, component), "resourceVersion": str(version),
        "generation": 1,
        "ownerReferences": [{"kind": "AuraExperiment", "name": owner, "uid": UID, "controller": True}],
    }  # fmt: skip
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def deployment(component: str, ready: int = 1, wanted: int = 1, *, kind: str = "Deployment", generation: int = 1) -> Manifest:
    """A Deployment or StatefulSet whose controller has seen `generation`."""
    status = {"readyReplicas": ready, "observedGeneration": generation}
    return child(kind, component, spec={"replicas": wanted}, status=status)


def job(component: str, *, succeeded: int = 0, suspend: bool = False) -> Manifest:
    """A Job."""
    status = {"succeeded": succeeded} if succeeded else {}
    return child("Job", component, api="batch/v1", spec={"suspend": suspend, "template": {}}, status=status)


def pod(component: str, container: Manifest | None = None, *, name: str = "", age: int = 1, **status: Any) -> Manifest:
    """A pod with one container's status, created `age` hours after midnight."""
    found = child("Pod", component, api="v1", spec={}, status={**status, "containerStatuses": [container] if container else []})
    found["metadata"] |= {"name": name or f"grocer-{component}-x", "creationTimestamp": f"2026-05-04T{age:02}:00:00Z"}
    return found


def waiting(reason: str, message: str = "", image: str = "some:1") -> Manifest:
    """A container that is kept from starting."""
    return {"image": image, "state": {"waiting": {"reason": reason, "message": message}}}


def terminated(code: int, *, restarts: int = 0, last: bool = False, ready: bool = False, **said: Any) -> Manifest:
    """A container that has ended; with `last` another try is under way."""
    message = said.pop("message", "")
    if isinstance(message, Ending):
        message = message.model_dump_json()
    ended = {"terminated": {"exitCode": code, "message": message, **said}}
    states = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended} if last else {"state": ended}
    return json.loads(json.dumps({"restartCount": restarts, "ready": ready, **states}))
