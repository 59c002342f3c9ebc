"""Milvus: semantic neighbours, where the manifest asks for them; standalone, with its own etcd and files on its volume."""

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints, secrets
from aura_operator.builders.pod import container, empty_dir, env, http_probe, pod_template, scratch_mount, secret_env
from aura_operator.builders.workload import service, stateful_set

__all__ = ["ROOT_PASSWORD", "build"]

UID = 1000
DATA = "/var/lib/milvus"
HEALTH_PORT = 9091

# As Milvus' own single-container script sets them; the queue is named because its default has changed between versions.
VARIABLES = {
    "DEPLOY_MODE": "STANDALONE",
    "ETCD_USE_EMBED": "true",
    "ETCD_DATA_DIR": f"{DATA}/etcd",
    "COMMON_STORAGETYPE": "local",
    "MQ_TYPE": "rocksmq",
    "HOME": DATA,
}

ROOT_PASSWORD = "COMMON_SECURITY_DEFAULTROOTPASSWORD"  # noqa: S105 - a variable's name
"""The user root is made with it at the first start, and later starts do not change it."""


def build(blueprint: Blueprint) -> list[Manifest]:
    """A StatefulSet and a Service; nothing where the manifest has no catalogue for it or the user brings the server."""
    if not endpoints.embeds(blueprint, endpoints.MILVUS):
        return []
    embedded, settings = endpoints.embedded(blueprint, endpoints.MILVUS), blueprint.settings
    port = endpoints.PORTS[endpoints.MILVUS]
    server = container(
        blueprint,
        "milvus",
        embedded.image or settings.images.milvus,
        embedded.resources or settings.resources.milvus,
        ports={"milvus": port, "health": HEALTH_PORT},
        args=["milvus", "run", "standalone"],
        env=[*env(VARIABLES), *_login(blueprint)],
        startupProbe=http_probe("/healthz", "health", period=3, failures=100),
        readinessProbe=http_probe("/healthz", "health"),
        # It is unwell for a while when its processor is taken away; it recovers by itself.
        livenessProbe=http_probe("/healthz", "health", period=15, failures=8, timeout=10),
        volumeMounts=[{"name": "data", "mountPath": DATA}, scratch_mount()],
    )
    template = pod_template(blueprint, endpoints.MILVUS, [server], uid=UID, volumes=[empty_dir("scratch")])
    return [
        stateful_set(blueprint, endpoints.MILVUS, template, embedded.storage or settings.part_storage),
        service(blueprint, endpoints.MILVUS, {"milvus": port}),
    ]


def _login(blueprint: Blueprint) -> list[Manifest]:
    if secrets.MILVUS not in blueprint.passwords:
        return []
    password = secret_env(ROOT_PASSWORD, blueprint.child(secrets.PASSWORDS), secrets.MILVUS)
    return [*env({"COMMON_SECURITY_AUTHORIZATIONENABLED": "true"}), password]
