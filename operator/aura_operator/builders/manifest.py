"""The ConfigMap with the experiment as its pods read it: every address filled in, nothing that may change without them."""

import posixpath
from typing import Any

import yaml

from aura_contract.experiment import API_VERSION, KIND
from aura_contract.workload import SourceSpec
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints

__all__ = ["COMPONENT", "FILE", "build", "claim_path", "claims"]

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The one in C writes the same ten times as fast, and manifests are written at every look that finds a change."""

COMPONENT = "manifest"
FILE = "experiment.yaml"
CLAIMS = "/claims"

# Kubernetes acts on these, so a change of them must roll no pod.
LIFE_CYCLE = (
    "suspend",
    "active_deadline_seconds",
    "ttl_seconds_after_finished",
    "deletion_policy",
    "success_condition",
    "pods",
    "dependencies",
)


def build(blueprint: Blueprint) -> list[Manifest]:
    """The ConfigMap NAME-manifest with the key experiment.yaml."""
    content = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": blueprint.name},
        "spec": _spec(blueprint),
    }
    text = yaml.dump(content, Dumper=DUMPER, sort_keys=True, allow_unicode=True, width=1000)
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": blueprint.metadata(COMPONENT), "data": {FILE: text}},
    ]


def claims(*sources: SourceSpec | None) -> tuple[str, ...]:
    """The PersistentVolumeClaims that these sources lie in."""
    return tuple(sorted({source.volume_claim for source in sources if source and source.volume_claim}))


def claim_path(claim: str) -> str:
    """Where pods find a claim."""
    return f"{CLAIMS}/{claim}"


def _spec(blueprint: Blueprint) -> dict[str, Any]:
    spec = blueprint.spec
    # Defaults are left out: services of an earlier version refuse fields that came later.
    found = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        exclude={**dict.fromkeys(LIFE_CYCLE, True), "planner": {"replicas", "autoscale", "placements", "secret_ref"}},
    )
    found["workload"]["source"] = _source(spec.workload.source)
    if spec.catalog is not None:
        found["catalog"]["source"] = _source(spec.catalog.source)
    planner = found.pop("planner", {})
    if endpoints.embeds(blueprint, endpoints.OLLAMA):
        # Said here, so that planners ask for the very model that the server was started with.
        planner["model"] = endpoints.planner_model(blueprint)
    if planner:
        found["planner"] = planner
    found["dependencies"] = _dependencies(blueprint)
    return found


def _source(source: SourceSpec) -> dict[str, str]:
    if source.volume_claim is None or source.path is None:
        return source.model_dump(mode="json", by_alias=True, exclude_none=True)
    # Below the root `..` leads nowhere, so that no path leaves its claim.
    inside = posixpath.normpath(f"/{source.path.lstrip('/')}")
    return {"path": claim_path(source.volume_claim) + inside}


def _dependencies(blueprint: Blueprint) -> dict[str, Any]:
    """The servers, all external now; Redis is left out, since every pod is told its arms."""
    dependencies = blueprint.spec.dependencies
    kafka: dict[str, Any] = {"external": _external(endpoints.kafka(blueprint), dependencies.kafka_server)}
    prefix = endpoints.topic_prefix(blueprint)
    if prefix:
        kafka["topicPrefix"] = prefix
    found: dict[str, Any] = {"kafka": kafka}
    optional = {
        endpoints.MONGODB: (endpoints.mongodb(blueprint), dependencies.mongodb_server),
        endpoints.MILVUS: (endpoints.milvus(blueprint), dependencies.milvus_server),
        endpoints.OLLAMA: (
            endpoints.ollama(blueprint) or (dependencies.ollama_server and dependencies.ollama_server.endpoint),
            dependencies.ollama_server,
        ),
    }
    for part, (endpoint, server) in optional.items():
        if endpoint:
            found[part] = {"external": _external(endpoint, server)}
    return found


def _external(endpoint: str, server: Any) -> dict[str, Any]:
    return {"endpoint": endpoint, "tls": True} if server and server.tls else {"endpoint": endpoint}
