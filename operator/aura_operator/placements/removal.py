"""The end of an experiment with placements: what it has in other clusters is removed, within a time that has a bound."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aura_contract.placements import Place
from aura_contract.status import Condition
from aura_operator.cluster.client import ApiError, Cluster
from aura_operator.experiment import Experiment
from aura_operator.placements import finalizer
from aura_operator.placements.keeper import Keeper
from aura_operator.placements.leftover import LEFT, leftover
from aura_operator.placements.visits import Seen
from aura_operator.reconcile.applying import Threads
from aura_operator.settings import PlacementSettings
from aura_operator.status.conditions import MESSAGE
from aura_operator.status.derive import stamp

__all__ = ["Removals"]

PAUSE_SECONDS = 5.0
REMOVING = "Removing"

log = logging.getLogger(__name__)


class Removals:
    """Removes placements of deleted experiments, one task for each."""

    def __init__(self, cluster: Cluster, keeper: Keeper, settings: PlacementSettings, thread: Threads) -> None:
        self._cluster, self._keeper, self._settings, self._thread = cluster, keeper, settings, thread
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, experiment: Experiment, deleted: datetime) -> None:
        """See to an experiment that was deleted at a time and is held by the finalizer; once is enough."""
        if experiment.uid not in self._tasks:
            task = asyncio.create_task(self._run(experiment, deleted))
            self._tasks[experiment.uid] = task
            task.add_done_callback(lambda _: self._tasks.pop(experiment.uid, None))

    def forget(self, uid: str) -> None:
        """Drop what is known of an experiment that is gone."""
        self._keeper.forget(uid)

    def close(self) -> None:
        """Stop: another operator goes on from the deletion's time."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, experiment: Experiment, deleted: datetime) -> None:
        until = deleted + timedelta(seconds=self._settings.removal_seconds)
        while True:
            try:
                await self._remove(experiment, until)
                await self._thread(finalizer.release, self._cluster, experiment)
            except ApiError as error:
                log.warning("%s", error, extra={"experiment": experiment.name, "namespace": experiment.namespace})
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _remove(self, experiment: Experiment, until: datetime) -> None:
        places = [one.place for one in experiment.status.placements if one.made]
        told = ""
        while places:
            answers = await asyncio.gather(*(self._keeper.removed(experiment, place) for place in places))
            left = {place: seen for place, seen in zip(places, answers, strict=True) if not seen.gone}
            places = list(left)
            over = datetime.now(UTC) >= until
            message = "; ".join(_sentence(place, seen) for place, seen in left.items())
            if message and (message != told or over):
                told = message
                await self._tell(experiment, LEFT if over else REMOVING, message)
            if over:
                for place, seen in left.items():
                    await self._leave(experiment, place, seen)
                return
            if places:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _leave(self, experiment: Experiment, place: Place, seen: Seen) -> None:
        """Tell what stays, before the experiment is let go: an operator that is killed then has told it."""
        server, now = self._keeper.server(experiment.uid, place), datetime.now(UTC)
        told = leftover(experiment, place, server, self._settings.removal_seconds, seen.reason, now)
        log.warning("%s", told["message"], extra={"experiment": experiment.name, "namespace": experiment.namespace})
        try:
            await self._thread(self._cluster.apply, told)
        except ApiError as error:
            # The deletion has a bound, whoever can be told of it.
            log.warning("%s", error, extra={"experiment": experiment.name, "namespace": experiment.namespace})

    async def _tell(self, experiment: Experiment, reason: str, message: str) -> None:
        condition = Condition(
            type="PlacementsReady", status="False", reason=reason, message=message[:MESSAGE],
            observed_generation=experiment.generation, last_transition_time=stamp(datetime.now(UTC)),
        )  # fmt: skip
        others = [one for one in experiment.status.conditions if one.type != "PlacementsReady"]
        change: Mapping[str, Any] = {
            "conditions": [one.model_dump(by_alias=True, mode="json") for one in (*others, condition)],
            "message": message[:MESSAGE],
        }
        try:
            await self._thread(self._cluster.write_status, experiment.namespace, experiment.name, dict(change))
        except ApiError as error:
            # The removal goes on, whoever can be told of it.
            log.warning("%s", error, extra={"experiment": experiment.name, "namespace": experiment.namespace})


def _sentence(place: Place, seen: Seen) -> str:
    return f"placement {place.name}: its planners in namespace {place.namespace} are not removed: {seen.message}"
