"""The one reconciliation: observe, build all, apply what differs, derive the status, write it if it changed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from aura_contract.results import Progress
from aura_contract.status import ExperimentStatus
from aura_operator.blueprint import MONITORING, Blueprint, Manifest
from aura_operator.builders import secrets, stages
from aura_operator.builders.endpoints import HTTP_PORT, REPLAYER
from aura_operator.cluster.children import Children
from aura_operator.cluster.client import EXPERIMENTS, ApiError, Cluster
from aura_operator.cluster.kinds import Kind, kind_of
from aura_operator.experiment import Experiment
from aura_operator.metrics import Metrics
from aura_operator.naming import COMPONENT
from aura_operator.reconcile.actions import Action, decide
from aura_operator.reconcile.drift import difference
from aura_operator.reconcile.lookups import Lookups, look_up
from aura_operator.settings import OperatorSettings
from aura_operator.status.derive import Observation, derive, waiting_for
from aura_operator.status.facts import Facts, gather
from aura_operator.status.troubles import Trouble, troubles

__all__ = ["Announce", "Memory", "Reconciler"]

Result = TypeVar("Result")
Announce = Callable[[str, str, str], None]
"""Tells the user of a transition: type (Normal or Warning), reason, message."""

TROUBLED_SECONDS = 10.0
FIRST_BACKOFF, LONGEST_BACKOFF = 2.0, 60.0
PROGRESS_SECONDS = 2.0
VOLATILE = {"events", "progress", "hitRatio", "baselineHitRatio", "deltaPoints", "arms", "totalEvents"}

log = logging.getLogger(__name__)


@dataclass
class Memory:
    """What the operator remembers of one experiment between two looks; all of it can be lost."""

    status: ExperimentStatus | None = None
    written: float = 0.0
    failures: int = 0
    lookups: Lookups | None = None
    looked_up: tuple[int, float] = (-1, 0.0)
    announced: str = ""
    given_up: dict[tuple[str, str], str] = field(default_factory=dict)


class Reconciler:
    """Reconciles experiments one look at a time. `monitoring` tells whether the cluster has ServiceMonitors."""

    def __init__(
        self, cluster: Cluster, children: Children, settings: OperatorSettings, metrics: Metrics, monitoring: Callable[[], bool]
    ) -> None:
        self._cluster, self._children, self._settings, self._metrics = cluster, children, settings, metrics
        self._monitoring = monitoring
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="api")
        self._http = httpx.AsyncClient(timeout=PROGRESS_SECONDS)

    async def look(self, experiment: Experiment, memory: Memory, announce: Announce) -> float:
        """One look at an experiment; seconds after which it wants the next one. Never raises for what a cluster may do."""
        started = time.perf_counter()
        try:
            pause = await self._look(experiment, memory, announce)
            memory.failures = 0
        except ApiError as error:
            memory.failures += 1
            self._metrics.errors.labels(error.reason).inc()
            log.warning("%s", error, extra={"experiment": experiment.name, "namespace": experiment.namespace})
            pause = min(FIRST_BACKOFF * 2 ** (memory.failures - 1), LONGEST_BACKOFF)
        self._metrics.looks.observe(time.perf_counter() - started)
        return pause

    async def _look(self, experiment: Experiment, memory: Memory, announce: Announce) -> float:
        if memory.status is None:
            memory.status = experiment.status
        observed = self._children.of((experiment.namespace, experiment.name))
        facts = gather(observed.values())
        lookups = await self._lookups(experiment, memory, facts)
        blueprint = self._blueprint(experiment, lookups, observed.get(("Secret", f"{experiment.name}-{secrets.PASSWORDS}")))
        found = [*lookups.troubles, *troubles(facts, experiment.spec)]
        failure: ApiError | None = None
        try:
            actions = decide(_desired(blueprint, memory.status, facts, lookups), observed, started=bool(memory.status.started_at))
            await self._carry_out(actions, memory)
        except ApiError as error:
            failure = error
            found.insert(0, _refused(error, experiment))
        progress = await self._progress(facts, memory.status)
        status = derive(self._observation(experiment, blueprint, memory.status, facts, found, progress))
        await self._write(experiment, memory, status, announce)
        if failure is not None:
            raise failure
        return await self._pause(experiment, status, found)

    async def _lookups(self, experiment: Experiment, memory: Memory, facts: Facts) -> Lookups:
        """What the spec names, looked up again when the spec has changed, something was missing, or the slow timer is due."""
        generation, when = memory.looked_up
        fresh = TROUBLED_SECONDS if memory.lookups and memory.lookups.troubles else self._settings.resync_seconds
        if memory.lookups is not None and generation == experiment.generation and time.monotonic() - when < fresh * 0.9:
            return memory.lookups
        finished = bool(memory.status and memory.status.finished_at)
        if finished:
            return memory.lookups or Lookups({}, ())

        async def read(kind: Kind, name: str) -> Manifest | None:
            return await self._thread(self._cluster.read, kind, experiment.namespace, name)

        memory.lookups = await look_up(experiment.spec, read, probe=facts.replayer is None)
        memory.looked_up = (experiment.generation, time.monotonic())
        return memory.lookups

    def _blueprint(self, experiment: Experiment, lookups: Lookups, passwords: Manifest | None) -> Blueprint:
        return Blueprint(
            name=experiment.name,
            namespace=experiment.namespace,
            uid=experiment.uid,
            spec=experiment.spec,
            settings=self._settings,
            passwords=secrets.read(passwords) or secrets.generate(),
            secret_keys=lookups.secret_keys,
            apis=frozenset({MONITORING}) if self._monitoring() else frozenset(),
        )

    async def _carry_out(self, actions: Iterable[Action], memory: Memory) -> None:
        for action in actions:
            await self._carry_out_one(action, memory)

    async def _carry_out_one(self, action: Action, memory: Memory) -> None:
        kind, metadata = kind_of(action.manifest), action.manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        extra = {"namespace": namespace, "reason": action.why}
        if action.verb == "delete":
            log.info("deleting %s %s", kind.name, name, extra=extra)
            await self._thread(self._cluster.delete, kind, namespace, name)
            self._metrics.writes.labels("delete", kind.name).inc()
            return
        if memory.given_up.get((kind.name, name)) == action.why:
            return
        if action.verb == "merge":
            change = {part: value for part, value in action.manifest.items() if part not in ("apiVersion", "kind")}
            made = await self._thread(self._cluster.merge, kind, namespace, name, change)
        else:
            made = await self._thread(self._cluster.apply, action.manifest)
            if difference(action.manifest, made):
                made = await self._replace(action.manifest, made, memory)
        self._metrics.writes.labels(action.verb, kind.name).inc()
        log.info("%s %s %s", "created" if action.why == "missing" else "corrected", kind.name, name, extra=extra)
        self._children.put(made)

    async def _replace(self, manifest: Manifest, made: Manifest, memory: Memory) -> Manifest:
        """Take out what others have added, which applying leaves; remember what even that does not change."""
        version = {**manifest["metadata"], "resourceVersion": made["metadata"]["resourceVersion"]}
        made = await self._thread(self._cluster.replace, {**manifest, "metadata": version})
        self._metrics.writes.labels("replace", manifest["kind"]).inc()
        left = difference(manifest, made)
        if left:
            memory.given_up[manifest["kind"], manifest["metadata"]["name"]] = left
            log.warning("%s %s stays different at %s", manifest["kind"], manifest["metadata"]["name"], left)
        return made

    async def _progress(self, facts: Facts, before: ExperimentStatus) -> Progress | None:
        """What the replayer says of itself, or None while it does not answer."""
        address = facts.replayer.address if facts.replayer else None
        if address is None or before.finished_at:
            return None
        host = f"[{address}]" if ":" in address else address
        try:
            answer = await self._http.get(f"http://{host}:{HTTP_PORT}/progress")
            return Progress.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError):
            return None

    def _observation(
        self,
        experiment: Experiment,
        blueprint: Blueprint,
        before: ExperimentStatus,
        facts: Facts,
        found: list[Trouble],
        progress: Progress | None,
    ) -> Observation:
        return Observation(
            name=experiment.name,
            run=blueprint.run,
            generation=experiment.generation,
            created=experiment.created,
            spec=experiment.spec,
            before=before,
            facts=facts,
            troubles=found,
            progress=progress,
            servers_wanted=_server_components(blueprint),
            now=datetime.now(UTC),
        )

    async def _write(self, experiment: Experiment, memory: Memory, status: ExperimentStatus, announce: Announce) -> None:
        before = memory.status or ExperimentStatus()
        old, new = _dump(before), _dump(status)
        changed = {key: new.get(key) for key in (old.keys() | new.keys()) if old.get(key) != new.get(key)}
        if not changed:
            return
        # Figures that change all the time are worth a write only so often.
        if changed.keys() <= VOLATILE and time.monotonic() - memory.written < self._settings.status_seconds:
            return
        try:
            await self._thread(self._cluster.write_status, experiment.namespace, experiment.name, changed)
        except ApiError as error:
            if error.gone:
                return
            raise
        memory.status, memory.written = status, time.monotonic()
        self._metrics.writes.labels("status", EXPERIMENTS.name).inc()
        self._announce(before, status, memory, announce)

    def _announce(self, before: ExperimentStatus, status: ExperimentStatus, memory: Memory, announce: Announce) -> None:
        if before.phase != status.phase or (not before.conditions and status.conditions):
            announce("Warning" if status.phase == "Failed" else "Normal", status.phase, status.message)
        trouble = next((c for c in status.conditions if c.type == "Degraded" and c.status == "True"), None)
        if trouble is not None and memory.announced != trouble.reason:
            announce("Warning", trouble.reason, trouble.message)
        memory.announced = trouble.reason if trouble else ""

    async def _pause(self, experiment: Experiment, status: ExperimentStatus, found: list[Trouble]) -> float:
        if status.finished_at:
            return await self._after_the_end(experiment, status)
        if status.phase == "Running":
            return self._settings.status_seconds
        if found or status.phase in ("Pending", "Provisioning"):
            return TROUBLED_SECONDS
        return self._settings.resync_seconds

    async def _after_the_end(self, experiment: Experiment, status: ExperimentStatus) -> float:
        """Delete the experiment when its time is over, by outcome."""
        ttl = experiment.spec.ttl_seconds_after_finished
        seconds = (ttl.succeeded if status.phase == "Succeeded" else ttl.failed) if ttl else None
        if seconds is None:
            return self._settings.resync_seconds
        over = datetime.fromisoformat(status.finished_at or "") + timedelta(seconds=seconds)
        left = (over - datetime.now(UTC)).total_seconds()
        if left <= 0:
            await self._thread(self._cluster.delete, EXPERIMENTS, experiment.namespace, experiment.name)
            return self._settings.resync_seconds
        return min(left, self._settings.resync_seconds)

    def _thread(self, call: Callable[..., Result], *arguments: Any) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *arguments))

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _desired(blueprint: Blueprint, status: ExperimentStatus, facts: Facts, lookups: Lookups) -> list[Manifest]:
    """What should be there now: servers first, then what loads them, then what works with them; keepsakes after the end."""
    if status.finished_at:
        kept = stages.keepsakes(blueprint)
        # A Job that was cut off would go on; one that has told its verdict is about to end.
        job_done = bool(status.verdict or (facts.replayer and facts.replayer.succeeded))
        return [item for item in kept if item["kind"] != "Job" or job_done]
    if any(trouble.servers for trouble in lookups.troubles) and facts.replayer is None:
        # Nothing is brought up for an experiment that could not begin.
        return [] if not facts.servers else stages.servers(blueprint)
    desired = stages.servers(blueprint)
    ready = not [part for part in waiting_for(facts, _server_components(blueprint)) if part != "loader"]
    if ready or facts.replayer is not None:
        desired += stages.loading(blueprint)
    loaded = facts.loaded is not False and (facts.loaded or not stages.loading(blueprint))
    if (ready and loaded) or facts.replayer is not None:
        desired += _without_lost_result(stages.workers(blueprint), facts)
    return desired


def _server_components(blueprint: Blueprint) -> frozenset[str]:
    built = (item for item in stages.servers(blueprint) if item["kind"] in ("Deployment", "StatefulSet"))
    return frozenset(item["metadata"]["labels"][COMPONENT] for item in built)


def _without_lost_result(workers: list[Manifest], facts: Facts) -> list[Manifest]:
    """Leave out a Job that has succeeded and whose pod is gone with the result: made anew, it says its result again."""
    replayer = facts.replayer
    if replayer is None or not replayer.succeeded or replayer.pod is not None:
        return workers
    return [item for item in workers if item["kind"] != "Job" or item["metadata"]["labels"][COMPONENT] != REPLAYER]


def _dump(status: ExperimentStatus) -> dict[str, Any]:
    return status.model_dump(by_alias=True, mode="json", exclude_none=True)


def _refused(error: ApiError, experiment: Experiment) -> Trouble:
    text = str(error)
    if "because it is being terminated" in text:
        return Trouble("NamespaceTerminating", f"namespace {experiment.namespace} is being deleted, and the experiment with it")
    if "exceeded quota" in text:
        return Trouble("QuotaExceeded", f"{text}; raise the quota or set smaller resources")
    if error.status == 403:
        return Trouble("Forbidden", f"the operator may not do this: {text}; compare its roles with the chart's")
    return Trouble("ApiRefused", f"the API server refuses an object: {text}")
