"""The one reconciliation: observe, build all, apply what differs, derive the status, write it if it changed."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import httpx
from pydantic import ValidationError

from aura_contract.progress import merge_progress
from aura_contract.results import Progress
from aura_contract.status import ExperimentStatus
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import secrets
from aura_operator.builders.endpoints import HTTP_PORT, KAFKA
from aura_operator.cluster.children import ChildKey, Children, Owner
from aura_operator.cluster.client import EXPERIMENTS, ApiError, Cluster
from aura_operator.cluster.kinds import Kind
from aura_operator.experiment import Experiment
from aura_operator.metrics import Metrics
from aura_operator.naming import run_id
from aura_operator.placements.removal import Removals
from aura_operator.placements.telling import placement_troubles
from aura_operator.placements.upkeep import Upkeep, placed_with
from aura_operator.reconcile.actions import decide
from aura_operator.reconcile.applying import NAME_TAKEN, Applier, Threads
from aura_operator.reconcile.lookups import Lookups, look_up
from aura_operator.reconcile.memory import Memory, Picture, Refusal
from aura_operator.reconcile.passwords import completed, in_use
from aura_operator.reconcile.reporting import Announce, Reporter
from aura_operator.reconcile.stages import plan
from aura_operator.settings import OperatorSettings
from aura_operator.status.derive import Observation, active_until, derive
from aura_operator.status.facts import Facts, gather
from aura_operator.status.troubles import Trouble, troubles

__all__ = ["Memory", "Reconciler"]

TROUBLED_SECONDS = 10.0
PROGRESS_SECONDS = 2.0
SECRET = Kind("v1", "Secret")

Observe = Callable[[], Mapping[ChildKey, Manifest]]
"""Gives the experiment's objects as they are known."""

log = logging.getLogger(__name__)


