"""What is done about each object."""

import copy
from typing import Any

import pytest
from operator_samples import UID, child

from aura_operator.blueprint import Manifest
from aura_operator.reconcile.actions import STAMP, Action, decide, owned_by

TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "a:1", "env": [{"name": "X", "value": "1"}]}]}}
POD_SPEC = ("spec", "template", "spec", "containers", 0)


def workload(component: str = "planner", kind: str = "Deployment") -> Manifest:
    return child(kind, component, spec={"replicas": 1, "template": copy.deepcopy(TEMPLATE)})


def applied(item: Manifest) -> Manifest:
    """The object after it was applied."""
    return applied_as(decided(item, None))


def applied_as(action: Action | None) -> Manifest:
    assert action is not None
    return copy.deepcopy(action.manifest)


def decided(item: Manifest, there: Manifest | None, *, started: bool = False) -> Action | None:
    key = (item["kind"], item["metadata"]["name"])
    return next(iter(decide([item], {key: there} if there else {}, UID, started=started)), None)


def changed(item: Manifest, path: tuple[Any, ...], value: object) -> Manifest:
    found = copy.deepcopy(item)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


def test_what_is_missing_is_applied_in_the_order_in_which_it_is_wanted() -> None:
    items = [workload(name) for name in ("redis-aura", "planner", "executor-aura")]
    assert [(a.verb, a.manifest["metadata"]["name"], a.why) for a in decide(items, {}, UID, started=False)] == [
        ("apply", f"grocer-{name}", "missing") for name in ("redis-aura", "planner", "executor-aura")
    ]


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Service", "Job", "ConfigMap", "PersistentVolumeClaim"])
def test_nothing_is_done_about_what_is_as_it_should_be(kind: str, started: bool) -> None:
    item = workload(kind=kind)
    assert decided(item, applied(item), started=started) is None


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("spec", "replicas"), 0, ".spec.replicas"),
        ((*POD_SPEC, "image"), "b:1", ".spec.template.spec.containers[0].image"),
        ((*POD_SPEC, "env"), [{"name": "X", "value": "1"}, {"name": "Y"}], ".spec.template.spec.containers[0].env"),
        (("metadata", "labels"), {}, ".metadata.labels.app.kubernetes.io/name"),
    ],
)
def test_an_edited_object_is_applied_again(path: tuple[Any, ...], value: object, why: str) -> None:
    item = workload()
    action = decided(item, changed(applied(item), path, value))
    assert (action.verb, action.why) == ("apply", why)


@pytest.mark.parametrize(
    ("path", "more", "why"),
    [
        ((*POD_SPEC, "envFrom"), [{"secretRef": {"name": "x"}}], ".spec.template.spec.containers[0].envFrom"),
        (("spec", "template", "spec", "initContainers"), [{"name": "x"}], ".spec.template.spec.initContainers"),
    ],
)
def test_what_pods_were_given_that_should_have_none_of_it_is_found(path: tuple[Any, ...], more: object, why: str) -> None:
    assert decided(workload(), changed(applied(workload()), path, more)).why == why


def test_a_field_that_is_no_longer_wanted_is_found_by_the_hash_of_what_was_applied() -> None:
    before = changed(workload(), ("spec", "template", "spec", "nodeSelector"), {"disk": "fast"})
    action = decided(workload(), applied(before))
    assert (action.verb, action.why) == ("apply", f".metadata.annotations.{STAMP}")


def test_what_is_being_deleted_is_waited_for() -> None:
    there = changed(applied(workload()), ("metadata", "deletionTimestamp"), "2026-05-04T12:00:00Z")
    assert decided(workload(), changed(there, ("spec", "replicas"), 0)) is None


def test_what_an_earlier_experiment_of_this_name_has_left_is_waited_for() -> None:
    there = changed(applied(workload()), ("metadata", "ownerReferences"), [{"kind": "AuraExperiment", "uid": "another"}])
    assert decided(workload(), changed(there, ("spec", "replicas"), 0)) is None


def test_what_is_not_wanted_is_deleted_last() -> None:
    extra = workload("old")
    actions = decide([workload()], {("Deployment", "grocer-old"): extra}, UID, started=False)
    assert [(action.verb, action.why) for action in actions] == [("apply", "missing"), ("delete", "not needed")]


@pytest.mark.parametrize(
    "kept",
    [
        changed(workload("old"), ("metadata", "ownerReferences"), []),
        changed(workload("old"), ("metadata", "ownerReferences"), [{"uid": "another"}]),
        changed(workload("old"), ("metadata", "deletionTimestamp"), "2026-05-04T12:00:00Z"),
        child("Pod", "old", api="v1", spec={}),
    ],
    ids=["nobody's", "another's", "going already", "a pod"],
)
def test_only_what_the_experiment_owns_is_deleted(kept: Manifest) -> None:
    assert decide([], {(kept["kind"], "grocer-old"): kept}, UID, started=False) == []


@pytest.mark.parametrize("component", ["redis-aura", "redis-baseline"])
def test_an_arms_server_is_never_replaced_once_the_replay_has_started(component: str) -> None:
    item = workload(component)
    edited = changed(applied(item), (*POD_SPEC, "image"), "b:1")
    assert decided(item, edited, started=False).verb == "apply"
    assert decided(item, edited, started=True) is None


def test_an_arms_server_that_was_scaled_away_comes_back_by_its_replicas_alone() -> None:
    item = workload("redis-aura")
    action = decided(item, changed(applied(item), ("spec", "replicas"), 0), started=True)
    assert (action.verb, action.why, action.manifest["spec"]) == ("merge", "replicas", {"replicas": 1})


