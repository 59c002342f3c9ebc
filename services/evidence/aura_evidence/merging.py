"""Shards of a run as one run: pure functions over what each of them has recorded."""

from collections import Counter
from collections.abc import Sequence

from aura_contract.plan import Policy
from aura_contract.results import CategoryHits, CategoryTotals, PlanCounts, WindowRecord

__all__ = ["MergeError", "merge_categories", "merge_plans", "merge_windows"]

MOST_CATEGORIES = 50

SUMMED = (
    "requests",
    "hits",
    "misses",
    "fills",
    "prefetches",
    "prefetch_hits",
    "backend_reads",
    "items",
    "held_requests",
    "held_hits",
)


class MergeError(ValueError):
    """Records that are not of shards of one run; the message names window, arm and shard."""


def merge_windows(shards: Sequence[Sequence[WindowRecord]]) -> list[WindowRecord]:
    """Windows of a run from those of its shards, which cover the same rows of the log window by window.

    Counts and items are sums and the hit ratio is theirs; the pressure is the mean over the shards, whose budgets are equal;
    the clock is the latest shard's, batch times are the slowest one's. Levers and plan are those under which most requests
    were served. Raises MergeError where a shard lacks a window that another has.
    """
    columns = [{(record.window, record.arm): record for record in records} for records in shards]
    # Arms in the order in which they are recorded, which is the same in all windows.
    order = list(columns[0]) if columns else []
    for number, column in enumerate(columns):
        odd = next(iter(sorted(column.keys() ^ columns[0].keys())), None)
        if odd is not None:
            where = number if odd not in column else 0
            raise MergeError(f"shard {where} has no window {odd[0]} of arm {odd[1]}, which another shard has")
    return [_merged([column[key] for column in columns]) for key in order]


def _merged(records: list[WindowRecord]) -> WindowRecord:
    first = records[0]
    for number, record in enumerate(records):
        if (record.first_event, record.last_event) != (first.first_event, first.last_event):
            raise MergeError(f"window {first.window} of shard {number} covers other rows of the log than that of shard 0")
    sums = {name: sum(getattr(record, name) for record in records) for name in SUMMED}
    leading = _leading(records)
    return first.model_copy(
        update={
            **sums,
            "end_v": max(record.end_v for record in records),
            "hit_ratio": round(sums["hits"] / sums["requests"], 6) if sums["requests"] else 0.0,
            "pressure": round(sum(record.pressure for record in records) / len(records), 6),
            "policy": leading[0].policy,
            "plan_id": next((record.plan_id for record in leading if record.plan_id), None),
            "rollback": any(record.rollback for record in records),
            "batch_p50_ms": max(record.batch_p50_ms for record in records),
            "batch_p99_ms": max(record.batch_p99_ms for record in records),
        }
    )


def _leading(records: list[WindowRecord]) -> list[WindowRecord]:
    """The shards with the levers under which most requests were served, those with the most of them first."""
    groups: list[tuple[Policy, list[WindowRecord]]] = []
    for record in records:
        same = next((group for policy, group in groups if policy == record.policy), None)
        if same is None:
            groups.append((record.policy, [record]))
        else:
            same.append(record)
    _, chosen = max(groups, key=lambda group: sum(record.requests for record in group[1]))
    return sorted(chosen, key=lambda record: -record.requests)


def merge_plans(shards: Sequence[PlanCounts]) -> PlanCounts:
    """Plan counts of one arm from those of its shards."""
    unplanned: Counter[str] = Counter()
    vetoed: Counter[str] = Counter()
    for counts in shards:
        unplanned.update(counts.unplanned)
        vetoed.update(counts.vetoed)
    return PlanCounts(
        decided=sum(counts.decided for counts in shards),
        applied=sum(counts.applied for counts in shards),
        refused=sum(counts.refused for counts in shards),
        unplanned=dict(unplanned),
        vetoed=dict(vetoed),
        rollbacks=sum(counts.rollbacks for counts in shards),
    )


def merge_categories(shards: Sequence[CategoryTotals]) -> CategoryTotals:
    """Hits by category from those of the shards; what one of them has counted among its `rest` stays in there."""
    found: dict[str, list[CategoryHits]] = {}
    for shard in shards:
        for part in shard.categories:
            found.setdefault(part.category, []).append(part)
    summed = sorted((_hits(parts) for parts in found.values()), key=lambda part: (-part.requests, part.category))
    others = [*summed[MOST_CATEGORIES:], *(shard.rest for shard in shards if shard.rest)]
    rest = _hits([part.model_copy(update={"category": ""}) for part in others]) if others else None
    requests = sum(shard.requests for shard in shards)
    return shards[0].model_copy(update={"requests": requests, "categories": tuple(summed[:MOST_CATEGORIES]), "rest": rest})


def _hits(parts: Sequence[CategoryHits]) -> CategoryHits:
    hits: Counter[str] = Counter()
    for part in parts:
        hits.update(part.hits)
    return CategoryHits(category=parts[0].category, requests=sum(part.requests for part in parts), hits=dict(hits))
