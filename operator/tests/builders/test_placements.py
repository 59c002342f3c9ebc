"""What a placement has in its cluster."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from kube_schemas import errors
from pod_security import violations
from sample_blueprints import (
    DOOR_SECRETS,
    EMBEDDED,
    MINIMAL_SPEC,
    PASSWORDS,
    PLACED_EMBEDDED,
    PLACED_EXTERNAL,
    blueprint,
    opened,
    with_placement,
)

from aura_contract.experiment import ExperimentSpec
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import door, kafka, network, secrets, stages
from aura_operator.placements.objects import Copy, copies, objects, place

LONGEST = "a" + "-b" * 19 + "c"


def built(home: Blueprint) -> list[Manifest]:
    placed = place(home, home.spec.planner.placements[0])
    assert placed is not None
    data = {copy.component: {key: base64.b64encode(key.encode()).decode() for key in copy.keys} for copy in copies(home)}
    return objects(placed, data)


def of(kind: str, found: list[Manifest]) -> list[Manifest]:
    return [item for item in found if item["kind"] == kind]


@pytest.mark.parametrize("name", ["embedded", "external"])
def test_objects_are_those_of_the_golden_files(golden: Callable[[str, list[Manifest]], None], name: str) -> None:
    golden(f"placement-{name}", built(PLACED_EMBEDDED if name == "embedded" else PLACED_EXTERNAL))


@pytest.mark.parametrize("home", [PLACED_EMBEDDED, PLACED_EXTERNAL])
def test_objects_are_valid_and_have_no_owner(home: Blueprint) -> None:
    for item in built(home):
        assert errors(item) == []
        assert violations(item) == []
        assert item["metadata"]["namespace"] == "theirs"
        assert "ownerReferences" not in item["metadata"]
        assert item["metadata"]["labels"]["aura.dev/run"] == home.run
        # What an operator in the other cluster watches.
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] != "aura-operator"


def test_planners_elsewhere_find_kafka_at_its_door_and_topics_under_the_same_names() -> None:
    (deployment,) = of("Deployment", built(PLACED_EMBEDDED))
    (config,) = of("ConfigMap", built(PLACED_EMBEDDED))
    spec = yaml.safe_load(config["data"]["experiment.yaml"])["spec"]
    assert spec["dependencies"] == {"kafka": {"external": {"endpoint": "192.0.2.8:31094", "tls": True}}}
    ExperimentSpec.model_validate(spec)
    variables = {item["name"]: item for item in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["AURA_KAFKA"]["value"] == "192.0.2.8:31094"
    assert variables["AURA_REPLICA_ID"]["value"] == "east/$(AURA_POD)"
    assert deployment["spec"]["replicas"] == 3
    (other,) = of("ConfigMap", built(PLACED_EXTERNAL))
    assert yaml.safe_load(other["data"]["experiment.yaml"])["spec"]["dependencies"]["kafka"]["topicPrefix"] == "shop.grocer."


def test_planners_elsewhere_have_the_login_of_the_users_own_ollama() -> None:
    ollama = {"external": {"endpoint": "https://models.example.org", "secretRef": {"name": "milvus-login"}}}
    spec = yaml.safe_load(with_placement(MINIMAL_SPEC, "{backend: ollama, model: m}"))
    home = opened(blueprint(yaml.safe_dump({**spec, "dependencies": {"ollama": ollama}})))
    assert {copy.component: copy.keys for copy in copies(home)}["ollama"] == ("username", "password", "ca.crt")
    (deployment,) = of("Deployment", built(home))
    variables = {item["name"]: item for item in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    secret = variables["AURA_OLLAMA_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"]
    assert secret in {item["metadata"]["name"] for item in of("Secret", built(home))}


def test_only_the_logins_of_planners_are_copied() -> None:
    assert copies(PLACED_EMBEDDED) == [Copy("kafka", "grocer-kafka-door", ("username", "password", "mechanism", "ca.crt"))]
    assert {copy.component: set(copy.keys) for copy in copies(PLACED_EXTERNAL)} == {
        "kafka": {"username", "password", "mechanism", "ca.crt", "tls.crt", "tls.key"},
        "mongodb": {"username", "password"},
        "milvus": {"username", "password", "ca.crt"},
        "model": {"api-key"},
    }
    assert "redis" not in json.dumps(built(PLACED_EXTERNAL))


def test_where_pods_may_run_at_home_says_nothing_about_other_clusters() -> None:
    found = yaml.safe_load(with_placement(MINIMAL_SPEC, "{backend: heuristic}"))
    found["pods"] = {"nodeSelector": {"disk": "fast"}}
    found["planner"]["placements"][0]["pods"] = {"nodeSelector": {"gpu": "many"}}
    (deployment,) = of("Deployment", built(opened(blueprint(yaml.safe_dump(found)))))
    assert deployment["spec"]["template"]["spec"]["nodeSelector"] == {"gpu": "many"}


def test_names_fit_and_differ_between_experiments_of_one_name() -> None:
    spec = with_placement(MINIMAL_SPEC, "{backend: heuristic}")
    one = opened(blueprint(spec, LONGEST))
    other = Blueprint(one.name, "elsewhere", "0" * 32, one.spec, one.settings, door=one.door)
    names = [{item["metadata"]["name"] for item in built(home)} for home in (one, other)]
    assert not names[0] & names[1]
    assert all(len(name) <= 63 for name in names[0] | names[1])


def test_without_an_address_of_kafka_there_is_nothing_to_make() -> None:
    home = blueprint(with_placement(MINIMAL_SPEC, "{backend: heuristic}"))
    assert place(home, home.spec.planner.placements[0]) is None


def listeners(found: Blueprint) -> dict[str, Any]:
    container = kafka.build(found)[0]["spec"]["template"]["spec"]["containers"][0]
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"] if "LISTENER" in item["name"]}


def test_kafka_has_a_door_only_where_a_placement_needs_it() -> None:
    before, after = listeners(blueprint(MINIMAL_SPEC)), listeners(PLACED_EMBEDDED)
    plain = "CLIENTS://grocer-kafka.shop.svc:9092"
    assert before["KAFKA_ADVERTISED_LISTENERS"] == plain
    assert after["KAFKA_ADVERTISED_LISTENERS"] == f"{plain},DOOR://192.0.2.8:31094"
    assert after["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].endswith("DOOR:SASL_SSL")
    assert after["KAFKA_LISTENER_NAME_DOOR_PLAIN_SASL_JAAS_CONFIG"]["secretKeyRef"] == {
        "name": "grocer-kafka-door",
        "key": "jaas",
    }
    assert door.build(blueprint(MINIMAL_SPEC)) == door.build(EMBEDDED) == []
    assert door.build(PLACED_EXTERNAL) == []
    policies = [policy["metadata"]["name"] for policy in network.build(PLACED_EMBEDDED)]
    assert ("grocer-kafka-door" in policies, len(policies)) == (True, len(network.build(blueprint(MINIMAL_SPEC))) + 1)


def test_a_door_that_is_open_is_built_without_placements_too() -> None:
    bare = opened(blueprint(MINIMAL_SPEC))
    assert kafka.build(bare) == kafka.build(PLACED_EMBEDDED)
    assert door.build(bare) == door.build(PLACED_EMBEDDED)
    assert network.build(bare) == network.build(PLACED_EMBEDDED)


def test_the_door_is_told_as_kubernetes_writes_it() -> None:
    for item in [*door.build(PLACED_EMBEDDED), *kafka.build(PLACED_EMBEDDED), *network.build(PLACED_EMBEDDED)]:
        assert errors(item) == []
        assert violations(item) == []


def test_no_secret_of_the_door_is_in_anything_but_its_secret() -> None:
    for item in stages.servers(PLACED_EMBEDDED):
        if item["kind"] != "Secret":
            text = json.dumps(item)
            assert not {value for value in DOOR_SECRETS.values() if value in text}
    assert secrets.build(PLACED_EMBEDDED)[0]["data"].keys() == {*PASSWORDS, "redis.conf", "kafka.jaas"}


def test_a_planner_at_home_does_not_roll_when_placements_change() -> None:
    workers = [stages.workers(blueprint(spec)) for spec in (MINIMAL_SPEC, with_placement(MINIMAL_SPEC, "{backend: heuristic}"))]
    assert of("Deployment", workers[0]) == of("Deployment", workers[1])
