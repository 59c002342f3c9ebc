"""`planner.autoscale` with a real KEDA that comes later: contexts wait, planners come, counts stay exact."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster, Namespace, run, until
from experiments import Experiment, manifest
from installation import Options

KEDA = os.environ.get("E2E_KEDA", "")
"""KEDA's manifest, such as keda-2.21.0.yaml of its releases; the images that it names have to be in docker."""

LIMIT = 240_000
CONTROLS = ("noop", "random", "heuristic", "bandit")


def missing() -> str:
    """Why KEDA cannot be installed, or nothing."""
    if not KEDA:
        return "needs KEDA: E2E_KEDA names its manifest"
    wanted = keda_images()
    there = subprocess.run(("docker", "image", "inspect", *wanted), capture_output=True, check=False).returncode == 0
    return "" if there else f"needs in docker: {', '.join(wanted)}"


def keda_images() -> list[str]:
    return sorted(set(re.findall(r"image: (\S+)", Path(KEDA).read_text(encoding="utf-8"))))


@pytest.fixture
def keda(cluster: Cluster, options: Options) -> Iterator[Callable[[], None]]:
    """Installs KEDA, and returns when it answers."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    run("kind", "load", "docker-image", *keda_images(), "--name", options.cluster, seconds=300)

    def install() -> None:
        cluster.kubectl("apply", "--server-side", "-f", KEDA)
        for name in ("keda-operator", "keda-metrics-apiserver", "keda-admission"):
            cluster.kubectl("-n", "keda", "rollout", "status", f"deployment/{name}", "--timeout=240s", seconds=260)

    yield install
    cluster.kubectl("delete", "-f", KEDA, "--ignore-not-found", seconds=180)


def test_planners_come_when_contexts_wait(
    namespace: Namespace, keda: Callable[[], None], record_property: Callable[[str, object], None]
) -> None:
    planner = {"backend": "heuristic", "mode": "async", "autoscale": {"maxReplicas": 3}}
    # At a live pace: ten contexts a second from each of five arms, for four minutes: metrics, decision and a pod take their time.
    live = {"cache": {"clock": "wall", "memory": "1Mi", "capacity": None}, "workload": {"limit": LIMIT}}
    wanted = manifest("busy", planner=planner, suspend=True, controls=list(CONTROLS), trigger={"everyEvents": 100}, **live)
    experiment = Experiment.applied(namespace, wanted)
    experiment.wait("the other autoscaler", scaled_by("HorizontalPodAutoscaler"), 180)
    keda()
    experiment.wait("KEDA", scaled_by("KEDA"), 120)
    assert len(experiment.pods("planner")) == 1
    experiment.patch(suspend=False)
    experiment.wait("more planners", lambda status: status["planners"]["ready"] >= 2, 150)
    record_property("planners", len(experiment.pods("planner")))
    status = experiment.wait_for("Succeeded", seconds=300)
    arms = ("baseline", "aura", *CONTROLS)
    assert {name: arm["requests"] for name, arm in status["arms"].items()} == dict.fromkeys(arms, str(LIMIT))
    for name, arm in status["arms"].items():
        assert int(arm["hits"]) + int(arm["misses"]) == LIMIT, name
    until("nothing scales any more", lambda: not namespace.items("scaledobjects,horizontalpodautoscalers"), 60)


def scaled_by(name: str) -> Callable[[dict[str, dict[str, object]]], bool]:
    return lambda status: status.get("planners", {}).get("autoscaler") == name
