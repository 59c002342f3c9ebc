"""MongoDB: the catalogue, where the manifest asks for it."""

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints, secrets
from aura_operator.builders.credentials import MONGODB_USER
from aura_operator.builders.pod import SCRATCH, container, empty_dir, env, pod_template, scratch_mount, tcp_probe
from aura_operator.builders.workload import service, stateful_set

__all__ = ["build"]

UID = 999
"""The image's own user `mongodb`."""

SECRETS = "/run/secrets/aura"
READ_BY_GROUP = 0o440


def build(blueprint: Blueprint) -> list[Manifest]:
    """A StatefulSet and a Service; nothing where the manifest has no catalogue for it or the user brings the server."""
    if not endpoints.embeds(blueprint, endpoints.MONGODB):
        return []
    embedded, settings = endpoints.embedded(blueprint, endpoints.MONGODB), blueprint.settings
    port = endpoints.PORTS[endpoints.MONGODB]
    server = container(
        blueprint,
        "mongodb",
        embedded.image or settings.images.mongodb,
        embedded.resources or settings.resources.mongodb,
        ports={"mongodb": port},
        args=["mongod", "--bind_ip_all"],
        env=env(
            {
                "MONGO_INITDB_ROOT_USERNAME": MONGODB_USER,
                "MONGO_INITDB_ROOT_PASSWORD_FILE": f"{SECRETS}/{secrets.MONGODB}",
                # Its shell, which makes the user, keeps a history there.
                "HOME": SCRATCH,
            }
        ),
        # By TCP: its shell is too heavy for a probe. The server that first makes the user is not reached from outside.
        startupProbe=tcp_probe("mongodb", period=2, failures=90),
        readinessProbe=tcp_probe("mongodb", period=2),
        livenessProbe=tcp_probe("mongodb", period=10, failures=6),
        volumeMounts=[
            {"name": "data", "mountPath": "/data/db"},
            {"name": "password", "mountPath": SECRETS, "readOnly": True},
            scratch_mount(),
        ],
    )
    password = {
        "secretName": blueprint.child(secrets.PASSWORDS),
        "items": [{"key": secrets.MONGODB, "path": secrets.MONGODB}],
        "defaultMode": READ_BY_GROUP,
    }
    volumes = [{"name": "password", "secret": password}, empty_dir("scratch")]
    template = pod_template(blueprint, endpoints.MONGODB, [server], uid=UID, volumes=volumes)
    return [
        stateful_set(blueprint, endpoints.MONGODB, template, embedded.storage or settings.part_storage),
        service(blueprint, endpoints.MONGODB, {"mongodb": port}),
    ]
