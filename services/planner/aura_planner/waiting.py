"""Windows that wait for an arm's planner, and which of them need not wait any longer."""

import threading
from collections import deque
from dataclasses import dataclass

from aura_contract.context import ContextSnapshot
from aura_planner.ledger import Entry

__all__ = ["Job", "Waiting"]


@dataclass(frozen=True)
class Job:
    """A context on its way to its arm's thread: when it came (perf_counter) and the seconds that reading it took."""

    context: ContextSnapshot
    key: bytes
    entry: Entry
    received: float
    parse_s: float
    traceparent: str | None


class Waiting:
    """The windows of one arm, oldest first; any thread may ask."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job, *, drop: bool) -> list[Job]:
        """Let a window wait; with `drop` those leave that are over by its end, whose plans would all come too late."""
        with self._changed:
            gone = [other for other in self._jobs if drop and _over(other.context, job.context)]
            self._jobs = deque(other for other in self._jobs if other not in gone) if gone else self._jobs
            self._jobs.append(job)
            self._changed.notify()
        return gone

    def get(self) -> Job:
        """The oldest window, as soon as there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs)
            return self._jobs.popleft()


def _over(older: ContextSnapshot, newer: ContextSnapshot) -> bool:
    return older.shard == newer.shard and older.window < newer.window and older.expires_at <= newer.workload.end_v
