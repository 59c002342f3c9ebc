"""The chart is upgraded and rolled back while two experiments run in two namespaces."""

from collections.abc import Callable

from cluster import Cluster, Namespace
from experiments import Experiment, manifest
from installation import Options, roll_back, upgrade
from operator_pod import pod_name, restarting
from servers import SlowModel

LIMIT = 80_000


def test_upgrade_and_rollback_with_experiments_running(
    new_namespace: Callable[[], Namespace], cluster: Cluster, options: Options
) -> None:
    spec = {"workload": {"limit": LIMIT}, "trigger": {"everyEvents": 250}}
    # Other tests may have the operator to themselves for minutes before the upgrade can begin.
    models = [SlowModel.up(new_namespace(), options, seconds=3.0) for _ in range(2)]
    both = [Experiment.applied(model.namespace, manifest("twin", planner=model.planner, **spec)) for model in models]
    for experiment in both:
        experiment.wait_for_events(500, 240)
    with restarting():
        first = pod_name(cluster)
        upgrade(options, statusSeconds=2)
        second = pod_name(cluster)
        roll_back(options)
        assert len({first, second, pod_name(cluster)}) == 3
        assert [experiment.status()["phase"] for experiment in both] == ["Running", "Running"]
    for model, experiment in zip(models, both, strict=True):
        model.release()
        status = experiment.wait_for("Succeeded", seconds=400)
        assert {arm["requests"] for arm in status["arms"].values()} == {str(LIMIT)}
        assert experiment.pods("replayer")[0]["status"]["containerStatuses"][0]["restartCount"] == 0
