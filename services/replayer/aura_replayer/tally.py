"""Requests and hits of the arms by category, counted on every eighth batch."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aura_contract.results import CategoryHits, CategoryTotals
from aura_replayer.arm.base import HIT

__all__ = ["TRACED_EVERY", "Tally", "category_totals"]

TRACED_EVERY = 8
"""Batches, of which one is traced: telling which requests were hits costs an arm time."""

PUT_BY = 64
MOST = 50
NAME_CHARS = 80


class Tally:
    """Requests and hits by category code; traces are put by and counted 64 at a time, since each count costs the same."""

    def __init__(self) -> None:
        self._counts = np.zeros((0, 2), np.int64)
        self._categories: list[NDArray[np.int32]] = []
        self._traces: list[bytes] = []

    def add(self, categories: NDArray[np.int32], trace: bytes) -> None:
        """Take in one batch: the category of each request, shape (n,), and whether it was a hit, as arms trace it."""
        self._categories.append(categories)
        self._traces.append(trace)
        if len(self._traces) >= PUT_BY:
            self.counts()

    def counts(self) -> NDArray[np.int64]:
        """Misses and hits by category code, shape (categories, 2)."""
        if self._traces:
            hit = np.frombuffer(b"".join(self._traces), np.uint8) == HIT
            added = np.bincount(2 * np.concatenate(self._categories) + hit, minlength=self._counts.size)
            added = np.pad(added, (0, len(added) % 2)).reshape(-1, 2)
            added[: len(self._counts)] += self._counts
            self._counts = added
            self._categories, self._traces = [], []
        return self._counts


def category_totals(run: str, tallies: Mapping[str, Tally], names: Sequence[str]) -> CategoryTotals:
    """What the arms of a run have counted, by arm; `names` of the category codes are cut to 80 characters."""
    counts = {arm: tally.counts() for arm, tally in tallies.items()}
    requests = next(iter(counts.values())).sum(1)
    order = [code for code in np.argsort(-requests, kind="stable").tolist() if requests[code]]

    def hits_of(codes: Sequence[int], name: str) -> CategoryHits:
        hits = {arm: int(found[codes, 1].sum()) for arm, found in counts.items()}
        return CategoryHits(category=name, requests=int(requests[codes].sum()), hits=hits)

    return CategoryTotals(
        run=run,
        requests=int(requests.sum()),
        categories=tuple(hits_of([code], names[code][:NAME_CHARS]) for code in order[:MOST]),
        rest=hits_of(order[MOST:], "") if order[MOST:] else None,
    )
