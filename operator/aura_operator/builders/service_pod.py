"""Pods of Aura's own services: what they read under /etc/aura and /claims, what they may write, how they are probed."""

from collections.abc import Mapping, Sequence
from typing import Any

from aura_contract.dependencies import Resources
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import manifest
from aura_operator.builders.credentials import FOLDER, Access
from aura_operator.builders.endpoints import HTTP_PORT
from aura_operator.builders.pod import SCRATCH, container, empty_dir, env, http_probe, pod_template, scratch_mount

__all__ = ["HTTP", "LISTEN", "MANIFEST", "UID", "service_pod"]

HTTP = "http"
LISTEN = f"0.0.0.0:{HTTP_PORT}"
MANIFEST = f"{FOLDER}/{manifest.FILE}"
UID = 10001
"""Any that is not root: the images need no user of their own."""

READ_BY_GROUP = 0o440


def service_pod(
    blueprint: Blueprint,
    component: str,
    image: str,
    resources: Resources,
    access: Access,
    *,
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
    """A pod of one service.

    `variables` are environment variables besides those of `access`; `ready` is the path of the readiness probe, None for a
    service without HTTP; `claims` are the user's volumes, mounted read-only, and `volumes` further ones that may be written,
    by the path where they are mounted; `fields` are further fields of the pod.
    """
    mounts: list[Manifest] = [scratch_mount()]
    found: list[Manifest] = [empty_dir("scratch")]
    sources = ([_manifest_source(blueprint)] if reads_manifest else []) + list(access.sources)
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
        component,
        image,
        resources,
        ports={HTTP: HTTP_PORT} if ready else None,
        command=list(command),
        args=list(arguments),
        env=[*variables, *access.env, *env({"HOME": SCRATCH, "TMPDIR": SCRATCH})],
        volumeMounts=mounts,
        **(_probes(ready) if ready else {}),
    )
    return pod_template(blueprint, component, [server], uid=UID, volumes=found, annotations=annotations, **fields)


def _probes(ready: str) -> dict[str, Any]:
    return {
        "readinessProbe": http_probe(ready, HTTP, period=2),
        # A busy processor must not look like a hang.
        "livenessProbe": http_probe("/healthz", HTTP, period=10, failures=6, timeout=5),
    }


def _manifest_source(blueprint: Blueprint) -> Manifest:
    items = [{"key": manifest.FILE, "path": manifest.FILE}]
    return {"configMap": {"name": blueprint.child(manifest.COMPONENT), "items": items}}
