"""What exact policies reach on a run's requests, for the report: written beside its results."""

import json
from pathlib import Path

import numpy as np

from aura_contract.experiment import ExperimentSpec
from aura_contract.results import WindowRecord
from aura_data.catalog import EmptyCatalog
from aura_evidence.ceilings import ceilings
from aura_replayer.results import SizingRecord, read_lines
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable

__all__ = ["MOST_REQUESTS", "write_ceilings"]

MOST_REQUESTS = 2_000_000
"""Longer logs get no ceilings: the exact simulators hold the whole log and take a second for every 200,000 requests."""


def write_ceilings(spec: ExperimentSpec, base: Path, folder: Path, bad_rows: str) -> bool:
    """Write `ceilings.json` of a finished run into `folder`; False for a log that is too long.

    `base` is the manifest's folder. One cache of the whole size serves the whole log, whatever the number of shards. The
    prefetcher that knows the future has the budget of all executors of an arm a window.
    """
    sizing = SizingRecord.model_validate_json((folder / "sizing.json").read_bytes())
    log = EventLog(spec.workload, base, ItemTable(EmptyCatalog(), 1), bad_rows)
    parts, requests = [], 0
    for block in log.blocks():
        parts.append(block.items[block.requests])
        requests += len(parts[-1])
        if requests > MOST_REQUESTS:
            return False
    windows = [record.requests for record in read_lines(folder / "windows.jsonl", WindowRecord) if record.arm == "baseline"]
    budget, window = spec.executor.max_prefetch * spec.workload.shards, spec.trigger.every_events
    found = ceilings(np.concatenate(parts), sizing.capacity_items, budget, window, windows)
    (folder / "ceilings.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return True
