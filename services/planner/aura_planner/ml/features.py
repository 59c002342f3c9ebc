"""Numbers that describe the candidates of one window: the one place where training and planning get them from."""

import numpy as np
from numpy.typing import NDArray

from aura_contract.context import WorkloadView

__all__ = ["FEATURES", "features"]

FEATURES = (
    "count",
    "count_before",
    "trend",
    "count_rank",
    "frequency",
    "frequency_rank",
    "share_of_frequency",
    "surprise",
    "last_seen",
    "intent",
    "category_share",
    "category_trend",
    "share_of_category",
    "new_share",
    "distinct_share",
)
"""Columns of `features`, in their order; a model is of use to exactly those that it was trained on."""

Column = NDArray[np.float64]


def features(view: WorkloadView) -> NDArray[np.float64]:
    """One row for each candidate by its id, shape (candidates, len(FEATURES)).

    Counts are of requests and as logarithms, `log(1 + n)`; trends are differences of such logarithms between this window and
    the one before. `last_seen` is in windows, ranks and shares are fractions. The decayed frequency goes by its ratio to
    the candidates' mean, since how fast it decays depends on the cache's size; `surprise` is the log-ratio of the window's
    count to it. `category_` is of all candidates of the same category, and all without one count as one.
    """
    listed = view.candidates
    if not listed.item:
        return np.zeros((0, len(FEATURES)))
    count = np.array(listed.count, np.float64)
    before = np.maximum(0.0, count - np.array(listed.trend, np.float64))
    frequency = np.array(listed.frequency, np.float64)
    relative = np.log1p(_parts(frequency) * len(frequency))
    category, label = np.unique(np.array(listed.category), return_inverse=True)
    of_category = [np.bincount(label, weights=column, minlength=len(category)) for column in (count, before, frequency)]
    requests = max(1, view.requests)
    columns = (
        np.log1p(count),
        np.log1p(before),
        np.log1p(count) - np.log1p(before),
        _ranks(count),
        relative,
        _ranks(frequency),
        _parts(frequency),
        np.log1p(_parts(count) * len(count)) - relative,
        np.array(listed.last_seen, np.float64) / max(1, view.events),
        np.log1p(np.array(listed.intent, np.float64)),
        of_category[0][label] / requests,
        (np.log1p(of_category[0]) - np.log1p(of_category[1]))[label],
        frequency / np.maximum(of_category[2][label], np.finfo(np.float64).tiny),
        np.full(len(count), view.new_items / requests),
        np.full(len(count), view.distinct_items / requests),
    )
    return np.column_stack(columns)


def _parts(column: Column) -> Column:
    """Each value's share of their sum, 0 where that is 0; shape as `column`."""
    return column / max(float(column.sum()), np.finfo(np.float64).tiny)


def _ranks(column: Column) -> Column:
    """Place of each value among the others, 0 the smallest and 1 the largest, equal ones alike; shape as `column`."""
    ordered = np.sort(column)
    middle = np.searchsorted(ordered, column) + np.searchsorted(ordered, column, side="right") - 1
    return middle / max(1.0, 2.0 * (len(column) - 1))
