"""Requests and hits of the arms by category, counted on every eighth batch."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aura_contract.results import CategoryHits, CategoryTotals
from aura_replayer.arm.base import HIT

__all__ = ["TRACED_EVERY", "Tally", "category_totals"]

TRACED_EVERY = 8
"""Batches, of which one is traced: telling which requests were hits costs an arm time."""

MOST = 50
NAME_CHARS = 80


class Tally:
    """`requests` and `hits` by category code."""

    def __init__(self) -> None:
        self.requests = np.zeros(0, np.int64)
        self.hits = np.zeros(0, np.int64)

    def add(self, categories: NDArray[np.int32], trace: bytes) -> None:
        """Count one batch: the category of each request, shape (n,), and whether it was a hit, as arms trace it."""
        size = int(categories.max(initial=0)) + 1
        if size > len(self.requests):
            self.requests, self.hits = (np.pad(column, (0, size - len(column))) for column in (self.requests, self.hits))
        hit = np.frombuffer(trace, np.uint8) == HIT
        self.requests += np.bincount(categories, minlength=len(self.requests))
        self.hits += np.bincount(categories[hit], minlength=len(self.hits))


def category_totals(run: str, tallies: Mapping[str, Tally], names: Sequence[str]) -> CategoryTotals:
    """What the arms of a run have counted, by arm; `names` of the category codes are cut to 80 characters."""
    requests = next(iter(tallies.values())).requests
    order = [code for code in np.argsort(-requests, kind="stable").tolist() if requests[code]]

    def hits_of(codes: Sequence[int], name: str) -> CategoryHits:
        hits = {arm: int(tally.hits[codes].sum()) for arm, tally in tallies.items()}
        return CategoryHits(category=name, requests=int(requests[codes].sum()), hits=hits)

    return CategoryTotals(
        run=run,
        requests=int(requests.sum()),
        categories=tuple(hits_of([code], names[code][:NAME_CHARS]) for code in order[:MOST]),
        rest=hits_of(order[MOST:], "") if order[MOST:] else None,
    )
