"""Which APIs of others the cluster serves: their operators may come and go while this one runs."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from aura_operator.cluster.client import ApiError, Cluster
from aura_operator.cluster.kinds import Kind
from aura_operator.cluster.watching import Watches

__all__ = ["OptionalApis"]

ASK_AGAIN_SECONDS = 20.0
SYNC_SECONDS = 30.0

log = logging.getLogger(__name__)


class OptionalApis:
    """`served` are the groups whose kinds the cluster has; they are watched from the moment on when it serves them."""

    def __init__(self, cluster: Cluster, watches: Watches, groups: Mapping[str, Sequence[Kind]]) -> None:
        self._cluster, self._watches, self._groups = cluster, watches, groups
        self._watched: set[str] = set()
        self.served: frozenset[str] = frozenset()

    async def ask(self) -> bool:
        """Look once; whether anything has changed."""
        found = frozenset([group for group in self._groups if await self._serves(group)])
        for group in sorted(found - self._watched):
            for kind in self._groups[group]:
                self._watches.add(kind)
            self._watched.add(group)
            await asyncio.to_thread(self._watches.wait, SYNC_SECONDS)
        for group in found ^ self.served:
            log.info("%s is %s", group, "served from now on" if group in found else "no longer served")
        changed, self.served = found != self.served, found
        return changed

    async def _serves(self, group: str) -> bool:
        return all([await asyncio.to_thread(self._cluster.serves, kind) for kind in self._groups[group]])

    async def follow(self, changed: Callable[[], None]) -> None:
        """Look again and again, and tell when something has changed."""
        while True:
            await asyncio.sleep(ASK_AGAIN_SECONDS)
            try:
                if await self.ask():
                    changed()
            except ApiError as error:
                log.warning("whether %s are served could not be asked: %s", ", ".join(self._groups), error)
