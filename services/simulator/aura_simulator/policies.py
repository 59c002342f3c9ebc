"""All policies by name."""

from collections.abc import Callable, Mapping

import numpy as np

from aura_simulator.belady import belady
from aura_simulator.lru import lru
from aura_simulator.priority import decayed_frequency, frequency_bonus, priority
from aura_simulator.s3fifo import s3fifo
from aura_simulator.trace import Codes, Hits

__all__ = ["POLICIES", "hit_ratio", "simulate"]

HALF_LIFE_FILLS = 16
"""Half-life of the frequency, in requests for each item of the capacity: the replayer's."""


def _frequency(weight: float) -> Callable[[Codes, int], Hits]:
    def run(codes: Codes, capacity: int) -> Hits:
        frequency = decayed_frequency(codes, HALF_LIFE_FILLS * max(1, capacity))
        return priority(codes, capacity, frequency_bonus(frequency, weight, capacity))

    return run


POLICIES: Mapping[str, Callable[[Codes, int], Hits]] = {
    "lru": lru,
    "s3fifo": s3fifo,
    "belady": belady,
    "frequency-low": _frequency(0.5),
    "frequency-medium": _frequency(2.0),
    "frequency-high": _frequency(8.0),
}
"""Policy by name; `frequency-*` are the settings of the plan's lever `frequency` (A = .5, 2, 8)."""


def simulate(policy: str, codes: Codes, capacity: int) -> Hits:
    """Hits of one of POLICIES on a log, fill on miss, unit sizes: shape (n,).

    `codes` holds the item of each request, shape (n,), any integers; `capacity` is in items. The same input gives the same
    answer bit for bit. Raises ValueError for an unknown policy, other shapes and a capacity below one.
    """
    run = POLICIES.get(policy)
    if run is None:
        raise ValueError(f"unknown policy {policy!r}; there are {', '.join(POLICIES)}")
    return run(codes, capacity)


def hit_ratio(hits: Hits) -> float:
    """Share of hits, 0 for no requests."""
    return float(np.mean(hits)) if len(hits) else 0.0
