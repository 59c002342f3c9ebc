"""Pods of Aura's own services: what they read under /etc/aura and /claims, what they may write, how they are probed."""

from collections.abc import Mapping, Sequence
from typing import Any

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import manifest
from aura_operator.builders.credentials import FOLDER, access
from aura_operator.builders.endpoints import HTTP_PORT, LOADER
from aura_operator.builders.pod import SCRATCH, container, empty_dir, env, http_probe, pod_template, scratch_mount

__all__ = ["HTTP", "LISTEN", "MANIFEST", "UID", "service_pod"]

HTTP = "http"
LISTEN = f"0.0.0.0:{HTTP_PORT}"
MANIFEST = f"{FOLDER}/{manifest.FILE}"
UID = 65532
"""The images' own user."""

READ_BY_GROUP = 0o440


def service_pod(
    blueprint: Blueprint,
    service: str,
    image: str,
    *,
    component: str | None = None,
    variables: Sequence[Manifest] = (),
    command: Sequence[str] = (),
    arguments: Sequence[str] = (),
    ready: str | None = None,
    reads_manifest: bool = True,
    claims: Sequence[str] = (),
    volumes: Mapping[str, Manifest] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: object,
) -> Manifest:
    """A pod of one service (replayer, planner, executor or loader), with the credentials of the parts that it talks to.

    `variables` are environment variables besides those of the credentials; `ready` is the path of the readiness probe, None for a
    service without HTTP; `claims` are the user's volumes, mounted read-only, and `volumes` further ones that may be written,
    by the path where they are mounted; `fields` are further fields of the pod.
    """
    login = access(blueprint, service)
    mounts: list[Manifest] = [scratch_mount()]
    found: list[Manifest] = [empty_dir("scratch")]
    sources = ([_manifest_source(blueprint)] if reads_manifest else []) + list(login.sources)
    if sources:
        # One volume for all files: a mount inside another read-only mount could not be made.
        found.append({"name": "aura", "projected": {"defaultMode": READ_BY_GROUP, "sources": sources}})
        mounts.append({"name": "aura", "mountPath": FOLDER, "readOnly": True})
    for number, claim in enumerate(claims):
        # Read-only to the kubelet as well, which would otherwise give the user's files another group.
        found.append({"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
        mounts.append({"name": f"claim-{number}", "mountPath": manifest.claim_path(claim), "readOnly": True})
    for path, volume in (volumes or {}).items():
        found.append(volume)
        mounts.append({"name": volume["name"], "mountPath": path})
    server = container(
        blueprint,
        service,
        image,
        getattr(blueprint.settings.resources, service),
        ports={HTTP: HTTP_PORT} if ready else None,
        command=list(command),
        args=list(arguments),
        env=[*variables, *login.env, *env({**_tracing(blueprint, service), "HOME": SCRATCH, "TMPDIR": SCRATCH})],
        volumeMounts=mounts,
        **(_probes(ready) if ready else {}),
    )
    return pod_template(blueprint, component or service, [server], uid=UID, volumes=found, annotations=annotations, **fields)


def _tracing(blueprint: Blueprint, service: str) -> dict[str, str]:
    endpoint = blueprint.settings.tracing_endpoint
    if endpoint is None or service == LOADER:
        return {}
    attributes = f"aura.experiment={blueprint.name},k8s.namespace.name={blueprint.namespace}"
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_RESOURCE_ATTRIBUTES": attributes}


def _probes(ready: str) -> dict[str, Any]:
    return {
        "readinessProbe": http_probe(ready, HTTP, period=2),
        # A busy processor must not look like a hang.
        "livenessProbe": http_probe("/healthz", HTTP, period=10, failures=6, timeout=5),
    }


def _manifest_source(blueprint: Blueprint) -> Manifest:
    items = [{"key": manifest.FILE, "path": manifest.FILE}]
    return {"configMap": {"name": blueprint.child(manifest.COMPONENT), "items": items}}
