"""The experiment as its pods read it."""

from dataclasses import replace

import pytest
from sample_blueprints import BLUEPRINTS, EMBEDDED, EMBEDDED_SPEC, EXTERNAL, EXTERNAL_SPEC, MINIMAL, MINIMAL_SPEC, blueprint

from aura_contract.experiment import AuraExperiment
from aura_contract.manifest import parse_manifest
from aura_operator.blueprint import Blueprint
from aura_operator.builders import manifest, planner


def read(experiment: Blueprint) -> AuraExperiment:
    return parse_manifest(text(experiment))


def text(experiment: Blueprint) -> str:
    (built,) = manifest.build(experiment)
    found = built["data"]["experiment.yaml"]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("experiment", BLUEPRINTS)
def test_it_is_the_same_experiment(experiment: str) -> None:
    given, found = BLUEPRINTS[experiment].spec, read(BLUEPRINTS[experiment]).spec
    assert found.cache == given.cache
    assert found.trigger == given.trigger
    assert found.executor == given.executor
    assert found.controls == given.controls
    assert found.planner.backend == given.planner.backend
    assert found.workload.model_copy(update={"source": given.workload.source}) == given.workload
    if given.catalog:
        assert found.catalog
        assert found.catalog.columns == given.catalog.columns


def test_embedded_servers_have_their_addresses() -> None:
    found = read(EMBEDDED).spec
    servers = found.dependencies
    assert servers.kafka_server
    assert servers.kafka_server.endpoint == "grocer-kafka.shop.svc:9092"
    assert servers.mongodb_server
    assert servers.mongodb_server.endpoint == "mongodb://grocer-mongodb.shop.svc:27017/aura?authSource=admin"
    assert servers.milvus_server
    assert servers.milvus_server.endpoint == "http://grocer-milvus.shop.svc:19530"
    assert found.model_endpoint == "http://grocer-ollama.shop.svc:11434"
    assert found.planner.model == "llama3.2:1b"


def test_external_servers_keep_theirs_and_lose_their_secrets() -> None:
    servers = read(EXTERNAL).spec.dependencies
    assert servers.kafka_server
    assert servers.kafka_server.model_dump() == {"endpoint": "kafka.example.org:9093", "tls": True, "secret_ref": None}
    assert servers.mongodb_server
    assert servers.mongodb_server.endpoint == "mongodb://mongodb.example.org/catalogue"
    assert "login" not in text(EXTERNAL)


def test_servers_of_no_use_are_left_out() -> None:
    spec = MINIMAL_SPEC + "dependencies: {mongodb: {}, milvus: {}, ollama: {}}"
    servers = read(blueprint(spec)).spec.dependencies
    assert (servers.mongodb, servers.milvus, servers.ollama) == (None, None, None)


def test_topics_on_a_shared_broker_carry_the_experiment() -> None:
    assert read(MINIMAL).spec.dependencies.kafka.topic_prefix == ""
    assert read(EXTERNAL).spec.dependencies.kafka.topic_prefix == "shop.grocer."
    given = EXTERNAL_SPEC.replace("kafka: {", 'kafka: {topicPrefix: "mine-", ')
    assert read(blueprint(given)).spec.dependencies.kafka.topic_prefix == "mine-"


def test_a_long_topic_prefix_is_cut_and_stays_unique() -> None:
    prefixes = {
        read(blueprint(EXTERNAL_SPEC, name, "n" * 63)).spec.dependencies.kafka.topic_prefix
        for name in ("e" * 39, "e" * 38 + "f", "e" * 36)
    }
    assert len(prefixes) == 3
    assert max(map(len, prefixes)) == 100


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("logs/a.csv", "/claims/c/logs/a.csv"),
        ("/logs/a.csv", "/claims/c/logs/a.csv"),
        ("./logs//a.csv", "/claims/c/logs/a.csv"),
        ("../../etc/passwd", "/claims/c/etc/passwd"),
        ("logs/../../../a.csv", "/claims/c/a.csv"),
    ],
)
def test_no_path_leaves_its_claim(path: str, found: str) -> None:
    spec = MINIMAL_SPEC.replace("url: https://example.org/log.csv", f"path: {path}, volumeClaim: c")
    source = read(blueprint(spec)).spec.workload.source
    assert (source.path, source.volume_claim) == (found, None)


@pytest.mark.parametrize(
    "more",
    [
        "suspend: true",
        "activeDeadlineSeconds: 60",
        "ttlSecondsAfterFinished: {failed: 60}",
        "deletionPolicy: Retain",
        "successCondition: {minDeltaPoints: 1}",
        "pods: {priorityClassName: high}",
        "dependencies: {kafka: {embedded: {storage: 9Gi}}}",
        "dependencies: {redis: {embedded: {image: mine}}}",
    ],
)
def test_life_cycle_is_not_for_pods(more: str) -> None:
    assert text(blueprint(f"{MINIMAL_SPEC}{more}")) == text(MINIMAL)


@pytest.mark.parametrize("spec", [EMBEDDED_SPEC, MINIMAL_SPEC.replace("planner: {backend: heuristic}", "")])
def test_scaling_planners_rolls_none_of_them(spec: str) -> None:
    one = blueprint(spec)
    spec_of_three = one.spec.model_copy(update={"planner": one.spec.planner.model_copy(update={"replicas": 3})})
    three = replace(one, spec=spec_of_three)
    assert text(one) == text(three)
    (before,), (after,) = planner.build(one), planner.build(three)
    assert before["spec"]["template"] == after["spec"]["template"]
    assert after["spec"]["replicas"] == 3


def test_another_model_rolls_the_planners() -> None:
    other = blueprint(EMBEDDED_SPEC.replace("backend: auto", "backend: auto, model: other"))
    (before,), (after,) = planner.build(EMBEDDED), planner.build(other)
    assert before["spec"]["template"] != after["spec"]["template"]
