"""The numbers of a sweep: what each arm reached at each capacity, over the seeds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from aura_contract.results import Spread, SweepArm, SweepCapacity, SweepCell, SweepResult, Verdict, WindowRecord
from aura_evidence.comparison import paired
from aura_evidence.folder import ReportError, read_outcome

__all__ = ["gather_sweep", "spread_of"]

BASELINE, PLANNED = "baseline", "aura"


@dataclass(frozen=True)
class ArmFigures:
    """One arm in one cell; `delta_points` is None for the baseline and where no window is left after warm-up."""

    planner: str | None
    hit_ratio: float
    delta_points: float | None
    backend_reads_ratio: float


@dataclass(frozen=True)
class CellFigures:
    """One cell that ended."""

    verdict: Verdict
    arms: dict[str, ArmFigures]


def gather_sweep(root: Path, experiment: str, cells: Iterable[SweepCell], *, servers: bool) -> SweepResult:
    """The result of the cells whose folders lie below `root`.

    `cells` come without verdicts, and with an `error` where their run failed; a cell whose files cannot be read gets one.
    """
    filled: list[SweepCell] = []
    figures: dict[str, list[CellFigures]] = {}
    for cell in cells:
        found = figures.setdefault(cell.capacity, [])
        if cell.error is None:
            try:
                found.append(_figures(*read_outcome(root / cell.folder)))
            except ReportError as error:
                filled.append(cell.model_copy(update={"error": str(error)}))
                continue
            filled.append(_filled(cell, found[-1].verdict))
        else:
            filled.append(cell)
    return SweepResult(
        experiment=experiment,
        servers=servers,
        seeds=tuple(dict.fromkeys(cell.seed for cell in filled)),
        capacities=tuple(_capacity(capacity, found) for capacity, found in figures.items()),
        cells=tuple(filled),
    )


def spread_of(values: Sequence[float]) -> Spread:
    """Mean, range and sample standard deviation of at least one value."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    return Spread(mean=_short(fmean(values)), low=_short(min(values)), high=_short(max(values)), deviation=_short(deviation))


def _short(value: float) -> float:
    return round(value, 6)


def _figures(verdict: Verdict, windows: Sequence[WindowRecord]) -> CellFigures:
    base = verdict.arms[BASELINE]
    order = sorted(verdict.arms, key=lambda name: (name != BASELINE, name != PLANNED))
    arms = {}
    for name in order:
        arm = verdict.arms[name]
        delta = None if name == BASELINE else _delta(windows, name, verdict.warmup_windows)
        arms[name] = ArmFigures(arm.planner, arm.hit_ratio, delta, arm.backend_reads / max(1, base.backend_reads))
    return CellFigures(verdict, arms)


def _delta(windows: Sequence[WindowRecord], arm: str, warmup: int) -> float | None:
    pair = paired(windows, arm).after(warmup)
    requests = int(pair.requests.sum())
    return 100 * int((pair.hits - pair.baseline_hits).sum()) / requests if requests else None


def _filled(cell: SweepCell, verdict: Verdict) -> SweepCell:
    names = ("verdict", "reason", "delta_points", "interval", "data_sha256")
    return cell.model_copy(update={name: getattr(verdict, name) for name in names})


def _capacity(capacity: str, cells: Sequence[CellFigures]) -> SweepCapacity:
    if not cells:
        return SweepCapacity(capacity=capacity, arms={}, verdicts={})
    return SweepCapacity(
        capacity=capacity,
        capacity_items=round(fmean(cell.verdict.capacity_items for cell in cells)),
        budget_bytes=round(fmean(cell.verdict.budget_bytes for cell in cells)),
        arms={name: _arm([cell.arms[name] for cell in cells]) for name in cells[0].arms},
        verdicts=dict(Counter(cell.verdict.verdict for cell in cells).most_common()),
    )


def _arm(figures: Sequence[ArmFigures]) -> SweepArm:
    deltas = [figure.delta_points for figure in figures if figure.delta_points is not None]
    # With backend auto one seed's planner may be the model and another's the heuristic.
    planners = dict.fromkeys(figure.planner for figure in figures if figure.planner is not None)
    return SweepArm(
        planner=", ".join(planners) or None,
        hit_ratio=spread_of([figure.hit_ratio for figure in figures]),
        delta_points=spread_of(deltas) if deltas else None,
        backend_reads_ratio=spread_of([figure.backend_reads_ratio for figure in figures]),
    )
