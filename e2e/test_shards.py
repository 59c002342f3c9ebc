"""Two shards: exact counts whatever is killed, one status for both, and a number of shards that the log does not have."""

import json
from typing import Any

from cluster import Manifest, Namespace, until
from experiments import Experiment, manifest
from test_kills import kill

LIMIT = 60_000
INDEX = "batch.kubernetes.io/job-completion-index"
ARMS = ("baseline", "aura", "noop")


def replayers(experiment: Experiment) -> dict[int, Manifest]:
    """The replayer's pods by shard."""
    return {int(pod["metadata"]["annotations"][INDEX]): pod for pod in experiment.pods("replayer")}


def progress(namespace: Namespace, pod: Manifest) -> dict[str, Any]:
    """What one shard's replayer says of itself."""
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod['metadata']['name']}:8080/proxy/progress"
    found: dict[str, Any] = json.loads(namespace.kubectl("get", "--raw", path))
    return found


def told(pod: Manifest) -> dict[str, Any]:
    """How a shard's replayer ended."""
    found: dict[str, Any] = json.loads(pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"])
    return found


def test_two_shards_of_which_one_is_killed(namespace: Namespace) -> None:
    workload = {"limit": LIMIT, "shards": 2}
    experiment = Experiment.applied(
        namespace, manifest("shards", workload=workload, trigger={"everyEvents": 200}, controls=["noop"])
    )
    experiment.wait_for_events(4000, 240)
    deployments = {item["metadata"]["name"] for item in experiment.children("deployments")}
    assert {f"shards-{part}-{arm}-{shard}" for part in ("redis", "executor") for arm in ("aura", "noop") for shard in (0, 1)} <= (
        deployments
    )
    parts = [progress(namespace, pod) for pod in replayers(experiment).values()]
    assert sum(part["total"] for part in parts) == LIMIT
    assert all(0 < part["total"] < LIMIT for part in parts)
    status = experiment.wait("events of both", lambda found: int(found["events"]) >= sum(p["events"] for p in parts), 60)
    assert status["totalEvents"] == str(LIMIT)
    for name in ARMS:
        # Every row of this log is a request.
        arm = status["arms"][name]
        assert int(arm["hits"]) + int(arm["misses"]) == int(arm["requests"]) >= int(status["events"]), name
    victim = replayers(experiment)[1]["metadata"]["name"]
    kill(namespace, victim)
    until(
        "another replayer of shard 1",
        lambda: [pod for index, pod in replayers(experiment).items() if index == 1 and pod["metadata"]["name"] != victim],
        60,
    )
    status = experiment.wait_for("Succeeded", seconds=400)
    assert (status["events"], status["progress"]) == (str(LIMIT), "100%")
    for name in ARMS:
        arm = status["arms"][name]
        assert arm["requests"] == str(LIMIT), name
        assert int(arm["hits"]) + int(arm["misses"]) == LIMIT, name
    pods = replayers(experiment)
    assert told(pods[0])["verdict"]["arms"]["aura"]["requests"] == LIMIT
    assert told(pods[1])["verdict"] is None
    assert told(pods[1])["message"] == "shard 1 of 2 is done"


def test_more_shards_than_users(namespace: Namespace) -> None:
    experiment = Experiment.applied(namespace, manifest("many", workload={"limit": 2, "shards": 3}))
    said = "workload.shards is 3, but the log's requests are of"
    status = experiment.wait_for_trouble("BadInput", said, "user", seconds=300)
    assert not status.get("startedAt")
    # Before the start everything may be corrected, the number of pods of the Job included.
    experiment.patch(workload={"limit": 20_000, "shards": 1})
    status = experiment.wait_for("Succeeded", seconds=300)
    assert {arm["requests"] for arm in status["arms"].values()} == {"20000"}
