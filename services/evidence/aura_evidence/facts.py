"""What the report says, computed from a result folder: rows of its tables and the series of its charts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_contract.results import ArmResult, Verdict, WindowRecord
from aura_evidence.comparison import Difference, Paired, by_arm, difference, paired
from aura_evidence.folder import CEILING_NAMES, RunFolder

__all__ = ["ArmRow", "CeilingRow", "Credit", "Facts", "Share", "gather"]

BASELINE, PLANNED = "baseline", "aura"

OUTCOMES = {
    "applied": "applied",
    "refused": "refused by the executor",
    "nothing": "nothing to change",
    "unplanned": "unplanned",
}


@dataclass(frozen=True)
class Share:
    """One part of a bar: `kind` picks the colour."""

    kind: str
    label: str
    count: int


@dataclass(frozen=True)
class ArmRow:
    """One arm; `number` is its colour, `gain` its difference to the baseline after warm-up, `pair` the windows behind it."""

    name: str
    number: int
    result: ArmResult
    windows: list[WindowRecord]
    pair: Paired
    gain: Difference | None
    reads_ratio: float
    gap_closed: float | None

    @property
    def is_baseline(self) -> bool:
        """Whether the others are held against this arm."""
        return self.name == BASELINE

    @property
    def precision(self) -> float | None:
        """Share of prefetches that were hit."""
        return self.result.prefetch_hits / self.result.prefetches if self.result.prefetches else None

    @property
    def outcomes(self) -> list[Share]:
        """What became of the windows' plans, without what never happened."""
        plans = self.result.plans
        counts = {
            "applied": plans.applied,
            "refused": plans.refused,
            # A plan that came too late is decided as well as unplanned.
            "nothing": max(0, plans.decided - plans.applied - plans.refused - plans.unplanned.get("late", 0)),
        }
        shares = [Share(kind, OUTCOMES[kind], count) for kind, count in counts.items()]
        reasons = [Share("unplanned", f"{OUTCOMES['unplanned']}: {reason}", n) for reason, n in sorted(plans.unplanned.items())]
        return [share for share in shares + reasons if share.count]


@dataclass(frozen=True)
class CeilingRow:
    """A policy that was computed exactly over the whole log."""

    key: str
    label: str
    hit_ratio: float
    backend_reads: int | None
    prefetches: int


@dataclass(frozen=True)
class Credit:
    """The arm `aura` against the best of the controls after warm-up."""

    control: str
    gain: Difference


@dataclass(frozen=True)
class Facts:
    """All of the report but its pictures. `refusals` counts refused actions by arm and reason, the commonest first."""

    verdict: Verdict
    arms: list[ArmRow]
    ceilings: list[CeilingRow]
    credit: Credit | None
    refusals: list[tuple[str, str, int]]
    warmup_event: int

    @property
    def baseline(self) -> ArmRow:
        """The arm that no planner touches."""
        return self.arms[0]

    @property
    def planned(self) -> list[ArmRow]:
        """All arms but the baseline."""
        return self.arms[1:]


def gather(folder: RunFolder) -> Facts:
    """The facts of a run."""
    verdict, seed = folder.verdict, folder.experiment.spec.seed
    ceilings = [
        CeilingRow(key, CEILING_NAMES[key], entry.hit_ratio, entry.backend_reads, entry.prefetches)
        for key, entry in folder.ceilings.items()
    ]
    arms = _arms(verdict, folder.windows, seed, {row.key: row.hit_ratio for row in ceilings})
    warm = [record.last_event + 1 for record in arms[0].windows[: verdict.warmup_windows]]
    return Facts(
        verdict=verdict,
        arms=arms,
        ceilings=ceilings,
        credit=_credit(verdict, folder.windows, arms, seed),
        refusals=_refusals(folder),
        warmup_event=max(warm, default=0),
    )


def _arms(verdict: Verdict, windows: Sequence[WindowRecord], seed: int, ceilings: Mapping[str, float]) -> list[ArmRow]:
    order = sorted(verdict.arms, key=lambda name: (name != BASELINE, name != PLANNED))
    records = by_arm(windows)
    rows = []
    for number, name in enumerate(order):
        pair = paired(windows, name)
        gain = None if name == BASELINE else difference(pair.after(verdict.warmup_windows), seed)
        result = verdict.arms[name]
        closed = _gap_closed(result.hit_ratio, ceilings)
        served = list(records.get(name, {}).values())
        rows.append(ArmRow(name, number, result, served, pair, gain, pair.reads_ratio, closed))
    return rows


def _gap_closed(ratio: float, ceilings: Mapping[str, float]) -> float | None:
    """Share of the way from exact LRU to the optimum that an arm went."""
    low, high = ceilings.get("lru"), ceilings.get("belady")
    if low is None or high is None or high - low < 1e-3:
        return None
    return (ratio - low) / (high - low)


def _credit(verdict: Verdict, windows: Sequence[WindowRecord], arms: Sequence[ArmRow], seed: int) -> Credit | None:
    controls = [arm for arm in arms if arm.name not in (BASELINE, PLANNED) and arm.gain]
    if not controls or PLANNED not in verdict.arms:
        return None
    best = max(controls, key=lambda arm: arm.gain.points if arm.gain else 0.0)
    gain = difference(paired(windows, PLANNED, best.name).after(verdict.warmup_windows), seed)
    return Credit(best.name, gain) if gain else None


def _refusals(folder: RunFolder) -> list[tuple[str, str, int]]:
    counts: Counter[tuple[str, str]] = Counter()
    for receipt in folder.receipts:
        arm = receipt.arm or "?"
        for reason, count in receipt.refused.items():
            counts[arm, reason] += count
        if receipt.outcome == "refused" and not receipt.refused:
            whole = receipt.requested.evict + receipt.requested.prefetch
            counts[arm, receipt.reason or "no reason given"] += max(1, whole)
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(arm, reason, count) for (arm, reason), count in ordered]
