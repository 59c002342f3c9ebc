"""The context message of one arm: the shared log's side and the arm's own measured side."""

import json
import time

from aura_contract.base import CONTRACT_VERSION
from aura_contract.context import CacheView, Caps
from aura_contract.limits import ExecutorSpec, GuardSpec
from aura_replayer.context.snapshot import WorkloadSnapshot

__all__ = ["ContextWriter"]


class ContextWriter:
    """Writes the contexts of a shard's windows; the log's side is turned into JSON once for all arms."""

    def __init__(self, experiment: str, run: str, shard: int, caps: ExecutorSpec, guard: GuardSpec) -> None:
        self._experiment, self._run, self._shard = experiment, run, shard
        self._caps = Caps(
            max_evict=caps.max_evict,
            max_prefetch=caps.max_prefetch,
            ttl_min=caps.ttl_min,
            ttl_max=caps.ttl_max,
            backend_reads=guard.reads,
        )

    def message(
        self, snapshot: WorkloadSnapshot, arm: str, window: int, expires_at: int, cache: CacheView, *, outline: bool
    ) -> bytes:
        """A ContextSnapshot as JSON, with the window's items and sessions or only its outline."""
        envelope = {
            "version": CONTRACT_VERSION,
            "experiment": self._experiment,
            "run": self._run,
            "arm": arm,
            "window": window,
            "shard": self._shard,
            "context_id": snapshot.identity,
            "issued_at": round(time.time(), 3),
            "expires_at": expires_at,
        }
        head = json.dumps(envelope)[:-1]
        workload = snapshot.outline if outline else snapshot.workload
        tail = f'"cache":{cache.model_dump_json()},"caps":{self._caps.model_dump_json()}}}'
        return f'{head},"workload":{workload},{tail}'.encode()
