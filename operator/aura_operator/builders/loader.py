"""The loader: a Job that writes the catalogue into MongoDB and its embeddings into Milvus, before anything runs."""

from aura_operator.blueprint import Blueprint, Manifest, digest
from aura_operator.builders import endpoints
from aura_operator.builders.endpoints import LOADER
from aura_operator.builders.manifest import claims
from aura_operator.builders.pod import env
from aura_operator.builders.service_pod import MANIFEST, service_pod
from aura_operator.builders.workload import job
from aura_operator.naming import TEMPLATE_HASH

__all__ = ["build"]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Job, where there is a catalogue and a server to load it into, be it ours or the user's.

    The annotation of its pod changes with what is loaded and where to: then the Job must be made anew.
    """
    catalog = blueprint.spec.catalog
    servers = [endpoints.mongodb(blueprint), endpoints.milvus(blueprint)]
    if catalog is None or not any(servers):
        return []
    template = service_pod(
        blueprint,
        LOADER,
        blueprint.settings.images.planner,
        variables=env({"AURA_MANIFEST": MANIFEST}),
        claims=claims(catalog.source),
        command=("aura-loader",),
        annotations={TEMPLATE_HASH: digest([catalog.model_dump(mode="json"), servers])},
    )
    return [job(blueprint, LOADER, template)]