def test_other_parts_are_corrected_during_the_replay() -> None:
    item = workload("planner")
    assert decided(item, changed(applied(item), ("spec", "replicas"), 0), started=True).verb == "apply"


def job_of(suspend: bool = False) -> Manifest:
    return child("Job", "replayer", api="batch/v1", spec={"suspend": suspend, "template": copy.deepcopy(TEMPLATE)})


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_job_is_suspended_and_resumed_by_a_merge(wanted: bool, started: bool) -> None:
    action = decided(job_of(wanted), job_of(not wanted), started=started)
    assert (action.verb, action.why, action.manifest["spec"]) == ("merge", "suspend", {"suspend": wanted})


def test_a_job_is_made_anew_for_another_template_before_the_replay_and_kept_after() -> None:
    there = changed(job_of(), (*POD_SPEC, "image"), "b:1")
    assert decided(job_of(), there, started=False).verb == "delete"
    assert decided(job_of(), there, started=True) is None


def test_a_job_is_made_anew_for_another_number_of_shards_before_the_replay_and_kept_after() -> None:
    wanted, there = changed(job_of(), ("spec", "completions"), 4), changed(job_of(), ("spec", "completions"), 2)
    assert [decided(wanted, found, started=False).why for found in (there, job_of())] == [".completions"] * 2
    assert decided(wanted, there, started=True) is None
    # What the API server fills in for a Job of one pod is no difference.
    assert decided(job_of(), changed(job_of(), ("spec", "completions"), 1), started=False) is None


@pytest.mark.parametrize("end", ["Complete", "Failed"])
def test_a_job_that_has_ended_is_left_alone(end: str) -> None:
    there = {**changed(job_of(), (*POD_SPEC, "image"), "b:1"), "status": {"conditions": [{"type": end, "status": "True"}]}}
    assert decided(job_of(suspend=True), there) is None


@pytest.mark.parametrize("started", [True, False])
def test_a_changed_catalogue_is_loaded_again_before_the_replay_alone(started: bool) -> None:
    item = child("Job", "loader", api="batch/v1", spec={"template": copy.deepcopy(TEMPLATE)})
    there = {**changed(item, (*POD_SPEC, "image"), "b:1"), "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    action = decided(item, there, started=started)
    assert (action.verb if action else None) == (None if started else "delete")


def test_a_jobs_labels_come_back() -> None:
    action = decided(job_of(), changed(job_of(), ("metadata", "labels"), {}), started=True)
    assert (action.verb, action.manifest["metadata"]["labels"]) == ("merge", job_of()["metadata"]["labels"])


def volume(storage: str = "1Gi", *, owned: bool = True) -> Manifest:
    item = child("PersistentVolumeClaim", "results", api="v1", spec={"resources": {"requests": {"storage": storage}}})
    return item if owned else {**item, "metadata": {k: v for k, v in item["metadata"].items() if k != "ownerReferences"}}


def test_a_volume_keeps_the_size_of_the_first_time() -> None:
    assert decided(volume("2Gi"), volume("1Gi")) is None


def test_a_volume_to_be_retained_is_let_go_and_taken_back_otherwise() -> None:
    let_go = decided(volume(owned=False), volume())
    assert (let_go.verb, let_go.manifest["metadata"]["ownerReferences"]) == ("merge", None)
    taken = decided(volume(), volume(owned=False))
    assert (taken.verb, taken.manifest["metadata"]["ownerReferences"]) == ("merge", volume()["metadata"]["ownerReferences"])


def secret(**data: str) -> Manifest:
    return child("Secret", "passwords", api="v1", type="Opaque", data=data)


def test_passwords_are_those_of_the_first_time() -> None:
    assert decided(secret(redis="new"), secret(redis="old")) is None


def test_a_password_that_was_taken_away_is_put_back() -> None:
    assert decided(secret(redis="a", mongodb="b"), secret(redis="a")).verb == "apply"


def test_the_volumes_of_a_stateful_set_are_those_of_the_first_time() -> None:
    item = changed(workload("kafka", "StatefulSet"), ("spec", "volumeClaimTemplates"), [{"size": 1}])
    wanted = changed(item, ("spec", "volumeClaimTemplates"), [{"size": 2}])
    there = applied(item)
    action = decided(wanted, changed(there, ("spec", "replicas"), 0))
    assert decided(item, there) is None
    assert decided(wanted, applied_as(action)) is None
    assert action.manifest["spec"]["volumeClaimTemplates"] == [{"size": 1}]


def test_an_object_is_owned_by_uid_and_not_by_name() -> None:
    assert owned_by(workload(), UID)
    assert not owned_by(workload(), "another")


def autoscaled() -> Manifest:
    item = workload()
    del item["spec"]["replicas"]
    return item


@pytest.mark.parametrize("replicas", [1, 4])
def test_an_autoscalers_number_is_left_alone(replicas: int) -> None:
    there = changed(applied(autoscaled()), ("spec", "replicas"), replicas)
    assert decided(autoscaled(), there) is None
    edited = changed(there, ("spec", "template", *POD_SPEC[2:], "image"), "other")
    assert applied_as(decided(autoscaled(), edited))["spec"]["replicas"] == replicas


def test_an_autoscaler_begins_with_the_number_that_was_there_and_never_with_none() -> None:
    for before, after in ((3, 3), (0, 1)):
        there = applied(changed(workload(), ("spec", "replicas"), before))
        assert applied_as(decided(autoscaled(), there))["spec"]["replicas"] == after
