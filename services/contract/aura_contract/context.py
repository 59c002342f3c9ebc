"""What a planner sees of one window: the log's side, which repeats bit for bit, and the cache's side, which is measured."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aura_contract.base import CONTRACT_VERSION, MessageModel
from aura_contract.plan import Admit, Confidence, Frequency, Policy

__all__ = [
    "CacheView",
    "Candidate",
    "Candidates",
    "Caps",
    "CategoryStat",
    "ContextSnapshot",
    "GhostStat",
    "ItemStat",
    "LastPlan",
    "LeverStat",
    "RuleOffer",
    "SampleSession",
    "WorkloadView",
    "context_id",
]


class ItemStat(MessageModel):
    """A most requested item: requests in the window, change against the window before, catalogue metadata."""

    item: str
    count: int
    trend: int
    title: str = ""
    category: str = ""
    brand: str = ""


class CategoryStat(MessageModel):
    """A most requested category: requests in the window and change against the window before.

    `affinity` is its share of what the window's users asked for before, the mean over those of them who have a past.
    """

    category: str
    count: int
    trend: int
    affinity: float = 0.0


@dataclass(slots=True)
class Candidate:
    """An item that a plan may name, by its number `id` in this window.

    `count` and `trend` as in ItemStat; `frequency` is a decayed request count over all windows; `last_seen` is how many
    log events ago it was requested last; `intent` counts non-request actions on it (carts, purchases) in the window;
    `neighbours` are what sessions went on with after it, the likeliest first.
    """

    id: int
    item: str
    count: int
    trend: int
    frequency: float
    last_seen: int
    intent: int
    title: str
    category: str
    neighbours: tuple[str, ...]


class Candidates(MessageModel):
    """The candidates as columns, one field of `Candidate` each: half a millisecond less to read than five hundred objects.

    All columns are of one length, at most 500, and the place in them is the `id`; `neighbours` holds only those that have
    some, by id.
    """

    item: tuple[str, ...] = Field((), max_length=500)
    count: tuple[int, ...] = ()
    trend: tuple[int, ...] = ()
    frequency: tuple[float, ...] = ()
    last_seen: tuple[int, ...] = ()
    intent: tuple[int, ...] = ()
    title: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    neighbours: dict[int, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _even(self) -> Self:
        if len({len(column) for column in self._columns}) != 1:
            raise ValueError("columns of different lengths")
        return self

    @property
    def _columns(self) -> tuple[tuple[Any, ...], ...]:
        return (
            self.item, self.count, self.trend, self.frequency, self.last_seen, self.intent, self.title, self.category,
        )  # fmt: skip

    @cached_property
    def rows(self) -> tuple[Candidate, ...]:
        """One Candidate for each id, in their order."""
        ids = range(len(self.item))
        related = [self.neighbours.get(number, ()) for number in ids] if self.neighbours else [()] * len(self.item)
        return tuple(map(Candidate, ids, *self._columns, related))


class SampleSession(MessageModel):
    """The last events of one user (or session), oldest first, each as `action:item`.

    `profile` names the categories that its user asked for most before, at most three.
    """

    events: tuple[str, ...]
    profile: tuple[str, ...] = ()


class RuleOffer(MessageModel):
    """What a standing rule could have prefetched in the window: so many `items`, cached ones included, and how often such items
    were requested next so far (`probability`, their mean)."""

    expand: Literal["history", "covisit"]
    confidence: Confidence
    items: int
    probability: float


class WorkloadView(MessageModel):
    """One window of the log; a function of the log alone, so its hash names the window in a recording.

    `first_event` and `last_event` are row numbers of the log from 0, `events` counts the rows between them that are the shard's;
    `start_v` and `end_v` are milliseconds of the event clock.
    """

    first_event: int
    last_event: int
    start_v: int
    end_v: int
    events: int
    requests: int
    distinct_items: int
    new_items: int
    top_items: tuple[ItemStat, ...]
    top_categories: tuple[CategoryStat, ...]
    candidates: Candidates
    sessions: tuple[SampleSession, ...]
    offers: tuple[RuleOffer, ...] = ()


class LastPlan(MessageModel):
    """How an earlier plan of this arm turned out: actions that took effect, and hits on what it prefetched so far."""

    plan_id: str
    window: int
    outcome: str
    evicted: int
    prefetched: int
    prefetch_hits: int


class LeverStat(MessageModel):
    """What a setting of the levers brought so far: the mean and standard deviation, over the windows in which it stood, of the
    arm's hit ratio over the baseline's (fractions). `windows` is how many those are, older ones counting less."""

    frequency: Frequency
    admit: Admit
    windows: float
    gain: float
    spread: float


class GhostStat(MessageModel):
    """What a level of `frequency` brings in a ghost, a small copy of the cache that no plan touches: the mean of its hit ratio
    over that of level `none` in the windows so far, older ones counting less, and the standard deviation of that mean."""

    frequency: Frequency
    gain: float
    error: float


class CacheView(MessageModel):
    """The arm as measured at the window's end; hit ratios and pressure are fractions.

    `resident` lists the candidates' ids that are in the arm and not past their TTL. `standing` is for how many whole windows
    the setting of the levers has stood, and `levers` holds what each one that was tried has brought. `prefetches` and
    `prefetch_hits` are counts of the window, `waste` is prefetches without a hit over misses in it. `ghosts` says what each level
    of `frequency` would bring, without trying it; it is empty where no ghost has filled yet.
    """

    hit_ratio: float
    hit_ratio_history: tuple[float, ...]
    baseline_hit_ratio: float
    pressure: float
    items: int
    capacity_items: int
    resident: tuple[int, ...]
    policy: Policy
    last_plans: tuple[LastPlan, ...] = ()
    standing: int = 0
    prefetches: int = 0
    prefetch_hits: int = 0
    waste: float = 0.0
    ghosts: tuple[GhostStat, ...] = ()
    levers: tuple[LeverStat, ...] = ()


class Caps(MessageModel):
    """The executor's caps, so that a planner asks for nothing that would be refused; TTLs in seconds, `backend_reads` the
    guard's limit of `CacheView.waste` over the run."""

    max_evict: int
    max_prefetch: int
    ttl_min: int
    ttl_max: int
    backend_reads: float = 0.05


class ContextSnapshot(MessageModel):
    """One message of the context topic: a window of one arm of one shard of the log, ready to plan for."""

    version: int = CONTRACT_VERSION
    experiment: str
    run: str
    arm: str
    window: int
    shard: int = 0
    context_id: str
    issued_at: float
    expires_at: int
    workload: WorkloadView
    cache: CacheView
    caps: Caps


def context_id(workload_json: str) -> str:
    """Hash of the log's side of a context as JSON: equal windows of equal logs have equal ids."""
    return hashlib.sha256(workload_json.encode()).hexdigest()
