"""What all pods have in common: the restricted security profile, resources, probes, volumes, where they may run."""

from collections.abc import Mapping, Sequence

from aura_contract.dependencies import Resources
from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.quantities import canonical, canonical_all

__all__ = [
    "GRACE_SECONDS",
    "SCRATCH",
    "container",
    "empty_dir",
    "env",
    "exec_probe",
    "http_probe",
    "pod_template",
    "scratch_mount",
    "secret_env",
    "tcp_probe",
]

GRACE_SECONDS = 30
SCRATCH = "/tmp"  # noqa: S108 - each container's own

RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
}


def env(values: Mapping[str, str]) -> list[Manifest]:
    """Environment variables with plain values."""
    return [{"name": name, "value": value} for name, value in values.items()]


def secret_env(name: str, secret: str, key: str) -> Manifest:
    """An environment variable from a Secret's key."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def http_probe(path: str, port: str, *, period: int = 5, failures: int = 3, timeout: int = 3) -> Manifest:
    """A probe by HTTP GET; `period` and `timeout` in seconds."""
    return {"httpGet": {"path": path, "port": port}, **_pace(period, failures, timeout)}


def tcp_probe(port: str, *, period: int = 5, failures: int = 3, timeout: int = 3) -> Manifest:
    """A probe by opening a connection; `period` and `timeout` in seconds."""
    return {"tcpSocket": {"port": port}, **_pace(period, failures, timeout)}


def exec_probe(command: Sequence[str], *, period: int = 5, failures: int = 3, timeout: int = 3) -> Manifest:
    """A probe by a command in the container; `period` and `timeout` in seconds."""
    return {"exec": {"command": list(command)}, **_pace(period, failures, timeout)}


def _pace(period: int, failures: int, timeout: int) -> Manifest:
    return {"periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": timeout}


def container(
    blueprint: Blueprint,
    name: str,
    image: str,
    resources: Resources,
    *,
    ports: Mapping[str, int] | None = None,
    **fields: object,
) -> Manifest:
    """A container under the restricted profile; `fields` are further fields of the API, such as `args` or `env`."""
    found: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": blueprint.settings.image_pull_policy,
        "securityContext": RESTRICTED,
        "resources": _quantities(resources),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if ports:
        found["ports"] = [{"name": port, "containerPort": number, "protocol": "TCP"} for port, number in ports.items()]
    found.update({field: value for field, value in fields.items() if value})
    return found


def _quantities(resources: Resources) -> Manifest:
    both = {"requests": canonical_all(resources.requests), "limits": canonical_all(resources.limits)}
    return {kind: quantities for kind, quantities in both.items() if quantities}


def empty_dir(name: str, size: str | None = None) -> Manifest:
    """A volume that lives as long as its pod."""
    return {"name": name, "emptyDir": {"sizeLimit": canonical(size)} if size else {}}


def scratch_mount() -> Manifest:
    """The mount of the volume `scratch`, an `empty_dir`: the only folder that may be written under a read-only root."""
    return {"name": "scratch", "mountPath": SCRATCH}


def _without_empty(fields: Manifest) -> Manifest:
    """Without what the API server would drop, which would look like drift for ever."""
    return {name: value for name, value in fields.items() if value not in (None, "")}


def pod_template(
    blueprint: Blueprint,
    component: str,
    containers: Sequence[Manifest],
    *,
    uid: int,
    volumes: Sequence[Manifest] = (),
    annotations: Mapping[str, str] | None = None,
    **fields: object,
) -> Manifest:
    """A pod that runs as user and group `uid`, with no access to the API server; `fields` are further fields of its spec."""
    pods, settings = blueprint.spec.pods, blueprint.settings
    secrets = [{"name": name} for name in dict.fromkeys((*settings.image_pull_secrets, *pods.image_pull_secrets))]
    tolerations = [_without_empty(item.model_dump(by_alias=True)) for item in pods.tolerations]
    optional = {
        "volumes": list(volumes),
        "imagePullSecrets": secrets,
        "nodeSelector": dict(pods.node_selector),
        "tolerations": tolerations,
        "priorityClassName": pods.priority_class_name,
        **fields,
    }
    metadata: Manifest = {"labels": blueprint.labels(component)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "metadata": metadata,
        "spec": {
            "serviceAccountName": blueprint.child("pods"),
            "automountServiceAccountToken": False,
            # A Service called kafka would otherwise put KAFKA_PORT into Kafka's settings.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": uid,
                "runAsGroup": uid,
                "fsGroup": uid,
                # A volume with many files is not walked through at each start.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": list(containers),
            **{field: value for field, value in optional.items() if value},
        },
    }
