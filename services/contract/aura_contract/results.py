"""Results of a run: a record per window and arm, and the verdict."""

from typing import Literal

from pydantic import Field

from aura_contract.base import CONTRACT_VERSION, MessageModel
from aura_contract.plan import Policy

__all__ = [
    "ENDING_BYTES",
    "ArmProgress",
    "ArmResult",
    "CategoryHits",
    "CategoryTotals",
    "Ending",
    "PlanCounts",
    "Progress",
    "Spread",
    "SweepArm",
    "SweepCapacity",
    "SweepCell",
    "SweepResult",
    "Verdict",
    "VerdictName",
    "WindowRecord",
]

ENDING_BYTES = 4096
"""Kubernetes cuts off a termination message that is longer."""

VerdictName = Literal["Better", "Worse", "NoDifference", "Inconclusive"]


class WindowRecord(MessageModel):
    """One window of one arm; counts are of this window alone.

    `first_event`/`last_event` are log rows from 0, `end_v` the event clock in ms at the window's end, `fills` the misses
    that were stored, `backend_reads` misses plus effective prefetches, `pressure` a fraction of the budget, `items` the keys
    in the arm, batch times in milliseconds (one round trip of at most 200 requests). `plan_id` is the plan applied in it.
    `held_requests` and `held_hits` are of the held-out keys, which no plan evicts or prefetches; both 0 where none are held out.
    `rollback` says that the guard took the levers back at the window's end.
    """

    version: int = CONTRACT_VERSION
    arm: str
    window: int
    first_event: int
    last_event: int
    end_v: int
    requests: int
    hits: int
    misses: int
    fills: int
    prefetches: int
    prefetch_hits: int
    backend_reads: int
    hit_ratio: float
    pressure: float
    items: int
    policy: Policy
    plan_id: str | None = None
    held_requests: int = 0
    held_hits: int = 0
    rollback: bool = False
    batch_p50_ms: float
    batch_p99_ms: float


class PlanCounts(MessageModel):
    """Plans of one arm: decided by the planner, applied and refused by the executor; windows that ran unplanned, by reason.

    `vetoed` counts, by reason, those of the refused plans that the guard refused, `rollbacks` the settings it took back.
    """

    decided: int = 0
    applied: int = 0
    refused: int = 0
    unplanned: dict[str, int] = {}
    vetoed: dict[str, int] = {}
    rollbacks: int = 0


class ArmResult(MessageModel):
    """Totals of one arm over the whole log; `planner` is None for the baseline."""

    requests: int
    hits: int
    misses: int
    hit_ratio: float
    backend_reads: int
    prefetches: int
    prefetch_hits: int
    plans: PlanCounts
    planner: str | None
    batch_p99_ms: float


class Verdict(MessageModel):
    """The answer of a run.

    `delta_points` is the arm `aura` minus `baseline` in points (hundredths) of hit ratio over the windows after warm-up;
    `interval` its 95 % interval from a paired moving-block bootstrap over windows. `warmup_windows` were left out.
    Every arm had `budget_bytes` over an empty server, room for about `capacity_items` of the log's items.
    """

    version: int = CONTRACT_VERSION
    experiment: str
    run: str
    verdict: VerdictName
    reason: str
    arms: dict[str, ArmResult]
    delta_points: float
    interval: tuple[float, float]
    windows: int
    warmup_windows: int
    events: int
    bad_rows: int
    events_per_second: float
    wall_seconds: float
    data_sha256: str
    capacity_items: int = 0
    budget_bytes: int = 0


class CategoryHits(MessageModel):
    """Requests of one category, empty for items without one, and each arm's hits on them."""

    category: str
    requests: int
    hits: dict[str, int]


class CategoryTotals(MessageModel):
    """Hits by category over `requests` requests of the log: every eighth batch, whose arms told which requests were hits.

    `categories` are at most 50, the most requested first, and `rest` is all others together.
    """

    version: int = CONTRACT_VERSION
    run: str
    requests: int
    categories: tuple[CategoryHits, ...] = Field((), max_length=50)
    rest: CategoryHits | None = None


class ArmProgress(MessageModel):
    """Where one arm stands during a run; hit ratio and pressure are fractions, totals since the start.

    `requests` and `hits` are counts of what was replayed so far. `plans_vetoed` are those of the refused plans that the
    guard refused, `rollbacks` the levers that it took back.
    """

    hit_ratio: float
    pressure: float
    requests: int = 0
    hits: int = 0
    plans_decided: int = 0
    plans_applied: int = 0
    plans_refused: int = 0
    plans_vetoed: int = 0
    rollbacks: int = 0
    unplanned: int = 0


class Progress(MessageModel):
    """Answer of the replayer's `/progress` endpoint; `total` is in log events, `eta_seconds` None while unknown."""

    phase: Literal["starting", "measuring", "replaying", "done", "failed"]
    experiment: str
    run: str
    events: int
    total: int
    window: int
    events_per_second: float
    eta_seconds: float | None
    arms: dict[str, ArmProgress]
    message: str = ""


class Ending(MessageModel):
    """How a replayer ended: its termination message in Kubernetes, at most 4,096 bytes of JSON.

    `exit_code` is 0, 1 (a fault in the replayer), 2 (bad input), 3 (a part was lost) or 130 (interrupted); `verdict` is
    there with 0 alone, perhaps without reasons of unplanned windows and without control arms, to keep it short. Of several shards
    the first one has the verdict of all, and the others none. `final` says that trying again cannot help: counts are lost.
    """

    version: int = CONTRACT_VERSION
    run: str
    exit_code: int
    message: str
    final: bool = False
    verdict: Verdict | None = None


class Spread(MessageModel):
    """One figure over the seeds of a capacity: mean, least, greatest, and sample standard deviation (0 of a single value)."""

    mean: float
    low: float
    high: float
    deviation: float


class SweepArm(MessageModel):
    """One arm at one capacity, over the cells that ended; `planner` is None for the baseline.

    `hit_ratio` is a fraction over the whole log. `delta_points` is the arm minus the baseline in points of hit ratio over the
    windows after warm-up, as in the cells' verdicts: None for the baseline and where no such window is left.
    `backend_reads_ratio` is the arm's backend reads over the baseline's in the same cell, over the whole log.
    """

    planner: str | None
    hit_ratio: Spread
    delta_points: Spread | None
    backend_reads_ratio: Spread


class SweepCapacity(MessageModel):
    """All cells of one capacity: `capacity` as it was asked for, `capacity_items` and `budget_bytes` means over the cells.

    `verdicts` counts the cells by verdict. `arms`, the baseline first, and `verdicts` are empty where no cell ended.
    """

    capacity: str
    capacity_items: int = 0
    budget_bytes: int = 0
    arms: dict[str, SweepArm]
    verdicts: dict[VerdictName, int]


class SweepCell(MessageModel):
    """One run of a sweep; `folder` is relative to the sweep's.

    With a verdict there are its `reason`, `delta_points`, `interval` and `data_sha256`; without one `error` says why.
    """

    capacity: str
    seed: int
    folder: str
    verdict: VerdictName | None = None
    reason: str = ""
    delta_points: float | None = None
    interval: tuple[float, float] | None = None
    data_sha256: str = ""
    error: str | None = None


class SweepResult(MessageModel):
    """The grid capacity × seed of one experiment: `servers` tells whether real servers ran it or the simulator."""

    version: int = CONTRACT_VERSION
    experiment: str
    servers: bool
    seeds: tuple[int, ...]
    capacities: tuple[SweepCapacity, ...]
    cells: tuple[SweepCell, ...]
