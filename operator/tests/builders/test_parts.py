"""What single builders promise."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sample_blueprints import (
    EMBEDDED,
    EMBEDDED_SPEC,
    EXTERNAL,
    EXTERNAL_SPEC,
    MINIMAL,
    MINIMAL_SPEC,
    PASSWORDS,
    SHARDED,
    SHARDED_SPEC,
    blueprint,
)

from aura_contract.credentials import Part, credentials, variable
from aura_operator.blueprint import KEDA, Blueprint, Manifest
from aura_operator.builders import (
    disruption,
    endpoints,
    executor,
    kafka,
    loader,
    milvus,
    monitoring,
    network,
    ollama,
    planner,
    redis,
    replayer,
    secrets,
    stages,
)
from aura_operator.settings import OperatorSettings

LLM = "planner: {backend: ollama}"


def variables(built: Manifest) -> dict[str, Any]:
    """Environment of the one container; Secrets' keys in the place of values."""
    (container,) = built["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value") or item["valueFrom"] for item in container["env"]}


def one(built: list[Manifest]) -> Manifest:
    (found,) = built
    return found


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


def test_each_service_gets_the_credentials_of_its_parts_and_no_others() -> None:
    expected = {"replayer": {"KAFKA", "REDIS", "MONGODB"}, "planner": {"KAFKA", "MONGODB", "MILVUS"}}
    expected |= {"executor": {"KAFKA", "REDIS"}, "loader": {"MONGODB", "MILVUS"}}
    builders = {"replayer": replayer, "planner": planner, "executor": executor, "loader": loader}
    for service, module in builders.items():
        names = variables(module.build(EXTERNAL)[0])
        parts = {name.split("_")[1] for name in names if name.endswith(("_PASSWORD", "_CA"))}
        assert parts == expected[service], service


def test_services_find_the_credentials_where_they_look_for_them() -> None:
    template = one(replayer.build(EXTERNAL))["spec"]["template"]["spec"]
    found = variables(one(replayer.build(EXTERNAL)))
    assert found[variable("KAFKA", "tls")] == "true"
    assert found[variable("KAFKA", "mechanism")] == {"secretKeyRef": {"name": "kafka-login", "key": "mechanism"}}
    assert found[variable("MONGODB", "username")] == {"secretKeyRef": {"name": "mongodb-login", "key": "username"}}
    assert variable("MONGODB", "tls") not in found
    (volume,) = (volume for volume in template["volumes"] if "projected" in volume)
    files = {item["path"] for source in volume["projected"]["sources"] for item in next(iter(source.values()))["items"]}
    fields: list[tuple[Part, str]] = [("KAFKA", "ca"), ("KAFKA", "cert"), ("KAFKA", "key"), ("REDIS", "ca")]
    assert {f"/etc/aura/{path}" for path in files} == {
        "/etc/aura/experiment.yaml",
        *(found[variable(part, field)] for part, field in fields),
    }


def test_services_read_the_credentials_as_they_are_given(tmp_path: Path) -> None:
    given = {name: str(value) for name, value in variables(one(replayer.build(EXTERNAL))).items()}
    files = [f"/etc/aura/tls/kafka/{name}" for name in ("ca.crt", "tls.crt", "tls.key")]
    assert [given[f"AURA_KAFKA_{field}"] for field in ("CA", "CERT", "KEY")] == files
    # The files are a pod's; here others stand for them, since credentials that cannot be read are refused.
    (tmp_path / "pem").touch()
    given |= {name: str(tmp_path / "pem") for name, value in given.items() if value.startswith("/etc/aura/tls/")}
    kafka = credentials("KAFKA", given)
    assert kafka.tls
    assert "kafka-login" in str(kafka.mechanism)
    mongodb = credentials("MONGODB", given)
    assert not mongodb.tls
    assert "mongodb-login" in str(mongodb.username)


def test_embedded_servers_take_the_generated_passwords() -> None:
    found = variables(one(replayer.build(EMBEDDED)))
    assert found["AURA_REDIS_PASSWORD"] == {"secretKeyRef": {"name": "grocer-passwords", "key": "redis"}}
    assert found["AURA_MONGODB_PASSWORD"] == {"secretKeyRef": {"name": "grocer-passwords", "key": "mongodb"}}
    assert found["AURA_MONGODB_USERNAME"] == "root"
    assert set(secrets.build(EMBEDDED)[0]["data"]) == {*PASSWORDS, "redis.conf", "kafka.jaas"}


def test_every_client_of_an_embedded_kafka_logs_in() -> None:
    for built in (*replayer.build(EMBEDDED), *planner.build(EMBEDDED), *executor.build(EMBEDDED)):
        found = variables(built)
        assert found["AURA_KAFKA_PASSWORD"] == {"secretKeyRef": {"name": "grocer-passwords", "key": "kafka"}}
        assert (found["AURA_KAFKA_USERNAME"], found["AURA_KAFKA_MECHANISM"]) == ("aura", "PLAIN")
        assert credentials("KAFKA", {name: str(value) for name, value in found.items()}).tls is False
    assert "AURA_KAFKA_PASSWORD" not in variables(one(loader.build(EMBEDDED)))


