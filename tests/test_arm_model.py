"""The arm's function library against the simulated arm and a model of its plan book, over any sequence of calls."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from aura_cli.embedded import Household
from aura_cli.embedded.redis import start_redis
from aura_cli.simulation.arm import SimulatedArm
from aura_contract.admissibility import Admissible, admissible
from aura_contract.cache import TtlSpec
from aura_contract.limits import ExecutorSpec, GuardSpec
from aura_data.catalog import EmptyCatalog
from aura_replayer.arm.base import ArmLost, Batch, Totals
from aura_replayer.arm.event_arm import EventArm
from aura_replayer.arm.limit import Room
from aura_replayer.levers import ENTRY
from aura_replayer.source.items import ItemTable

ITEMS = 30
TTL = TtlSpec(long=40, medium=20, short=5)
GUARD = GuardSpec(backend_reads="60%", hold_out="20%")
ENDLESS = Room(items=10**6)
PLANS_KEPT, WINDOWS_KEPT = 64, 4
RUNS = (f"run-{number}" for number in itertools.count())

CODE = st.integers(0, ITEMS - 1)
ENTRIES = st.lists(st.tuples(CODE, st.integers(0, 1000), st.integers(0, 15)), min_size=1, max_size=25)
STEP_MS = st.integers(0, 6000)
ID = st.sampled_from([f"p{number}" for number in range(12)])
BEFORE_AND_AFTER = st.sampled_from([None, -1, 0, 1])


@dataclass
class Sent:
    """A batch as it went over the wire."""

    seq: int
    batch: Batch
    meta: bytes
    body: bytes


class ArmMachine(RuleBasedStateMachine):
    """Each rule is a call of the library; what it answers and what is there afterwards must be the model's."""

    def __init__(self, real: EventArm) -> None:
        super().__init__()
        self.real = real
        self.items = ItemTable(EmptyCatalog(), 16, GUARD.held)
        self.items.encode(pa.array([str(code) for code in range(ITEMS)]))
        self.simulated = SimulatedArm("aura", self.items, TTL, GUARD, 1)
        self.begin_anew()

    @rule()
    def begin_anew(self) -> None:
        self.run = next(RUNS)
        self.real.forget()
        assert self.real.begin(self.run, 0, ENDLESS) == Totals()
        self.simulated = SimulatedArm("aura", self.items, TTL, GUARD, 1)
        self.simulated.begin(self.run, 0, ENDLESS)
        self.clock = self.window = self.first = 0
        self.sent: Sent | None = None
        self.book: dict[str, str] = {}
        self.starts: dict[int, Totals] = {}

    @rule()
    def take_up_again(self) -> None:
        assert self.real.begin(self.run, 0, ENDLESS) == self.simulated.totals()

    @rule(entries=ENTRIES, step=STEP_MS, later=st.sampled_from([0, 0, 0, 1, 3]), traced=st.booleans(), levers=st.booleans())
    def batch(self, entries: list[tuple[int, int, int]], step: int, later: int, traced: bool, levers: bool) -> None:
        self.clock += step
        self.window += later
        codes = np.array([code for code, _, _ in entries], np.int32)
        meta = np.array([(bonus, flags + 16 * self.items.held[code]) for code, bonus, flags in entries], ENTRY).tobytes()
        body = b"".join(self.items.packed[code] for code in codes)
        batch = Batch(self.window, self.first, self.clock, [], [], codes, traced=traced)
        if not self.starts or self.window not in self.starts:
            self.starts[self.window] = self.counted()
        for arm in (self.real, self.simulated):
            arm.send(batch, meta if levers else b"", body)
        answer = self.real.receive()
        assert answer == self.simulated.receive()
        self.first = answer.requests
        self.sent = Sent(self.real._seq, batch, meta if levers else b"", body)

    @rule(ahead=st.integers(2, 5))
    def batches_that_do_not_count(self, ahead: int) -> None:
        """One sent again, one after a gap, and those of another run."""
        if self.sent is not None:
            self.real.resend(self.sent.seq, self.sent.batch, self.sent.meta, self.sent.body)
            answer = self.real.receive()
            assert answer.trace == b""
            assert Totals(**{name: getattr(answer, name) for name in Totals.__dataclass_fields__}) == self.simulated.totals()
            self.real.resend(self.sent.seq + ahead, self.sent.batch, self.sent.meta, self.sent.body)
            with pytest.raises(ArmLost):
                self.real.receive()
        assert self.real._call("aura_batch", "another", 1, 0, 0, 10**9, b"", self.items.packed[0])[0] == b"foreign"
        assert self.real._call("aura_batch", "another", 0, 0, 0, 10**9, b"", b"")[0] == b"foreign"

    @rule(step=STEP_MS)
    def tick(self, step: int) -> None:
        self.clock += step
        self.real.tick(self.clock)
        self.simulated.tick(self.clock)

    @rule(
        plan_id=ID,
        chosen=st.lists(CODE, unique=True, max_size=10),
        evicts=st.integers(0, 10),
        ttl=st.integers(1, 15),
        policy=st.booleans(),
        run=st.sampled_from(["own", "own", "own", "", "another"]),
        at=BEFORE_AND_AFTER,
        until=BEFORE_AND_AFTER,
    )
    def apply(
        self, plan_id: str, chosen: list[int], evicts: int, ttl: int, policy: bool, run: str, at: int | None, until: int | None
    ) -> None:
        keys = [f"item:{code}" for code in chosen]
        plan: dict[str, Any] = {"plan_id": plan_id, "evict": keys[:evicts]}
        plan["prefetch"] = [{"k": key, "v": "v", "ttl": ttl} for key in keys[evicts:]]
        plan |= {"policy": {"frequency": "high"}} if policy else {}
        found = admissible(json.dumps(plan).encode(), ExecutorSpec(ttl_min=1))
        assert isinstance(found, Admissible)
        moments = tuple("" if moment is None else self.clock + moment for moment in (at, until))
        status, now, *counts = self.sent_plan(found, self.run if run == "own" else run, moments)
        expected = self.judged(plan_id, run, at, until)
        assert (status.decode(), now) == (expected, self.clock)
        if expected == "applied":
            done = self.simulated.apply(found)
            assert counts == [done.evicted, done.prefetched, done.held_evict, done.held_prefetch, done.over_budget]
            self.note(plan_id, f"{done.evicted},{done.prefetched}")
        elif expected == "duplicate":
            assert counts[:2] == [int(count) for count in self.book[plan_id].split(",")]
        else:
            assert counts == [0] * 5

    @rule(count=st.integers(PLANS_KEPT - 3, PLANS_KEPT + 3))
    def many_plans(self, count: int) -> None:
        for number in range(count):
            plan_id = f"many-{self.simulated._cache.plans}-{number}"
            found = admissible(json.dumps({"plan_id": plan_id}).encode(), ExecutorSpec())
            assert isinstance(found, Admissible)
            assert self.sent_plan(found, self.run, ("", ""))[0] == b"applied"
            self.simulated.apply(found)
            self.note(plan_id, "0,0")

    @rule(plan_id=ID, run=st.sampled_from(["own", "another"]))
    def veto(self, plan_id: str, run: str) -> None:
        in_time = run == "own" and plan_id not in self.book
        assert self.real._call("aura_veto", self.run if run == "own" else run, plan_id) == in_time
        if in_time:
            self.note(plan_id, "vetoed")

    @rule()
    def rollback(self) -> None:
        self.real.rollback()
        self.simulated.rollback()
        assert self.real._call("aura_rollback", "another") == 0

    @invariant()
    def counters_are_the_models(self) -> None:
        assert self.real.totals() == self.simulated.totals()

    @invariant()
    def residents_are_the_models(self) -> None:
        assert self.real.resident(self.items.keys) == self.simulated.resident(self.items.keys)

    @invariant()
    def policy_is_the_models(self) -> None:
        assert self.real.policy() == self.simulated.policy()

    @invariant()
    def credit_of_plans_that_are_remembered_is_the_models(self) -> None:
        last = self.simulated._cache.plans
        numbers = range(max(1, last - PLANS_KEPT + 1), last + 1)
        credit = self.table("aura:credit")
        found = [int(credit.get(str(number), 0)) for number in numbers]
        assert found == [self.simulated._cache.credit(number) for number in numbers]
        assert {name for name in credit if name.startswith("plan:")} == {f"plan:{number}" for number in numbers}

    @invariant()
    def windows_that_are_remembered_began_as_the_model_says(self) -> None:
        for window, totals in self.starts.items():
            if window > self.window - WINDOWS_KEPT:
                assert self.real.window_start(window) == totals

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        client = self.real._client
        assert client.hlen("aura:plans") == client.llen("aura:plan-order") == len(self.book) <= PLANS_KEPT
        assert client.hlen("aura:windows") <= WINDOWS_KEPT
        # A name and a count for each plan, and the count of what rules fetched without one.
        assert client.hlen("aura:credit") <= 2 * PLANS_KEPT + 1

    def judged(self, plan_id: str, run: str, at: int | None, until: int | None) -> str:
        """What the library must answer."""
        if run == "another":
            return "foreign_run"
        if plan_id in self.book:
            return "vetoed" if self.book[plan_id] == "vetoed" else "duplicate"
        if at is not None and at > 0:
            return "early"
        return "expired" if until is not None and until < 0 else "applied"

    def note(self, plan_id: str, what: str) -> None:
        self.book[plan_id] = what
        if len(self.book) > PLANS_KEPT:
            del self.book[next(iter(self.book))]

    def counted(self) -> Totals:
        totals = self.simulated.totals()
        return Totals(**self.simulated._cache.counts) if totals.requests or totals.prefetches or totals.evictions else Totals()

    def sent_plan(self, found: Admissible, run: str, moments: tuple[int | str, ...]) -> list[Any]:
        actions: list[object] = [*found.evict]
        for action in found.prefetch:
            actions += [action.k, action.v, action.ttl]
        policy = found.plan.policy.model_dump_json() if found.plan.policy else ""
        counts = (len(found.evict), len(found.prefetch))
        reply: list[Any] = self.real._call("aura_apply", run, found.plan.plan_id, 0, "test", *moments, policy, *counts, *actions)
        return reply

    def table(self, key: str) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.real._client.hgetall(key).items()}


@pytest.fixture
def real(tmp_path: Path) -> Iterator[EventArm]:
    with Household(tmp_path / "logs") as house:
        arm = EventArm("aura", start_redis(house, "arm").url, TTL, GUARD)
        yield arm
        arm.close()


def test_any_sequence_of_calls_leaves_the_library_and_the_model_equal(real: EventArm) -> None:
    long = settings(max_examples=60, stateful_step_count=40, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(lambda: ArmMachine(real), settings=long)  # type: ignore[no-untyped-call]
