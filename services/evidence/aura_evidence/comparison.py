"""Two arms side by side: the windows that both have, the difference and its interval."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_contract.results import WindowRecord
from aura_evidence.bootstrap import interval

__all__ = ["Difference", "Paired", "by_arm", "difference", "paired", "totals"]


@dataclass(frozen=True)
class Paired:
    """Counts of the windows that two arms have both served, in time order; all of shape (n,)."""

    windows: NDArray[np.int64]
    requests: NDArray[np.int64]
    hits: NDArray[np.int64]
    baseline_hits: NDArray[np.int64]
    reads: NDArray[np.int64]
    baseline_reads: NDArray[np.int64]

    def after(self, windows: int) -> "Paired":
        """The same without the first `windows`."""
        fields = (getattr(self, name) for name in self.__dataclass_fields__)
        return Paired(*(counts[windows:] for counts in fields))

    @property
    def points(self) -> NDArray[np.float64]:
        """Difference of the hit ratios in points by window, shape (n,), 0 where there were no requests."""
        return np.asarray(100 * (self.hits - self.baseline_hits) / np.maximum(self.requests, 1))

    @property
    def reads_ratio(self) -> float:
        """Backend reads over the baseline's, which counts as one read at least."""
        reads = int(self.reads.sum())
        return reads / max(1, int(self.baseline_reads.sum())) if reads else 1.0


@dataclass(frozen=True)
class Difference:
    """Hit ratio of an arm minus the baseline's, in points, with its interval."""

    points: float
    low: float
    high: float


def by_arm(records: Iterable[WindowRecord]) -> dict[str, dict[int, WindowRecord]]:
    """Records by arm and window, arms in the order of their first record; of a window recorded twice the last counts."""
    result: dict[str, dict[int, WindowRecord]] = {}
    for record in records:
        result.setdefault(record.arm, {})[record.window] = record
    return {arm: dict(sorted(windows.items())) for arm, windows in result.items()}


def paired(records: Iterable[WindowRecord], arm: str, baseline: str = "baseline") -> Paired:
    """Counts of the windows that both arms have."""
    arms = by_arm(records)
    mine, other = arms.get(arm, {}), arms.get(baseline, {})
    windows = [window for window in other if window in mine]

    def column(source: dict[int, WindowRecord], name: str) -> NDArray[np.int64]:
        return np.array([getattr(source[window], name) for window in windows], np.int64)

    return Paired(
        np.array(windows, np.int64), column(other, "requests"), column(mine, "hits"), column(other, "hits"),
        column(mine, "backend_reads"), column(other, "backend_reads"),
    )  # fmt: skip


def difference(pair: Paired, seed: int) -> Difference | None:
    """The difference over all windows of `pair`, None when they hold no requests."""
    requests = int(pair.requests.sum())
    if requests <= 0:
        return None
    points = 100 * int((pair.hits - pair.baseline_hits).sum()) / requests
    low, high = interval(pair.requests, pair.hits, pair.baseline_hits, seed=seed)
    return Difference(points, low, high)


def totals(records: Sequence[WindowRecord], name: str) -> int:
    """Sum of one count over records."""
    return sum(int(getattr(record, name)) for record in records)