def test_an_embedded_kafka_lets_in_its_one_user_alone() -> None:
    found = variables(kafka.build(EMBEDDED)[0])
    assert found["KAFKA_LISTENERS"] == "CLIENTS://:9092,CONTROLLER://localhost:9093"
    assert found["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] == "CONTROLLER:PLAINTEXT,CLIENTS:SASL_PLAINTEXT"
    jaas = found["KAFKA_LISTENER_NAME_CLIENTS_PLAIN_SASL_JAAS_CONFIG"]
    assert jaas == {"secretKeyRef": {"name": "grocer-passwords", "key": "kafka.jaas"}}
    text = base64.b64decode(secrets.build(EMBEDDED)[0]["data"]["kafka.jaas"]).decode()
    assert re.findall(r'(\w+)="([^"]*)"', text) == [
        ("username", "aura"), ("password", PASSWORDS["kafka"]), ("user_aura", PASSWORDS["kafka"]),
    ]  # fmt: skip


def test_an_embedded_milvus_lets_in_root_alone() -> None:
    server = variables(milvus.build(EMBEDDED)[0])
    assert server["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    assert server["COMMON_SECURITY_DEFAULTROOTPASSWORD"] == {"secretKeyRef": {"name": "grocer-passwords", "key": "milvus"}}
    for built in (*planner.build(EMBEDDED), *loader.build(EMBEDDED)):
        found = variables(built)
        assert found["AURA_MILVUS_PASSWORD"] == {"secretKeyRef": {"name": "grocer-passwords", "key": "milvus"}}
        assert found["AURA_MILVUS_USERNAME"] == "root"


def test_servers_that_were_made_without_a_password_stay_as_they_were() -> None:
    passwords = {"redis": "r", "mongodb": "m"}
    found = replace(EMBEDDED, passwords=passwords, apis=frozenset({KEDA}))
    assert set(secrets.build(found)[0]["data"]) == {*passwords, "redis.conf"}
    for built in (*kafka.build(found), *milvus.build(found), *replayer.build(found), *planner.build(found)):
        assert not re.search("SASL|AUTHORIZATION|AURA_(KAFKA|MILVUS)_", str(built))
    assert variables(kafka.build(found)[0])["KAFKA_LISTENERS"] == "PLAINTEXT://:9092,CONTROLLER://localhost:9093"


@pytest.mark.parametrize(
    ("part", "spec"),
    [
        (None, EXTERNAL_SPEC),
        ("redis", EXTERNAL_SPEC.replace("redis:", "x:")),
        ("kafka", EXTERNAL_SPEC.replace("kafka:", "x:")),
        ("mongodb", EXTERNAL_SPEC.replace("mongodb: {ext", "mongodb: {}\n  x: {ext")),
        ("milvus", EXTERNAL_SPEC.replace("milvus: {ext", "milvus: {}\n  x: {ext")),
    ],
)
def test_passwords_are_there_for_whatever_is_embedded(part: str | None, spec: str) -> None:
    parsed = yaml.safe_load(spec)
    parsed["dependencies"].pop("x", None)
    assert bool(secrets.build(blueprint(yaml.safe_dump(parsed)))) is (part is not None)


@pytest.mark.parametrize("part", ["KAFKA", "REDIS", "MONGODB"])
def test_a_secret_that_is_not_there_yet_is_not_named(part: Part) -> None:
    found = Blueprint("grocer", "shop", EXTERNAL.uid, EXTERNAL.spec, OperatorSettings())
    given = {name: str(value) for name, value in variables(one(replayer.build(found))).items()}
    assert credentials(part, given).password is None


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


OWN_OLLAMA = """
planner: {backend: ollama, model: m}
dependencies:
  ollama: {external: {endpoint: models.example.org, tls: true, secretRef: {name: milvus-login}}}
"""
NAMED_OLLAMA = "planner: {backend: ollama, model: m, endpoint: 'https://models.example.org', secretRef: {name: keys}}"


def test_planners_log_in_to_an_ollama_of_the_users_own() -> None:
    spec = MINIMAL_SPEC.replace("planner: {backend: heuristic}", "")
    found = variables(one(planner.build(blueprint(f"{spec}{OWN_OLLAMA}"))))
    assert found["AURA_OLLAMA_TLS"] == "true"
    assert found["AURA_OLLAMA_CA"] == "/etc/aura/tls/ollama/ca.crt"
    assert found["AURA_OLLAMA_PASSWORD"] == {"secretKeyRef": {"name": "milvus-login", "key": "password"}}
    with_key = replace(blueprint(f"{spec}{NAMED_OLLAMA}"), secret_keys={"keys": frozenset({"api-key", "ca.crt"})})
    found = variables(one(planner.build(with_key)))
    assert found["AURA_OLLAMA_API_KEY"] == {"secretKeyRef": {"name": "keys", "key": "api-key"}}
    assert found["AURA_OLLAMA_CA"] == "/etc/aura/tls/ollama/ca.crt"
    assert "AURA_OPENAI_API_KEY" not in found
    with_controls = replace(blueprint(f"{spec}{NAMED_OLLAMA}\ncontrols: [openai]"), secret_keys=with_key.secret_keys)
    both = variables(one(planner.build(with_controls)))
    assert both["AURA_OPENAI_API_KEY"] == both["AURA_OLLAMA_API_KEY"] == found["AURA_OLLAMA_API_KEY"]


def test_a_control_that_asks_ollama_brings_one_up() -> None:
    spec = MINIMAL_SPEC.replace("planner: {backend: heuristic}", "planner: {backend: heuristic, model: m}\ncontrols: [ollama]")
    assert endpoints.embeds(blueprint(spec), endpoints.OLLAMA)
    assert not endpoints.embeds(blueprint(MINIMAL_SPEC), endpoints.OLLAMA)
