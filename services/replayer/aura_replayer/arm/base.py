"""What every arm does for the replay, whichever clock it runs on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from aura_contract.plan import Plan, Policy
from aura_replayer.arm.limit import Memory, Room

__all__ = ["COUNTERS", "HIT", "Answer", "Arm", "ArmEmptied", "ArmLost", "ArmRefused", "Batch", "Totals", "decoded"]

NO_CODES = np.zeros(0, np.int32)
HIT = ord("1")

COUNTERS = ("requests", "hits", "fills", "prefetches", "prefetch_hits", "evictions", "held_requests", "held_hits")


def decoded(pairs: Mapping[Any, Any]) -> dict[str, str]:
    """A Redis hash as text."""
    return {name.decode(): value.decode() for name, value in pairs.items()}


class ArmLost(RuntimeError):
    """An arm's Redis is gone or was restarted empty: its counts can no longer be trusted."""


class ArmRefused(ArmLost):
    """A server does not let us in: its login or its TLS is another than what we have."""


class ArmEmptied(ArmLost):
    """An arm's server remembers nothing of the run it was in, so that no attempt after this one can count either."""

    def __init__(self, arm: str) -> None:
        super().__init__(f"Redis of arm {arm} was restarted empty; its counts are lost, start the experiment again")


class Batch(NamedTuple):
    """At most 200 consecutive requests of one window.

    `first` is the request number (from 0 over the whole log) of the first one, `clock` the event clock in ms at the last one;
    `keys` and `packed` are parallel: cache keys and packed entries (`source.items.pack`), which only arms on the wall clock need.
    `codes` are the item codes of all entries, those of rules included, which only simulated arms need. Of a batch that is
    `traced` the arm tells which requests were hits.
    """

    window: int
    first: int
    clock: int
    keys: Sequence[bytes]
    packed: Sequence[bytes]
    codes: NDArray[np.int32] = NO_CODES
    traced: bool = False


@dataclass(frozen=True)
class Totals:
    """Counters of an arm since the start of the run, and its state; `pressure` is a fraction of the budget,
    `items` the number of cached items."""

    requests: int = 0
    hits: int = 0
    fills: int = 0
    prefetches: int = 0
    prefetch_hits: int = 0
    evictions: int = 0
    held_requests: int = 0
    held_hits: int = 0
    pressure: float = 0.0
    policy_version: int = 0
    items: int = 0


@dataclass(frozen=True)
class Answer(Totals):
    """Totals after a batch; of a traced one `trace` holds `HIT` or another byte for each of its requests."""

    trace: bytes = b""


class Arm(Protocol):
    """One cache under test. `send` and `receive` are paired first in, first out; all methods raise ArmLost."""

    name: str

    def begin(self, run: str, empty: int, room: Room) -> Totals:
        """Start the run, or take it up again: totals so far. `empty` is what the empty server uses, in bytes."""

    def totals(self) -> Totals:
        """Totals now; nothing may be under way."""

    def window_start(self, window: int) -> Totals | None:
        """Totals at the first batch of a window, if the arm still knows them (the last four)."""

    def memory(self) -> Memory:
        """What the server's memory is used for; nothing may be under way."""

    def veto(self, plan_id: str) -> None:
        """Have a plan refused that was not carried out yet."""

    def rollback(self) -> None:
        """Set the levers to the baseline's."""

    def weigh(self) -> None:
        """Learn anew what items take and other things use of the memory; nothing may be under way."""

    def send(self, batch: Batch, meta: bytes, body: bytes | memoryview) -> None:
        """Put one batch on its way; `meta` holds the levers' 5 bytes an entry or nothing, `body` all packed entries."""

    def receive(self) -> Answer:
        """Totals after the oldest batch under way."""

    def tick(self, clock: int) -> None:
        """Move the event clock to `clock` ms; nothing may be under way."""

    def resident(self, keys: Sequence[bytes]) -> list[bool]:
        """Which keys are cached and not past their TTL."""

    def size(self) -> int:
        """Number of cached items."""

    def policy(self) -> Policy:
        """Levers that stand."""

    def prefetch_hits_by_plan(self) -> dict[str, int]:
        """Hits credited to each plan's prefetches, by plan id."""

    def plan_applied(self, plan: Plan, prefetched: int) -> None:
        """Take note of a plan that the executor has applied."""

    def forget(self) -> None:
        """Empty the arm, the run included."""

    def close(self) -> None:
        """Drop the connections."""
