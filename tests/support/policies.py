"""NetworkPolicies as a network that enforces them reads them: whether a connection is let through, without a network."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Pod", "allowed", "selects"]

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod of a namespace; `ports` are numbers by name. One with an `address` is no pod but somebody out there."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "default"
    ports: Mapping[str, int] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(_matches(expression, labels) for expression in selector.get("matchExpressions", []))


def _matches(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[str(expression["operator"])]


def allowed(policies: Iterable[Manifest], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection from one to a port of the other is let through on both ends."""
    found = [policy for policy in policies if policy["kind"] == "NetworkPolicy"]
    return _one_end(found, source, "Egress", target, target, port, protocol) and _one_end(
        found, target, "Ingress", source, target, port, protocol
    )


def _one_end(policies: list[Manifest], pod: Pod, direction: str, peer: Pod, target: Pod, port: int, protocol: str) -> bool:
    """At one end everything is let through until a policy of that direction selects the pod; then what any of them lets."""
    if pod.address:
        return True
    about = [policy for policy in policies if _is_about(policy, pod, direction)]
    field_name, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    rules = [rule for policy in about for rule in policy["spec"].get(field_name, [])]
    namespace = pod.namespace
    through = (
        _ports_match(rule.get("ports"), target, port, protocol)
        and (not rule.get(peers) or any(_is_peer(entry, peer, namespace) for entry in rule[peers]))
        for rule in rules
    )
    return not about or any(through)


def _is_about(policy: Manifest, pod: Pod, direction: str) -> bool:
    spec = policy["spec"]
    default = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    here = policy["metadata"]["namespace"] == pod.namespace
    return here and direction in spec.get("policyTypes", default) and selects(spec["podSelector"], pod.labels)


def _ports_match(ports: list[Manifest] | None, target: Pod, port: int, protocol: str) -> bool:
    if not ports:
        return True
    for entry in ports:
        number = entry.get("port", port)
        number = target.ports.get(number) if isinstance(number, str) else number
        if entry.get("protocol", "TCP") == protocol and number is not None and number <= port <= entry.get("endPort", number):
            return True
    return False


def _is_peer(entry: Manifest, peer: Pod, namespace: str) -> bool:
    if "ipBlock" in entry:
        block = entry["ipBlock"]
        inside = [ipaddress.ip_network(net) for net in (block["cidr"], *block.get("except", []))]
        return bool(peer.address) and [ipaddress.ip_address(peer.address) in net for net in inside] == [True] + [False] * (
            len(inside) - 1
        )
    if peer.address:
        return False
    if "namespaceSelector" in entry:
        if not selects(entry["namespaceSelector"], peer.namespace_labels):
            return False
    elif peer.namespace != namespace:
        return False
    return selects(entry.get("podSelector", {}), peer.labels)
