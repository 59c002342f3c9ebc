"""The operator, the replayer and an executor are killed in the middle: the counts stay exact."""

from cluster import Cluster, Namespace, until
from experiments import Experiment, manifest
from installation import Options
from operator_pod import pod_name, restarting, system
from servers import SlowModel

LIMIT = 60_000


def kill(namespace: Namespace, pod: str) -> None:
    """Without any time to stop."""
    namespace.kubectl("delete", "pod", pod, "--force", "--grace-period=0")


def test_kills_in_the_middle(namespace: Namespace, cluster: Cluster, options: Options) -> None:
    model = SlowModel.up(namespace, options, seconds=0.5)
    spec = {"workload": {"limit": LIMIT}, "trigger": {"everyEvents": 200}, "controls": ["noop", "heuristic"]}
    experiment = Experiment.applied(namespace, manifest("survivor", planner=model.planner, **spec))
    experiment.wait_for_events(2000, 180)
    kill(namespace, experiment.pods("executor-aura")[0]["metadata"]["name"])
    events = int(experiment.status()["events"])
    experiment.wait_for_events(events + 4000, 120)
    assert experiment.status()["phase"] == "Running", experiment.told()
    replayer = experiment.pods("replayer")[0]["metadata"]["name"]
    kill(namespace, replayer)
    until("another replayer", lambda: [p for p in experiment.pods("replayer") if p["metadata"]["name"] != replayer], 60)
    events = int(experiment.status()["events"])
    experiment.wait_for_events(events + 4000, 120)
    assert experiment.status()["phase"] == "Running", experiment.told()
    with restarting():
        old = pod_name(cluster)
        kill(system(cluster), old)
        system(cluster).kubectl("rollout", "status", "deployment/aura-operator", "--timeout=120s", seconds=150)
        model.release()
        status = experiment.wait_for("Succeeded", seconds=300)
    assert status["events"] == str(LIMIT)
    assert {name: arm["requests"] for name, arm in status["arms"].items()} == dict.fromkeys(
        ("baseline", "aura", "noop", "heuristic"), str(LIMIT)
    )
    for name, arm in status["arms"].items():
        assert int(arm["hits"]) + int(arm["misses"]) == LIMIT, name
