"""An arm on the event clock: batches go through the function library `aura` (aura.lua beside this file)."""

import json
import re
from collections import deque
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.connection import Connection

from aura_contract.arm import CONFIG_KEY, CREDIT_KEY, PLAN_ORDER_KEY, PLANS_KEY, POLICY_KEY, STATE_KEY
from aura_contract.experiment import TtlSpec
from aura_contract.plan import Plan, Policy
from aura_replayer.arm.base import COUNTERS, ArmLost, Batch, Totals, decoded
from aura_replayer.arm.server import Server

__all__ = ["EventArm", "encode_command"]

BOOKKEEPING = (PLANS_KEY, PLAN_ORDER_KEY, CREDIT_KEY, POLICY_KEY)
SETTINGS: dict[str, str | int] = {
    "maxmemory": 0,
    "maxmemory-policy": "volatile-ttl",
    "maxmemory-samples": 10,
    # Evict down to the limit before every call; the default may stop half way to keep latency low.
    "maxmemory-eviction-tenacity": 100,
}
FULL = 0.9
SETTLE_SHARE = 6


def encode_command(*parts: bytes | int | str) -> bytes:
    """A command in Redis' wire format."""
    pieces = [b"*%d\r\n" % len(parts)]
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode()
        pieces += (b"$%d\r\n" % len(encoded), encoded, b"\r\n")
    return b"".join(pieces)


# A server shrinks the buffer of a connection that was told little, and adds 16 kB when an answer does not fit: a long answer
# first has that happen before anything is read. Its own sum over connections lags by up to a second; CLIENT LIST counts afresh.
LONG_ANSWER = ("EVAL", "return string.rep('.', 8192)", "0")
MEMORY = (LONG_ANSWER, ("INFO", "memory"), ("CLIENT", "LIST"), *(("MEMORY", "USAGE", key, "SAMPLES", "0") for key in BOOKKEEPING))
LOOK = b"".join(encode_command(*command) for command in MEMORY)
USED = re.compile(rb"used_memory:(\d+)")
CONNECTION = re.compile(rb" tot-mem=(\d+)")


