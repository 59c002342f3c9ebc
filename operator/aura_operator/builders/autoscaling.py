"""How many planners there are, where that is an autoscaler's business: KEDA's if it is installed, else Kubernetes' own."""

from collections.abc import Mapping

from aura_contract.credentials import variable
from aura_contract.planner import AutoscaleSpec
from aura_contract.topics import PLANNER_GROUP, Topics
from aura_operator.blueprint import KEDA, Blueprint, Manifest
from aura_operator.builders import endpoints, secrets
from aura_operator.builders.credentials import KAFKA_MECHANISM
from aura_operator.builders.endpoints import PLANNER

__all__ = ["build"]

POLLING_SECONDS = 5
PROTOCOL = "2.1.0"
"""Version of Kafka's protocol: the oldest that Kafka 4 speaks, so that every broker from 2.1 on does."""

MECHANISMS = {"PLAIN": "plaintext", "SCRAM-SHA-256": "scram_sha256", "SCRAM-SHA-512": "scram_sha512"}
DEFAULT_MECHANISM = "SCRAM-SHA-512"
PARAMETERS = {"username": "username", "password": "password", "ca.crt": "ca", "tls.crt": "cert", "tls.key": "key"}


def build(blueprint: Blueprint) -> list[Manifest]:
    """A ScaledObject with what it logs in with, or a HorizontalPodAutoscaler; nothing without `planner.autoscale`."""
    autoscale = blueprint.spec.planner.autoscale
    if autoscale is None:
        return []
    if KEDA not in blueprint.apis:
        return [_horizontal(blueprint, autoscale)]
    login = _login(blueprint)
    return [*login, _scaled_object(blueprint, autoscale, bool(login))]


def _horizontal(blueprint: Blueprint, autoscale: AutoscaleSpec) -> Manifest:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": autoscale.target_cpu}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": blueprint.metadata(PLANNER),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": blueprint.child(PLANNER)},
            "minReplicas": autoscale.min_replicas,
            "maxReplicas": autoscale.max_replicas,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def _scaled_object(blueprint: Blueprint, autoscale: AutoscaleSpec, authenticates: bool) -> Manifest:
    trigger: Manifest = {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": endpoints.kafka(blueprint),
            "consumerGroup": PLANNER_GROUP,
            "topic": Topics(endpoints.topic_prefix(blueprint)).context,
            "lagThreshold": str(autoscale.lag_threshold),
            # Planners that have committed nothing yet begin at the start.
            "offsetResetPolicy": "earliest",
            "version": PROTOCOL,
            **_security(blueprint),
        },
    }
    if authenticates:
        trigger["authenticationRef"] = {"name": blueprint.child(PLANNER)}
    return {
        "apiVersion": f"{KEDA}/v1alpha1",
        "kind": "ScaledObject",
        "metadata": blueprint.metadata(PLANNER),
        "spec": {
            "scaleTargetRef": {"name": blueprint.child(PLANNER)},
            "pollingInterval": POLLING_SECONDS,
            "minReplicaCount": autoscale.min_replicas,
            "maxReplicaCount": autoscale.max_replicas,
            "triggers": [trigger],
        },
    }


def _security(blueprint: Blueprint) -> Mapping[str, str]:
    if _generated(blueprint):
        return {"sasl": MECHANISMS[KAFKA_MECHANISM]}
    server, keys = blueprint.spec.dependencies.kafka_server, _keys(blueprint)
    found = {}
    if "username" in keys:
        mechanism = blueprint.kafka_mechanism.upper()
        found["sasl"] = MECHANISMS.get(mechanism, MECHANISMS[DEFAULT_MECHANISM])
    if (server is not None and server.tls) or keys & {"ca.crt", "tls.crt"}:
        found["tls"] = "enable"
    return found


def _generated(blueprint: Blueprint) -> bool:
    """Whether the broker is the experiment's own and takes a password."""
    return endpoints.embeds(blueprint, endpoints.KAFKA) and secrets.KAFKA in blueprint.passwords


def _keys(blueprint: Blueprint) -> frozenset[str]:
    """Keys of the Secret of an external Kafka."""
    server = blueprint.spec.dependencies.kafka_server
    if server is None or server.secret_ref is None:
        return frozenset()
    return blueprint.secret_keys.get(server.secret_ref.name, frozenset())


def _login(blueprint: Blueprint) -> list[Manifest]:
    """The TriggerAuthentication: which keys of the user's own Secret KEDA reads, or that of the generated passwords."""
    server, keys = blueprint.spec.dependencies.kafka_server, _keys(blueprint)
    if _generated(blueprint):
        targets = [{"parameter": "password", "name": blueprint.child(secrets.PASSWORDS), "key": secrets.KAFKA}]
        # The name is no secret, and KEDA reads it where the planners do.
        user = [{"parameter": "username", "name": variable("KAFKA", "username"), "containerName": PLANNER}]
        return [_authentication(blueprint, {"secretTargetRef": targets, "env": user})]
    if server is None or server.secret_ref is None or not keys & PARAMETERS.keys():
        return []
    secret = server.secret_ref.name
    targets = [{"parameter": name, "name": secret, "key": key} for key, name in PARAMETERS.items() if key in keys]
    return [_authentication(blueprint, {"secretTargetRef": targets})]


def _authentication(blueprint: Blueprint, spec: Manifest) -> Manifest:
    return {
        "apiVersion": f"{KEDA}/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": blueprint.metadata(PLANNER),
        "spec": spec,
    }
