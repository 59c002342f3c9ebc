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
    """Size of a shard: its `rows` and `requests`; `requested` are the codes of the distinct requested items, in the order of
    their codes, `counts` how often each was requested. Of all shards together the log has `log_rows`, and `distinct` items were
    requested."""

    rows: int
    requests: int
    requested: NDArray[np.int64]
    counts: NDArray[np.int64]
    log_rows: int
    distinct: int


def scan(log: EventLog, items: ItemTable) -> LogSummary:
    """Read the log once; raises DataError when it cannot be read or a shard of it holds no request."""
    counts = np.zeros(0, np.int64)
    rows = requests = log_rows = 0
    for block in log.blocks():
        found = np.bincount(block.items[block.requests], minlength=len(items))
        found[: len(counts)] += counts
        counts = found
        rows += len(block)
        requests += int(block.requests.sum())
        log_rows = block.stop_row
    whole = log.census
    if whole is not None and whole.requests.any():
        whole.check()
    if requests == 0:
        actions = ", ".join(sorted(log.action_names)[:8])
        raise DataError(f"the log holds no request: its actions are {actions}; name those that are requests in workload.requests")
    requested = np.flatnonzero(counts)
    distinct = whole.distinct if whole is not None else len(requested)
    return LogSummary(rows, requests, requested, counts[requested], log_rows, distinct)
