"""Visits in the background: a look at an experiment starts what is due and takes what earlier visits have seen."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aura_contract.placements import Place
from aura_contract.status import PlacementStatus
from aura_operator.blueprint import Manifest
from aura_operator.cluster.children import Owner
from aura_operator.cluster.client import ApiError, Cluster
from aura_operator.experiment import Experiment
from aura_operator.naming import run_id
from aura_operator.placements import finalizer, visits
from aura_operator.placements.kubeconfig import KubeconfigError, parse
from aura_operator.placements.objects import Placed, copies, objects
from aura_operator.placements.remote import UNREACHABLE
from aura_operator.placements.secrets import SECRET, copied, kubeconfig
from aura_operator.placements.visits import Seen, Trip
from aura_operator.reconcile.applying import Threads
from aura_operator.settings import PlacementSettings

__all__ = ["Keeper"]

VISITS_AT_ONCE = 8
REQUESTS_A_VISIT = 4
"""Of so many that get no answer a visit's time is made: more of them are those of a cluster that answers."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intent:
    """What the next visit is for: `placed` should be there, or nothing; `make` when it may be made."""

    placed: Placed | None
    make: bool = True


@dataclass
class Known:
    """What is known of one place of one experiment."""

    intent: Intent | None = None
    seen: Seen | None = None
    kubeconfig: str = field(default="", repr=False)
    server: str = ""
    due: float = 0.0
    task: asyncio.Task[None] | None = None


class Keeper:
    """Keeps placements of all experiments. `ring` wakes the daemon of an experiment whose placements look otherwise."""

    def __init__(self, cluster: Cluster, settings: PlacementSettings, thread: Threads, ring: Callable[[Owner], None]) -> None:
        self._cluster, self._settings, self._thread, self._ring = cluster, settings, thread, ring
        self._known: dict[str, dict[Place, Known]] = {}
        self._leaving: set[str] = set()
        self._turns = asyncio.Semaphore(VISITS_AT_ONCE)

    def tend(
        self, experiment: Experiment, recorded: Iterable[PlacementStatus], wanted: Mapping[Place, Placed], *, finished: bool
    ) -> None:
        """Start the visits that are due: to the places that a written status has `recorded`, and no others.

        `wanted` is what should be there; a place that the spec names no more, or of a finished experiment, is emptied.
        """
        named = set() if finished else {one.place for one in experiment.spec.planner.placements}
        for entry in recorded:
            place = entry.place
            if place in wanted:
                self._start(experiment, place, Intent(wanted[place], entry.made))
            elif place not in named and entry.made:
                self._start(experiment, place, Intent(None))

    def seen(self, uid: str, place: Place, *, removing: bool = False) -> Seen | None:
        """What the last visit saw, when it was for the same: to keep planners there, or to remove them."""
        known = self._known.get(uid, {}).get(place)
        if known is None or known.intent is None or (known.intent.placed is None) != removing:
            return None
        return known.seen

    async def removed(self, experiment: Experiment, place: Place) -> Seen:
        """Remove everything of an experiment from a place now, after a visit that is under way has come to its end."""
        # A look that is under way starts nothing any more.
        self._leaving.add(experiment.uid)
        known = self._known.setdefault(experiment.uid, {}).setdefault(place, Known())
        if known.task is not None:
            await asyncio.wait([known.task])
        known.seen = await self._visited(experiment, place, Intent(None), known)
        return known.seen

    def server(self, uid: str, place: Place) -> str:
        """Address of the cluster of a place, as far as it is known."""
        return _server(self._known.get(uid, {}).get(place, Known()), place)

    def forget(self, uid: str) -> None:
        """Drop what is known of an experiment that is gone."""
        self._known.pop(uid, None)
        self._leaving.discard(uid)

    def _start(self, experiment: Experiment, place: Place, intent: Intent) -> None:
        if experiment.uid in self._leaving:
            return
        known = self._known.setdefault(experiment.uid, {}).setdefault(place, Known())
        if known.task is not None or (known.intent == intent and time.monotonic() < known.due):
            return
        if known.intent is None or (known.intent.placed is None) != (intent.placed is None):
            known.seen = None
        known.intent = intent
        known.task = asyncio.create_task(self._visit(experiment, place, intent, known))

    async def _visit(self, experiment: Experiment, place: Place, intent: Intent, known: Known) -> None:
        before = known.seen
        try:
            async with self._turns:
                known.seen = await self._visited(experiment, place, intent, known)
            if intent.placed and known.seen.reached and not finalizer.held(experiment):
                # Before anything is made: who deletes the experiment has to wait for its removal.
                await self._thread(finalizer.hold, self._cluster, experiment)
        except ApiError as error:
            known.seen = None
            log.warning("%s", error, extra=_where(experiment))
        finally:
            known.due, known.task = time.monotonic() + self._settings.visit_seconds, None
        if known.seen != before:
            log.info("placement %s: %s", place.name, known.seen, extra=_where(experiment))
            self._ring((experiment.namespace, experiment.name))

    async def _visited(self, experiment: Experiment, place: Place, intent: Intent, known: Known) -> Seen:
        async def read(name: str) -> Manifest | None:
            return await self._thread(self._cluster.read, SECRET, experiment.namespace, name)

        try:
            known.kubeconfig = await self._text(read, place, intent, known)
            login = parse(known.kubeconfig, place.context)
            known.server = login.server
            trip = Trip(place, login, run_id(experiment.name, experiment.uid), self._settings.timeout_seconds)
            async with asyncio.timeout(REQUESTS_A_VISIT * self._settings.timeout_seconds):
                if intent.placed is None or intent.placed.home is None:
                    return await visits.remove(trip)
                data = await copied(read, copies(intent.placed.home))
                return await visits.keep(trip, intent.placed, objects(intent.placed, data), make=intent.make)
        except (ApiError, KubeconfigError) as error:
            return visits.fault(error, place, _server(known, place))
        except TimeoutError:
            slow = ApiError(0, UNREACHABLE, f"no end within {REQUESTS_A_VISIT * self._settings.timeout_seconds:g} s")
            return visits.fault(slow, place, _server(known, place))
        except Exception:
            # Another cluster may answer anything, and the next visit is to come all the same.
            log.exception("placement %s", place.name, extra=_where(experiment))
            return Seen("ApiRefused", f"the cluster at {_server(known, place)} answers what cannot be read")

    async def _text(self, read: Any, place: Place, intent: Intent, known: Known) -> str:
        """The kubeconfig; for a removal the last known one when its Secret has gone before the experiment."""
        try:
            return await kubeconfig(read, place)
        except KubeconfigError:
            if intent.placed is None and known.kubeconfig:
                return known.kubeconfig
            raise


def _server(known: Known, place: Place) -> str:
    return known.server or f"the server of Secret {place.kubeconfig_secret_ref.name}"


def _where(experiment: Experiment) -> dict[str, str]:
    return {"experiment": experiment.name, "namespace": experiment.namespace}
