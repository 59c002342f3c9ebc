"""Carrying out actions against the API server, and never against an object that is somebody else's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from aura_operator.blueprint import Manifest
from aura_operator.cluster.children import Children
from aura_operator.cluster.client import ApiError, Cluster
from aura_operator.cluster.kinds import kind_of
from aura_operator.experiment import Experiment
from aura_operator.metrics import Metrics
from aura_operator.naming import EXPERIMENT
from aura_operator.reconcile.actions import MISSING, Action, owned_by
from aura_operator.reconcile.drift import difference
from aura_operator.reconcile.memory import Memory

__all__ = ["NAME_TAKEN", "Applier", "Threads"]

NAME_TAKEN = "NameTaken"
HOLDS_DATA = ("PersistentVolumeClaim", "Secret")
CONFLICT, INVALID = 409, 422

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Threads:
    """Makes blocking calls in threads of a pool."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def __call__(self, call: Callable[..., Result], *arguments: Any, **options: Any) -> Awaitable[Result]:
        """The call's result."""
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *arguments, **options))


class Applier:
    """Writes objects of experiments; raises ApiError."""

    def __init__(self, cluster: Cluster, children: Children, metrics: Metrics, thread: Threads) -> None:
        self._cluster, self._children, self._metrics, self._thread = cluster, children, metrics, thread

    async def carry_out(self, actions: Iterable[Action], experiment: Experiment, memory: Memory) -> int:
        """Carry out actions in their order; how many were not in vain.

        What cannot be corrected keeps nothing else from it, but after the first error, which is raised in the end, nothing new
        is made.
        """
        done, failure = 0, None
        for action in actions:
            kind, name = action.manifest["kind"], action.manifest["metadata"]["name"]
            if action.verb != "delete" and memory.given_up.get((kind, name)) == action.why:
                continue
            if failure is not None and action.why == MISSING:
                continue
            try:
                await self._carry_out(action, experiment, memory)
            except ApiError as error:
                failure = failure or error
            done += 1
        if failure is not None:
            raise failure
        return done

    async def _carry_out(self, action: Action, experiment: Experiment, memory: Memory) -> None:
        kind, name, namespace = kind_of(action.manifest), action.manifest["metadata"]["name"], experiment.namespace
        extra = {"experiment": experiment.name, "namespace": namespace, "reason": action.why}
        if action.verb == "delete":
            log.info("deleting %s %s", kind.name, name, extra=extra)
            await self._thread(self._cluster.delete, kind, namespace, name)
            self._count("delete", kind.name)
            return
        if action.verb == "merge":
            change = {part: value for part, value in action.manifest.items() if part not in ("apiVersion", "kind")}
            made = await self._thread(self._cluster.merge, kind, namespace, name, change)
        elif action.why == MISSING:
            made = await self._create(action.manifest, experiment)
        else:
            made = await self._correct(action.manifest, experiment)
        self._count(action.verb, kind.name)
        log.info("%s %s %s", "created" if action.why == MISSING else "corrected", kind.name, name, extra=extra)
        if action.verb == "apply" and difference(action.manifest, made):
            made = await self._replace(action.manifest, made, memory)
        self._children.put(made)

    async def _create(self, manifest: Manifest, experiment: Experiment) -> Manifest:
        """Make an object that was not seen; one of its name that is not the experiment's is left alone."""
        try:
            if manifest["kind"] in HOLDS_DATA:
                # Applying would take it over, and deleting the experiment what others keep in it.
                return await self._thread(self._cluster.create, manifest)
            return await self._thread(self._cluster.apply, manifest, force=False)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
        await self._refuse_foreign(manifest, experiment)
        return await self._thread(self._cluster.apply, manifest)

    async def _correct(self, manifest: Manifest, experiment: Experiment) -> Manifest:
        """Apply to an object that is there; where that cannot be valid with what others have added, as it is."""
        try:
            return await self._thread(self._cluster.apply, manifest)
        except ApiError as error:
            if error.status != INVALID:
                raise
            there = await self._thread(self._cluster.read, kind_of(manifest), experiment.namespace, manifest["metadata"]["name"])
            if there is None or not difference(manifest, there):
                raise
            return there

    async def _refuse_foreign(self, manifest: Manifest, experiment: Experiment) -> None:
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        there = await self._thread(self._cluster.read, kind, experiment.namespace, name)
        if there is None or owned_by(there, experiment.uid):
            return
        if (there["metadata"].get("labels") or {}).get(EXPERIMENT) == experiment.name:
            return
        message = f"{kind.name} {name} exists and is not this experiment's; delete it, or give the experiment another name"
        raise ApiError(CONFLICT, NAME_TAKEN, message)

    async def _replace(self, manifest: Manifest, made: Manifest, memory: Memory) -> Manifest:
        """Take out what others have added, which applying leaves; remember what even that does not change."""
        version = {**manifest["metadata"], "resourceVersion": made["metadata"]["resourceVersion"]}
        made = await self._thread(self._cluster.replace, {**manifest, "metadata": version})
        self._count("replace", manifest["kind"])
        left = difference(manifest, made)
        if left:
            memory.given_up[manifest["kind"], manifest["metadata"]["name"]] = left
            metadata = manifest["metadata"]
            where = {"experiment": metadata["labels"][EXPERIMENT], "namespace": metadata["namespace"]}
            log.warning("%s %s stays different at %s", manifest["kind"], metadata["name"], left, extra=where)
        return made

    def _count(self, verb: str, kind: str) -> None:
        self._metrics.writes.labels(verb, kind).inc()
