"""NetworkPolicies: nobody reaches an experiment's pods but those who have business there."""

from collections.abc import Sequence
from itertools import product

from aura_operator.blueprint import KEDA, Blueprint, Manifest
from aura_operator.builders import door, endpoints, redis
from aura_operator.builders.endpoints import CLIENTS, EXECUTOR, HTTP_PORT, LOADER, PLANNER, PORTS, REPLAYER
from aura_operator.naming import COMPONENT, EXPERIMENT, selector

__all__ = ["build"]

SCALER: Manifest = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "keda-operator"}}}
"""KEDA's operator, in whatever namespace it was installed."""

DNS_PORTS = (53, 5353)
"""Of name servers, whose place is not known; OpenShift's pods listen on the second."""


def build(blueprint: Blueprint) -> list[Manifest]:
    """A policy that lets nobody in, and for each part one that names its clients.

    A service whose every server is the experiment's own may connect to those and to nothing else. Where a log, a server or
    a model is the user's, at an address that only they know, it may connect to anywhere. The servers of an experiment answer
    and never ask, so that they need no way out; Ollama does, for its models.
    """
    everything = {"podSelector": {"matchLabels": {EXPERIMENT: blueprint.name}}, "policyTypes": ["Ingress"]}
    found = [_policy(blueprint, "default", everything), _services(blueprint)]
    if endpoints.embeds(blueprint, endpoints.REDIS):
        planned = blueprint.spec.planned_arms
        for arm, shard in product(blueprint.spec.arms, blueprint.shards):
            clients = [REPLAYER, *([endpoints.executor(arm, shard)] if arm in planned else [])]
            found.append(_server(blueprint, redis.component(arm, shard), redis.PORT, clients))
    for part in (endpoints.KAFKA, endpoints.MONGODB, endpoints.MILVUS, endpoints.OLLAMA):
        if endpoints.embeds(blueprint, part):
            found.append(_server(blueprint, part, PORTS[part], _clients(blueprint, part), out=part == endpoints.OLLAMA))
            if part == endpoints.KAFKA and blueprint.spec.planner.autoscale and KEDA in blueprint.apis:
                # It asks the broker itself how many contexts wait.
                found[-1]["spec"]["ingress"][0]["from"].append(SCALER)
    found += [policy for service in CLIENTS if (policy := _way_out(blueprint, service))]
    return [*found, _door(blueprint)] if blueprint.door or door.needed(blueprint.spec) else found


def _door(blueprint: Blueprint) -> Manifest:
    """Planners come from clusters whose addresses are not known; the listener itself asks for a password."""
    spec = {
        "podSelector": {"matchLabels": blueprint.selector(endpoints.KAFKA)},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": door.PORT}]}],
    }
    return _policy(blueprint, door.COMPONENT, spec)


def _clients(blueprint: Blueprint, part: str) -> list[str]:
    services = [service for service, parts in CLIENTS.items() if part in parts]
    executors = endpoints.executors(blueprint)
    return [name for service in services for name in (executors if service == EXECUTOR else [service])]


def _server(blueprint: Blueprint, component: str, port: int, clients: Sequence[str], *, out: bool = False) -> Manifest:
    peers = [{"podSelector": {"matchLabels": selector(blueprint.name, client)}} for client in clients]
    spec = {
        "podSelector": {"matchLabels": selector(blueprint.name, component)},
        "policyTypes": ["Ingress"] if out else ["Ingress", "Egress"],
        "ingress": [{"from": peers, "ports": [{"protocol": "TCP", "port": port}]}],
    }
    return _policy(blueprint, component, spec)


def _way_out(blueprint: Blueprint, service: str) -> Manifest | None:
    """Where a service's pods may connect to; None when that may be anywhere."""
    parts = [part for part in CLIENTS[service] if endpoints.embeds(blueprint, part)]
    if not parts or _asks_outside(blueprint, service):
        return None
    servers = [(redis.components(blueprint) if part == endpoints.REDIS else [part], PORTS[part]) for part in parts]
    spec = {
        "podSelector": _pods(blueprint, endpoints.executors(blueprint) if service == EXECUTOR else [service]),
        "policyTypes": ["Egress"],
        "egress": [
            *({"to": [{"podSelector": _pods(blueprint, names)}], "ports": _ports("TCP", port)} for names, port in servers),
            {"ports": [*_ports("UDP", *DNS_PORTS), *_ports("TCP", *DNS_PORTS)]},
        ],
    }
    return _policy(blueprint, f"{service}-out", spec)


def _asks_outside(blueprint: Blueprint, service: str) -> bool:
    """Whether a service connects to anything that is not the experiment's."""
    spec, parts = blueprint.spec, CLIENTS[service]
    named = (getattr(spec.dependencies, part) for part in parts)
    if any(part is not None and part.external is not None for part in named):
        return True
    if service != LOADER and blueprint.settings.tracing_endpoint is not None:
        return True
    if service == PLANNER and spec.model_endpoint is not None:
        return True
    sources = {REPLAYER: (spec.workload, spec.catalog), PLANNER: (spec.catalog,), LOADER: (spec.catalog,)}.get(service, ())
    return any(read is not None and read.source.url is not None for read in sources)


def _pods(blueprint: Blueprint, names: Sequence[str]) -> Manifest:
    expression = {"key": COMPONENT, "operator": "In", "values": list(names)}
    return {"matchLabels": {EXPERIMENT: blueprint.name}, "matchExpressions": [expression]}


def _ports(protocol: str, *numbers: int) -> list[Manifest]:
    return [{"protocol": protocol, "port": number} for number in numbers]


def _services(blueprint: Blueprint) -> Manifest:
    """Progress and metrics hold no secrets, and operator and Prometheus live in namespaces that are not known here."""
    names = [REPLAYER, PLANNER, *endpoints.executors(blueprint)]
    spec = {
        "podSelector": _pods(blueprint, names),
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": HTTP_PORT}]}],
    }
    return _policy(blueprint, "services", spec)


def _policy(blueprint: Blueprint, component: str, spec: Manifest) -> Manifest:
    metadata = blueprint.metadata(component)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
