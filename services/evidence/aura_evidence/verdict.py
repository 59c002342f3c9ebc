"""The answer of a run: Better, Worse, NoDifference or Inconclusive, with the figures that it rests on."""

from collections.abc import Mapping, Sequence

import numpy as np

from aura_contract.results import ArmResult, PlanCounts, Verdict, VerdictName, WindowRecord
from aura_evidence.comparison import Difference, by_arm, difference, paired, totals
from aura_evidence.warmup import Warmup, warmup

__all__ = ["LEAST_WINDOWS", "MARGIN_POINTS", "READS_LIMIT", "decide", "make_verdict"]

MARGIN_POINTS = 0.2
"""Two equal Redis arms differ by up to so much, since Redis samples at random what it evicts: less is no difference."""

READS_LIMIT = 1.05
"""Backend reads over the baseline's up to which a gain counts as one at equal backend reads."""

LEAST_WINDOWS = 4
"""Fewer windows after warm-up hold too few blocks to draw an interval from."""


def decide(measured: Difference | None, windows: int, reads_ratio: float) -> tuple[VerdictName, str]:
    """Verdict and its reason from the difference over `windows` windows after warm-up.

    `reads_ratio` is what the arm read from the backend over what the baseline read. Better and Worse need an interval on one
    side of 0 and a difference beyond MARGIN_POINTS, NoDifference an interval within it; Better also needs backend reads up
    to READS_LIMIT. Everything else is Inconclusive.
    """
    if measured is None:
        return "Inconclusive", "No window after warm-up has requests in both arms; replay a longer log."
    if windows < LEAST_WINDOWS:
        return "Inconclusive", (
            f"Only {windows} window{_plural(windows)} left after warm-up, and an interval needs {LEAST_WINDOWS}; "
            "replay a longer log or lower trigger.everyEvents."
        )
    low, high = measured.low, measured.high
    interval = f"points of hit ratio (95 % interval {low:+.2f} to {high:+.2f}, {windows} windows)"
    size, figures = f"{abs(measured.points):.2f} {interval}", f"{measured.points:+.2f} {interval}"
    if low > 0 and measured.points > MARGIN_POINTS:
        return _gain(size, reads_ratio)
    if high < 0 and measured.points < -MARGIN_POINTS:
        return "Worse", f"The arm aura lost {size} at {reads_ratio:.3f} × the baseline's backend reads."
    if low >= -MARGIN_POINTS and high <= MARGIN_POINTS:
        return "NoDifference", f"The arms differ by {figures}: within the {MARGIN_POINTS} points that two equal arms can."
    why = f"no more than the {MARGIN_POINTS} points that two equal arms can" if low > 0 or high < 0 else "too uncertain to tell"
    return "Inconclusive", f"The arms differ by {figures}: {why}."


def _gain(size: str, reads_ratio: float) -> tuple[VerdictName, str]:
    reads = f"{reads_ratio:.3f} × the baseline's"
    if reads_ratio > READS_LIMIT:
        return "Inconclusive", f"The gain of {size} was bought with more backend reads: {reads}, limit {READS_LIMIT:g} ×."
    return "Better", f"The arm aura gained {size} at {reads} backend reads."


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def make_verdict(
    experiment: str,
    run: str,
    records: Sequence[WindowRecord],
    plans: Mapping[str, PlanCounts],
    planners: Mapping[str, str | None],
    *,
    capacity_items: int,
    events: int,
    bad_rows: int,
    wall_seconds: float,
    data_sha256: str,
    seed: int,
) -> Verdict:
    """The verdict on the arm `aura` against `baseline`.

    `records` are all windows of all arms, `plans` the plan counts of planned arms and `planners` the planner of every arm
    (None for the baseline), `capacity_items` the room of an arm, `events` and `bad_rows` counts of log rows. Totals of arms
    are over the whole log, `delta_points` and `interval` over the windows after warm-up. Backend reads are held against the
    baseline's over both, and the larger ratio counts.
    """
    arms = by_arm(records)
    pair = paired(records, "aura")
    warm = warmup([record.fills for record in arms.get("baseline", {}).values()], capacity_items)
    tail = pair.after(warm.windows)
    measured = difference(tail, seed)
    name, reason = decide(measured, len(tail.windows), max(pair.reads_ratio, tail.reads_ratio))
    return Verdict(
        experiment=experiment,
        run=run,
        verdict=name,
        reason=reason + _warmup_note(warm, capacity_items),
        arms={arm: _arm_result(list(arms.get(arm, {}).values()), plans.get(arm), planners[arm]) for arm in planners},
        delta_points=round(measured.points, 4) if measured else 0.0,
        interval=(round(measured.low, 4), round(measured.high, 4)) if measured else (0.0, 0.0),
        windows=len(pair.windows),
        warmup_windows=warm.windows,
        events=events,
        bad_rows=bad_rows,
        events_per_second=round(events / wall_seconds, 1) if wall_seconds > 0 else 0.0,
        wall_seconds=round(wall_seconds, 3),
        data_sha256=data_sha256,
        capacity_items=capacity_items,
    )


def _warmup_note(warm: Warmup, capacity_items: int) -> str:
    if warm.filled:
        return ""
    left_out = (
        f"only the first {warm.windows} window{_plural(warm.windows)} count as warm-up" if warm.windows else "none is left out"
    )
    return f" The baseline had not filled its {capacity_items:,} items twice within half of the log, so {left_out}."


def _arm_result(records: list[WindowRecord], plans: PlanCounts | None, planner: str | None) -> ArmResult:
    requests, hits = totals(records, "requests"), totals(records, "hits")
    slowest = [record.batch_p99_ms for record in records]
    return ArmResult(
        requests=requests,
        hits=hits,
        misses=totals(records, "misses"),
        hit_ratio=round(hits / requests, 6) if requests else 0.0,
        backend_reads=totals(records, "backend_reads"),
        prefetches=totals(records, "prefetches"),
        prefetch_hits=totals(records, "prefetch_hits"),
        plans=plans or PlanCounts(),
        planner=planner,
        # Windows keep no single times: this is the 99th percentile of their 99th percentiles.
        batch_p99_ms=round(float(np.percentile(slowest, 99, method="higher")), 3) if slowest else 0.0,
    )
