"""Paired moving-block bootstrap: how sure a difference between two arms is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_length", "interval"]

Counts = NDArray[np.integer[Any]]


def block_length(windows: int) -> int:
    """Windows a block: n^(1/3) rounded up, the order that is best for intervals of a mean (Künsch 1989; Hall et al. 1995)."""
    return max(1, int(np.ceil(round(windows ** (1 / 3), 9))))


def interval(
    requests: Counts,
    hits_a: Counts,
    hits_b: Counts,
    *,
    seed: int,
    resamples: int = 2000,
    confidence: float = 0.95,
    block: int | None = None,
) -> tuple[float, float]:
    """Percentile interval of arm a's hit ratio minus arm b's, in points (hundredths).

    `requests`, `hits_a` and `hits_b` are counts by window in time order, shape (n,): both arms served the same requests, so
    that a window is drawn for both at once (paired), and the ratios are of sums, which weighs a window by its requests. The
    windows of a log depend on their neighbours; so blocks of `block` windows in a row are drawn (Künsch, "The jackknife and
    the bootstrap for general stationary observations", Annals of Statistics 17(3), 1989) until there are n. The same
    arguments give the same interval. Raises ValueError for shapes that differ, counts that cannot be, and no requests.
    """
    _check(requests, hits_a, hits_b, resamples, confidence)
    served = requests > 0
    weights = requests[served].astype(np.float64)
    gains = (hits_a[served].astype(np.int64) - hits_b[served].astype(np.int64)).astype(np.float64)
    size = len(weights)
    length = min(block or block_length(size), size)
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, size - length + 1, (resamples, -(-size // length)))
    # The last block is cut so that each resample has n windows; with sums by block no resample is ever written out.
    last = size - length * (starts.shape[1] - 1)
    gained, served_requests = (
        _block_sums(values, length)[starts[:, :-1]].sum(axis=1) + _block_sums(values, last)[starts[:, -1]]
        for values in (gains, weights)
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(100 * gained / served_requests, [tail, 1 - tail])
    return float(low), float(high)


def _block_sums(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Sum of `length` values from each place on, shape (n - length + 1,)."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[length:] - total[:-length])


def _check(requests: Counts, hits_a: Counts, hits_b: Counts, resamples: int, confidence: float) -> None:
    if requests.ndim != 1 or not requests.shape == hits_a.shape == hits_b.shape:
        raise ValueError(f"need one count a window: shapes are {requests.shape}, {hits_a.shape} and {hits_b.shape}")
    if requests.sum() <= 0 or requests.min() < 0:
        raise ValueError("there are no requests to compare")
    if any(hits.min() < 0 or (hits > requests).any() for hits in (hits_a, hits_b)):
        raise ValueError("a window has more hits than requests, or fewer than none")
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError("resamples must be positive and confidence between 0 and 1")
