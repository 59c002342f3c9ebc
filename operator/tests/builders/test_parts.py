"""What single builders promise."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sample_blueprints import (
    EMBEDDED,
    EMBEDDED_SPEC,
    EXTERNAL,
    EXTERNAL_SPEC,
    MINIMAL,
    MINIMAL_SPEC,
    SHARDED,
    SHARDED_SPEC,
    blueprint,
    one,
    variables,
)

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import (
    disruption,
    endpoints,
    executor,
    loader,
    monitoring,
    network,
    ollama,
    planner,
    redis,
    replayer,
    stages,
)
from aura_operator.settings import OperatorSettings

LLM = "planner: {backend: ollama}"


@pytest.mark.parametrize(
    "change",
    [
        "suspend: true",
        "activeDeadlineSeconds: 60",
        "ttlSecondsAfterFinished: {failed: 60}",
        "deletionPolicy: Retain",
        "planner: {backend: noop, replicas: 5, timeoutSeconds: 5}",
        "executor: {maxEvict: 1}",
        "trigger: {everyEvents: 100}",
    ],
)
def test_the_replayer_goes_on_whatever_may_change(change: str) -> None:
    spec = MINIMAL_SPEC.replace("planner: {backend: heuristic}", "") if change.startswith("planner") else MINIMAL_SPEC
    before, after = one(replayer.build(MINIMAL)), one(replayer.build(blueprint(f"{spec}{change}")))
    assert after["spec"]["template"] == before["spec"]["template"]
    assert after["spec"]["suspend"] == ("suspend" in change)


@pytest.mark.parametrize(
    ("planner", "bound"),
    [
        ("{backend: heuristic}", []),
        ("{backend: ollama, latency: free}", []),
        ("{backend: ollama, timeoutSeconds: 60, latency: x100}", ["--max-ahead=12000"]),
    ],
)
def test_an_executor_waits_for_plans_whose_time_is_charged_many_times(planner: str, bound: list[str]) -> None:
    spec = MINIMAL_SPEC.replace("{backend: heuristic}", planner)
    for item in executor.build(blueprint(spec)):
        (container,) = item["spec"]["template"]["spec"]["containers"]
        assert [argument for argument in container["args"] if "ahead" in argument] == bound


def test_each_shard_has_servers_and_executors_of_its_own_and_finds_them_by_its_number() -> None:
    names = [item["metadata"]["name"] for item in redis.build(SHARDED) if item["kind"] == "Deployment"]
    assert names == [f"grocer-redis-{arm}-{shard}" for shard in range(2) for arm in ("baseline", "aura", "noop")]
    found = {item["metadata"]["name"]: item for item in executor.build(SHARDED)}
    assert list(found) == [f"grocer-executor-{arm}-{shard}" for shard in range(2) for arm in ("aura", "noop")]
    for shard in range(2):
        item = found[f"grocer-executor-aura-{shard}"]
        (container,) = item["spec"]["template"]["spec"]["containers"]
        assert f"--shard={shard}" in container["args"]
        assert variables(item)["AURA_REDIS"] == f"redis://grocer-redis-aura-{shard}.shop.svc:6379"
    environment = variables(one(replayer.build(SHARDED)))
    assert list(environment).index("AURA_SHARD") < list(environment).index("AURA_ARMS")
    assert environment["AURA_ARMS"].split()[1] == "aura=redis://grocer-redis-aura-$(AURA_SHARD).shop.svc:6379"


def test_the_replayer_of_several_shards_is_an_indexed_job_and_that_of_one_is_none() -> None:
    spec = one(replayer.build(SHARDED))["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (2, 2, "Indexed")
    single = one(replayer.build(MINIMAL))
    assert not {"completions", "parallelism", "completionMode"} & single["spec"].keys()
    assert not {"AURA_SHARD", "AURA_MERGE"} & variables(single).keys()


def test_shards_share_a_node_unless_their_volume_can_be_shared() -> None:
    def affinity(built: Manifest) -> Any:
        return built["spec"]["template"]["spec"].get("affinity")

    assert affinity(one(replayer.build(SHARDED)))
    assert affinity(one(replayer.build(MINIMAL))) is None
    many = blueprint(SHARDED_SPEC, settings=OperatorSettings(results_access_mode="ReadWriteMany"))
    assert affinity(one(replayer.build(many))) is None
    assert one(replayer.results(many))["spec"]["accessModes"] == ["ReadWriteMany"]


def test_each_shards_server_has_memory_for_its_part() -> None:
    def limit(spec: str) -> str:
        (container,) = redis.build(blueprint(spec))[0]["spec"]["template"]["spec"]["containers"]
        return str(container["resources"]["limits"]["memory"])

    assert limit(SHARDED_SPEC.replace("shards: 2", "shards: 1")) == "1264Mi"
    assert limit(SHARDED_SPEC) == "1Gi"


@pytest.mark.parametrize(
    ("spec", "built"),
    [
        (MINIMAL_SPEC, False),
        (MINIMAL_SPEC + "dependencies: {ollama: {}}", False),
        (MINIMAL_SPEC.replace("planner: {backend: heuristic}", ""), True),
        (MINIMAL_SPEC.replace("planner: {backend: heuristic}", LLM), True),
        (MINIMAL_SPEC.replace("planner: {backend: heuristic}", "planner: {endpoint: 'http://mine'}"), False),
        (
            MINIMAL_SPEC.replace("planner: {backend: heuristic}", "dependencies: {ollama: {external: {endpoint: 'http://o'}}}"),
            False,
        ),
        (EXTERNAL_SPEC, False),
    ],
)
def test_ollama_is_built_where_a_planner_needs_it(spec: str, built: bool) -> None:
    assert bool(ollama.build(blueprint(spec))) is built


@pytest.mark.parametrize(
    ("planners", "mounted"),
    [
        ("planner: {backend: recorded, recording: /claims/logs/plans.jsonl}", True),
        ("planner: {backend: ml, modelFile: /claims/logs/model.txt}", True),
        ("planner: {backend: noop, modelFile: /claims/logs/model.txt}\ncontrols: [ml]", True),
        ("planner: {backend: heuristic}", False),
    ],
)
def test_planners_see_the_logs_volume_where_a_file_of_theirs_lies_in_it(planners: str, mounted: bool) -> None:
    spec = f"workload: {{source: {{path: log.csv, volumeClaim: logs}}}}\ncache: {{capacity: 5%}}\n{planners}"
    pod = one(planner.build(blueprint(spec)))["spec"]["template"]["spec"]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert claims == (["logs"] if mounted else [])


def test_the_loader_runs_where_there_is_something_to_load() -> None:
    assert loader.build(MINIMAL) == []
    assert loader.build(blueprint(MINIMAL_SPEC + "catalog: {source: {dataset: complete-journey}}")) == []
    assert loader.build(blueprint(MINIMAL_SPEC + "dependencies: {mongodb: {}}")) == []
    assert loader.build(EMBEDDED)
    assert loader.build(EXTERNAL)
    other = blueprint(EMBEDDED_SPEC.replace("items.csv", "more.csv"))
    (before,), (after,) = loader.build(EMBEDDED), loader.build(other)
    assert before["spec"]["template"] != after["spec"]["template"]


def test_a_catalogue_in_a_file_needs_no_mongodb() -> None:
    spec = MINIMAL_SPEC + "catalog: {source: {dataset: complete-journey}}"
    names = {built["metadata"]["name"] for built in stages.servers(blueprint(spec))}
    assert not names & {"grocer-mongodb", "grocer-milvus"}


def test_every_embedded_server_names_its_clients() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in network.build(EMBEDDED)}
    assert "ingress" not in policies["grocer-default"]

    def clients(name: str) -> set[str]:
        (rule,) = policies[name]["ingress"]
        return {peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]}

    assert clients("grocer-redis-baseline") == {"replayer"}
    assert clients("grocer-redis-noop") == {"replayer", "executor-noop"}
    assert clients("grocer-kafka") == {"replayer", "planner", "executor-aura", "executor-noop", "executor-random"}
    assert clients("grocer-mongodb") == {"replayer", "planner", "loader"}
    assert clients("grocer-milvus") == {"planner", "loader"}
    assert clients("grocer-ollama") == {"planner"}
    assert {name for name, spec in policies.items() if "Egress" not in spec["policyTypes"]} == {
        "grocer-default",
        "grocer-services",
        "grocer-ollama",
    }


def test_arms_are_not_evicted_and_users_servers_are_theirs() -> None:
    budgets = {built["metadata"]["name"]: built["spec"]["maxUnavailable"] for built in disruption.build(EMBEDDED)}
    assert budgets == {"grocer-arms": 0, "grocer-planner": 1}
    assert [built["metadata"]["name"] for built in disruption.build(EXTERNAL)] == ["grocer-planner"]


@pytest.mark.parametrize(("setting", "served", "built"), [("auto", True, True), ("auto", False, False), ("never", True, False)])
def test_service_monitors_where_prometheus_is_operated(setting: str, served: bool, built: bool) -> None:
    settings = OperatorSettings.model_validate({"serviceMonitors": setting})
    given = blueprint(EMBEDDED_SPEC if served else MINIMAL_SPEC, settings=settings)
    assert any(found["kind"] == "ServiceMonitor" for found in monitoring.build(given)) is built


def test_series_carry_experiment_component_and_an_executors_arm() -> None:
    settings = OperatorSettings.model_validate({"serviceMonitorLabels": {"release": "prometheus"}, "scrapeInterval": "5s"})
    monitor = monitoring.build(blueprint(EMBEDDED_SPEC, settings=settings))[-1]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["interval"] == "5s"
    found = {}
    for component in ("replayer", "executor-random"):
        labels = {"aura_dev_experiment": "grocer", "app_kubernetes_io_component": component}
        found[component] = {
            rule["targetLabel"]: match[1]
            for rule in endpoint["relabelings"]
            for source in rule["sourceLabels"]
            if (match := re.fullmatch(rule["regex"], labels[source.removeprefix("__meta_kubernetes_service_label_")]))
        }
    assert found == {
        "replayer": {"experiment": "grocer", "component": "replayer"},
        "executor-random": {"experiment": "grocer", "component": "executor-random", "arm": "random"},
    }


def test_labels_of_prometheus_do_not_replace_our_own() -> None:
    settings = OperatorSettings.model_validate({"serviceMonitorLabels": {"aura.dev/experiment": "another"}})
    monitor = monitoring.build(blueprint(EMBEDDED_SPEC, settings=settings))[-1]
    assert monitor["metadata"]["labels"]["aura.dev/experiment"] == "grocer"


def test_images_resources_and_volumes_may_be_chosen() -> None:
    found = {(built["kind"], built["metadata"]["name"]): built for built in stages.servers(EMBEDDED)}
    milvus = found["StatefulSet", "grocer-milvus"]["spec"]["template"]["spec"]["containers"][0]
    assert milvus["image"] == "registry.example/milvus:mine"
    server = found["Deployment", "grocer-redis-aura"]["spec"]["template"]["spec"]
    assert server["containers"][0]["resources"] == {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}
    assert server["nodeSelector"] == {"disk": "fast"}
    assert server["tolerations"] == [{"key": "experiments", "operator": "Exists", "effect": "NoSchedule"}]
    (volume,) = found["StatefulSet", "grocer-kafka"]["spec"]["volumeClaimTemplates"]
    assert volume["spec"]["resources"]["requests"]["storage"] == "1Gi"


@pytest.mark.parametrize(
    ("budget", "request_", "limit"), [("8Mi", "72Mi", "1Gi"), ("4Gi", "4160Mi", "8256Mi"), ("64Ki", "65Mi", "1Gi")]
)
def test_redis_has_room_for_its_budget(budget: str, request_: str, limit: str) -> None:
    found = redis.build(blueprint(MINIMAL_SPEC.replace("capacity: 5%", f"memory: {budget}")))
    (container,) = found[0]["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "50m", "memory": request_}, "limits": {"memory": limit}}


@pytest.mark.parametrize("build", [replayer.build, planner.build, executor.build])
def test_services_are_told_where_traces_go(build: Callable[[Blueprint], list[Manifest]]) -> None:
    settings = OperatorSettings(tracing_endpoint="http://collector.tracing.svc:4318")
    traced = variables(build(blueprint(MINIMAL_SPEC, settings=settings))[-1])
    assert traced["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.tracing.svc:4318"
    assert traced["OTEL_RESOURCE_ATTRIBUTES"] == "aura.experiment=grocer,k8s.namespace.name=shop"
    assert not {name for name in variables(build(MINIMAL)[-1]) if name.startswith("OTEL_")}


def test_a_control_that_asks_ollama_brings_one_up() -> None:
    spec = MINIMAL_SPEC.replace("planner: {backend: heuristic}", "planner: {backend: heuristic, model: m}\ncontrols: [ollama]")
    assert endpoints.embeds(blueprint(spec), endpoints.OLLAMA)
    assert not endpoints.embeds(blueprint(MINIMAL_SPEC), endpoints.OLLAMA)
