"""The interval: coverage on known differences, weights, determinism and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aura_evidence.bootstrap import block_length, interval

Counts = NDArray[np.int64]


def synthetic(seed: int, windows: int, points: float) -> tuple[Counts, Counts, Counts]:
    """Windows of varying size whose hit ratios drift together, arm a `points` above arm b on average."""
    generator = np.random.default_rng(seed)
    requests = generator.integers(800, 1200, windows)
    drift, gain = np.zeros(windows), np.zeros(windows)
    for t in range(1, windows):
        drift[t] = 0.9 * drift[t - 1] + generator.normal(0, 0.02)
        gain[t] = 0.5 * gain[t - 1] + generator.normal(0, 0.01)
    base = np.clip(0.5 + drift, 0.1, 0.8)
    hits_b = np.round(requests * base).astype(np.int64)
    hits_a = np.round(requests * np.clip(base + gain + points / 100, 0, 1)).astype(np.int64)
    return requests, hits_a, hits_b


@pytest.mark.parametrize("points", [0.0, 1.5])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(points: float) -> None:
    covered, tries = 0, 200
    for seed in range(tries):
        low, high = interval(*synthetic(seed, 200, points), seed=seed, resamples=400)
        covered += low <= points <= high
    # Blocks of n^(1/3) windows keep most, not all, of the dependence: percentile intervals fall somewhat short of 95 %.
    assert covered / tries >= 0.85


def test_pairing_removes_the_drift_that_both_arms_share() -> None:
    requests, hits_a, hits_b = synthetic(1, 200, 1.0)
    low, high = interval(requests, hits_a, hits_b, seed=0)
    shuffled = np.random.default_rng(0).permutation(200)
    unpaired = interval(requests, np.minimum(hits_a[shuffled], requests), hits_b, seed=0)
    assert high - low < (unpaired[1] - unpaired[0]) / 2


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 9))
def test_the_same_arguments_give_the_same_interval(seed: int, windows: int, block: int) -> None:
    counts = synthetic(seed, windows, 0.5)
    first = interval(*counts, seed=seed, resamples=50, block=block or None)
    assert first == interval(*counts, seed=seed, resamples=50, block=block or None)
    assert first[0] <= first[1]


@given(st.integers(1, 50), st.integers(0, 100), st.integers(0, 100))
def test_a_constant_difference_is_certain(windows: int, a: int, b: int) -> None:
    low, high = interval(np.full(windows, 100), np.full(windows, a), np.full(windows, b), seed=0, resamples=50)
    assert low == pytest.approx(a - b)
    assert high == pytest.approx(a - b)


def test_it_is_the_interval_of_resamples_written_out() -> None:
    requests, hits_a, hits_b = synthetic(3, 30, 1.0)
    length = block_length(30)
    starts = np.random.default_rng(7).integers(0, 30 - length + 1, (500, -(-30 // length)))
    points = []
    for row in starts:
        drawn = np.concatenate([np.arange(start, start + length) for start in row])[:30]
        points.append(100 * (hits_a[drawn] - hits_b[drawn]).sum() / requests[drawn].sum())
    expected = np.quantile(points, [0.025, 0.975])
    assert interval(requests, hits_a, hits_b, seed=7, resamples=500) == pytest.approx(tuple(expected))


def test_windows_without_requests_weigh_nothing() -> None:
    requests, hits_a, hits_b = (np.array(counts) for counts in ([0, 100, 0, 100, 0], [0, 60, 0, 70, 0], [0, 50, 0, 50, 0]))
    low, high = interval(requests, hits_a, hits_b, seed=0)
    assert 10 <= low <= high <= 20


@pytest.mark.parametrize(("windows", "expected"), [(1, 1), (8, 2), (9, 3), (27, 3), (28, 4), (64, 4), (1000, 10), (1001, 11)])
def test_blocks_have_the_cube_root_of_the_windows(windows: int, expected: int) -> None:
    assert block_length(windows) == expected


@pytest.mark.parametrize(
    ("requests", "hits_a", "hits_b", "message"),
    [
        ([1, 2], [1], [1, 1], "one count a window"),
        ([], [], [], "no requests"),
        ([0, 0], [0, 0], [0, 0], "no requests"),
        ([1, 2], [2, 0], [0, 0], "more hits than requests"),
        ([1, 2], [0, 0], [-1, 0], "more hits than requests, or fewer"),
    ],
)
def test_counts_that_cannot_be_are_named(requests: list[int], hits_a: list[int], hits_b: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interval(*(np.array(counts, np.int64) for counts in (requests, hits_a, hits_b)), seed=0)
