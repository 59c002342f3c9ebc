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
    """Size of a log; `requested` are the codes of the distinct requested items, in the order of their codes."""

    rows: int
    requests: int
    requested: NDArray[np.int64]


def scan(log: EventLog, items: ItemTable) -> LogSummary:
    """Read the log once; raises DataError when it cannot be read or holds no request."""
    seen = np.zeros(0, np.bool_)
    rows = requests = 0
    for block in log.blocks():
        if len(seen) < len(items):
            seen = np.concatenate([seen, np.zeros(len(items) - len(seen), np.bool_)])
        seen[block.items[block.requests]] = True
        rows += len(block)
        requests += int(block.requests.sum())
    if requests == 0:
        found = ", ".join(sorted(log.action_names)[:8])
        raise DataError(f"the log holds no request: its actions are {found}; name those that are requests in workload.requests")
    return LogSummary(rows, requests, np.flatnonzero(seen))
