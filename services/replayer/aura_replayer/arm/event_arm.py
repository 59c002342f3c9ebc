"""An arm on the event clock: batches go through the function library `aura` (aura.lua beside this file)."""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from redis.connection import Connection

from aura_contract.arm import POLICY_KEY, STATE_KEY
from aura_contract.cache import TtlSpec
from aura_contract.limits import GuardSpec
from aura_contract.plan import Plan, Policy
from aura_replayer.arm.base import COUNTERS, Answer, ArmEmptied, Batch, Totals, decoded
from aura_replayer.arm.limit import Memory, MemoryLimit, Room
from aura_replayer.arm.server import Server

__all__ = ["EventArm", "encode_command"]

SETTINGS: dict[str, str | int] = {
    "maxmemory": 0,
    "maxmemory-policy": "volatile-ttl",
    "maxmemory-samples": 10,
    # Evict down to the limit before every call; the default may stop half way to keep latency low.
    "maxmemory-eviction-tenacity": 100,
    # Never reached; while it is set, the server's sum over its connections is up to date at every call.
    "maxmemory-clients": 2**40,
}
WITHOUT_TRACE = 5 + len(COUNTERS)
UNGUARDED = GuardSpec(backend_reads="100%", hold_out="0%")

UNTRACED, TRACED, TRACED_END = b"*10\r\n", b"*11\r\n", b"\r\n$1\r\n1\r\n"
"""Numbers of a batch's arguments, and the last of a traced one."""

CONFIG_SET = -1
"""Stands among the batches under way for a new memory limit, of which nobody waits for the answer."""


def encode_command(*parts: bytes | int | str) -> bytes:
    """A command in Redis' wire format."""
    return b"".join((b"*%d\r\n" % len(parts), *map(encode_part, parts)))


def encode_part(part: bytes | int | str) -> bytes:
    """One argument of a command in Redis' wire format."""
    encoded = b"%d" % part if isinstance(part, int) else part.encode() if isinstance(part, str) else part
    return b"$%d\r\n%b\r\n" % (len(encoded), encoded)


