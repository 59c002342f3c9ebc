"""How many windows the caches need to fill, which no comparison should count."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CACHE_FILLS", "Warmup", "warmup"]

CACHE_FILLS = 2
"""Fills of the whole cache that count as warm-up: the first stores, the second replaces what the first stored blindly."""


@dataclass(frozen=True)
class Warmup:
    """Windows to leave out; `filled` is False when the log was too short to fill the cache and keep half of its windows."""

    windows: int
    filled: bool


def warmup(fills: Sequence[int], capacity_items: int) -> Warmup:
    """Windows until the baseline has filled `capacity_items` twice, but at most half of them.

    `fills` are the baseline's stored misses by window, in time order.
    """
    most = len(fills) // 2
    stored = 0
    for window, count in enumerate(fills[:most], 1):
        stored += count
        if stored >= CACHE_FILLS * capacity_items:
            return Warmup(window, True)
    return Warmup(most, False)
