"""The exact words of every trouble with pods: they name the object and say what to do."""

import pytest
from operator_samples import child, ending, pod, spec, terminated, verdict, waiting

from aura_operator.blueprint import Manifest
from aura_operator.status.facts import gather
from aura_operator.status.troubles import Trouble, troubles


def found(*objects: Manifest, **changes: object) -> list[Trouble]:
    return troubles(gather(objects), spec(**changes))


def only(*objects: Manifest, **changes: object) -> Trouble:
    (trouble,) = found(*objects, **changes)
    return trouble


REPLAYER_JOB = child("Job", "replayer", api="batch/v1", spec={}, status={})


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_pulled_names_the_setting_of_the_chart(reason: str) -> None:
    assert only(pod("planner", waiting(reason, "not found.\n", "aura/planner:9"))) == Trouble(
        "ImageNotPulled",
        "image aura/planner:9 of planner cannot be pulled; "
        "correct images.planner in the chart's values, or add a pull secret (not found)",
        servers=False,
    )


@pytest.mark.parametrize(
    ("component", "setting"),
    [
        ("loader", "images.planner in the chart's values, or add a pull secret"),
        ("executor-noop", "images.executor in the chart's values, or add a pull secret"),
        ("redis-aura", "spec.dependencies.redis.embedded.image"),
        ("kafka", "images.kafka in the chart's values, or add a pull secret"),
    ],
)
def test_an_image_is_corrected_where_it_was_named(component: str, setting: str) -> None:
    own = {"redis": {"embedded": {"image": "mine:1"}}}
    assert f"cannot be pulled; correct {setting} (" in only(pod(component, waiting("ErrImagePull")), dependencies=own).message


@pytest.mark.parametrize("reason", ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"])
def test_a_container_that_cannot_be_made_says_what_is_missing(reason: str) -> None:
    assert only(pod("kafka", waiting(reason, 'secret "x" not found'))) == Trouble(
        "PodConfigError", 'pod grocer-kafka-x cannot start: secret "x" not found; create what is missing'
    )


def test_a_pod_without_a_node_says_what_the_scheduler_said() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available."}
    assert only(pod("kafka", conditions=[unscheduled])) == Trouble(
        "Unschedulable",
        "pod grocer-kafka-x finds no node: 0/1 nodes are available; add nodes or change its resources or spec.pods",
    )


@pytest.mark.parametrize(
    ("said", "reason", "advice"),
    [
        ('pods "x" is forbidden: exceeded quota: q', "QuotaExceeded", "raise the quota or set smaller resources"),
        ('pods "x" is forbidden: violates PodSecurity', "PodsRefused", "allow its pods in this namespace"),
    ],
)
def test_pods_that_the_api_server_refuses_say_why(said: str, reason: str, advice: str) -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": said}
    item = child("Deployment", "redis-aura", spec={}, status={"conditions": [refused]})
    assert only(item) == Trouble(reason, f"the API server refuses the pods of redis-aura: {said}; {advice}")


def test_a_refused_planner_is_no_trouble_of_the_servers() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "no"}
    assert not only(child("Deployment", "planner", spec={}, status={"conditions": [refused]})).servers


@pytest.mark.parametrize(("code", "reason"), [(1, "ReplayerFailed"), (2, "BadInput"), (3, "PartLost"), (130, "ReplayerFailed")])
def test_a_failing_replayer_is_quoted(code: int, reason: str) -> None:
    message = "the log at https://example.org/log.csv is not there (404); correct workload.source."
    container = terminated(code, restarts=1, last=True, message=ending(code, message))
    assert only(REPLAYER_JOB, pod("replayer", container)) == Trouble(
        reason, f"{message.rstrip('.')}; it is tried again by itself", servers=False
    )


def test_a_part_that_ends_again_and_again_is_quoted_by_the_last_line_it_said() -> None:
    said = '{"level": "INFO"}\n' + "x" * 500 + " no space left\n"
    container = terminated(1, restarts=4, last=True, message=said)
    trouble = only(pod("kafka", container))
    assert trouble.reason == "PartFailing"
    assert trouble.message.startswith("kafka ended 4 times (pod grocer-kafka-x): …xxx")
    assert trouble.message.endswith("no space left")


def test_a_part_that_said_nothing_is_quoted_by_its_exit_code() -> None:
    assert only(pod("executor-aura", terminated(137, restarts=2, last=True))) == Trouble(
        "PartFailing", "executor-aura ended 2 times (pod grocer-executor-aura-x): exit code 137", servers=False
    )


def test_a_model_that_cannot_be_pulled_names_its_field() -> None:
    container = terminated(1, restarts=2, last=True, message="pull model manifest: file does not exist")
    assert only(pod("ollama", container)) == Trouble(
        "ModelNotPulled",
        "the embedded Ollama ended (pod grocer-ollama-x): pull model manifest: file does not exist; correct spec.planner.model",
    )


def test_a_part_that_ran_out_of_memory_is_told_so() -> None:
    container = terminated(137, restarts=1, last=True, reason="OOMKilled")
    assert only(pod("milvus", container)) == Trouble(
        "OutOfMemory", "milvus needs more memory than its limit (pod grocer-milvus-x); raise its resources"
    )


@pytest.mark.parametrize(
    "quiet",
    [
        pod("planner", {"ready": True, "restartCount": 3, "lastState": {"terminated": {"exitCode": 1}}}),
        pod("planner", terminated(1, restarts=0)),
        pod("redis-aura", terminated(0, restarts=2, last=True)),
        pod("planner", waiting("ContainerCreating")),
        pod("planner"),
    ],
    ids=["ready again", "first end", "ended well", "being made", "no container yet"],
)
def test_what_is_on_its_way_is_no_trouble(quiet: Manifest) -> None:
    assert found(quiet) == []


def test_a_loader_that_succeeded_after_a_failure_is_no_trouble() -> None:
    container = {**terminated(0, restarts=1), "lastState": {"terminated": {"exitCode": 1, "message": "no server yet"}}}
    assert found(pod("loader", container)) == []


def test_a_replayer_that_succeeded_after_a_failure_is_no_trouble() -> None:
    good = terminated(0, restarts=1, message=ending(0, "done", verdict()))
    container = {**good, "lastState": terminated(3, message=ending(3, "lost"))["state"]}
    assert found(REPLAYER_JOB, pod("replayer", container)) == []


def test_pods_that_are_being_deleted_are_left_out() -> None:
    going = pod("planner", waiting("ErrImagePull"))
    going["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    assert found(going) == []


def test_init_containers_are_looked_at_too() -> None:
    item = pod("ollama")
    item["status"]["initContainerStatuses"] = [waiting("ErrImagePull", image="ollama:0")]
    assert only(item).message.startswith("image ollama:0 of ollama cannot be pulled; ")


def test_the_replayers_troubles_come_last_since_others_explain_them() -> None:
    parts = ["replayer", "planner", "kafka"]
    listed = found(*(pod(part, waiting("ErrImagePull", image=part)) for part in parts))
    assert [trouble.message.split()[1] for trouble in listed] == ["kafka", "planner", "replayer"]
