"""`kubectl scale`: several planners share the windows of all arms."""

from collections.abc import Callable

from cluster import Namespace, until
from experiments import Experiment, manifest
from operator_pod import metric


def test_three_planners_share_the_work(namespace: Namespace, record_property: Callable[[str, object], None]) -> None:
    spec = {"workload": {"limit": 40_000}, "trigger": {"everyEvents": 500}, "controls": ["noop", "random", "heuristic"]}
    experiment = Experiment.applied(namespace, manifest("team", suspend=True, **spec))
    experiment.wait_until_well(180)
    namespace.kubectl("scale", "ax/team", "--replicas=3")
    until("three planners ready", lambda: experiment.status()["planners"]["ready"] == 3, 90, otherwise=experiment.told)
    experiment.patch(suspend=False)
    experiment.wait_for_events(8000, 120)
    plans: dict[str, float] = {}
    while experiment.status()["phase"] == "Running" and sum(count > 0 for count in plans.values()) < 2:
        for pod in experiment.pods("planner"):
            plans[pod["metadata"]["name"]] = metric(namespace, pod["metadata"]["name"], "aura_planner_plans_total")
    record_property("plans", " ".join(f"{count:.0f}" for count in plans.values()))
    assert sum(count > 0 for count in plans.values()) >= 2, plans
    status = experiment.wait_for("Succeeded", seconds=240)
    assert status["planners"]["replicas"] in (0, 3)
    assert int(status["arms"]["heuristic"]["plansApplied"]) > 0
