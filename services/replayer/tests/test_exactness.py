"""A Redis arm at full speed against exact LRU, and two equal arms against each other, on a real log."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aura_contract.cache import CacheSpec, TtlSpec
from aura_contract.workload import CatalogSpec, WorkloadSpec
from aura_data.catalog import open_catalog
from aura_replayer.arm.base import Batch
from aura_replayer.arm.event_arm import EventArm
from aura_replayer.arm.sizing import Sizing, measure
from aura_replayer.source.events import EventLog
from aura_replayer.source.items import ItemTable
from aura_replayer.source.scan import scan
from aura_replayer.source.shards import Shard
from aura_simulator import lru

ROWS = 300_000
WINDOW = 5000


def replay(arms: list[EventArm], sizing: Sizing, items: ItemTable, codes: np.ndarray) -> list[float]:
    """Hit ratio of each arm over `codes`, batches side by side as the replayer sends them."""
    for start in range(0, len(codes), WINDOW):
        for position in range(start, min(start + WINDOW, len(codes)), sizing.batch):
            chosen = codes[position : min(position + sizing.batch, start + WINDOW)].tolist()
            packed = [items.packed[code] for code in chosen]
            for arm in arms:
                arm.send(Batch(start // WINDOW, position, position, (), packed), b"", b"".join(packed))
            for arm in arms:
                arm.receive()
        for arm in arms:
            arm.weigh()
    return [arm.totals().hits / arm.totals().requests for arm in arms]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("capacity", ["5%", "10%"])
def test_arms_agree_with_exact_lru_and_each_other(new_redis: Callable[[], str], capacity: str) -> None:
    source = {"dataset": "complete-journey"}
    workload = WorkloadSpec.model_validate({"source": source, "requests": ["purchase"], "limit": ROWS})
    catalog = open_catalog(CatalogSpec.model_validate({"source": source}), None, Path())
    items = ItemTable(catalog, 128)
    log = EventLog(workload, Path(), items, "fail")
    summary = scan(log, items)
    # TTLs out of the way: exact LRU knows none.
    arms = [EventArm(name, new_redis(), TtlSpec(long=10**8, medium=10**8, short=10**8)) for name in ("baseline", "noop")]
    sizing, empties = measure(arms, CacheSpec(capacity=capacity), items, summary, 0, Shard())
    for arm, empty in zip(arms, empties, strict=True):
        arm.begin("r1", empty, sizing.room)
    codes = np.concatenate([block.items for block in log.blocks()])
    ratios = replay(arms, sizing, items, codes)
    exact = float(lru(codes, sizing.capacity_items).mean())
    print(f"ratios {ratios} exact {exact} items {[arm.size() for arm in arms]} {sizing}")
    assert ratios == pytest.approx([exact, exact], abs=0.005)
    assert abs(ratios[0] - ratios[1]) <= 0.003
