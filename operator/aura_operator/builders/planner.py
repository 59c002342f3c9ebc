"""The planners: replicas that share the contexts of all arms."""

from aura_operator.blueprint import Blueprint, Manifest, digest
from aura_operator.builders import endpoints, manifest
from aura_operator.builders.endpoints import PLANNER
from aura_operator.builders.pod import env
from aura_operator.builders.service_pod import LISTEN, MANIFEST, service_pod
from aura_operator.builders.workload import deployment
from aura_operator.naming import TEMPLATE_HASH

__all__ = ["build"]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Deployment; its pods are rolled when the manifest that they read has changed."""
    spec = blueprint.spec
    catalog = spec.catalog.source if spec.catalog else None
    # A recording or a trained model lies beside the log, if anywhere.
    log = spec.workload.source if {"recorded", "ml"} & set(spec.planned_arms.values()) else None
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": blueprint.selector(PLANNER)},
    }
    template = service_pod(
        blueprint,
        PLANNER,
        blueprint.settings.images.planner,
        variables=_variables(blueprint),
        claims=manifest.claims(catalog, log),
        annotations={TEMPLATE_HASH: digest(manifest.build(blueprint)[0]["data"])},
        ready="/readyz",
        topologySpreadConstraints=[spread],
    )
    replicas = None if spec.planner.autoscale else spec.planner.replicas
    return [deployment(blueprint, PLANNER, template, replicas=replicas)]


def _variables(blueprint: Blueprint) -> list[Manifest]:
    found = env(
        {
            "AURA_MANIFEST": MANIFEST,
            "AURA_RUN": blueprint.run,
            "AURA_KAFKA": endpoints.kafka(blueprint),
            "AURA_LISTEN": LISTEN,
        }
    )
    name = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    if blueprint.place:
        found.append({"name": "AURA_POD", "valueFrom": name})
        found += env({"AURA_REPLICA_ID": f"{blueprint.place}/$(AURA_POD)"})
    else:
        found.append({"name": "AURA_REPLICA_ID", "valueFrom": name})
    return found
