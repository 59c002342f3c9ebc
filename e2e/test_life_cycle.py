"""Suspend, resume and delete."""

import time

from cluster import Namespace, until
from experiments import Experiment, manifest

SLOW = {"workload": {"limit": 60_000}, "trigger": {"everyEvents": 200}}


def test_suspend_resume_delete(namespace: Namespace) -> None:
    experiment = Experiment.applied(namespace, manifest("pause", **SLOW))
    experiment.wait_for_events(2000, 180)
    experiment.patch(suspend=True)
    experiment.wait_for("Suspended", seconds=30)
    until("the replayer stopped", lambda: not experiment.pods("replayer"), 60, otherwise=experiment.told)
    assert experiment.condition("Suspended")["status"] == "True"
    events = experiment.status()["events"]
    time.sleep(5)
    assert experiment.status()["events"] == events
    experiment.patch(suspend=False)
    experiment.wait_for_events(int(events) + 1, 120)
    gone_with_it(experiment)


def gone_with_it(experiment: Experiment) -> None:
    experiment.delete()
    until("everything deleted", lambda: not experiment.children(), 90, otherwise=lambda: str(left(experiment)))


def left(experiment: Experiment) -> list[str]:
    return [f"{item['kind']} {item['metadata']['name']}" for item in experiment.children()]


def test_retain_keeps_the_results(namespace: Namespace) -> None:
    experiment = Experiment.applied(namespace, manifest("kept", suspend=True, deletionPolicy="Retain"))
    until("the results' volume", lambda: namespace.find("pvc", "kept-results"), 60, otherwise=experiment.told)
    experiment.delete()
    until("all but the results deleted", lambda: left(experiment) == ["PersistentVolumeClaim kept-results"], 90,
          otherwise=lambda: str(left(experiment)))  # fmt: skip
    time.sleep(3)
    assert (
        "deletionTimestamp" not in (namespace.find("pvc", "kept-results") or {"metadata": {"deletionTimestamp": ""}})["metadata"]
    )
