"""Hit ratios and the verdict as text for the status: four decimals, so that no reader rounds them again."""

from collections.abc import Mapping

from aura_contract.results import ArmProgress, ArmResult, Progress, Verdict
from aura_contract.status import ArmStatus

__all__ = ["from_progress", "from_verdict"]

Fields = dict[str, object]


def from_progress(progress: Progress, planners: Mapping[str, str]) -> Fields:
    """Fields of the status that a running replayer's progress gives; `planners` is the backend of each planned arm."""
    arms = {name: _arm_so_far(arm, planners.get(name, "")) for name, arm in progress.arms.items()}
    found: Fields = {
        "events": str(progress.events),
        "total_events": str(progress.total) if progress.total else "",
        "progress": f"{100 * progress.events // progress.total}%" if progress.total else "",
    }
    if arms:
        found["arms"] = arms
    aura, baseline = progress.arms.get("aura"), progress.arms.get("baseline")
    if aura and baseline and progress.events:
        found |= _ratios(aura.hit_ratio, baseline.hit_ratio)
    return found


def from_verdict(verdict: Verdict) -> Fields:
    """Fields of the status that the end of a run gives."""
    low, high = verdict.interval
    found: Fields = {
        "events": str(verdict.events),
        "total_events": str(verdict.events),
        "progress": "100%",
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "data_sha256": verdict.data_sha256,
        "arms": {name: _arm(arm) for name, arm in verdict.arms.items()},
    }
    if "aura" in verdict.arms and "baseline" in verdict.arms:
        found |= _ratios(verdict.arms["aura"].hit_ratio, verdict.arms["baseline"].hit_ratio)
    # The verdict's own difference leaves out the warm-up.
    return found | {"delta_points": f"{verdict.delta_points:+.2f}", "interval": f"[{low:+.2f}, {high:+.2f}]"}


def _ratios(aura: float, baseline: float) -> Fields:
    return {
        "hit_ratio": f"{aura:.4f}",
        "baseline_hit_ratio": f"{baseline:.4f}",
        "delta_points": f"{100 * (aura - baseline):+.2f}",
    }


def _arm_so_far(arm: ArmProgress, planner: str) -> ArmStatus:
    return ArmStatus(
        planner=planner,
        hit_ratio=f"{arm.hit_ratio:.4f}",
        **(
            {"requests": str(arm.requests), "hits": str(arm.hits), "misses": str(arm.requests - arm.hits)} if arm.requests else {}
        ),
        plans_decided=str(arm.plans_decided),
        plans_applied=str(arm.plans_applied),
        plans_refused=str(arm.plans_refused),
        unplanned=str(arm.unplanned),
    )


def _arm(arm: ArmResult) -> ArmStatus:
    return ArmStatus(
        planner=arm.planner or "",
        hit_ratio=f"{arm.hit_ratio:.4f}",
        requests=str(arm.requests),
        hits=str(arm.hits),
        misses=str(arm.misses),
        backend_reads=str(arm.backend_reads),
        prefetches=str(arm.prefetches),
        plans_decided=str(arm.plans.decided),
        plans_applied=str(arm.plans.applied),
        plans_refused=str(arm.plans.refused),
        unplanned=str(sum(arm.plans.unplanned.values())),
    )
