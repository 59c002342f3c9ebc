"""What a status says of placements, step by step."""

from typing import Any

import pytest
from operator_samples import condition, observation, spec

from aura_contract.placements import Place
from aura_contract.status import ExperimentStatus, PlacementStatus
from aura_operator.placements.telling import placement_statuses, placement_troubles
from aura_operator.placements.visits import Seen
from aura_operator.status.derive import derive

NOW, LATER = "2026-05-04T12:00:00Z", "2026-05-04T12:05:00Z"
WAITING = Seen("Pending", "waiting")
WHERE: dict[str, Any] = {"kubeconfigSecretRef": {"name": "kube"}, "namespace": "theirs"}
TWO = spec(planner={"backend": "heuristic", "placements": [{"name": "east", "replicas": 2, **WHERE}, {"name": "west", **WHERE}]})
NONE = spec()
READY = Seen("Ready", "2 of 2 planners are ready", ready=2, reached=True)
LOST = Seen("Unreachable", "the cluster at https://x cannot be reached (no answer within 5 s)")


def told(
    before: tuple[PlacementStatus, ...] = (),
    seen: dict[str, Seen] | None = None,
    removed: dict[str, Seen] | None = None,
    wanted: Any = TWO,
    *,
    finished: bool = False,
    now: str = NOW,
) -> tuple[PlacementStatus, ...]:
    def look(place: Place, removing: bool) -> Seen | None:
        return ((removed if removing else seen) or {}).get(place.name)

    return placement_statuses(wanted, before, look, WAITING, now, finished=finished)


def test_nothing_is_made_before_a_cluster_has_let_us_look_and_the_status_says_so() -> None:
    first = told()
    assert [(one.name, one.made, one.reason, one.replicas) for one in first] == [
        ("east", False, "Pending", 2), ("west", False, "Pending", 1),
    ]  # fmt: skip
    second = told(first, {"east": Seen("Pending", "planners are about to be made", reached=True), "west": LOST})
    assert [(one.made, one.reason) for one in second] == [(True, "Pending"), (False, "Unreachable")]
    third = told(second, {"east": LOST, "west": LOST})
    assert third[0].made


def test_a_restarted_operator_says_what_was_said_before() -> None:
    before = told(told(), {"east": READY, "west": LOST})
    assert told(before, now=LATER) == before


def test_ready_has_the_time_of_its_change() -> None:
    before = told(told(), {"east": READY})
    assert (before[0].ready, before[0].ready_replicas, before[0].last_transition_time) == (True, 2, NOW)
    assert told(before, {"east": READY}, now=LATER)[0].last_transition_time == NOW
    assert told(before, {"east": LOST}, now=LATER)[0].last_transition_time == LATER


@pytest.mark.parametrize("finished", [True, False], ids=["ended", "taken out of the spec"])
def test_an_entry_stays_until_nothing_is_left(finished: bool) -> None:
    before = told(told(), {"east": READY, "west": LOST})
    after: dict[str, Any] = {"wanted": TWO if finished else NONE, "finished": finished}
    leaving = told(before, **after)
    assert [(one.name, one.reason, one.replicas, one.ready_replicas) for one in leaving] == [("east", "Removing", 0, 0)]
    stuck = told(leaving, removed={"east": LOST}, **after)
    assert (stuck[0].reason, stuck[0].message) == ("Unreachable", f"its planners are not removed yet: {LOST.message}")
    assert told(stuck, removed={"east": Seen("Removed", "nothing is left", gone=True)}, **after) == ()


def test_a_placement_that_moves_leaves_its_old_place() -> None:
    before = told(told(), {"east": READY, "west": READY})
    moved = [{"name": "east", **WHERE, "namespace": "other"}, {"name": "west", **WHERE}]
    found = told(before, wanted=spec(planner={"backend": "heuristic", "placements": moved}))
    assert [(one.name, one.namespace, one.made) for one in found] == [
        ("east", "other", False), ("west", "theirs", True), ("east", "theirs", True),
    ]  # fmt: skip


def test_only_what_is_wrong_is_a_trouble_and_no_server_waits_for_it() -> None:
    found = told(told(), {"east": READY, "west": LOST})
    assert [(one.reason, one.message, one.servers) for one in placement_troubles(found)] == [
        ("Unreachable", f"placement west: {LOST.message}", False)
    ]
    assert placement_troubles(told()) == []


def test_one_condition_sums_up_and_planners_of_all_clusters_are_counted() -> None:
    assert not any(one.type == "PlacementsReady" for one in derive(observation()).conditions)
    found = derive(observation(spec=TWO, placements=told(told(), {"east": READY, "west": LOST})))
    summed = condition(found, "PlacementsReady")
    assert (summed.status, summed.reason, summed.message) == ("False", "Unreachable", f"placement west: {LOST.message}")
    assert (found.planners.replicas, found.planners.ready, found.planners.local) == (3, 2, 0)
    all_ready = told(told(), {"east": READY, "west": Seen("Ready", "1 of 1", 1, reached=True)})
    well = condition(derive(observation(spec=TWO, placements=all_ready)), "PlacementsReady")
    assert (well.status, well.reason, well.message) == ("True", "AllReady", "planners are ready in 2 placements")
    ended = ExperimentStatus(phase="Succeeded", finished_at=NOW, started_at=NOW, message="done")
    over = condition(derive(observation(ended, spec=TWO)), "PlacementsReady")
    assert (over.status, over.reason) == ("False", "Finished")


def test_a_place_is_told_apart_by_all_that_leads_there() -> None:
    (east, west) = (one.place for one in TWO.planner.placements)
    assert told()[0].place == east
    assert len({east, west, east.model_copy(update={"context": "other"})}) == 3
