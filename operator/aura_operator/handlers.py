"""Kopf's handlers: they only route. Each experiment has one daemon, woken by its own events and those of its objects."""

import asyncio
import logging
import socket
from datetime import datetime
from typing import Any

import kopf

from aura_operator.cluster.children import Owner
from aura_operator.experiment import Experiment, UnreadableError
from aura_operator.metrics import Metrics
from aura_operator.naming import ANNOTATION_PREFIX, FIELD_MANAGER, FINALIZER, GROUP, PLACEMENTS_FINALIZER, PLURAL, VERSION
from aura_operator.placements.removal import Removals
from aura_operator.reconcile.reconciler import Memory, Reconciler

__all__ = ["Bells", "configure", "register", "register_removals"]

SETTLE_SECONDS = 0.2
UNREADABLE_SECONDS = 3600.0
STOP_SECONDS = 10.0

log = logging.getLogger(__name__)


class Bells:
    """A bell for each experiment: rung from any thread, heard by its daemon."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._bells: dict[Owner, asyncio.Event] = {}

    def of(self, owner: Owner) -> asyncio.Event:
        """The bell of an experiment; call it in the loop's thread."""
        return self._bells.setdefault(owner, asyncio.Event())

    def ring(self, owner: Owner) -> None:
        """Wake the experiment's daemon."""
        self._loop.call_soon_threadsafe(self._ring, owner)

    def ring_all(self) -> None:
        """Wake all daemons; call it in the loop's thread."""
        for bell in self._bells.values():
            bell.set()

    def _ring(self, owner: Owner) -> None:
        bell = self._bells.get(owner)
        if bell is not None:
            bell.set()

    def forget(self, owner: Owner) -> None:
        """Nobody listens any more."""
        self._bells.pop(owner, None)


def configure(settings: kopf.OperatorSettings) -> None:
    """Kopf under our own names; its log lines are not events, and it keeps no state in the resource's status."""
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=ANNOTATION_PREFIX)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=ANNOTATION_PREFIX, key="last-seen")
    settings.posting.loggers = False
    settings.posting.reporting_component = FIELD_MANAGER
    settings.posting.reporting_instance = socket.gethostname()
    settings.posting.event_name_prefix = "aura-"
    # It would log each event that it has seen.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330


def register(registry: kopf.OperatorRegistry, reconciler: Reconciler, bells: Bells, metrics: Metrics) -> None:
    """Put the handlers into Kopf's registry."""
    generations: dict[Owner, int] = {}

    @kopf.on.login(registry=registry)
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_via_client(**arguments)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)  # type: ignore[arg-type]
    def seen(event: kopf.RawEvent, meta: kopf.Meta, namespace: str, name: str, **_: Any) -> None:
        # Kopf keeps the body for as long as the experiment lives, and this is more than half of it.
        event["object"]["metadata"].pop("managedFields", None)  # type: ignore[typeddict-item]
        generation = int(meta.get("generation", 0))
        if event["type"] == "DELETED":
            generations.pop((namespace, name), None)
        elif generations.get((namespace, name)) != generation:
            generations[namespace, name] = generation
            bells.ring((namespace, name))

    @kopf.daemon(GROUP, VERSION, PLURAL, registry=registry, cancellation_timeout=STOP_SECONDS)  # type: ignore[arg-type]
    async def watch_over(stopped: kopf.DaemonStopped, body: kopf.Body, namespace: str, name: str, **_: Any) -> None:
        memory, owner = Memory(), (namespace, name)
        bell = bells.of(owner)

        def announce(kind: str, reason: str, message: str) -> None:
            kopf.event(body, type=kind, reason=reason, message=message)

        phase = ""
        try:
            while not stopped:
                bell.clear()
                pause = await _look(reconciler, body, memory, announce)
                before, phase = phase, memory.status.phase if memory.status else "Pending"
                metrics.moved(owner, before, phase)
                await _wait(bell, stopped, pause)
        finally:
            bells.forget(owner)
            metrics.moved(owner, phase, "")


def register_removals(registry: kopf.OperatorRegistry, removals: Removals) -> None:
    """Put the handler into Kopf's registry that sees to deleted experiments with placements."""

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def leaves(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if event["type"] == "DELETED":
            removals.forget(body.metadata.get("uid", ""))
            return
        deleted = body.metadata.get("deletionTimestamp")
        if not deleted or PLACEMENTS_FINALIZER not in (body.metadata.get("finalizers") or ()):
            return
        try:
            removals.start(Experiment.read(body), datetime.fromisoformat(deleted))
        except UnreadableError as error:
            kopf.event(body, type="Warning", reason="Unreadable", message=str(error))


async def _look(reconciler: Reconciler, body: kopf.Body, memory: Memory, announce: Any) -> float:
    try:
        experiment = Experiment.read(body)
    except UnreadableError as error:
        announce("Warning", "Unreadable", str(error))
        return UNREADABLE_SECONDS
    if experiment.deleting:
        return UNREADABLE_SECONDS
    return await reconciler.look(experiment, memory, announce)


async def _wait(bell: asyncio.Event, stopped: kopf.DaemonStopped, seconds: float) -> None:
    """Until the bell rings, the daemon is stopped, or the time is over; then a moment, since changes come in bursts."""
    waits = [asyncio.ensure_future(bell.wait()), asyncio.ensure_future(stopped.wait(seconds))]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if bell.is_set() and not stopped:
        await asyncio.sleep(SETTLE_SECONDS)
