"""Rules, alerts and dashboard: what the chart makes of them, what they ask for, and when alerts fire."""

import json
import re
import subprocess

import pytest
import yaml
from helm import ROOT, Refused
from monitoring_files import DASHBOARD, FOLDER, alerts, dashboard_queries, find_promtool, metric_names, recordings
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from aura_contract.results import Progress
from aura_operator.metrics import Metrics as OperatorMetrics
from aura_planner.metrics import Metrics as PlannerMetrics
from aura_replayer.monitor import Monitor

SERVED = ("monitoring.coreos.com/v1",)
CASES = sorted((ROOT / "charts/tests/monitoring").glob("*.yaml"))
PAGE = ROOT / "docs/monitoring.md"


def only(objects, kind, name):
    (found,) = [item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name]
    return found


@pytest.fixture(scope="session")
def promtool():
    found = find_promtool()
    if found is None:
        pytest.skip("needs promtool in PROMTOOL, on PATH or in tools/bin; make tools/bin/promtool builds it with Go")

    def run(*arguments):
        return subprocess.run((found, *map(str, arguments)), capture_output=True, text=True, timeout=120, check=False)

    return run


def exported() -> dict[str, str]:
    """Type of every metric that a service exports, by the name that queries use."""
    progress = Progress(
        phase="starting", experiment="e", run="r", events=0, total=0, window=0, events_per_second=0, eta_seconds=None, arms={}
    )
    registries: list[CollectorRegistry] = [
        OperatorMetrics().registry, PlannerMetrics(("aura",)).registry, Monitor(progress).registry,
    ]  # fmt: skip
    families = [family for registry in registries for family in registry.collect()]
    families += text_string_to_metric_families((ROOT / "executor/tests/metrics.txt").read_text(encoding="utf-8"))
    return {f"{one.name}_total" if one.type == "counter" else one.name: one.type for one in families}


def queryable(types: dict[str, str]) -> set[str]:
    parts = ("bucket", "count", "sum")
    histograms = {f"{name}_{part}" for name, kind in types.items() if kind == "histogram" for part in parts}
    return {"up"} | histograms | {name for name, kind in types.items() if kind != "histogram"}


def test_queries_name_only_what_is_exported_or_recorded():
    known = queryable(exported()) | set(recordings())
    asked = {**dashboard_queries(), **recordings(), **{name: alert["expr"] for name, alert in alerts().items()}}
    assert {name: metric_names(query) - known for name, query in asked.items() if not metric_names(query) <= known} == {}
    assert all(metric_names(query) for query in asked.values())


def test_names_follow_the_conventions():
    types = exported()
    assert all(re.fullmatch(r"aura_[a-z_]+", name) for name in types)
    for name, kind in types.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert kind != "histogram" or name.endswith(("_seconds", "_tokens")), name
        assert kind in {"counter", "gauge", "histogram"}, name


def test_page_lists_every_metric_with_its_type():
    rows = re.findall(r"^\| `(aura_\w+)` \| (\w+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == exported()
    assert len(rows) == len(exported())


def test_page_lists_every_rule_and_alert():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*recordings(), *alerts()) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", alerts())
def test_alert_has_severity_texts_and_a_page_that_is_its_own(name):
    alert = alerts()[name]
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    page = (ROOT / "docs/runbooks" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")


def test_every_alert_is_seen_to_fire_and_not_to_fire():
    assert [path.stem for path in CASES] == sorted(alerts())
    for path in CASES:
        tests = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        fires = {bool(one["exp_alerts"]) for case in tests for one in case["alert_rule_test"]}
        assert fires == {True, False}, path.name


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alert_fires_when_it_should(promtool, path):
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_well_formed(promtool):
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", FOLDER / "rules.yaml", FOLDER / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_of_the_dashboard_parse(promtool, tmp_path):
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(dashboard_queries().values())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(rules)} rules found" in done.stdout


def test_rules_come_only_where_they_are_served(render):
    assert not [item for item in render() if item["kind"] == "PrometheusRule"]
    assert not [
        item for item in render({"metrics": {"rules": {"enabled": False}}}, apis=SERVED) if item["kind"] == "PrometheusRule"
    ]


@pytest.mark.parametrize("name", ["rules", "alerts"])
def test_rules_are_the_text_that_is_tested(render, name):
    values = {"metrics": {"rules": {"labels": {"release": "prometheus"}}}}
    rule = only(render(values, apis=SERVED), "PrometheusRule", f"aura-{name}")
    assert rule["spec"] == yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_link_to_where_the_pages_are_served(render):
    values = {"metrics": {"rules": {"runbooks": "https://git.example.com/aura/blob/main/docs/runbooks/"}}}
    groups = only(render(values, apis=SERVED), "PrometheusRule", "aura-alerts")["spec"]["groups"]
    urls = {rule["alert"]: rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    assert urls == {name: f"https://git.example.com/aura/blob/main/docs/runbooks/{name}.md" for name in alerts()}


@pytest.mark.parametrize("address", ["a b", 'x"y', "{{ danger }}", "x#y", ""])
def test_address_that_breaks_the_text_is_refused(render, address):
    with pytest.raises(Refused, match="metrics/rules/runbooks"):
        render({"metrics": {"rules": {"runbooks": address}}}, apis=SERVED)


def test_dashboard_comes_when_it_is_asked_for(render):
    assert not [item for item in render(apis=SERVED) if item["metadata"]["name"] == "aura-dashboard"]
    values = {"metrics": {"dashboard": {"enabled": True, "annotations": {"folder": "Aura"}}}}
    found = only(render(values), "ConfigMap", "aura-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"folder": "Aura"}
    assert json.loads(found["data"]["aura.json"]) == json.loads(DASHBOARD.read_text(encoding="utf-8"))


def test_dashboards_variables_are_those_of_its_queries():
    text = DASHBOARD.read_text(encoding="utf-8")
    names = {one["name"] for one in json.loads(text)["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", text)) == names


def test_operators_series_keep_the_experiments_namespace(render):
    monitor = only(render(apis=SERVED), "ServiceMonitor", "aura-operator")
    assert [endpoint["honorLabels"] for endpoint in monitor["spec"]["endpoints"]] == [True]
