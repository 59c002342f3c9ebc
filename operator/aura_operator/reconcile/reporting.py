"""Writing the status when it has changed, and telling of transitions."""

import logging
import time
from collections.abc import Callable
from typing import Any

from aura_contract.status import ExperimentStatus
from aura_operator.cluster.client import EXPERIMENTS, ApiError, Cluster
from aura_operator.experiment import Experiment
from aura_operator.metrics import Metrics
from aura_operator.reconcile.applying import Threads
from aura_operator.reconcile.memory import Memory

__all__ = ["Announce", "Reporter", "transitions"]

Announce = Callable[[str, str, str], None]
"""Tells the user of a transition: type (Normal or Warning), reason, message."""

log = logging.getLogger(__name__)

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
        for kind, reason, message in transitions(before, status, memory):
            announce(kind, reason, message)
            log.log(logging.WARNING if kind == "Warning" else logging.INFO, "%s", message, extra={**where, "reason": reason})


def transitions(before: ExperimentStatus, status: ExperimentStatus, memory: Memory) -> list[tuple[str, str, str]]:
    """What to tell: another phase, and a trouble that has not been told of."""
    found: list[tuple[str, str, str]] = []
    if before.phase != status.phase or (not before.conditions and status.conditions):
        found.append(("Warning" if status.phase == "Failed" else "Normal", status.phase, status.message))
    trouble = next((c for c in status.conditions if c.type == "Degraded" and c.status == "True"), None)
    if trouble is not None and memory.announced != trouble.reason:
        found.append(("Warning", trouble.reason, trouble.message))
    memory.announced = trouble.reason if trouble else ""
    return found


def _dump(status: ExperimentStatus) -> dict[str, Any]:
    return status.model_dump(by_alias=True, mode="json", exclude_none=True)
