"""The largest of many values without sorting all of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest"]


def largest(values: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Places of the `most` largest of `values`, shape (n,): the largest first, equal ones in their order."""
    if len(values) <= 2 * most:
        return np.argsort(-values, kind="stable")[:most]
    least = np.partition(values, len(values) - most)[len(values) - most]
    places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")[:most]]
