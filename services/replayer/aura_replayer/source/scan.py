"""The first pass over the log: how long it is, how many distinct items are requested, and that it holds requests at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_data.tables import DataError
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable

__all__ = ["LogSummary", "scan"]


@dataclass(frozen=True)
class LogSummary:
    """Size of a log; `requested` are the codes of the distinct requested items, in the order of their codes, `counts` how often
    each was requested."""

    rows: int
    requests: int
    requested: NDArray[np.int64]
    counts: NDArray[np.int64]


def scan(log: EventLog, items: ItemTable) -> LogSummary:
    """Read the log once; raises DataError when it cannot be read or holds no request."""
    counts = np.zeros(0, np.int64)
    rows = requests = 0
    for block in log.blocks():
        found = np.bincount(block.items[block.requests], minlength=len(items))
        found[: len(counts)] += counts
        counts = found
        rows += len(block)
        requests += int(block.requests.sum())
    if requests == 0:
        actions = ", ".join(sorted(log.action_names)[:8])
        raise DataError(f"the log holds no request: its actions are {actions}; name those that are requests in workload.requests")
    requested = np.flatnonzero(counts)
    return LogSummary(rows, requests, requested, counts[requested])
