"""What a status says of placements: pure functions."""

from collections.abc import Callable, Iterable, Sequence

from aura_contract.experiment import ExperimentSpec
from aura_contract.placements import Place
from aura_contract.status import PlacementStatus
from aura_operator.placements.visits import PENDING, READY, STARTING, Seen
from aura_operator.status.troubles import Trouble

__all__ = ["Look", "placement_statuses", "placement_troubles"]

Look = Callable[[Place, bool], Seen | None]
"""What the last visit to a place saw; with True, the last one that was to remove what is there."""

REMOVING = "Removing"
WELL = frozenset({READY, STARTING, PENDING, REMOVING})
MESSAGE, MOST = 1024, 32
"""Longest message and most entries that the definition allows: more would keep the whole status from being written."""


def placement_statuses(
    spec: ExperimentSpec, before: Sequence[PlacementStatus], look: Look, waiting: Seen, now: str, *, finished: bool
) -> tuple[PlacementStatus, ...]:
    """All placements of the spec, and those of before in whose place something may still be; `waiting` is what they wait for."""
    known = {one.place: one for one in before}
    wanted = () if finished else spec.planner.placements
    found = [_wanted(one.place, one.replicas, known.get(one.place), look(one.place, False), waiting, now) for one in wanted]
    named = {one.place for one in wanted}
    for place, entry in known.items():
        seen = look(place, True)
        if place not in named and entry.made and not (seen and seen.gone):
            found.append(_leaving(entry, seen, now))
    return tuple(found[:MOST])


def placement_troubles(statuses: Iterable[PlacementStatus]) -> list[Trouble]:
    """One for each placement that is not as it should be; none of them keeps the experiment's own servers from being ready."""
    return [
        Trouble(one.reason, f"placement {one.name}: {one.message}", servers=False) for one in statuses if one.reason not in WELL
    ]


def _wanted(
    place: Place, replicas: int, before: PlacementStatus | None, seen: Seen | None, waiting: Seen, now: str
) -> PlacementStatus:
    if seen is None:
        # A restarted operator has seen nothing yet, which is no news.
        if before is not None and before.replicas == replicas and before.reason not in (PENDING, REMOVING):
            return before
        seen = waiting
    made = seen.reached or bool(before and before.made)
    ready = seen.reason == READY
    return PlacementStatus(
        **place.model_dump(), made=made, ready=ready, replicas=replicas, ready_replicas=seen.ready,
        reason=seen.reason, message=seen.message[:MESSAGE], last_transition_time=_since(before, ready, now),
    )  # fmt: skip


def _leaving(entry: PlacementStatus, seen: Seen | None, now: str) -> PlacementStatus:
    reason = seen.reason if seen else REMOVING
    message = f"its planners are not removed yet: {seen.message}" if seen else "its planners are being removed"
    return entry.model_copy(
        update={
            "ready": False, "replicas": 0, "ready_replicas": 0, "reason": reason, "message": message[:MESSAGE],
            "last_transition_time": _since(entry, False, now),
        }
    )  # fmt: skip


def _since(before: PlacementStatus | None, ready: bool, now: str) -> str:
    return before.last_transition_time if before and before.ready == ready and before.last_transition_time else now
