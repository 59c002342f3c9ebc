"""What the report says, computed from a result folder: rows of its tables and the series of its charts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_contract.results import Verdict, WindowRecord
from aura_evidence.comparison import by_arm, difference, paired
from aura_evidence.credit import Credit, credit_of, decision_seconds, model_of
from aura_evidence.folder import CEILING_NAMES, RunFolder
from aura_evidence.rows import BASELINE, PLANNED, ArmRow, CeilingRow, gap_closed

__all__ = ["Facts", "gather"]


@dataclass(frozen=True)
class Facts:
    """All of the report but its pictures.

    `model` names the language model that planned for `aura` and `decision_seconds` is the median time of that arm's
    decisions, both None when there was none. `refusals` counts refused actions by arm and reason, the commonest first.
    """

    verdict: Verdict
    arms: list[ArmRow]
    ceilings: list[CeilingRow]
    credit: Credit | None
    model: str | None
    decision_seconds: float | None
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
    verdict, spec = folder.verdict, folder.experiment.spec
    ratios = {name: entry.hit_ratio for name, entry in folder.ceilings.items()}
    arms = _arms(verdict, folder.windows, spec.seed, ratios)
    warm = [record.last_event + 1 for record in arms[0].windows[: verdict.warmup_windows]]
    return Facts(
        verdict=verdict,
        arms=arms,
        ceilings=[
            CeilingRow(
                key, CEILING_NAMES[key], entry.hit_ratio, entry.backend_reads, entry.prefetches, _closed(entry.hit_ratio, ratios)
            )
            for key, entry in folder.ceilings.items()
        ],
        credit=credit_of(arms, folder.windows, folder.plans, warmup_windows=verdict.warmup_windows, seed=spec.seed),
        model=model_of(spec.planner.backend, folder.plans),
        decision_seconds=decision_seconds(folder.plans, PLANNED),
        refusals=_refusals(folder),
        warmup_event=max(warm, default=0),
    )


def _arms(verdict: Verdict, windows: Sequence[WindowRecord], seed: int, ratios: Mapping[str, float]) -> list[ArmRow]:
    order = sorted(verdict.arms, key=lambda name: (name != BASELINE, name != PLANNED))
    records = by_arm(windows)
    rows = []
    for number, name in enumerate(order):
        pair = paired(windows, name)
        gain = None if name == BASELINE else difference(pair.after(verdict.warmup_windows), seed)
        result = verdict.arms[name]
        closed = _closed(result.hit_ratio, ratios)
        served = list(records.get(name, {}).values())
        rows.append(ArmRow(name, number, result, served, pair, gain, pair.reads_ratio, closed))
    return rows


def _closed(ratio: float, ratios: Mapping[str, float]) -> float | None:
    return gap_closed(ratio, ratios.get("lru"), ratios.get("belady"))


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
