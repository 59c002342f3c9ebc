"""What every simulator takes: a log as an array of item codes, and a capacity in items."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEVER", "Codes", "Hits", "check", "items_of", "next_uses", "previous_uses"]

Codes = NDArray[np.integer[Any]]
"""Item of each request as any integer, shape (n,); equal numbers are equal items, and gaps between them cost nothing."""

Hits = NDArray[np.bool_]
"""Whether each request was a hit, shape (n,)."""

NEVER = np.iinfo(np.int64).max
"""Next use of a request whose item is not requested again."""


def check(codes: Codes, capacity: int = 1) -> None:
    """Raise ValueError for anything but a one-dimensional array of integers and a positive capacity."""
    if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"codes must be a one-dimensional array of integers, not {codes.dtype} of shape {codes.shape}")
    if capacity < 1:
        raise ValueError(f"capacity must be at least one item, not {capacity}")


def items_of(codes: Codes, capacity: int) -> list[int]:
    """The checked codes as a list, which Python walks faster than an array; raises ValueError."""
    check(codes, capacity)
    result: list[int] = codes.tolist()
    return result


def next_uses(codes: Codes) -> NDArray[np.int64]:
    """Index of the next request of the same item, or NEVER, shape (n,)."""
    order = np.argsort(codes, kind="stable")
    result = np.full(len(codes), NEVER, np.int64)
    same = codes[order[1:]] == codes[order[:-1]]
    result[order[:-1][same]] = order[1:][same]
    return result


def previous_uses(codes: Codes) -> NDArray[np.int64]:
    """Index of the request of the same item before, or -1, shape (n,)."""
    order = np.argsort(codes, kind="stable")
    result = np.full(len(codes), -1, np.int64)
    same = codes[order[1:]] == codes[order[:-1]]
    result[order[1:][same]] = order[:-1][same]
    return result
