"""Writing the status when it has changed, and telling of transitions."""

import logging
import time
from collections.abc import Callable
from typing import Any

from aura_contract.status import Condition, ExperimentStatus
from aura_operator.cluster.client import EXPERIMENTS, ApiError, Cluster
from aura_operator.experiment import Experiment
from aura_operator.metrics import Metrics
from aura_operator.reconcile.applying import Threads
from aura_operator.reconcile.memory import Memory

__all__ = ["Announce", "Reporter", "transitions"]

Announce = Callable[[str, str, str], None]
"""Tells the user of a transition: type (Normal or Warning), reason, message."""

log = logging.getLogger(__name__)
RECOVERED = "Recovered"

VOLATILE = {"events", "progress", "hitRatio", "baselineHitRatio", "deltaPoints", "arms", "totalEvents"}


class Reporter:
    """Writes experiments' statuses; `seconds` is the least time between writes of figures alone. Raises ApiError."""

    def __init__(self, cluster: Cluster, metrics: Metrics, thread: Threads, seconds: float) -> None:
        self._cluster, self._metrics, self._thread, self._seconds = cluster, metrics, thread, seconds

    async def report(self, experiment: Experiment, memory: Memory, status: ExperimentStatus, announce: Announce) -> None:
        """Write what differs from the status that was written last."""
        before = memory.status or ExperimentStatus()
        # Before the first look there is nothing, not even what is the default.
        old, new = _dump(before) if before.conditions else {}, _dump(status)
        changed = {key: new.get(key) for key in (old.keys() | new.keys()) if old.get(key) != new.get(key)}
        if not changed:
            return
        # Figures that change all the time are worth a write only so often.
        if changed.keys() <= VOLATILE and time.monotonic() - memory.written < self._seconds:
            return
        try:
            await self._thread(self._cluster.write_status, experiment.namespace, experiment.name, changed)
        except ApiError as error:
            if error.gone:
                return
            raise
        memory.status, memory.written = status, time.monotonic()
        self._metrics.writes.labels("status", EXPERIMENTS.name).inc()
        where = {"experiment": experiment.name, "namespace": experiment.namespace, "run": status.run, "phase": status.phase}
        for kind, reason, message in transitions(before, status):
            announce(kind, reason, message)
            log.log(logging.WARNING if kind == "Warning" else logging.INFO, "%s", message, extra={**where, "reason": reason})


def transitions(before: ExperimentStatus, status: ExperimentStatus) -> list[tuple[str, str, str]]:
    """What to tell: another phase, a trouble of another kind, and that there is none any more."""
    found: list[tuple[str, str, str]] = []
    if before.phase != status.phase or (not before.conditions and status.conditions):
        found.append(("Warning" if status.phase == "Failed" else "Normal", status.phase, _of_phase(status)))
    old, new = _trouble(before), _trouble(status)
    if new is not None and (old is None or old.reason != new.reason):
        found.append(("Warning", new.reason, new.message))
    if old is not None and new is None and not status.finished_at:
        found.append(("Normal", RECOVERED, f"{old.reason} is over"))
    return found


def _of_phase(status: ExperimentStatus) -> str:
    """The phase's own sentence: that of the status may be about a trouble, which is told of by itself."""
    return next((one.message for one in status.conditions if one.type == "Progressing"), status.message)


def _trouble(status: ExperimentStatus) -> Condition | None:
    return next((one for one in status.conditions if one.type == "Degraded" and one.status == "True"), None)


def _dump(status: ExperimentStatus) -> dict[str, Any]:
    return status.model_dump(by_alias=True, mode="json", exclude_none=True)
