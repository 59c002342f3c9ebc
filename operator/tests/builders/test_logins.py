"""Which logins builders give to servers and to whom, by Secrets' names and keys."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from sample_blueprints import (
    EMBEDDED,
    EXTERNAL,
    EXTERNAL_SPEC,
    MINIMAL_SPEC,
    PASSWORDS,
    blueprint,
    one,
    variables,
)

from aura_contract.credentials import Part, credentials, variable
from aura_operator.blueprint import KEDA, Blueprint
from aura_operator.builders import executor, kafka, loader, milvus, planner, replayer, secrets
from aura_operator.settings import OperatorSettings


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