class Reconciler:
    """Reconciles experiments one look at a time.

    `apis` gives the optional API groups that the cluster serves now; `ring` wakes the daemon of an experiment.
    """

    def __init__(
        self,
        cluster: Cluster,
        children: Children,
        settings: OperatorSettings,
        metrics: Metrics,
        apis: Callable[[], frozenset[str]],
        ring: Callable[[Owner], None],
    ) -> None:
        self._cluster, self._children, self._settings, self._metrics = cluster, children, settings, metrics
        self._apis = apis
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="api")
        self._thread = Threads(self._pool)
        self._turns = asyncio.Semaphore(settings.workers)
        self._applier = Applier(cluster, children, metrics, self._thread)
        self._reporter = Reporter(cluster, metrics, self._thread, settings.status_seconds)
        self._upkeep = Upkeep(cluster, settings, self._thread, ring)
        self._http = httpx.AsyncClient(timeout=PROGRESS_SECONDS)

    @property
    def removals(self) -> Removals:
        """Who removes what deleted experiments have in other clusters."""
        return self._upkeep.removals

    async def look(self, experiment: Experiment, memory: Memory, announce: Announce) -> float:
        """One look at an experiment; seconds after which it wants the next one. Never raises for what a cluster may do."""
        started = time.perf_counter()
        try:
            pause = await self._look(experiment, memory, announce)
        except ApiError as error:
            pause = self._note(error, experiment, memory).left
        self._metrics.looks.observe(time.perf_counter() - started)
        return pause

    async def _look(self, experiment: Experiment, memory: Memory, announce: Announce) -> float:
        if memory.status is None:
            memory.status = experiment.status
        # Unpacking costs more than all else in a look at which nothing has changed, so it is done once at most.
        observe = cache(partial(self._children.of, (experiment.namespace, experiment.name)))
        picture = self._picture(experiment, memory, observe)
        lookups = await self._lookups(experiment, memory, picture.facts)
        found = [*lookups.troubles, *picture.troubles]
        refusal = await self._bring_up_unless_refused(experiment, memory, picture, lookups, observe)
        if refusal is not None:
            found.insert(0, _refused(refusal.error, experiment))
        progress = await self._progress(picture.facts, experiment, memory)
        placements = self._upkeep.look(experiment, memory)
        found += placement_troubles(placements)
        seen = replace(_observation(experiment, memory, picture.facts, found, progress), placements=placements)
        status = derive(seen)
        urgent = self._upkeep.pause(memory, placements)
        await self._reporter.report(experiment, memory, status, announce)
        pause = min(await self._pause(experiment, seen, status), urgent)
        return pause if refusal is None else min(pause, refusal.left)

    def _note(self, error: ApiError, experiment: Experiment, memory: Memory) -> Refusal:
        """Remember, count and tell of what the API server refused."""
        memory.refusal = Refusal.after(memory.refusal, error, experiment.generation)
        self._metrics.errors.labels(error.reason).inc()
        log.warning("%s", error, extra={"experiment": experiment.name, "namespace": experiment.namespace})
        return memory.refusal

    def _picture(self, experiment: Experiment, memory: Memory, observe: Observe) -> Picture:
        """What the objects say, from memory when none of them has changed."""
        version = (experiment.generation, self._children.version((experiment.namespace, experiment.name)))
        if memory.picture is None or memory.picture.version != version:
            if memory.picture is None or memory.picture.version[0] != experiment.generation:
                memory.given_up.clear()
            facts = gather(observe().values())
            found = tuple(troubles(facts, experiment.spec))
            memory.picture = Picture(version, facts.without_pods(), found)
        return memory.picture

    async def _bring_up_unless_refused(
        self, experiment: Experiment, memory: Memory, picture: Picture, lookups: Lookups, observe: Observe
    ) -> Refusal | None:
        """Bring up, but wait after a refusal: each object that comes or goes wakes the experiment, and nothing may loop hot."""
        if memory.refusal is None or memory.refusal.over(experiment.generation):
            try:
                await self._bring_up(experiment, memory, picture, lookups, observe)
                memory.refusal = None
            except ApiError as error:
                self._note(error, experiment, memory)
        return memory.refusal

    async def _bring_up(
        self, experiment: Experiment, memory: Memory, picture: Picture, lookups: Lookups, observe: Observe
    ) -> None:
        """Bring what is there to what should be; free when all it depends on is as it was when nothing was to do."""
        status = memory.status or experiment.status
        started, finished, blocked = bool(status.started_at), bool(status.finished_at), any(t.servers for t in lookups.troubles)
        opening = memory.opening = await self._upkeep.opening(experiment, memory, observe, finished=finished)
        mechanism = lookups.kafka_mechanism
        key = (picture.version, lookups.secret_keys, mechanism, blocked, self._apis(), started, finished, opening)
        if key == memory.settled:
            return
        memory.settled = None
        observed = observe()
        passwords = await self._passwords(experiment, memory, observed, finished)
        blueprint = Blueprint(
            name=experiment.name,
            namespace=experiment.namespace,
            uid=experiment.uid,
            spec=experiment.spec,
            settings=self._settings,
            passwords=in_use(passwords, experiment.name, observed, started=started),
            secret_keys=lookups.secret_keys,
            apis=self._apis(),
            kafka_mechanism=mechanism,
            door=opening.door,
        )
        held = frozenset({KAFKA}) if opening.hold else frozenset[str]()
        planned = plan(blueprint, picture.facts, observed, finished=finished, blocked=blocked, held=held)
        memory.servers_wanted = planned.servers_wanted
        memory.placed = placed_with(blueprint, planned.desired)
        actions = decide(planned.desired, observed, experiment.uid, started=started)
        # When there is more to do than can be done at once, one experiment after the other is complete, and not all at the end.
        async with self._turns:
            done = await self._applier.carry_out(actions, experiment, memory)
        if not done:
            memory.settled = key

    async def _passwords(
        self, experiment: Experiment, memory: Memory, observed: Mapping[ChildKey, Manifest], finished: bool
    ) -> Mapping[str, str]:
        name = f"{experiment.name}-{secrets.PASSWORDS}"
        secret = observed.get(("Secret", name))
        if secret is None and not memory.passwords and secrets.needed(experiment.spec) and not finished:
            # What no watch has told of may still be there.
            secret = await self._thread(self._cluster.read, SECRET, experiment.namespace, name)
        memory.passwords = completed(secret, memory.passwords)
        return memory.passwords

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

    async def _progress(self, facts: Facts, experiment: Experiment, memory: Memory) -> Progress | None:
        """What the replayers of all shards say of themselves, or None while none answers; of one that is silent, what it said."""
        addresses = facts.replayer.addresses if facts.replayer else {}
        if (memory.status or experiment.status).finished_at:
            memory.progress = {}
            return None
        answers = await asyncio.gather(*map(self._asked, addresses.values()))
        found = {shard: answer for shard, answer in zip(addresses, answers, strict=True) if answer}
        shards = experiment.spec.workload.shards
        # Before the start their number may change.
        memory.progress = {shard: said for shard, said in {**memory.progress, **found}.items() if shard < shards}
        if not found.keys() & memory.progress.keys():
            return None
        whole = merge_progress(memory.progress)
        # Before all shards have said how long they are, nobody knows the whole.
        return whole if len(memory.progress) == shards else whole.model_copy(update={"total": 0})

    async def _asked(self, address: str) -> Progress | None:
        host = f"[{address}]" if ":" in address else address
        try:
            answer = await self._http.get(f"http://{host}:{HTTP_PORT}/progress")
            return Progress.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError):
            return None

    async def _pause(self, experiment: Experiment, seen: Observation, status: ExperimentStatus) -> float:
        """What changes wakes by itself: the pause is for what nobody tells of, which is the time and the user's own servers."""
        if status.finished_at and not seen.before.finished_at:
            # Nobody tells of it, and the parts are to go now.
            return 0.0
        if status.finished_at:
            return await self._after_the_end(experiment, status)
        if status.phase == "Running" or (seen.facts.replayer and seen.facts.replayer.addresses):
            # One that runs but has not answered yet is asked again soon.
            return self._settings.status_seconds
        pause = TROUBLED_SECONDS if seen.troubles else self._settings.resync_seconds
        until = active_until(seen)
        left = (until - seen.now).total_seconds() + 1 if until else pause
        return max(1.0, min(pause, left))

    async def _after_the_end(self, experiment: Experiment, status: ExperimentStatus) -> float:
        """Delete the experiment when its time is over, by outcome."""
        ttl = experiment.spec.ttl_seconds_after_finished
        seconds = (ttl.succeeded if status.phase == "Succeeded" else ttl.failed) if ttl else None
        if seconds is None:
            return self._settings.resync_seconds
        over = datetime.fromisoformat(status.finished_at or "") + timedelta(seconds=seconds)
        left = (over - datetime.now(UTC)).total_seconds()
        if left <= 0:
            where = {"experiment": experiment.name, "namespace": experiment.namespace}
            log.info("deleting %s: its time is over", experiment.name, extra=where)
            await self._thread(self._cluster.delete, EXPERIMENTS, experiment.namespace, experiment.name)
            self._metrics.writes.labels("delete", EXPERIMENTS.name).inc()
            return self._settings.resync_seconds
        return min(left, self._settings.resync_seconds)

    async def close(self) -> None:
        """Drop the connections."""
        self._upkeep.removals.close()
        await self._http.aclose()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _observation(
    experiment: Experiment, memory: Memory, facts: Facts, found: list[Trouble], progress: Progress | None
) -> Observation:
    return Observation(
        name=experiment.name,
        run=run_id(experiment.name, experiment.uid),
        generation=experiment.generation,
        created=experiment.created,
        spec=experiment.spec,
        before=memory.status or experiment.status,
        facts=facts,
        troubles=found,
        progress=progress,
        servers_wanted=memory.servers_wanted,
        now=datetime.now(UTC),
    )


def _refused(error: ApiError, experiment: Experiment) -> Trouble:
    text = str(error)
    if error.reason == NAME_TAKEN:
        return Trouble(NAME_TAKEN, text)
    if "because it is being terminated" in text:
        return Trouble("NamespaceTerminating", f"namespace {experiment.namespace} is being deleted, and the experiment with it")
    if "exceeded quota" in text:
        return Trouble("QuotaExceeded", f"{text}; raise the quota or set smaller resources")
    if error.status == 403:
        return Trouble("Forbidden", f"the operator may not do this: {text}; compare its roles with the chart's")
    return Trouble("ApiRefused", f"the API server refuses an object: {text}")
