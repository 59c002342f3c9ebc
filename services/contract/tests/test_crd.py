"""The CustomResourceDefinition against the models it comes from."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from aura_contract.crd import crd, crd_text
from aura_contract.experiment import ExperimentSpec
from aura_contract.manifest import load_manifest

ROOT = Path(__file__).parents[3]
VERSION = crd()["spec"]["versions"][0]
SPEC = VERSION["schema"]["openAPIV3Schema"]["properties"]["spec"]


def test_file_is_that_of_the_models() -> None:
    assert (ROOT / "crds" / "auraexperiments.aura.dev.yaml").read_text() == crd_text(), "run `make schemas`"


def walk(schema: dict[str, Any], path: str = "spec") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, part in schema.get("properties", {}).items():
        found += walk(part, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            found += walk(schema[name], f"{path}[]")
    return found


def test_schema_is_structural() -> None:
    for path, schema in walk(VERSION["schema"]["openAPIV3Schema"], ""):
        assert "type" in schema, path
        assert not {"$ref", "$defs", "anyOf", "oneOf", "title", "prefixItems", "const"} & schema.keys(), path
        assert not ("properties" in schema and "additionalProperties" in schema), path


def test_every_rule_has_a_message_and_a_validator_that_says_the_same() -> None:
    messages = {rule["message"] for _, schema in walk(SPEC) for rule in schema.get("x-kubernetes-validations", [])}
    assert len(messages) >= 10
    assert all(message[0].islower() for message in messages)


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_valid_in_both(file: Path) -> None:
    load_manifest(file)
    draft = {**SPEC, "additionalProperties": False}
    for _, schema in walk(draft):
        # Draft 4 has the boolean bounds that OpenAPI 3.0 has.
        schema.pop("nullable", None)
    jsonschema.Draft4Validator(draft).validate(yaml.safe_load(file.read_text())["spec"])


def test_defaults_of_the_schema_make_the_defaults_of_the_models() -> None:
    given = {"workload": {"source": {"path": "a.csv"}}, "cache": {"capacity": "5%"}}

    def fill(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        for name, part in schema.get("properties", {}).items():
            if name not in value and "default" in part:
                value[name] = part["default"]
            if isinstance(value.get(name), dict) and "properties" in part:
                value[name] = fill(part, dict(value[name]))
        return value

    assert ExperimentSpec.model_validate(fill(SPEC, dict(given))) == ExperimentSpec.model_validate(given)


def test_models_refuse_what_the_rules_refuse() -> None:
    spec = {"workload": {"source": {"path": "a.csv"}}, "cache": {"capacity": "5%"}}
    both = {"embedded": {}, "external": {"endpoint": "kafka:9092"}}
    with pytest.raises(ValidationError, match="give embedded or external, not both"):
        ExperimentSpec.model_validate({**spec, "dependencies": {"kafka": both}})
    one = {"external": {"endpoints": {"baseline": "redis:6379"}}}
    with pytest.raises(ValidationError, match="must name a server for every arm"):
        ExperimentSpec.model_validate({**spec, "dependencies": {"redis": one}})
    with pytest.raises(ValidationError, match=r"autoscale\.minReplicas is greater than maxReplicas"):
        ExperimentSpec.model_validate({**spec, "planner": {"autoscale": {"minReplicas": 3, "maxReplicas": 2}}})
    with pytest.raises(ValidationError, match="volumeClaim goes with path"):
        ExperimentSpec.model_validate({**spec, "workload": {"source": {"url": "http://x", "volumeClaim": "logs"}}})
