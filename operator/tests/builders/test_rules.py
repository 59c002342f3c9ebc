"""What holds for every object, whatever the experiment."""

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kube_schemas import errors
from pod_security import pod_specs, violations
from sample_blueprints import BLUEPRINTS, EMBEDDED_SPEC, EXTERNAL, PASSWORDS, blueprint

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import stages
from aura_operator.builders.kafka import cluster_id
from aura_operator.naming import labels
from aura_operator.quantities import canonical

LONGEST_NAME = "a" + "-b" * 19


def everything(experiment: Blueprint) -> list[Manifest]:
    return [*stages.servers(experiment), *stages.loading(experiment), *stages.workers(experiment)]


def all_objects() -> Iterator[Any]:
    for experiment, found in BLUEPRINTS.items():
        for built in everything(found):
            yield pytest.param(built, id=f"{experiment}-{built['kind']}-{built['metadata']['name']}")


each_object = pytest.mark.parametrize("built", list(all_objects()))


@each_object
def test_fields_are_those_of_the_kind(built: Manifest) -> None:
    assert errors(built) == []


@each_object
def test_pods_meet_the_restricted_standard(built: Manifest) -> None:
    assert violations(built) == []


@each_object
def test_object_is_as_kubernetes_writes_it(built: Manifest) -> None:
    assert errors(built) == []


@each_object
def test_pods_have_a_read_only_root_no_token_and_resources(built: Manifest) -> None:
    for spec in pod_specs(built):
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@each_object
def test_objects_carry_the_labels(built: Manifest) -> None:
    metadata = built["metadata"]
    component = metadata["labels"]["app.kubernetes.io/component"]
    assert metadata["labels"] == labels("grocer", component)
    assert metadata["name"] == f"grocer-{component}"
    template = built.get("spec", {}).get("template")
    if template:
        assert template["metadata"]["labels"] == metadata["labels"]


@each_object
def test_no_field_is_one_that_the_server_would_drop_or_rewrite(built: Manifest) -> None:
    for path, value in leaves(built):
        assert value not in (None, "", []), path
        assert value != {} or path.endswith("emptyDir"), path
        if any(part in path for part in (".requests.", ".limits.", ".sizeLimit")):
            assert canonical(value) == value, path


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


@each_object
def test_no_password_is_in_anything_but_the_secret(built: Manifest) -> None:
    if built["kind"] == "Secret":
        return
    text = json.dumps(built)
    for password in PASSWORDS.values():
        assert password not in text
        assert base64.b64encode(password.encode()).decode() not in text


def test_names_fit_for_the_longest_experiment_name() -> None:
    assert len(LONGEST_NAME) == 39
    every = EMBEDDED_SPEC.replace("[noop, random]", "[noop, random, adversarial]").replace("limit: 400000", "shards: 64")
    for built in everything(blueprint(every, LONGEST_NAME, "n" * 63)):
        name = built["metadata"]["name"]
        # Of a StatefulSet's name a label with a hash is made.
        assert len(name) <= (52 if built["kind"] == "StatefulSet" else 63), name
        for spec in pod_specs(built):
            assert all(len(volume["name"]) <= 63 for volume in spec.get("volumes", []))


def test_names_are_not_used_twice() -> None:
    for experiment in BLUEPRINTS.values():
        names = [(built["kind"], built["metadata"]["name"]) for built in everything(experiment)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("experiment", BLUEPRINTS)
def test_the_same_experiment_is_built_alike(experiment: str) -> None:
    assert everything(BLUEPRINTS[experiment]) == everything(BLUEPRINTS[experiment])


@pytest.mark.parametrize("experiment", BLUEPRINTS)
def test_what_is_kept_is_what_was_built(experiment: str) -> None:
    found = BLUEPRINTS[experiment]
    built = everything(found)
    assert all(kept in built for kept in stages.keepsakes(found))


@pytest.mark.parametrize("experiment", BLUEPRINTS)
def test_all_but_retained_results_go_with_the_experiment(experiment: str) -> None:
    found = BLUEPRINTS[experiment]
    unowned = [built["metadata"]["name"] for built in everything(found) if "ownerReferences" not in built["metadata"]]
    assert unowned == (["grocer-results"] if found.spec.deletion_policy == "Retain" else [])


def test_external_parts_are_not_built() -> None:
    kinds = {built["kind"] for built in everything(EXTERNAL)}
    assert not kinds & {"StatefulSet", "Secret"}
    names = {built["metadata"]["name"] for built in everything(EXTERNAL) if built["kind"] == "Deployment"}
    assert names == {"grocer-planner", "grocer-executor-aura"}


def test_any_uid_makes_an_id_that_kafka_takes() -> None:
    for number in range(500):
        found = cluster_id(str(uuid.UUID(int=number)))
        assert len(found) == 22
        assert not found.startswith("-")
