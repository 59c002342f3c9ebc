"""Who scales the planners, and by what."""

from dataclasses import replace

import pytest
from kube_schemas import errors
from sample_blueprints import EMBEDDED, EXTERNAL, MINIMAL, MINIMAL_SPEC, blueprint

from aura_operator.blueprint import KEDA, Blueprint, Manifest
from aura_operator.builders import autoscaling, network, planner
from aura_operator.builders.manifest import build as manifest

SPEC = MINIMAL_SPEC.replace("backend: heuristic", "backend: heuristic, autoscale: {maxReplicas: 5, targetCPU: 60}")
WITH_KEDA = blueprint(SPEC)
WITHOUT = replace(WITH_KEDA, apis=frozenset())


def by_kind(found: list[Manifest]) -> dict[str, Manifest]:
    return {item["kind"]: item for item in found}


def trigger(found: Blueprint) -> Manifest:
    (only,) = by_kind(autoscaling.build(found))["ScaledObject"]["spec"]["triggers"]
    return dict(only)


def test_nobody_scales_without_autoscale() -> None:
    assert autoscaling.build(MINIMAL) == []
    assert autoscaling.build(replace(EMBEDDED, apis=frozenset({KEDA}))) == []


def test_a_cluster_without_keda_scales_by_processor_time() -> None:
    (found,) = autoscaling.build(WITHOUT)
    assert errors(found) == []
    spec = found["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 5)
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert spec["scaleTargetRef"]["name"] == planner.build(WITHOUT)[0]["metadata"]["name"]


def test_keda_scales_by_the_contexts_that_wait() -> None:
    found = trigger(WITH_KEDA)
    assert found["metadata"]["bootstrapServers"] == "grocer-kafka.shop.svc:9092"
    assert (found["metadata"]["topic"], found["metadata"]["consumerGroup"]) == ("aura-context", "aura-planner")
    assert found["metadata"]["lagThreshold"] == "1"


def test_keda_logs_in_to_the_experiments_own_broker() -> None:
    login = by_kind(autoscaling.build(WITH_KEDA))["TriggerAuthentication"]
    assert login["spec"]["secretTargetRef"] == [{"parameter": "password", "name": "grocer-passwords", "key": "kafka"}]
    (name,) = login["spec"]["env"]
    (container,) = planner.build(WITH_KEDA)[0]["spec"]["template"]["spec"]["containers"]
    assert (name["parameter"], name["containerName"]) == ("username", container["name"])
    assert {"name": name["name"], "value": "aura"} in container["env"]
    found = trigger(WITH_KEDA)
    assert found["authenticationRef"] == {"name": login["metadata"]["name"]}
    assert (found["metadata"]["sasl"], found["metadata"].get("tls")) == ("plaintext", None)


def test_keda_does_not_log_in_to_a_broker_without_a_password() -> None:
    found = replace(WITH_KEDA, passwords={"redis": "r"})
    assert by_kind(autoscaling.build(found)).keys() == {"ScaledObject"}
    assert not {"authenticationRef", "sasl"} & (trigger(found).keys() | trigger(found)["metadata"].keys())


def test_keda_logs_in_as_the_services_do() -> None:
    login = by_kind(autoscaling.build(EXTERNAL))["TriggerAuthentication"]
    targets = {one["parameter"]: (one["name"], one["key"]) for one in login["spec"]["secretTargetRef"]}
    assert targets == {
        "username": ("kafka-login", "username"), "password": ("kafka-login", "password"), "ca": ("kafka-login", "ca.crt"),
        "cert": ("kafka-login", "tls.crt"), "key": ("kafka-login", "tls.key"),
    }  # fmt: skip
    found = trigger(EXTERNAL)
    assert found["authenticationRef"] == {"name": login["metadata"]["name"]}
    assert (found["metadata"]["topic"], found["metadata"]["tls"]) == ("shop.grocer.aura-context", "enable")


@pytest.mark.parametrize(
    ("mechanism", "sasl"),
    [("", "scram_sha512"), ("SCRAM-SHA-256", "scram_sha256"), ("plain", "plaintext"), ("?", "scram_sha512")],
)
def test_the_mechanism_is_that_of_the_secret(mechanism: str, sasl: str) -> None:
    assert trigger(replace(EXTERNAL, kafka_mechanism=mechanism))["metadata"]["sasl"] == sasl


@pytest.mark.parametrize("found", [WITH_KEDA, WITHOUT, EXTERNAL])
def test_the_number_of_planners_is_left_to_it(found: Blueprint) -> None:
    assert "replicas" not in planner.build(found)[0]["spec"]


def test_autoscaling_rolls_no_planner() -> None:
    assert manifest(WITH_KEDA) == manifest(MINIMAL)


def test_keda_may_ask_the_experiments_own_broker_and_nothing_else() -> None:
    def let_in(found: Blueprint) -> set[str]:
        return {item["metadata"]["name"] for item in network.build(found) if "keda-operator" in str(item)}

    assert (let_in(WITH_KEDA), let_in(WITHOUT), let_in(EXTERNAL)) == ({"grocer-kafka"}, set(), set())
