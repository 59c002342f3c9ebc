"""The replayer: one Job for the whole run, the volume with its result files, and the Service where its progress is asked for."""

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints
from aura_operator.builders.endpoints import HTTP_PORT, REPLAYER
from aura_operator.builders.manifest import claims
from aura_operator.builders.pod import SCRATCH, env
from aura_operator.builders.service_pod import HTTP, LISTEN, MANIFEST, service_pod
from aura_operator.builders.workload import job, persistent_volume, service

__all__ = ["RESULTS", "build", "progress", "results"]

RESULTS = "results"
FOLDER = "/results"


def results(blueprint: Blueprint) -> list[Manifest]:
    """The volume of the result files, which outlives the experiment when its deletion policy says so."""
    owned = blueprint.spec.deletion_policy != "Retain"
    return [persistent_volume(blueprint, RESULTS, blueprint.settings.results_storage, owned=owned)]


def progress(blueprint: Blueprint) -> list[Manifest]:
    """The Service before /progress and /metrics; one pod needs no address of its own, which would be two more writes."""
    return [service(blueprint, REPLAYER, {HTTP: HTTP_PORT}, headless=True)]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Job. It reads the manifest and no hash of it: its pod's template can never be changed, only `suspend` can."""
    spec = blueprint.spec
    catalog = spec.catalog.source if spec.catalog else None
    template = service_pod(
        blueprint,
        REPLAYER,
        blueprint.settings.images.replayer,
        variables=env(_variables(blueprint)),
        claims=claims(spec.workload.source, catalog),
        volumes={FOLDER: {"name": RESULTS, "persistentVolumeClaim": {"claimName": blueprint.child(RESULTS)}}},
        ready="/healthz",
    )
    return [job(blueprint, REPLAYER, template, suspend=spec.suspend)]


def _variables(blueprint: Blueprint) -> dict[str, str]:
    return {
        "AURA_MANIFEST": MANIFEST,
        "AURA_RUN": blueprint.run,
        "AURA_KAFKA": endpoints.kafka(blueprint),
        "AURA_ARMS": " ".join(f"{arm}={endpoints.redis_url(blueprint, arm)}" for arm in blueprint.spec.arms),
        "AURA_OUT": FOLDER,
        "AURA_LISTEN": LISTEN,
        # How it ended survives the pod's logs and the operator.
        "AURA_ENDING": "/dev/termination-log",
        "AURA_REPORT": "true",
        "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
    }
