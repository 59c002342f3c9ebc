"""The chart is upgraded while two experiments run in two namespaces."""

from collections.abc import Callable

from cluster import Cluster, Namespace
from experiments import Experiment, manifest
from installation import Options, upgrade
from operator_pod import pod_name, restarting


def test_upgrade_with_experiments_running(new_namespace: Callable[[], Namespace], cluster: Cluster, options: Options) -> None:
    spec = {"workload": {"limit": 50_000}, "trigger": {"everyEvents": 250}}
    both = [Experiment.applied(new_namespace(), manifest("twin", **spec)) for _ in range(2)]
    for experiment in both:
        experiment.wait_for_events(500, 240)
    with restarting():
        old = pod_name(cluster)
        upgrade(options, statusSeconds=2)
        assert pod_name(cluster) != old
    for experiment in both:
        status = experiment.wait_for("Succeeded", seconds=300)
        assert {arm["requests"] for arm in status["arms"].values()} == {"50000"}
        assert experiment.pods("replayer")[0]["status"]["containerStatuses"][0]["restartCount"] == 0
    upgrade_back(options)


def upgrade_back(options: Options) -> None:
    with restarting():
        upgrade(options)
