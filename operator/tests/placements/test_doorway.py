"""Through which node other clusters come in."""

from aura_operator.blueprint import Manifest
from aura_operator.placements.doorway import Nodes, node_addresses


def node(name: str, address: str, ready: str = "True") -> Manifest:
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]
    return {"metadata": {"name": name}, "status": {"addresses": addresses, "conditions": [{"type": "Ready", "status": ready}]}}


def test_nodes_by_name_and_those_that_are_ready() -> None:
    nodes = [node("b", "192.0.2.2"), node("c", "192.0.2.3", "False"), node("a", "192.0.2.1"), {"metadata": {"name": "d"}}]
    assert node_addresses(nodes) == Nodes(every=("192.0.2.1", "192.0.2.2", "192.0.2.3"), ready=("192.0.2.1", "192.0.2.2"))
    assert node_addresses([]) == Nodes()