class EventArm:
    """See `Arm`; one connection for batches, one for the memory limit, which must not share their buffers, one for the rest."""

    def __init__(self, name: str, url: str, ttl: TtlSpec) -> None:
        self.name = name
        self._ttl = ttl
        self._run = b""
        self._seq = 0
        self._under_way: deque[int] = deque()
        self._server = Server(name, url)
        self._client, self._guard = self._server.client, self._server.guard
        self._lane, self._side = (self._guard(self._client.connection_pool.get_connection) for _ in range(2))
        self._unread = 0
        self._empty = self._budget = self._slack = 0
        self._server.check_own()
        self._server.configure(SETTINGS)
        self._server.without_statistics()
        library = files("aura_replayer.arm").joinpath("aura.lua").read_text()
        self._guard(lambda: self._client.function_load(library, replace=True))

    def begin(self, run: str, empty: int, budget: int) -> Totals:
        """See `Arm.begin`."""
        self._skip_replies()
        ttl = self._ttl
        low, high = (round(share * 1000) for share in ttl.thresholds)
        self._run = run.encode()
        self._seq = self._call(
            "aura_setup", run, ttl.long * 1000, ttl.medium * 1000, ttl.short * 1000, low, high, empty, budget, 0
        )
        self._empty, self._budget = empty, budget
        self.look()
        self.settle()
        return self.totals()

    def totals(self) -> Totals:
        """See `Arm.totals`."""
        state = self._state()
        requests, hits, fills, prefetches, prefetch_hits, evictions = (int(state.get(name, 0)) for name in COUNTERS)
        pressure = int(state.get("pressure", 0)) / 1000
        version = int(self._guard(lambda: self._client.hget(POLICY_KEY, "version")) or 0)
        return Totals(requests, hits, fills, prefetches, prefetch_hits, evictions, pressure, version, self.size())

    def window_start(self, window: int) -> Totals | None:
        """See `Arm.window_start`."""
        line = _pairs(self._call("aura_state")[1]).get(str(window))
        return Totals(*(int(part) for part in line.split(","))) if line else None

    def send(self, batch: Batch, meta: bytes, body: bytes) -> None:
        """See `Arm.send`."""
        self._seq += 1
        self.resend(self._seq, batch, meta, body)

    def resend(self, seq: int, batch: Batch, meta: bytes, body: bytes) -> None:
        """Send a batch under a given number; one that was counted already is not counted again."""
        command = encode_command(
            b"FCALL", b"aura_batch", b"0", self._run, seq, batch.window, batch.first, batch.clock, meta, body
        )
        self._put(self._lane, command)
        self._under_way.append(seq)

    def receive(self) -> Totals:
        """See `Arm.receive`."""
        self._under_way.popleft()
        reply = self._guard(self._lane.read_response)
        status = reply[0]
        if status in (b"foreign", b"gap"):
            raise ArmLost(f"Redis of arm {self.name} was restarted empty; its counts are lost, start the experiment again")
        requests, hits, fills, prefetches, prefetch_hits, evictions = reply[4:10]
        return Totals(requests, hits, fills, prefetches, prefetch_hits, evictions, reply[3] / 1000, reply[2], reply[10])

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

    def data_bytes(self) -> int:
        """Used bytes without those of connections."""
        self.look()
        used, connections, _ = self._seen()
        return used - connections

    def look(self) -> None:
        """See `Arm.look`."""
        self._skip_replies()
        self._put(self._side, LOOK)

    def settle(self) -> None:
        """See `Arm.settle`: Redis counts buffers and bookkeeping against the limit, but the budget is for items.

        What a call's buffers take at the moment of eviction cannot be read, so the limit follows the error: a part of it is
        corrected at each window's end.
        """
        used, connections, kept = self._seen()
        if not self._budget:
            self._write(0, self._empty)
            return
        data = used - connections - kept - self._empty
        if data > FULL * self._budget:
            self._slack = max(-self._budget // 4, min(self._budget // 4, self._slack + (self._budget - data) // SETTLE_SHARE))
        outside = self._empty + connections + kept + self._slack
        self._write(outside + self._budget, outside)

    def _seen(self) -> tuple[int, int, int]:
        """Bytes used in all, by connections, and by the plans' bookkeeping, as `look` asked."""
        _, info, clients, *kept = [self._guard(self._side.read_response) for _ in MEMORY]
        used = USED.search(info)
        assert used is not None
        return int(used[1]), sum(map(int, CONNECTION.findall(clients))), sum(used or 0 for used in kept)

    def _write(self, limit: int, outside: int) -> None:
        """Set the limit and what of it is not the budget, without waiting for the answers."""
        # A server that a new connection has filled would refuse to store anything.
        lifted, note = encode_command("CONFIG", "SET", "maxmemory", 0), encode_command("HSET", CONFIG_KEY, "empty", outside)
        self._put(self._side, lifted + note + encode_command("CONFIG", "SET", "maxmemory", limit))
        self._unread += 3

    def _put(self, connection: Connection, commands: bytes) -> None:
        self._guard(lambda: connection.send_packed_command([commands], check_health=False))  # type: ignore[no-untyped-call]

    def _skip_replies(self) -> None:
        for _ in range(self._unread):
            self._guard(self._side.read_response)
        self._unread = 0

    def forget(self) -> None:
        """Empty the arm, the run included."""
        self._skip_replies()
        self._guard(lambda: self._client.execute_command("FLUSHALL", "SYNC"))  # type: ignore[no-untyped-call]
        self._seq = 0

    def close(self) -> None:
        """See `Arm.close`."""
        for connection in (self._lane, self._side):
            connection.disconnect()  # type: ignore[no-untyped-call]
        self._client.close()

    def _state(self) -> dict[str, str]:
        pairs = self._guard(lambda: self._client.hgetall(STATE_KEY))
        return decoded(pairs)

    def _call(self, function: str, *arguments: Any) -> Any:
        return self._guard(lambda: self._client.fcall(function, 0, *arguments))


def _pairs(flat: list[bytes]) -> dict[str, str]:
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
