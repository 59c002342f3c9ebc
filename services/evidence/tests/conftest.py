"""Records and result folders to order, made of the contract's own models."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aura_contract.plan import Policy
from aura_contract.results import WindowRecord

sys.path.insert(0, str(Path(__file__).parent))


def make_record(arm: str, window: int, requests: int = 1000, hits: int = 500, **changes: Any) -> WindowRecord:
    misses = requests - hits
    values: dict[str, Any] = {
        "arm": arm,
        "window": window,
        "first_event": window * requests,
        "last_event": (window + 1) * requests - 1,
        "end_v": (window + 1) * requests,
        "requests": requests,
        "hits": hits,
        "misses": misses,
        "fills": misses,
        "prefetches": 0,
        "prefetch_hits": 0,
        "backend_reads": misses + changes.get("prefetches", 0),
        "hit_ratio": round(hits / requests, 6) if requests else 0.0,
        "pressure": min(1.0, 0.2 * (window + 1)),
        "items": 100,
        "policy": Policy(),
        "batch_p50_ms": 0.4,
        "batch_p99_ms": 1.0 + 0.01 * window,
    }
    return WindowRecord(**values | changes)


@pytest.fixture
def record() -> Callable[..., WindowRecord]:
    return make_record
