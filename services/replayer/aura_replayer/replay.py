"""The replay: every window of the log through every arm, then a context to each planner."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aura_contract.context import CacheView
from aura_contract.experiment import ExperimentSpec
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import WindowRecord
from aura_replayer.arm.base import Batch
from aura_replayer.arm.sizing import Sizing
from aura_replayer.context.aggregator import ContextAggregator
from aura_replayer.context.cache import cache_view
from aura_replayer.context.message import ContextWriter
from aura_replayer.context.snapshot import WorkloadBuilder
from aura_replayer.context.windows import Window, windows, windows_ahead
from aura_replayer.desk import Desk
from aura_replayer.guard.guard import Guard
from aura_replayer.lane import Lane
from aura_replayer.levers import Stream
from aura_replayer.source.clock import EventClock
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.tally import TRACED_EVERY
from aura_replayer.trigger import Trigger

__all__ = ["Replay"]

RECEIPT_TIMEOUT = 60.0
PLAN_GRACE = 30.0
PLAN_VALID_WINDOWS = 2
WEIGH_OFTEN, WEIGH_EVERY = 8, 8
"""Items are weighed at the start of each of the first 8 windows, while the cache fills, and of every eighth after."""
NOTHING = np.zeros(0, np.int64)


class Replay:
    """Drives one run over a shard of a log of `rows` rows.

    `finish_window` is called with each window's records before any plan for it is asked.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        lanes: Sequence[Lane],
        desk: Desk,
        log: EventLog,
        items: ItemTable,
        rows: int,
        sizing: Sizing,
        writer: ContextWriter,
        finish_window: Callable[[list[WindowRecord], int], None],
        stop: Callable[[], bool],
    ) -> None:
        self._spec, self._lanes, self._desk, self._log, self._items = spec, lanes, desk, log, items
        self._rows, self._sizing, self._writer = rows, sizing, writer
        self._finish_window, self._stop = finish_window, stop
        self._aggregator = ContextAggregator(sizing.capacity_items)
        self._builder = WorkloadBuilder(self._aggregator, items, log)
        self._clock = EventClock(spec.workload.clock)
        self._by_name = {lane.arm.name: lane for lane in lanes}
        self._wall = spec.cache.clock == "wall"
        self._lockstep = spec.planner.mode == "lockstep" and not self._wall and bool(spec.acting_arms)
        # A no-op planner cannot change its arm: its contexts queue up and nobody waits for the answers.
        self._exclusive = spec.acting_arms
        self._unended: Window | None = None
        self.asked = dict.fromkeys(desk.arms, 0)
        self._triggers = {arm: Trigger(spec.trigger, spec.seed) for arm in desk.arms}
        self._started = time.monotonic()
        self._batches = 0
        desk.judge, desk.on_applied = self._judged, self._applied
        guarded = sorted(self._exclusive) if not self._wall else []
        self._guard = Guard(guarded, items, sizing.capacity_items, spec.trigger.every_events // spec.workload.shards, spec.seed)

    def run(self) -> int:
        """Replay to the end of the log or until `stop`; returns the number of the shard's rows replayed."""
        rows = 0
        size, levers = self._spec.trigger.every_events, bool(self._exclusive)
        made = windows(self._log, self._items, size, self._clock, self._aggregator, self._builder, levers=levers)
        with closing(windows_ahead(made)) as ready:
            for window in ready:
                self._window(window)
                if self._stop():
                    self._unended = None
                    break
                rows = window.rows
                self._unended = window
                if self._exclusive or self._wall:
                    self._end_last()
        self._end_last()
        return rows

    def _window(self, requests: Window) -> None:
        if not self._flows(requests):
            self._end_last()
        if requests.number < WEIGH_OFTEN or requests.number % WEIGH_EVERY == 0:
            self._weigh()
        if self._unended is None:
            self._enter(requests)
        for lane in self._lanes:
            self._levers(lane, requests)
        position, count = 0, len(requests.codes)
        while position < count and not self._stop():
            self._settle(int(requests.clock[position]), requests)
            until = min(position + self._sizing.batch, count)
            due = self._next_due()
            if due is not None:
                until = min(until, max(position + 1, int(np.searchsorted(requests.clock, due))))
            self._pace(int(requests.clock[until - 1]))
            self._send(requests, position, until)
            position = until
            if self._unended is not None and position == self._sizing.in_flight * self._sizing.batch:
                # As many batches as may be under way were sent, so every reply of the window before is in.
                self._end(self._unended)
                self._unended = None
                self._enter(requests)

    def _weigh(self) -> None:
        for lane in self._lanes:
            lane.drain()
        for lane in self._lanes:
            lane.arm.weigh()

    def _flows(self, window: Window) -> bool:
        """Whether the window before can be ended while this one's first batches are under way."""
        fresh = all(lane.done <= window.first for lane in self._lanes)
        return fresh and len(window.codes) >= self._sizing.in_flight * self._sizing.batch

    def _enter(self, window: Window) -> None:
        for lane in self._lanes:
            lane.enter(window.number, window.first)

    def _end_last(self) -> None:
        for lane in self._lanes:
            lane.drain()
        if self._unended is not None:
            self._end(self._unended)
            self._unended = None

    def _send(self, requests: Window, start: int, stop: int) -> None:
        chosen = requests.codes[start:stop].tolist() if self._wall else ()
        packed = [self._items.packed[code] for code in chosen]
        keys = [self._items.keys[code] for code in chosen]
        clock = int(requests.clock[stop - 1])
        traced = self._traced(requests, start, stop)
        for lane in self._lanes:
            skip = min(max(0, lane.done - requests.first - start), stop - start)
            if skip == stop - start:
                continue
            codes, meta, body = lane.stream.part(start + skip, stop)
            first = requests.first + start + skip
            batch = Batch(requests.number, first, clock, keys[skip:], packed[skip:], codes, traced is not None)
            version = lane.totals.policy_version
            lane.send(batch, meta, body, traced)
            if self._wall:
                # At a live pace a batch is answered long before the next one is due.
                lane.drain()
            if lane.totals.policy_version != version:
                lane.refresh_policy()
                self._levers(lane, requests)

    def _traced(self, requests: Window, start: int, stop: int) -> NDArray[np.int32] | None:
        """Categories of the requests of every eighth batch; none of one that an arm was sent before a restart."""
        self._batches += 1
        if self._batches % TRACED_EVERY or any(lane.done > requests.first + start for lane in self._lanes):
            return None
        return np.asarray(self._items.categories[requests.codes[start:stop]])

    def _levers(self, lane: Lane, requests: Window) -> None:
        lane.stream = Stream.of(requests, lane.policy, self._items, self._sizing.capacity_items)

    def _next_due(self) -> int | None:
        if not self._lockstep:
            return None
        return min((due for state in self._desk.arms.values() if (due := state.due()) is not None), default=None)

    def _settle(self, clock: int, requests: Window | None) -> None:
        """Have every plan applied whose moment has come, before the first request at `clock` or later is sent."""
        if not self._lockstep:
            return
        for arm, state in self._desk.arms.items():
            due = state.due()
            if due is None or due > clock:
                continue
            lane = self._by_name[arm]
            # All lanes, so that nobody's batch is timed while this arm waits.
            for other in self._lanes:
                other.drain()
            lane.arm.tick(max(clock, *(plan.apply_at or 0 for plan in state.waiting.values())))
            self._desk.wait_for_receipt(arm, RECEIPT_TIMEOUT, self._stop)
            lane.totals = lane.arm.totals()
            lane.refresh_policy()
            if requests is not None:
                self._levers(lane, requests)

    def _judged(self, arm: str, plan: Plan) -> str | None:
        reason = self._guard.judge(arm, plan) if self._spec.guard.ghost_check and not self._wall else None
        if reason and plan.plan_id:
            self._by_name[arm].arm.veto(plan.plan_id)
        return reason

    def _rolled_back(self, records: list[WindowRecord], number: int) -> list[WindowRecord]:
        """Take back levers that do harm; the records say which."""
        if not self._spec.guard.rollback:
            return records
        baseline = self._lanes[0].history[-1]
        taken = []
        for record in records:
            lane = self._by_name[record.arm]
            gain = lane.history[-1] - baseline
            if record.arm in self._exclusive and self._guard.harmful(record.arm, number, lane.policy, gain):
                lane.arm.rollback()
                lane.refresh_policy()
                lane.totals = replace(lane.totals, policy_version=lane.totals.policy_version + 1)
                self._desk.arms[record.arm].rollbacks += 1
                taken.append(record.arm)
        return [record.model_copy(update={"rollback": record.arm in taken}) for record in records]

    def _applied(self, arm: str, plan: Plan, receipt: Receipt) -> None:
        lane = self._by_name[arm]
        lane.plan_id = plan.plan_id
        lane.arm.plan_applied(plan, receipt.effective.prefetch)

    def _pace(self, clock: int) -> None:
        if self._wall:
            self._desk.poll()
            ahead = clock / 1000 - (time.monotonic() - self._started)
            if ahead > 0:
                time.sleep(ahead)

    def _end(self, window: Window) -> None:
        number, block, end_clock = window.number, window.block, window.end_clock
        self._settle(end_clock, None)
        self._desk.poll()
        if all(lane.recorded >= number for lane in self._lanes):
            return
        after = window.first + len(window.codes)
        records = [lane.record(number, block, end_clock, after) for lane in self._lanes if lane.recorded < number]
        for lane in self._lanes[1:]:
            lane.scores.observe(lane.policy, lane.history[-1] - self._lanes[0].history[-1])
        if self._exclusive and not self._wall:
            lanes = {arm: self._by_name[arm] for arm in self._exclusive}
            self._guard.observe(window, {arm: (lane.policy, lane.stream) for arm, lane in lanes.items()})
            records = self._rolled_back(records, number)
        self._finish_window(records, window.rows)
        at_the_end = block.stop_row >= self._rows
        if at_the_end or all(lane.done >= after for lane in self._lanes):
            return
        valid = PLAN_VALID_WINDOWS * max(1, end_clock - window.start_clock)
        for arm in self._desk.arms:
            lane, acts = self._by_name[arm], arm in self._exclusive
            if not self._triggers[arm].fires(number, lane.history, lane.totals.pressure):
                continue
            if acts:
                # Not yet the moment from which plans apply: the guard sees them first.
                lane.arm.tick(max(0, end_clock - 1))
            cache = self._cache_view(lane, window.snapshot.candidates if acts else NOTHING)
            context = self._writer.message(window.snapshot, arm, number, end_clock + valid, cache, outline=not acts)
            self._desk.ask(arm, number, context, exclusive=acts)
            self.asked[arm] += 1
        if self._lockstep:
            for arm in sorted(self._exclusive):
                self._desk.wait_for_plan(arm, self._spec.planner.timeout_seconds + PLAN_GRACE, self._stop)
            self._settle(end_clock, None)

    def _cache_view(self, lane: Lane, candidates: NDArray[np.int64]) -> CacheView:
        keys = [self._items.keys[code] for code in candidates.tolist()]
        resident = lane.arm.resident(keys) if keys else []
        recent = self._desk.arms[lane.arm.name].recent
        return cache_view(lane, self._lanes[0], resident, recent, self._sizing.capacity_items, self._guard.levels.stats())
