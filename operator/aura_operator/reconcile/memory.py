"""What the operator remembers of one experiment between two looks; all of it can be lost."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aura_contract.placements import Place
from aura_contract.results import Progress
from aura_contract.status import ExperimentStatus
from aura_operator.cluster.client import ApiError
from aura_operator.placements.objects import Placed
from aura_operator.placements.opening import SHUT, Opening
from aura_operator.reconcile.lookups import Lookups
from aura_operator.status.facts import Facts
from aura_operator.status.troubles import Trouble

__all__ = ["Memory", "Picture", "Refusal"]

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0


@dataclass(frozen=True)
class Refusal:
    """What the API server last refused at a generation of the spec, and until when (monotonic seconds) it is not asked again."""

    error: ApiError
    generation: int
    times: int
    until: float

    @classmethod
    def after(cls, before: "Refusal | None", error: ApiError, generation: int) -> "Refusal":
        """The refusal that follows another: each waits twice as long as the one before it."""
        times = before.times + 1 if before and before.generation == generation else 1
        backoff = min(FIRST_BACKOFF * 2 ** min(times - 1, 10), LONGEST_BACKOFF)
        return cls(error, generation, times, time.monotonic() + backoff)

    @property
    def left(self) -> float:
        """Seconds until it may be tried again."""
        return max(0.0, self.until - time.monotonic())

    def over(self, generation: int) -> bool:
        """Whether to try again: the time is over, or the spec is another one."""
        return generation != self.generation or not self.left


@dataclass(frozen=True)
class Picture:
    """What the objects said at the look when they were as `version` says."""

    version: tuple[int, int]
    facts: Facts
    troubles: tuple[Trouble, ...]


@dataclass
class Memory:
    """One experiment's memory: `settled` is what the last look had before it that found everything as it should be."""

    status: ExperimentStatus | None = None
    written: float = 0.0
    refusal: Refusal | None = None
    lookups: Lookups | None = None
    looked_up: tuple[int, float] = (-1, 0.0)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    picture: Picture | None = None
    settled: object = None
    servers_wanted: frozenset[str] = frozenset()
    progress: dict[int, Progress] = field(default_factory=dict)
    """What each shard's replayer said last."""
    given_up: dict[tuple[str, str], str] = field(default_factory=dict)
    """Path at which an object stays different whatever is done, by its kind and name."""
    opening: Opening = SHUT
    placed: Mapping[Place, Placed] = field(default_factory=dict, repr=False)
    """What should be in other clusters."""
