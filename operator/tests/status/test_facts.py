"""Facts: what is read from Deployments, StatefulSets, Jobs and pods."""

import pytest
from operator_samples import child, deployment, ending, job, pod, terminated, verdict

from aura_operator.blueprint import Manifest
from aura_operator.status.facts import Facts, PartState, ReplayerState, component, gather


def test_parts_are_sorted_by_what_they_are() -> None:
    facts = gather(
        [
            deployment("redis-aura"), deployment("kafka", 0, kind="StatefulSet"), deployment("planner", 1, 2),
            deployment("executor-aura"), child("Service", "kafka", api="v1", spec={}),
        ]
    )  # fmt: skip
    assert facts.servers == (PartState("redis-aura", 1, 1), PartState("kafka", 1, 0))
    assert (facts.planners, facts.executors) == (PartState("planner", 2, 1), (PartState("executor-aura", 1, 1),))
    assert [part.is_ready for part in facts.servers] == [True, False]


def test_readiness_of_an_older_generation_does_not_count() -> None:
    item = deployment("kafka", generation=1)
    item["metadata"]["generation"] = 2
    assert gather([item]).servers == (PartState("kafka", 1, 0),)


def test_a_part_scaled_to_nothing_is_ready() -> None:
    assert PartState("planner", 0, 0).is_ready


def test_nothing_is_known_of_an_empty_namespace() -> None:
    assert gather([]) == Facts()


def test_a_loader_is_unknown_then_running_then_done() -> None:
    assert [gather(found).loaded for found in ([], [job("loader")], [job("loader", succeeded=1)])] == [None, False, True]


def test_the_replayer_is_its_newest_living_pod() -> None:
    old, new, going = (pod("replayer", name=name, age=age, podIP="10.0.0.1") for name, age in (("a", 1), ("b", 2), ("c", 3)))
    going["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    state = gather([job("replayer"), new, old, going]).replayer
    assert state is not None
    assert state.pod == "b"


def test_an_address_is_that_of_a_running_container_alone() -> None:
    running = pod("replayer", {"state": {"running": {}}, "restartCount": 2}, podIP="10.0.0.1")
    ended = pod("replayer", terminated(1), podIP="10.0.0.1")
    states = [gather([job("replayer", suspend=True), one]).replayer for one in (running, ended)]
    found = [(state.addresses, state.restarts, state.suspended) for state in states]
    assert found == [({0: "10.0.0.1"}, 2, True), ({}, 0, True)]


def shard(index: int, container: Manifest, age: int = 1) -> Manifest:
    item = pod("replayer", container, name=f"replayer-{index}-{age}", age=age, podIP=f"10.0.0.{index}")
    item["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
    return item


def sharded(*pods: Manifest, succeeded: int = 0) -> ReplayerState:
    item = job("replayer", succeeded=succeeded)
    item["spec"]["completions"] = 3
    state = gather([item, *pods]).replayer
    assert state is not None
    return state


RUNNING: Manifest = {"state": {"running": {}}, "restartCount": 0}


def test_each_shard_has_its_newest_pod() -> None:
    state = sharded(shard(2, RUNNING), shard(0, RUNNING), shard(1, terminated(3), age=1), shard(1, RUNNING, age=2))
    assert (state.pod, state.addresses) == ("replayer-0-1", {0: "10.0.0.0", 1: "10.0.0.1", 2: "10.0.0.2"})
    assert (state.ending, state.restarts) == (None, 0)


def test_several_shards_have_succeeded_when_all_have() -> None:
    assert [sharded(succeeded=count).succeeded for count in (1, 2, 3)] == [False, False, True]


def test_the_verdict_is_the_first_shards_and_trouble_that_of_whoever_has_it() -> None:
    waits, lost = ending(0, "shard 2 of 3 is done"), ending(3, "the server of arm aura lost its memory")
    failing = shard(1, {**terminated(3, last=True, message=lost), "restartCount": 7})
    state = sharded(shard(0, RUNNING), failing, shard(2, terminated(0, message=waits)))
    assert (state.ending, state.restarts) == (lost, 7)
    good = ending(0, "done", verdict())
    done = sharded(shard(0, terminated(0, message=good)), failing, shard(2, terminated(0, message=waits)))
    assert done.ending == good
    assert sharded(shard(2, terminated(0, message=waits)), shard(0, RUNNING)).ending is None


def test_an_ending_is_read_from_this_try_or_the_last() -> None:
    lost, good = ending(3, "lost"), ending(0, "done", verdict())
    again = pod("replayer", terminated(3, last=True, message=lost))
    done = pod("replayer", {**terminated(0, message=good), "lastState": terminated(3, message=lost)["state"]})
    assert gather([job("replayer"), again]).replayer.ending == lost
    assert gather([job("replayer", succeeded=1), done]).replayer.ending == good


def test_an_ending_that_cannot_be_read_is_none() -> None:
    for message in ("", "Killed", '{"exit_code": "x"}'):
        assert gather([job("replayer"), pod("replayer", terminated(137, message=message))]).replayer.ending is None


def test_a_replayer_without_its_job_is_none() -> None:
    assert gather([pod("replayer", terminated(0))]).replayer is None


def test_refusals_are_kept_by_component() -> None:
    conditions = [{"type": "Available", "status": "False"}, {"type": "ReplicaFailure", "status": "True", "message": "quota"}]
    item = child("Deployment", "planner", spec={}, status={"conditions": conditions})
    assert gather([item]).refused == {"planner": "quota"}


@pytest.mark.parametrize(("state", "told"), [({}, {"replayer": "quota"}), ({"suspend": True}, {}), ({"succeeded": 1}, {})])
def test_a_job_that_rests_is_refused_nothing(state: Manifest, told: Manifest) -> None:
    item = job("replayer", **state)
    item["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": "quota"}]
    assert gather([item]).refused == told


def test_facts_can_be_kept_without_pods() -> None:
    facts = gather([job("replayer"), pod("replayer", terminated(3, message=ending(3, "lost")))])
    assert facts.pods
    assert facts.without_pods().pods == ()
    assert facts.without_pods().replayer == facts.replayer


def test_an_object_without_labels_belongs_to_no_component() -> None:
    assert component({"metadata": {}}) == ""


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ((), ""),
        (("HorizontalPodAutoscaler",), "HorizontalPodAutoscaler"),
        # KEDA makes the other one itself.
        (("HorizontalPodAutoscaler", "ScaledObject"), "KEDA"),
    ],
)
def test_who_scales_the_planners(kinds: tuple[str, ...], found: str) -> None:
    assert gather([deployment("planner"), *(child(kind, "planner", spec={}) for kind in kinds)]).autoscaler == found