class EventArm:
    """See `Arm`; one connection for batches and the memory limit, one for the rest."""

    def __init__(self, name: str, url: str, ttl: TtlSpec, guard: GuardSpec = UNGUARDED) -> None:
        self.name = name
        self._ttl, self._limits = ttl, guard
        self._run = self._head = b""
        self._seq = 0
        self._under_way: deque[int] = deque()
        self._server = Server(name, url)
        self._client, self._guard = self._server.client, self._server.guard
        self._lane = self._guard(self._client.connection_pool.get_connection)
        self._limit: MemoryLimit | None = None
        self._due = b""
        self._connections = 0
        self._server.check_own()
        self._server.configure(SETTINGS)
        self._server.without_statistics()
        library = files("aura_replayer.arm").joinpath("aura.lua").read_text()
        self._guard(lambda: self._client.function_load(library, replace=True))

    def begin(self, run: str, empty: int, room: Room) -> Totals:
        """See `Arm.begin`."""
        ttl = self._ttl
        low, high = (round(share * 1000) for share in ttl.thresholds)
        self._run = run.encode()
        self._head = b"".join((encode_part("FCALL"), encode_part("aura_batch"), encode_part(0), encode_part(self._run)))
        self._seq = self._call(
            "aura_setup", run, ttl.long * 1000, ttl.medium * 1000, ttl.short * 1000, low, high, empty, room.budget,
            round(self._limits.held * 1000), round(self._limits.reads * 1000),
        )  # fmt: skip
        # Buffers that sleep now were as large as this at work.
        now = replace(self.memory(), connections=self._connections)
        self._limit = MemoryLimit(empty, room, now) if room.budget else None
        self._guard(lambda: self._client.config_set("maxmemory", self._limit.bytes if self._limit else 0))
        return self.totals()

    def totals(self) -> Totals:
        """See `Arm.totals`."""
        state = self._state()
        counts = {name: int(state.get(name, 0)) for name in COUNTERS}
        pressure = int(state.get("pressure", 0)) / 1000
        version = int(self._guard(lambda: self._client.hget(POLICY_KEY, "version")) or 0)
        return Totals(**counts, pressure=pressure, policy_version=version, items=self.size())

    def window_start(self, window: int) -> Totals | None:
        """See `Arm.window_start`."""
        line = _pairs(self._call("aura_state")[1]).get(str(window))
        return Totals(*(int(part) for part in line.split(","))) if line else None

    def send(self, batch: Batch, meta: bytes, body: bytes | memoryview) -> None:
        """See `Arm.send`."""
        self._seq += 1
        self.resend(self._seq, batch, meta, body)

    def resend(self, seq: int, batch: Batch, meta: bytes, body: bytes | memoryview) -> None:
        """Send a batch under a given number; one that was counted already is not counted again."""
        numbers = map(encode_part, (seq, batch.window, batch.first, batch.clock))
        # Thousands a second, so what is the same for all is encoded once, and a body is copied once.
        command = b"".join(
            (
                self._take_due(), TRACED if batch.traced else UNTRACED, self._head, *numbers, encode_part(meta),
                b"$%d\r\n" % len(body), body, TRACED_END if batch.traced else b"\r\n",
            )
        )  # fmt: skip
        self._put(self._lane, command)
        self._under_way.append(seq)

    def receive(self) -> Answer:
        """See `Arm.receive`."""
        while self._under_way.popleft() == CONFIG_SET:
            self._guard(self._lane.read_response)
        reply = self._guard(self._lane.read_response)
        status, version, pressure, *counts, before, after = reply[:WITHOUT_TRACE]
        if status in (b"foreign", b"gap"):
            raise ArmEmptied(self.name)
        if self._limit is not None and self._limit.follow(before, after):
            self._due = encode_command("CONFIG", "SET", "maxmemory", self._limit.bytes)
        if self._due and (not self._under_way or self._under_way[-1] == CONFIG_SET):
            self._put(self._lane, self._take_due())
        trace = reply[WITHOUT_TRACE] if len(reply) > WITHOUT_TRACE else b""
        # In the order of the fields: by name this would take three times as long.
        fields: list[Any] = [*counts, pressure / 1000, version, after, trace]
        return Answer(*fields)

    def _take_due(self) -> bytes:
        """The new limit, if there is one: it goes with the next batch, or alone where none is under way."""
        due, self._due = self._due, b""
        if due:
            self._under_way.append(CONFIG_SET)
        return due

    def tick(self, clock: int) -> None:
        """See `Arm.tick`."""
        self._call("aura_batch", self._run, 0, 0, 0, clock, b"", b"")

    def resident(self, keys: Sequence[bytes]) -> list[bool]:
        """See `Arm.resident`."""
        now = self._state()["now"]
        bitmap: bytes = self._call("aura_probe", now, *keys)
        return [bit == 49 for bit in bitmap]

    def size(self) -> int:
        """See `Arm.size`."""
        return int(self._call("aura_state")[4])

    def policy(self) -> Policy:
        """See `Arm.policy`."""
        text = self._guard(lambda: self._client.hget(POLICY_KEY, "policy"))
        return Policy.model_validate(json.loads(text)) if text else Policy()

    def prefetch_hits_by_plan(self) -> dict[str, int]:
        """See `Arm.prefetch_hits_by_plan`."""
        credit = _pairs(self._call("aura_state")[3])
        plans = {name[5:]: plan for name, plan in credit.items() if name.startswith("plan:")}
        return {plan: int(credit.get(number, 0)) for number, plan in plans.items()}

    def plan_applied(self, plan: Plan, prefetched: int) -> None:
        """The library counts on its own."""

    def veto(self, plan_id: str) -> None:
        """See `Arm.veto`."""
        self._call("aura_veto", self._run, plan_id)

    def rollback(self) -> None:
        """See `Arm.rollback`."""
        self._call("aura_rollback", self._run)

    def weigh(self) -> None:
        """See `Arm.weigh`."""
        if self._limit is not None:
            self._limit.weigh(self.memory())

    def memory(self) -> Memory:
        """See `Arm.memory`."""
        # In one go, so that no connection comes or goes between; what the server itself sums up misses those that just came.
        pipe = self._client.pipeline(transaction=False)
        pipe.fcall("aura_memory", 0)
        pipe.client_list()
        (used, remembered, tables, items), clients = self._guard(pipe.execute)
        connections = sum(int(client["tot-mem"]) for client in clients)
        self._connections = max(self._connections, connections)
        return Memory(used - connections, connections, remembered, tables, items)

    def _put(self, connection: Connection, commands: bytes) -> None:
        self._guard(lambda: connection.send_packed_command([commands], check_health=False))  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """Empty the arm, the run included."""
        self._guard(lambda: self._client.execute_command("FLUSHALL", "SYNC"))  # type: ignore[no-untyped-call]
        self._seq = 0

    def close(self) -> None:
        """See `Arm.close`."""
        self._lane.disconnect()  # type: ignore[no-untyped-call]
        self._client.close()

    def _state(self) -> dict[str, str]:
        pairs = self._guard(lambda: self._client.hgetall(STATE_KEY))
        return decoded(pairs)

    def _call(self, function: str, *arguments: Any) -> Any:
        return self._guard(lambda: self._client.fcall(function, 0, *arguments))


def _pairs(flat: list[bytes]) -> dict[str, str]:
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
