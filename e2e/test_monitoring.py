"""A Prometheus Operator comes while an experiment is there: all is scraped, and every query of rules and dashboard has data."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cluster import Cluster, Namespace, until
from experiments import SHARED_KAFKA, Experiment, manifest
from installation import OUT, Options, upgrade
from monitoring_files import DASHBOARD, alerts, dashboard_queries, recordings
from operator_pod import pod_name, restarting, system
from prometheus import BUNDLE, Prometheus, prometheus_operator

LIMIT = 300_000
SPEC = {
    "workload": {"limit": LIMIT},
    "trigger": {"everyEvents": 250},
    "controls": ["random"],
    "suspend": True,
    "dependencies": SHARED_KAFKA,
}
LABELS = {"labels": {"release": "e2e"}}
METRICS = {"serviceMonitor": {**LABELS, "interval": "2s"}, "rules": LABELS, "dashboard": {"enabled": True}}
NONE = {"serviceMonitor": {"enabled": False}, "rules": {"enabled": False}}
COMPONENTS = {"replayer", "planner", "executor-aura", "executor-random"}

pytestmark = pytest.mark.skipif(
    not os.environ.get(BUNDLE), reason=f"needs {BUNDLE}, path or url of the bundle.yaml of Prometheus Operator v0.85.0"
)


@pytest.fixture
def monitored(cluster: Cluster, options: Options) -> Iterator[None]:
    """A Prometheus Operator that comes now, and a chart that makes use of it; nobody else relies on the operator meanwhile."""
    with restarting():
        before = pod_name(cluster)
        with prometheus_operator(cluster, options):
            until("ServiceMonitors of the experiment", lambda: _monitors(cluster), 90)
            assert pod_name(cluster) == before
            try:
                upgrade(options, METRICS, serviceMonitorLabels={"release": "e2e"}, scrapeInterval="2s")
                yield
            finally:
                # Helm can take nothing away whose kind is gone.
                upgrade(options, NONE)
        upgrade(options)


def _monitors(cluster: Cluster) -> list[str]:
    kind = "servicemonitors.monitoring.coreos.com"
    names = cluster.kubectl("get", kind, "--all-namespaces", "--output=name").split()
    return [name for name in names if name.endswith("/seen-metrics")]


@pytest.fixture
def waiting(new_namespace: Callable[[], Namespace]) -> Experiment:
    """An experiment that was there before the Prometheus Operator; it stands still, with all its parts up."""
    experiment = Experiment.applied(new_namespace(), manifest("seen", **SPEC))
    experiment.wait_until_well(240)
    return experiment


# Others may use the operator for long before it can be had alone.
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("waiting", "monitored")
def test_every_query_has_data(
    waiting: Experiment,
    new_namespace: Callable[[], Namespace],
    cluster: Cluster,
    record_property: Callable[[str, object], None],
) -> None:
    prometheus = Prometheus.applied(new_namespace())
    try:
        waiting.patch(suspend=False)
        waiting.wait_for_events(LIMIT // 4, 300)
        monitor = waiting.children("servicemonitors")
        where = f'namespace="{waiting.namespace.name}", experiment="{waiting.name}"'
        scraped(prometheus, where)
        queries = {
            **{name: f"{name}{{{where}}}" for name in recordings()},
            **dashboard_queries(waiting.namespace.name, waiting.name),
        }
        found = prometheus.all_values(queries, 60)
        assert waiting.status()["phase"] == "Running", waiting.told()
        (OUT / "monitoring.json").write_text(json.dumps({"queries": queries, "values": found}, indent=1), encoding="utf-8")
        assert [name for name, values in found.items() if not values] == []
        record_property("queries", len(found))
        plausible(found)
        healthy(prometheus)
        # What the kind's defaults add is no drift, which would be corrected again and again.
        assert waiting.children("servicemonitors") == monitor
        logs_follow_a_plan(waiting)
    finally:
        prometheus.remove()
    dashboard = system(cluster).find("configmap", "aura-dashboard")
    assert dashboard is not None
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["aura.json"]) == json.loads(DASHBOARD.read_text(encoding="utf-8"))


def scraped(prometheus: Prometheus, where: str) -> None:
    """Each part of the experiment answers, and so does the operator."""
    query = f"min by (component) (up{{{where}}})"
    wanted = {f"component={name}": 1.0 for name in COMPONENTS}
    until("every part scraped", lambda: prometheus.values(query) == wanted, 90, otherwise=lambda: str(prometheus.values(query)))
    until("the operator scraped", lambda: prometheus.values("aura_operator_look_seconds_count"), 90)


def logs_follow_a_plan(experiment: Experiment) -> None:
    """One plan can be found in the logs of all services by its id, and the experiment in the operator's."""
    logs = {name: _lines(experiment.namespace, f"{experiment.name}-{name}") for name in ("replayer", "planner", "executor-aura")}
    published = [line["plan_id"] for line in logs["planner"] if "plan_id" in line and line["arm"] == "aura"]
    plan = published[len(published) // 2]
    told = {name: [line for line in lines if line.get("plan_id") == plan] for name, lines in logs.items()}
    assert all(told.values()), told
    run = experiment.status()["run"]
    for line in (line for lines in told.values() for line in lines):
        assert (line["experiment"], line["run"], line["arm"]) == (experiment.name, run, "aura")
        assert isinstance(line["window"], int)
    operator = _lines(system(experiment.namespace.cluster), "aura-operator")
    assert any((line.get("experiment"), line.get("phase")) == (experiment.name, "Running") for line in operator)


def _lines(namespace: Namespace, owner: str) -> list[dict[str, Any]]:
    kind = "job" if owner.endswith("-replayer") else "deployment"
    text = namespace.kubectl("logs", f"{kind}/{owner}", "--tail=-1")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def plausible(found: dict[str, dict[str, float]]) -> None:
    ratios = found["arm:aura_cache_hit_ratio:since_start"]
    deltas = found["arm:aura_hit_ratio_delta_points:since_start"]
    assert set(ratios) == {"arm=aura", "arm=baseline", "arm=random"}
    assert all(0 < ratio < 1 for ratio in ratios.values())
    assert set(deltas) == {"arm=aura", "arm=random"}
    assert all("phase=Running" in labels for labels in found["Phase ({{phase}})"])


def healthy(prometheus: Prometheus) -> None:
    """Every rule of the chart is evaluated without an error, and no alert fires for a run that goes well."""
    rules = [rule for rule in prometheus.rules() if rule["name"] in {*recordings(), *alerts()}]
    assert {rule["name"] for rule in rules} == {*recordings(), *alerts()}
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []
