"""The replayer: one Job with a pod for each shard, the volume with the result files, and the Service where progress is told."""

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints
from aura_operator.builders.endpoints import HTTP_PORT, REPLAYER
from aura_operator.builders.manifest import claims
from aura_operator.builders.pod import SCRATCH, env
from aura_operator.builders.service_pod import HTTP, LISTEN, MANIFEST, service_pod
from aura_operator.builders.workload import job, persistent_volume, service
from aura_operator.naming import COMPLETION_INDEX, selector

__all__ = ["RESULTS", "build", "progress", "results"]

RESULTS = "results"
FOLDER = "/results"
SHARD_VARIABLE = "AURA_SHARD"
INDEX = f"metadata.annotations['{COMPLETION_INDEX}']"
# What refers to a variable has to come after it, and the Job's own one is appended at the end.
SHARD = ({"name": SHARD_VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": INDEX}}},)


def results(blueprint: Blueprint) -> list[Manifest]:
    """The volume of the result files, which outlives the experiment when its deletion policy says so."""
    owned = blueprint.spec.deletion_policy != "Retain"
    settings = blueprint.settings
    mode = settings.results_access_mode
    return [persistent_volume(blueprint, RESULTS, settings.results_storage, mode=mode, owned=owned)]


def progress(blueprint: Blueprint) -> list[Manifest]:
    """The Service before /progress and /metrics; pods need no address of its own, which would be two more writes."""
    return [service(blueprint, REPLAYER, {HTTP: HTTP_PORT}, headless=True)]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The Job. It reads the manifest and no hash of it: its pod's template can never be changed, only `suspend` can."""
    spec, shards = blueprint.spec, blueprint.spec.workload.shards
    catalog = spec.catalog.source if spec.catalog else None
    together = shards > 1 and blueprint.settings.results_access_mode == "ReadWriteOnce"
    template = service_pod(
        blueprint,
        REPLAYER,
        blueprint.settings.images.replayer,
        variables=[*(SHARD if shards > 1 else ()), *env(_variables(blueprint))],
        claims=claims(spec.workload.source, catalog),
        volumes={FOLDER: {"name": RESULTS, "persistentVolumeClaim": {"claimName": blueprint.child(RESULTS)}}},
        ready="/healthz",
        affinity=_one_node(blueprint) if together else None,
    )
    return [job(blueprint, REPLAYER, template, suspend=spec.suspend, completions=shards)]


def _one_node(blueprint: Blueprint) -> Manifest:
    """Shards share a volume that one node alone can mount."""
    pods = {"labelSelector": {"matchLabels": selector(blueprint.name, REPLAYER)}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [pods]}}


def _variables(blueprint: Blueprint) -> dict[str, str]:
    # All pods have one template: each finds its own shard's servers by its number.
    shard = f"$({SHARD_VARIABLE})" if blueprint.spec.workload.shards > 1 else None
    return {
        "AURA_MANIFEST": MANIFEST,
        "AURA_RUN": blueprint.run,
        "AURA_KAFKA": endpoints.kafka(blueprint),
        "AURA_ARMS": " ".join(f"{arm}={endpoints.redis_url(blueprint, arm, shard)}" for arm in blueprint.spec.arms),
        "AURA_OUT": FOLDER,
        "AURA_LISTEN": LISTEN,
        # How it ended survives the pod's logs and the operator.
        "AURA_ENDING": "/dev/termination-log",
        "AURA_REPORT": "true",
        **({"AURA_MERGE": "true"} if shard else {}),
        "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
    }
