"""The log's side of every window, made ahead of the replay in a thread of its own."""

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_replayer.context.aggregator import ContextAggregator
from aura_replayer.context.learning import Learner, Lessons
from aura_replayer.context.snapshot import WorkloadBuilder, WorkloadSnapshot
from aura_replayer.rules.expansions import Expansions
from aura_replayer.source.clock import EventClock
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import Entries, ItemTable
from aura_replayer.source.spool import EventBlock

__all__ = ["Window", "windows", "windows_ahead"]

AHEAD = 2
POLL_SECONDS = 0.1
NO_FREQUENCY = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Window:
    """One window of the log; `codes`, `entries`, `clock` and `frequency` are of its requests, shape (n,).

    `first` is the number of the first request over the whole shard, `clock` the event clock in ms, `frequency` the decayed
    requests of the same item before each request, `start_clock` and `end_clock` the clock at the window's first row and end, and
    `rows` the rows up to its end. `expansions` is what standing
    rules could prefetch, `expected` the decayed requests of those items at the window's start, shape (len(expansions),).
    """

    number: int
    block: EventBlock
    first: int
    codes: NDArray[np.int32]
    entries: Entries
    clock: NDArray[np.int64]
    frequency: NDArray[np.float32]
    expansions: Expansions
    expected: NDArray[np.float32]
    start_clock: int
    end_clock: int
    rows: int
    snapshot: WorkloadSnapshot


def windows(
    log: EventLog,
    items: ItemTable,
    size: int,
    clock: EventClock,
    aggregator: ContextAggregator,
    builder: WorkloadBuilder,
    *,
    levers: bool,
) -> Iterator[Window]:
    """All windows of `size` rows of the log, in order; without `levers`, which alone need it, `frequency` stays empty and nothing
    is learnt of users and sessions."""
    first = rows = end_clock = 0
    learner = Learner(items)
    frequency = expected = NO_FREQUENCY
    lessons = Lessons()
    for number, block in enumerate(log.windows(size)):
        positions = np.flatnonzero(block.requests)
        codes = block.items[positions]
        if levers:
            lessons = learner.observe(block.users[positions], block.sessions[positions], codes)
            frequency = aggregator.frequency(codes)
            expected = aggregator.weight(lessons.expansions.items).astype(np.float32)
        # A window may have no row of this shard.
        start_clock, last = (int(block.clock[0]), int(block.clock[-1])) if len(block) else (end_clock, end_clock)
        end_clock = clock.after(block.stop_row - 1, last)
        rows += len(block)
        aggregator.observe(block)
        snapshot = builder.build(start_clock, end_clock, lessons)
        yield Window(
            number, block, first, codes, items.entries(codes), block.clock[positions], frequency,
            lessons.expansions, expected, start_clock, end_clock, rows, snapshot,
        )  # fmt: skip
        first += len(codes)


def windows_ahead(source: Iterator[Window]) -> Generator[Window, None, None]:
    """The same windows, made up to two ahead in a thread, since the replay mostly waits for its servers."""
    ready: queue.Queue[Window | BaseException | None] = queue.Queue(AHEAD)
    abandoned = threading.Event()

    def put(item: Window | BaseException | None) -> bool:
        while not abandoned.is_set():
            try:
                ready.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for window in source:
                if not put(window):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the windows are used
            put(error)

    thread = threading.Thread(target=make, name="windows", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()
        thread.join()
