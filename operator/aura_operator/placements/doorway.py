"""Finding the address at which other clusters reach an embedded Kafka, and keeping its certificate to that address."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from aura_operator.blueprint import Door, Manifest
from aura_operator.builders import door
from aura_operator.cluster.children import ChildKey
from aura_operator.cluster.client import ApiError, Cluster
from aura_operator.cluster.kinds import Kind
from aura_operator.experiment import Experiment
from aura_operator.placements.opening import SHUT, Opening
from aura_operator.placements.secrets import SECRET
from aura_operator.placements.visits import PENDING, Seen
from aura_operator.reconcile.applying import Threads
from aura_operator.settings import PlacementSettings

__all__ = ["Doorway", "Nodes", "node_addresses"]

NODE = Kind("v1", "Node")
NODES_SECONDS = 60.0


@dataclass(frozen=True)
class Nodes:
    """Addresses of all nodes, and of those that are ready, by the nodes' names."""

    every: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()


class Doorway:
    """Opens the doors of all experiments."""

    def __init__(self, cluster: Cluster, settings: PlacementSettings, thread: Threads) -> None:
        self._cluster, self._settings, self._thread = cluster, settings, thread
        self._asked, self._nodes = -inf, Nodes()
        self._asking = asyncio.Lock()

    async def open(
        self, experiment: Experiment, observed: Mapping[ChildKey, Manifest], before: Mapping[str, str], *, started: bool
    ) -> Opening:
        """Where the door of an experiment is; `before` are the values of its Secret at the last look. Raises ApiError.

        Once the replay has started a door stays as it is, since shutting it would start the broker again.
        """
        name = f"{experiment.name}-{door.COMPONENT}"
        there = observed.get(("Service", name))
        stays = started and there is not None
        if not door.needed(experiment.spec) and not stays:
            return SHUT
        if there is None or there["spec"].get("type") != self._settings.service:
            return Opening(Seen(PENDING, f"waiting for Service {name}"), hold=True)
        known = [found for found in (door.read(observed.get(("Secret", name))), before) if found]
        if not known:
            # What no watch has told of may still be there.
            known = [door.read(await self._thread(self._cluster.read, SECRET, experiment.namespace, name))]
        try:
            place = await self._place(there, known[0].get(door.HOST, ""))
        except ApiError as error:
            advice = "set settings.placements.host in the chart's values"
            return Opening(Seen("DoorPending", f"the operator cannot list the nodes ({error}); {advice}"))
        if isinstance(place, Seen):
            return Opening(place)
        host, port = place
        secrets = next((found for found in known if found.get(door.HOST) == host), None)
        return replace(SHUT, door=Door(host, port, secrets or door.generate(host)))

    async def _place(self, service: Manifest, before: str) -> tuple[str, int] | Seen:
        """Host and port; those of before as long as they may be right, since others would start the broker again."""
        if self._settings.service == "LoadBalancer":
            name = service["metadata"]["name"]
            ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or [{}]
            host = ingress[0].get("ip") or ingress[0].get("hostname") or before
            why = f"Service {name} has no address; wait for the load balancer, or set settings.placements.service to NodePort"
            return (host, door.PORT) if host else Seen("DoorPending", why)
        port = service["spec"]["ports"][0].get("nodePort")
        host = self._settings.host or await self._node(before)
        if not host or not port:
            return Seen("DoorPending", "no node is ready through which other clusters could reach Kafka")
        return host, port

    async def _node(self, before: str) -> str:
        try:
            async with self._asking:
                if time.monotonic() - self._asked > NODES_SECONDS:
                    self._nodes = await self._thread(self._list)
                    self._asked = time.monotonic()
        except ApiError:
            if before:
                return before
            raise
        # One that is not ready for a while is no reason to start the broker again.
        return before if before in self._nodes.every else next(iter(self._nodes.ready), "")

    def _list(self) -> Nodes:
        return node_addresses(node for page, _ in self._cluster.pages(NODE, None, {}) for node in page)


def node_addresses(nodes: Iterable[Manifest]) -> Nodes:
    """The InternalIP of every node that has one."""
    found = []
    for node in nodes:
        status = node.get("status") or {}
        ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or [])
        inside = [str(one["address"]) for one in status.get("addresses") or [] if one.get("type") == "InternalIP"]
        found += [(str(node["metadata"]["name"]), address, ready) for address in inside[:1]]
    found.sort()
    return Nodes(tuple(address for _, address, _ in found), tuple(address for _, address, ready in found if ready))
