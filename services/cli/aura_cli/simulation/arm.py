"""A simulated cache in the place of an arm's Redis."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aura_contract.admissibility import Admissible
from aura_contract.cache import TtlSpec
from aura_contract.limits import GuardSpec
from aura_contract.plan import Plan, Policy
from aura_replayer.arm.base import Answer, Batch, Totals
from aura_replayer.arm.limit import Memory, Room
from aura_replayer.levers import ENTRY
from aura_replayer.source.items import ItemTable
from aura_simulator import TtlTiers
from aura_simulator.arm import Applied, SimulatedCache

__all__ = ["SimulatedArm"]


class SimulatedArm:
    """See `aura_replayer.arm.base.Arm`; nothing is ever under way, since a batch is done when it is sent."""

    def __init__(self, name: str, items: ItemTable, ttl: TtlSpec, guard: GuardSpec, seed: int) -> None:
        self.name = name
        self._items, self._ttl, self._reads, self._seed = items, ttl, round(guard.reads * 1000), seed
        self._cache = self._fresh(1)
        self._done: deque[Answer] = deque()
        self._policy = Policy()
        self._version = 0
        self._plans: dict[str, int] = {}
        self.vetoed: set[str] = set()

    def _fresh(self, capacity: int) -> SimulatedCache:
        low, high = self._ttl.thresholds
        tiers = TtlTiers(self._ttl.long * 1000, self._ttl.medium * 1000, self._ttl.short * 1000, low, high)
        return SimulatedCache(capacity, tiers, seed=self._seed, reads=self._reads)

    @property
    def now(self) -> int:
        """Event clock in ms."""
        return self._cache.now

    def begin(self, run: str, empty: int, room: Room) -> Totals:  # noqa: ARG002
        """See `Arm.begin`; a simulated run is not taken up again."""
        self._cache = self._fresh(room.items)
        return self.totals()

    def totals(self) -> Totals:
        """See `Arm.totals`."""
        cache = self._cache
        return Totals(**cache.counts, pressure=round(cache.pressure, 3), policy_version=self._version, items=len(cache))

    def send(self, batch: Batch, meta: bytes, body: bytes | memoryview) -> None:  # noqa: ARG002
        """See `Arm.send`."""
        if meta:
            entries = np.frombuffer(meta, ENTRY)
            bonus, flags = entries["bonus"].astype(np.int64), np.ascontiguousarray(entries["flags"])
        else:
            bonus, flags = self._nothing(len(batch.codes))
        trace = self._cache.serve(batch.codes, bonus, flags, batch.first, batch.clock)
        self._done.append(Answer(**vars(self.totals()), trace=trace if batch.traced else b""))

    @staticmethod
    def _nothing(size: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        return np.zeros(size, np.int64), np.zeros(size, np.uint8)

    def receive(self) -> Answer:
        """See `Arm.receive`."""
        return self._done.popleft()

    def tick(self, clock: int) -> None:
        """See `Arm.tick`."""
        self._cache.now = clock

    def apply(self, found: Admissible) -> Applied:
        """Carry out a plan that passed the executor's rules."""
        plan = found.plan
        fetched = [(self._items.code_of_key(action.k.encode()), action.ttl * 1000) for action in found.prefetch]
        evicted = [self._items.code_of_key(key.encode()) for key in found.evict]
        done = self._cache.apply(evicted, fetched, self._items.held, policy=plan.policy is not None)
        self._plans[plan.plan_id or ""] = self._cache.plans
        if plan.policy is not None:
            self._policy, self._version = plan.policy, self._version + 1
        return done

    def resident(self, keys: Sequence[bytes]) -> list[bool]:
        """See `Arm.resident`."""
        return self._cache.live([self._items.code_of_key(key) for key in keys])

    def size(self) -> int:
        """See `Arm.size`."""
        return len(self._cache)

    def policy(self) -> Policy:
        """See `Arm.policy`."""
        return self._policy

    def prefetch_hits_by_plan(self) -> dict[str, int]:
        """See `Arm.prefetch_hits_by_plan`."""
        return {plan: self._cache.credit(number) for plan, number in self._plans.items()}

    def window_start(self, window: int) -> Totals | None:  # noqa: ARG002
        """See `Arm.window_start`: nothing was counted before this process."""
        return None

    def plan_applied(self, plan: Plan, prefetched: int) -> None:
        """The cache counts on its own."""

    def memory(self) -> Memory:
        """See `Arm.memory`: there is none."""
        return Memory(0, 0, 0, 0, self.size())

    def veto(self, plan_id: str) -> None:
        """See `Arm.veto`."""
        self.vetoed.add(plan_id)

    def rollback(self) -> None:
        """See `Arm.rollback`."""
        self._policy, self._version = Policy(), self._version + 1
        self._cache.policy_number = 0

    def weigh(self) -> None:
        """Items have no weight."""

    def forget(self) -> None:
        """See `Arm.forget`."""
        self._cache = self._fresh(1)

    def close(self) -> None:
        """There is no connection."""
