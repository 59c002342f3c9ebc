"""Where the gain of the arm `aura` came from: by lever setting, by window and its plan, by prefetch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_contract.results import WindowRecord
from aura_evidence.facts import Facts
from aura_evidence.levers import label
from aura_evidence.rows import PLANNED
from aura_evidence.verdict import MARGIN_POINTS

__all__ = ["Origins", "PlanWindow", "PrefetchPart", "Setting", "origins"]

SETTINGS_SHOWN = 8
WINDOWS_SHOWN = 3


@dataclass(frozen=True)
class Setting:
    """Windows in which one lever setting stood.

    `points` is their mean gain over the baseline in the same windows, in points of hit ratio and weighed by requests;
    `contribution` the same hits over the requests of all windows, so that contributions add up to the whole gain; `share`
    the part of the whole gain, None where the whole is too small to be divided.
    """

    label: str
    windows: int
    hits_gained: int
    points: float
    contribution: float
    share: float | None


@dataclass(frozen=True)
class PlanWindow:
    """One window: its gain in points, the setting at its end, and the plan applied in it, if any."""

    record: WindowRecord
    points: float
    setting: str


@dataclass(frozen=True)
class PrefetchPart:
    """Hits that prefetching can have brought.

    A key that is resident is not prefetched, so that the first hit on a prefetched entry would have been a miss: `hits` is
    the most that prefetches brought, and less by what they pushed out. `rest` is what the levers brought, at least.
    """

    prefetches: int
    hits: int
    rest: int
    share: float | None


@dataclass(frozen=True)
class Origins:
    """The gain after warm-up, taken apart; `best` and `worst` have no window in common."""

    hits_gained: int
    points: float
    settings: list[Setting]
    best: list[PlanWindow]
    worst: list[PlanWindow]
    prefetch: PrefetchPart


def origins(facts: Facts) -> Origins | None:
    """Origins of the gain over the windows after warm-up that both arms have; None when there are no requests in them."""
    arm = next((row for row in facts.planned if row.name == PLANNED), None)
    if arm is None:
        return None
    tail = arm.pair.after(facts.verdict.warmup_windows)
    gained = {int(n): int(a - b) for n, a, b in zip(tail.windows, tail.hits, tail.baseline_hits, strict=True)}
    windows = [record for record in arm.windows if record.window in gained and record.requests]
    requests, total = sum(record.requests for record in windows), sum(gained.values())
    if not requests:
        return None
    ranked = sorted((_plan_window(record, gained) for record in windows), key=lambda row: (-row.points, row.record.window))
    shown = min(WINDOWS_SHOWN, len(ranked) // 2)
    return Origins(
        hits_gained=total,
        points=100 * total / requests,
        settings=_settings(windows, gained, requests, total),
        best=ranked[:shown],
        worst=ranked[::-1][:shown],
        prefetch=_prefetch(windows, requests, total),
    )


def _plan_window(record: WindowRecord, gained: Mapping[int, int]) -> PlanWindow:
    return PlanWindow(record, 100 * gained[record.window] / record.requests, label(record.policy))


def _settings(windows: Sequence[WindowRecord], gained: Mapping[int, int], requests: int, total: int) -> list[Setting]:
    """Settings by what they contributed, the greatest first; the smallest of many are one row."""
    groups: dict[str, list[WindowRecord]] = {}
    for record in windows:
        groups.setdefault(label(record.policy), []).append(record)
    ordered = sorted(groups.items(), key=lambda group: (-abs(sum(gained[row.window] for row in group[1])), group[0]))
    if len(ordered) > SETTINGS_SHOWN:
        rest = ordered[SETTINGS_SHOWN - 1 :]
        folded = [record for _, records in rest for record in records]
        ordered = [*ordered[: SETTINGS_SHOWN - 1], (f"{len(rest)} other settings", folded)]
    return [_setting(name, records, gained, requests, total) for name, records in ordered]


def _setting(name: str, records: Sequence[WindowRecord], gained: Mapping[int, int], requests: int, total: int) -> Setting:
    hits = sum(gained[record.window] for record in records)
    mean = 100 * hits / sum(record.requests for record in records)
    return Setting(name, len(records), hits, mean, 100 * hits / requests, _share(hits, requests, total))


def _prefetch(windows: Sequence[WindowRecord], requests: int, total: int) -> PrefetchPart:
    hits = sum(record.prefetch_hits for record in windows)
    prefetches = sum(record.prefetches for record in windows)
    return PrefetchPart(prefetches, hits, total - hits, _share(hits, requests, total) if total > 0 else None)


def _share(hits: int, requests: int, total: int) -> float | None:
    """Part of the whole, None when the whole is a difference that two equal arms can have."""
    return hits / total if abs(100 * total / requests) > MARGIN_POINTS else None
