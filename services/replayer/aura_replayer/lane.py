"""One arm during a replay: what is under way, what was counted in this window, which levers stand."""

import time
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from aura_contract.plan import Policy
from aura_contract.results import WindowRecord
from aura_replayer.arm.base import COUNTERS, Arm, Batch, Totals
from aura_replayer.arm.limit import FEWEST
from aura_replayer.levers import Stream
from aura_replayer.scoreboard import Scoreboard
from aura_replayer.source.spool import EventBlock
from aura_replayer.tally import Tally

__all__ = ["Lane"]


@dataclass
class Lane:
    """`done` requests were counted before this process began (after a restart) and are not sent again; at most `in_flight`
    batches are under way."""

    arm: Arm
    done: int
    totals: Totals
    in_flight: int = FEWEST
    recorded: int = -1
    policy: Policy = field(default_factory=Policy)
    plan_id: str | None = None
    history: list[float] = field(default_factory=list)
    scores: Scoreboard = field(default_factory=Scoreboard)
    stream: Stream = field(init=False)
    before: Totals = field(default_factory=Totals)
    last: WindowRecord | None = None
    batch_seconds: list[float] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    _sent: deque[tuple[float, NDArray[np.int32] | None]] = field(default_factory=deque)

    def enter(self, window: int, first_request: int) -> None:
        """Begin a window; after a restart in its middle the counts at its start come from the arm."""
        resumed = self.arm.window_start(window) if self.done > first_request else None
        self.before = resumed or self.totals
        self.batch_seconds = []

    def send(self, batch: Batch, meta: bytes, body: bytes | memoryview, categories: NDArray[np.int32] | None = None) -> None:
        """Send one batch, waiting for the oldest when too many are under way; a traced one with its requests' categories."""
        if len(self._sent) >= self.in_flight:
            self.receive()
        self._sent.append((time.perf_counter(), categories))
        self.arm.send(batch, meta, body)

    def receive(self) -> None:
        """Wait for the oldest batch under way."""
        self.totals = answer = self.arm.receive()
        sent, categories = self._sent.popleft()
        self.batch_seconds.append(time.perf_counter() - sent)
        if categories is not None:
            self.tally.add(categories, answer.trace)

    def drain(self) -> None:
        """Wait for all batches under way."""
        while self._sent:
            self.receive()

    def refresh_policy(self) -> None:
        """Read the levers that stand."""
        self.policy = self.arm.policy()

    def record(self, window: int, block: EventBlock, end_clock: int, after: int) -> WindowRecord:
        """The record of the window that has just ended; `after` is the first request behind it."""
        if self.done > after:
            # Requests of the next window were counted before a restart: this one's end is that one's start.
            counted = self.arm.window_start(window + 1) or self.totals
            self.totals = replace(self.totals, **{name: getattr(counted, name) for name in COUNTERS})
        now, before = self.totals, self.before
        requests, hits = now.requests - before.requests, now.hits - before.hits
        prefetches = now.prefetches - before.prefetches
        times = sorted(self.batch_seconds) or [0.0]
        ratio = hits / requests if requests else 0.0
        self.history = [*self.history[-9:], ratio]
        self.last = WindowRecord(
            arm=self.arm.name,
            window=window,
            first_event=block.first_row,
            last_event=block.stop_row - 1,
            end_v=end_clock,
            requests=requests,
            hits=hits,
            misses=requests - hits,
            fills=now.fills - before.fills,
            prefetches=prefetches,
            prefetch_hits=now.prefetch_hits - before.prefetch_hits,
            backend_reads=requests - hits + prefetches,
            hit_ratio=round(ratio, 6),
            pressure=now.pressure,
            items=now.items,
            policy=self.policy,
            plan_id=self.plan_id,
            held_requests=now.held_requests - before.held_requests,
            held_hits=now.held_hits - before.held_hits,
            batch_p50_ms=round(times[len(times) // 2] * 1000, 3),
            batch_p99_ms=round(times[len(times) * 99 // 100] * 1000, 3),
        )
        # A plan that is applied from now on is one of the next window, even if that has not begun.
        self.plan_id = None
        return self.last
