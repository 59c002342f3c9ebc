"""Whether the cluster has a Prometheus Operator, which may come and go while this one runs."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from aura_operator.cluster.client import ApiError, Cluster
from aura_operator.cluster.kinds import SERVICE_MONITORS
from aura_operator.cluster.watching import Watches

__all__ = ["Monitoring"]

ASK_AGAIN_SECONDS = 20.0
SYNC_SECONDS = 30.0

log = logging.getLogger(__name__)


class Monitoring:
    """`there` tells whether to make ServiceMonitors; they are watched from the moment on when the cluster serves them."""

    def __init__(self, cluster: Cluster, watches: Watches, mode: Literal["auto", "always", "never"]) -> None:
        self._cluster, self._watches, self._mode = cluster, watches, mode
        self._watched = False
        self.there = mode == "always"

    async def ask(self) -> bool:
        """Look once; whether anything has changed."""
        if self._mode == "never":
            return False
        served = await asyncio.to_thread(self._cluster.serves, SERVICE_MONITORS)
        if served and not self._watched:
            self._watches.add(SERVICE_MONITORS)
            self._watched = True
            await asyncio.to_thread(self._watches.wait, SYNC_SECONDS)
        there = served or self._mode == "always"
        changed, self.there = there != self.there, there
        if changed:
            log.info("ServiceMonitors are %s", "made from now on" if there else "no longer served")
        return changed

    async def follow(self, changed: Callable[[], None]) -> None:
        """Look again and again, and tell when something has changed."""
        while True:
            await asyncio.sleep(ASK_AGAIN_SECONDS)
            try:
                if await self.ask():
                    changed()
            except ApiError as error:
                log.warning("whether ServiceMonitors are served could not be asked: %s", error)
