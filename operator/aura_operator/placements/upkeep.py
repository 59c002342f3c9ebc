"""What a look at an experiment does about its placements; it waits for no other cluster."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from math import inf

from aura_contract.placements import Place
from aura_contract.status import PlacementStatus
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders.endpoints import PLANNER
from aura_operator.cluster.children import ChildKey, Owner
from aura_operator.cluster.client import Cluster
from aura_operator.experiment import Experiment
from aura_operator.naming import COMPONENT
from aura_operator.placements.doorway import Doorway
from aura_operator.placements.finalizer import held
from aura_operator.placements.keeper import Keeper
from aura_operator.placements.objects import Placed, place
from aura_operator.placements.opening import SHUT, Opening
from aura_operator.placements.removal import Removals
from aura_operator.placements.telling import placement_statuses
from aura_operator.placements.visits import Seen
from aura_operator.reconcile.applying import Threads
from aura_operator.reconcile.memory import Memory
from aura_operator.settings import OperatorSettings
from aura_operator.status.derive import stamp

__all__ = ["Upkeep", "placed_with"]

SOON_SECONDS = 0.5


class Upkeep:
    """Placements of all experiments; `ring` wakes the daemon of an experiment."""

    def __init__(self, cluster: Cluster, settings: OperatorSettings, thread: Threads, ring: Callable[[Owner], None]) -> None:
        self._settings = settings.placements
        self._doorway = Doorway(cluster, settings.placements, thread)
        self._keeper = Keeper(cluster, settings.placements, thread, ring)
        self.removals = Removals(cluster, self._keeper, settings.placements, thread)

    async def opening(
        self, experiment: Experiment, memory: Memory, observe: Callable[[], Mapping[ChildKey, Manifest]], *, finished: bool
    ) -> Opening:
        """Where other clusters reach an embedded broker; raises ApiError."""
        known = memory.opening.door
        if finished or not (experiment.spec.planner.placements or known or held(experiment)):
            return SHUT
        started = bool((memory.status or experiment.status).started_at)
        return await self._doorway.open(experiment, observe(), known.secrets if known else {}, started=started)

    def look(self, experiment: Experiment, memory: Memory) -> tuple[PlacementStatus, ...]:
        """Start the visits that are due; what is known of all placements."""
        recorded = memory.status.placements if memory.status else ()
        if not recorded and not experiment.spec.planner.placements:
            return ()
        finished = bool(memory.status and memory.status.finished_at)
        self._keeper.tend(experiment, recorded, {} if finished else memory.placed, finished=finished)

        def seen(place: Place, removing: bool) -> Seen | None:
            return self._keeper.seen(experiment.uid, place, removing=removing)

        now = stamp(datetime.now(UTC))
        return placement_statuses(experiment.spec, recorded, seen, memory.opening.waiting, now, finished=finished)

    def pause(self, memory: Memory, placements: tuple[PlacementStatus, ...]) -> float:
        """Seconds until the next look at the latest: at once when the next step waits for the status to be written."""
        before = memory.status.placements if memory.status else ()
        steps = {(one.name, one.made) for one in placements}
        waits = memory.opening.hold and memory.settled is None
        if waits or steps != {(one.name, one.made) for one in before}:
            return SOON_SECONDS
        return self._settings.visit_seconds if placements else inf


def placed_with(blueprint: Blueprint, desired: Iterable[Manifest]) -> dict[Place, Placed]:
    """What should be in other clusters: planners, while there should be planners at home."""
    if not any(item["kind"] == "Deployment" and item["metadata"]["labels"][COMPONENT] == PLANNER for item in desired):
        return {}
    found = {one.place: place(blueprint, one) for one in blueprint.spec.planner.placements}
    return {where: placed for where, placed in found.items() if placed is not None}
