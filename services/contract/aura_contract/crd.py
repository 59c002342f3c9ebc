"""The CustomResourceDefinition, made from the models; `python -m aura_contract.crd FILE` writes it."""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from aura_contract.base import RULES
from aura_contract.experiment import KIND, NAME, ExperimentSpec
from aura_contract.status import ExperimentStatus

__all__ = ["crd", "crd_text", "structural"]

Schema = dict[str, Any]

GROUP, VERSION, PLURAL = "aura.dev", "v1alpha1", "auraexperiments"
KEPT = (
    "type", "description", "default", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "maxProperties", RULES,
)  # fmt: skip
STARTED = "!has(oldSelf.status) || !has(oldSelf.status.startedAt)"
FIXED = "is fixed once the replay has started; delete the experiment, or give the changed one another name"

# A door for them is opened when an embedded Kafka is started, and starting it again would hold up the replay.
NO_DOOR = (
    "spec.planner.placements cannot come once the replay has started with an embedded Kafka and without any; "
    "delete the experiment, or give the changed one another name"
)
DOOR = (
    "has(self.spec.dependencies.kafka.external) || self.spec.planner.placements.size() == 0"
    " || oldSelf.spec.planner.placements.size() > 0"
)

# Credentials may be renewed, but other servers would hold nothing of the replay.
SERVERS = (("redis", "endpoints"), ("kafka", "endpoint"))

COLUMNS = (
    ("Phase", ".status.phase", "string", 0),
    ("Hit-Ratio", ".status.hitRatio", "string", 0),
    ("Baseline", ".status.baselineHitRatio", "string", 0),
    ("Delta", ".status.deltaPoints", "string", 0),
    ("Progress", ".status.progress", "string", 0),
    ("Planners", ".status.planners.ready", "integer", 0),
    ("Age", ".metadata.creationTimestamp", "date", 0),
    ("Verdict", ".status.verdict", "string", 1),
    ("Reason", ".status.message", "string", 1),
)


def structural(model: type[BaseModel]) -> Schema:
    """A model as a structural schema of Kubernetes: references inlined, absence instead of null, no unknown words.

    An optional field may be null only where null differs from its default, since the API server drops other nulls itself.
    """
    schema = model.model_json_schema(by_alias=True)
    return _node(schema, schema.get("$defs", {}))


def _node(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        # What stands beside a reference, such as a description, goes before what it refers to.
        return _node({**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    if "anyOf" in schema:
        return _optional(schema, definitions)
    found: Schema = {key: schema[key] for key in KEPT if key in schema}
    if "const" in schema:
        found["enum"] = [schema["const"]]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in schema:
            found |= {limit: schema[bound], bound: True}
    if found.get("type") == "integer":
        found["format"] = "int64"
    return found | _children(schema, definitions)


def _optional(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    (only,) = (part for part in schema["anyOf"] if part != {"type": "null"})
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if rest.get("default") is None:
        rest.pop("default", None)
        return _node({**only, **rest}, definitions)
    return {**_node({**only, **rest}, definitions), "nullable": True}


def _children(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    found: Schema = {}
    items = schema.get("items") or next(iter(schema.get("prefixItems", [])), None)
    if items is not None:
        found["items"] = _node(items, definitions)
    if "properties" in schema:
        found["properties"] = {name: _node(part, definitions) for name, part in schema["properties"].items()}
        if schema.get("required"):
            found["required"] = schema["required"]
        if "default" in schema:
            found["default"] = _given(schema["default"])
    elif isinstance(schema.get("additionalProperties"), dict):
        found["additionalProperties"] = _node(schema["additionalProperties"], definitions)
    return found


def _given(value: Any) -> Any:
    """A default without nulls, which the API server would drop."""
    return {name: _given(part) for name, part in value.items() if part is not None} if isinstance(value, dict) else value


def crd() -> Schema:
    """The whole CustomResourceDefinition."""
    rules = [
        {"rule": f"{STARTED} || self.spec.{part} == oldSelf.spec.{part}", "message": f"spec.{part} {FIXED}"}
        for part in ("workload", "cache", "controls", "seed")
    ]
    rules += [
        {"rule": f"{STARTED} || ({_same_servers(part, field)})", "message": f"spec.dependencies.{part} {FIXED}"}
        for part, field in SERVERS
    ]
    rules.append({"rule": f"{STARTED} || {DOOR}", "message": NO_DOOR})
    named = "metadata.name must begin with a letter and have at most 39 lower case letters, digits and dashes"
    rules.append({"rule": f"self.metadata.name.matches('{NAME}')", "message": named})
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "One experiment: a log, two caches or more, and a planner that has to earn its keep.",
                "required": ["spec"],
                RULES: rules,
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": structural(ExperimentSpec),
                    "status": _loose(structural(ExperimentStatus)),
                },
            }
        },
        "additionalPrinterColumns": [_column(*column) for column in COLUMNS],
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.planner.replicas",
                "statusReplicasPath": ".status.planners.local",
                "labelSelectorPath": ".status.planners.selector",
            },
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": PLURAL.removesuffix("s"),
                "shortNames": ["ax"],
                "categories": ["aura"],
            },
            "versions": [version],
        },
    }


def _same_servers(part: str, field: str) -> str:
    """CEL: a part is embedded as before, or external at the same address."""
    now, before = (f"{side}.spec.dependencies.{part}" for side in ("self", "oldSelf"))
    return (
        f"has({now}.external) == has({before}.external)"
        f" && (!has({now}.external) || {now}.external.{field} == {before}.external.{field})"
    )


def _column(name: str, path: str, kind: str, priority: int) -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


def _loose(schema: Schema) -> Schema:
    """A status without defaults: what is not known yet is absent."""
    found = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in found:
        found["properties"] = {name: _loose(part) for name, part in found["properties"].items()}
    for part in ("items", "additionalProperties"):
        if part in found:
            found[part] = _loose(found[part])
    return found


class _Plain(yaml.SafeDumper):
    """Writes repeated parts in full."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def crd_text() -> str:
    """The definition as the file `crds/` holds it."""
    return yaml.dump(crd(), Dumper=_Plain, sort_keys=False, width=140, allow_unicode=True)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(crd_text(), encoding="utf-8")
