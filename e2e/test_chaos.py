"""Parts are killed at moments drawn from a seed: the counts stay exact, and a lost arm is never averaged over."""

import random
import time
from typing import Any

from cluster import Cluster, Namespace, until
from experiments import Experiment, manifest
from installation import Options
from operator_pod import pod_name, restarting, system
from servers import SlowModel

LIMIT, EVERY, FAULTS, SEED = 90_000, 250, 8, 1
PARTS = ("executor-aura", "planner", "replayer", "mongodb", "milvus", "operator")
CATALOGUE: dict[str, Any] = {"dependencies": {"mongodb": {"embedded": {}}, "milvus": {"embedded": {}}}}


def kill(namespace: Namespace, pod: str) -> None:
    """Without any time to stop."""
    namespace.kubectl("delete", "pod", pod, "--force", "--grace-period=0")


def test_faults_at_random_moments(namespace: Namespace, cluster: Cluster, options: Options) -> None:
    drawn = random.Random(SEED)
    parts = [*PARTS, *drawn.choices(PARTS, k=FAULTS - len(PARTS))]
    drawn.shuffle(parts)
    # Other tests may have the operator to themselves for minutes before the faults can begin.
    model = SlowModel.up(namespace, options, seconds=3.0)
    spec = {"workload": {"limit": LIMIT}, "trigger": {"everyEvents": EVERY}, "planner": model.planner, "controls": ["noop"]}
    experiment = Experiment.applied(namespace, manifest("stormy", **spec, **CATALOGUE))
    experiment.wait_for_events(1000, 300)
    with restarting():
        for part in parts:
            time.sleep(drawn.uniform(0.5, 4))
            if part == "operator":
                kill(system(cluster), pod_name(cluster))
                system(cluster).kubectl("rollout", "status", "deployment/aura-operator", "--timeout=120s", seconds=150)
                continue
            pods = until(f"a pod of {part}", lambda part=part: experiment.pods(part), 90, otherwise=experiment.told)  # type: ignore[misc]
            assert experiment.status()["phase"] == "Running", f"over before {part} was hit: {experiment.told()}"
            kill(namespace, pods[0]["metadata"]["name"])
        model.release()
        status = experiment.wait_for("Succeeded", seconds=500)
    assert status["events"] == str(LIMIT)
    for name, arm in status["arms"].items():
        assert (arm["requests"], int(arm["hits"]) + int(arm["misses"])) == (str(LIMIT), LIMIT), name
    assert int(status["arms"]["aura"]["plansApplied"]) > 0


def test_an_arm_that_comes_back_empty_fails_its_experiment(namespace: Namespace, options: Options) -> None:
    spec = {"workload": {"limit": LIMIT}, "trigger": {"everyEvents": EVERY}, "planner": SlowModel.up(namespace, options).planner}
    experiment = Experiment.applied(namespace, manifest("bereft", **spec))
    experiment.wait_for_events(2000, 300)
    kill(namespace, experiment.pods("redis-baseline")[0]["metadata"]["name"])
    status = experiment.wait_for("Failed", seconds=300)
    told = [condition["message"] for condition in status["conditions"] if condition["type"] == "Failed"]
    assert told, status
    assert "Redis of arm baseline" in told[0], status
    assert "verdict" not in status or not status["verdict"]
