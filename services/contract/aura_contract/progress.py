"""Where a run of several shards stands, from what each of them says."""

from collections.abc import Mapping, Sequence

from aura_contract.results import ArmProgress, Progress

__all__ = ["merge_progress"]

SUMMED = (
    "requests", "hits", "plans_decided", "plans_applied", "plans_refused", "plans_vetoed", "rollbacks", "unplanned",
)  # fmt: skip


def merge_progress(shards: Mapping[int, Progress]) -> Progress:
    """The progress of a run from that of its shards, by their number; at least one.

    Counts are sums, hit ratios theirs, pressures means. The run replays as soon as one shard does, and is done when all are; its
    window is the last one that every shard has ended, and the time left is the slowest shard's.
    """
    first = next(iter(shards.values()))
    if len(shards) == 1:
        return first
    parts = list(shards.values())
    left = [part.eta_seconds for part in parts if part.phase != "done"]
    names = list(dict.fromkeys(name for part in parts for name in part.arms))
    said = next((number for number, part in shards.items() if part.phase == _phase(parts)), 0)
    return first.model_copy(
        update={
            "phase": _phase(parts),
            "events": sum(part.events for part in parts),
            "total": sum(part.total for part in parts),
            "window": min(part.window for part in parts),
            "events_per_second": round(sum(part.events_per_second for part in parts if part.phase == "replaying"), 1),
            "eta_seconds": None if None in left else max((value for value in left if value is not None), default=0.0),
            "arms": {name: _arm([part.arms[name] for part in parts if name in part.arms]) for name in names},
            "message": f"shard {said}: {shards[said].message}" if said in shards else first.message,
        }
    )


def _phase(parts: Sequence[Progress]) -> str:
    phases = {part.phase for part in parts}
    if phases == {"done"}:
        return "done"
    # One that has ended has begun, and so has the run when another shard failed.
    found = next((phase for phase in ("replaying", "done", "failed", "measuring") if phase in phases), "starting")
    return "replaying" if found == "done" else found


def _arm(shards: Sequence[ArmProgress]) -> ArmProgress:
    sums = {name: sum(getattr(shard, name) for shard in shards) for name in SUMMED}
    ratio = round(sums["hits"] / sums["requests"], 6) if sums["requests"] else 0.0
    pressure = round(sum(shard.pressure for shard in shards) / len(shards), 6)
    return ArmProgress(hit_ratio=ratio, pressure=pressure, **sums)
