"""The head of a log as examples to learn from: each window's candidates, and what the next window requests of them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from aura_contract.cache import CacheSpec
from aura_contract.context import WorkloadView
from aura_contract.experiment import ExperimentSpec
from aura_contract.quantities import parse_bytes, parse_share
from aura_contract.workload import WorkloadSpec
from aura_data.catalog import open_catalog
from aura_data.tables import open_table
from aura_planner.ml.features import features
from aura_planner.ml.fitting import Examples
from aura_replayer.context.aggregator import ContextAggregator
from aura_replayer.context.snapshot import WorkloadBuilder
from aura_replayer.context.windows import Window, windows
from aura_replayer.source.clock import EventClock
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import LogSummary, scan

__all__ = ["Head", "examples", "find_head", "head_windows"]

ITEM_OVERHEAD = 100
"""Bytes that a Redis takes for an item beside its key and value, about; the arms' own are weighed at the start of a run."""

BadRows = Literal["fail", "skip"]


@dataclass(frozen=True)
class Head:
    """The first `rows` of the `total` rows of a log: whole windows of `size` rows."""

    rows: int
    total: int
    size: int


def find_head(spec: ExperimentSpec, base: Path, share: float, bad_rows: BadRows) -> Head:
    """The head that is this share of the log's rows; counts the rows, of which it looks at nothing. Raises DataError."""
    log = spec.workload
    roles = {"item": log.columns.item}
    table = open_table(log.source, log.format, roles, base=base, limit=log.limit, bad_rows=bad_rows, required=["item"])
    total = sum(batch.num_rows for batch in table.batches())
    size = spec.trigger.every_events
    # 29 % of 100,000 are 29,000 rows, and in binary a little less.
    return Head(int(round(total * share, 3)) // size * size, total, size)


def examples(spec: ExperimentSpec, base: Path, head: Head, bad_rows: BadRows) -> list[Examples]:
    """Those of each of the head's windows but the last, whose next one is not in it. Raises DataError."""
    return [
        Examples(features(view), np.isin(window.snapshot.candidates, after.codes))
        for (window, view), (after, _) in pairwise(head_windows(spec, base, head, bad_rows))
    ]


def head_windows(spec: ExperimentSpec, base: Path, head: Head, bad_rows: BadRows) -> Iterator[tuple[Window, WorkloadView]]:
    """The windows of a head as planners would be told of them in a run; no row after the head is read. Raises DataError."""
    workload: WorkloadSpec = spec.workload.model_copy(update={"limit": head.rows})
    with closing(open_catalog(spec.catalog, spec.dependencies.mongodb_server, base)) as catalog:
        items = ItemTable(catalog, spec.cache.payload_bytes)
        log = EventLog(workload, base, items, bad_rows)
        aggregator = ContextAggregator(_capacity(spec.cache, items, scan(log, items)))
        builder, clock = WorkloadBuilder(aggregator, items, log), EventClock(workload.clock)
        for window in windows(log, items, head.size, clock, aggregator, builder, levers=False):
            yield window, WorkloadView.model_validate_json(window.snapshot.workload)


def _capacity(cache: CacheSpec, items: ItemTable, log: LogSummary) -> int:
    """Items that the cache would hold, about; only how fast frequencies decay depends on it."""
    if cache.capacity is not None:
        return round(parse_share(cache.capacity) * len(log.requested))
    assert cache.memory is not None
    entry = float(np.mean([len(items.packed[code]) for code in log.requested.tolist()]))
    return int(parse_bytes(cache.memory) / (entry + ITEM_OVERHEAD))
