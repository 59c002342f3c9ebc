"""An arm on real seconds: plain MGET and SETEX against an unmodified Redis, as the prototype drove it."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from aura_contract.arm import STATE_KEY
from aura_contract.cache import TtlSpec
from aura_contract.plan import Plan, Policy
from aura_replayer.arm.base import COUNTERS, Answer, Batch, Totals, decoded
from aura_replayer.arm.limit import Memory, Room
from aura_replayer.arm.server import Server
from aura_replayer.levers import ENTRY_BYTES, NO_FILL

__all__ = ["WallArm"]

PROBE_EVERY = 25


class WallArm:
    """See `Arm`. Fills, counters and the checkpoint of a batch go into one transaction."""

    def __init__(self, name: str, url: str, ttl: TtlSpec) -> None:
        self.name = name
        self._ttl = ttl
        self._server = Server(name, url)
        self._client, self._guard = self._server.client, self._server.guard
        self._done: deque[Answer] = deque()
        self._totals = Totals()
        self._windows: dict[int, Totals] = {}
        self._empty = self._budget = self._batches = 0
        self._pressure = 0.0
        self._items = 0
        self._prefetched: dict[bytes, str] = {}
        self._credit: dict[str, int] = {}
        self._server.check_own()
        self._server.without_statistics()

    def begin(self, run: str, empty: int, room: Room) -> Totals:
        """See `Arm.begin`."""
        self._empty, self._budget = empty, room.budget
        self._server.configure({"maxmemory-policy": "allkeys-lru"})
        self.weigh()
        state = self._state()
        if state.get("run") != run:
            self._guard(lambda: self._client.delete(STATE_KEY))
            self._guard(lambda: self._client.hset(STATE_KEY, "run", run))
            state = {}
        self._totals = Totals(*(int(state.get(name, 0)) for name in COUNTERS))
        return self._totals

    def totals(self) -> Totals:
        """See `Arm.totals`."""
        return self._totals

    def window_start(self, window: int) -> Totals | None:
        """See `Arm.window_start`."""
        line = self._state().get(f"window:{window}")
        return Totals(*(int(part) for part in line.split(","))) if line else None

    def send(self, batch: Batch, meta: bytes, body: bytes | memoryview) -> None:  # noqa: ARG002
        """See `Arm.send`; of the levers only `no fill` exists here, and the batch is done when this returns."""
        values = self._guard(lambda: self._client.mget(batch.keys))
        if self._batches % PROBE_EVERY == 0:
            self._measure()
        self._batches += 1
        present = {key for key, value in zip(batch.keys, values, strict=True) if value is not None}
        fills: dict[bytes, bytes] = {}
        hits = credited = 0
        trace = bytearray()
        for number, (key, packed) in enumerate(zip(batch.keys, batch.packed, strict=True)):
            hit = key in present or key in fills
            trace += b"1" if hit else b"0"
            if hit:
                hits += 1
                credited += self._credited(key)
            elif not meta or not meta[number * ENTRY_BYTES + 4] & NO_FILL:
                fills[key] = packed[3 + len(key) :]
        before = self._totals
        self._totals = Totals(
            before.requests + len(batch.keys),
            before.hits + hits,
            before.fills + len(fills),
            before.prefetches,
            before.prefetch_hits + credited,
            before.evictions,
            pressure=self._pressure,
            items=self._items,
        )
        self._store(batch, fills, before)
        self._done.append(Answer(**vars(self._totals), trace=bytes(trace) if batch.traced else b""))

    def _store(self, batch: Batch, fills: dict[bytes, bytes], before: Totals) -> None:
        ttl = self._seconds()
        pipe = self._client.pipeline(transaction=True)
        for key, value in fills.items():
            pipe.set(key, value, ex=ttl)
        mapping: dict[bytes | bytearray | memoryview[int] | str | int | float, Any] = {
            name: getattr(self._totals, name) for name in COUNTERS
        }
        if batch.window not in self._windows:
            self._windows = {batch.window: before}
            mapping[f"window:{batch.window}"] = ",".join(str(getattr(before, name)) for name in COUNTERS)
            pipe.hdel(STATE_KEY, f"window:{batch.window - 4}")
        pipe.hset(STATE_KEY, mapping=mapping)
        self._guard(pipe.execute)

    def _credited(self, key: bytes) -> int:
        plan = self._prefetched.pop(key, None)
        if plan is None:
            return 0
        self._credit[plan] = self._credit.get(plan, 0) + 1
        return 1

    def _measure(self) -> None:
        self._items = self.size()
        self._pressure = max(0, self.memory().data - self._empty) / self._budget if self._budget else 0.0

    def _seconds(self) -> int:
        low, high = self._ttl.thresholds
        if self._pressure < low:
            return self._ttl.long
        return self._ttl.medium if self._pressure <= high else self._ttl.short

    def receive(self) -> Answer:
        """See `Arm.receive`."""
        return self._done.popleft()

    def tick(self, clock: int) -> None:
        """Real time passes by itself."""

    def resident(self, keys: Sequence[bytes]) -> list[bool]:
        """See `Arm.resident`."""
        pipe = self._client.pipeline(transaction=False)
        for key in keys:
            pipe.exists(key)
        return [bool(found) for found in self._guard(pipe.execute)]

    def size(self) -> int:
        """See `Arm.size`; keys of the executor and of the checkpoint are counted too."""
        return int(self._guard(self._client.dbsize))

    def policy(self) -> Policy:
        """Levers do not exist here."""
        return Policy()

    def prefetch_hits_by_plan(self) -> dict[str, int]:
        """See `Arm.prefetch_hits_by_plan`."""
        return dict(self._credit)

    def plan_applied(self, plan: Plan, prefetched: int) -> None:
        """See `Arm.plan_applied`: the next hit on each prefetched key is credited to the plan."""
        for action in plan.prefetch:
            self._prefetched[action.k.encode()] = plan.plan_id or ""
        self._credit.setdefault(plan.plan_id or "", 0)
        before = self._totals
        counts = {name: getattr(before, name) for name in COUNTERS}
        counts["prefetches"] += prefetched
        counts["evictions"] += len(plan.evict)
        self._totals = Totals(**counts, pressure=before.pressure, items=before.items)

    def veto(self, plan_id: str) -> None:
        """Plans are not held up here: at a live pace they apply when they come."""

    def rollback(self) -> None:
        """Levers do not exist here."""

    def weigh(self) -> None:
        """See `Arm.weigh`; the planned arm's executor has connections that the baseline has not."""
        limit = self._empty + self.memory().connections + self._budget if self._budget else 0
        self._guard(lambda: self._client.config_set("maxmemory", limit))

    def memory(self) -> Memory:
        """See `Arm.memory`; tables and plans are not told apart here."""
        pipe = self._client.pipeline(transaction=False)
        pipe.info("memory")
        pipe.client_list()
        pipe.dbsize()
        memory, clients, items = self._guard(pipe.execute)
        connections = sum(int(client["tot-mem"]) for client in clients)
        return Memory(int(memory["used_memory"]) - connections, connections, 0, 0, int(items))

    def forget(self) -> None:
        """Empty the arm, the run included."""
        self._guard(lambda: self._client.execute_command("FLUSHALL", "SYNC"))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """See `Arm.close`."""
        self._client.close()

    def _state(self) -> dict[str, str]:
        pairs = self._guard(lambda: self._client.hgetall(STATE_KEY))
        return decoded(pairs)
