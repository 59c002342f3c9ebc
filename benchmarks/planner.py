"""The planner's own work on a window of 500 candidates, from the message's bytes to the plan's bytes, without the model.

Milliseconds at the median and the 99th percentile, three times: by the wall's clock, by that clock without the time in which the
kernel let other processes run instead (`own`, which counts), and of processor time alone. On an idle machine all three are alike;
on a busy one the first measures the other processes. The model is a stand-in that answers at once, so prompt, parsing and checks
are in.
"""

import gc
import json
import random
import time
from pathlib import Path
from typing import Any

from results import Result, below

from aura_contract.context import ContextSnapshot, context_id
from aura_contract.experiment import ExperimentSpec
from aura_contract.payload import Item
from aura_planner.decision import Reasoner
from aura_planner.enrichment import Enrichment
from aura_planner.pipeline import Pipeline
from aura_planner.prompt import KeysPrompt, LeversPrompt, Prompt
from aura_planner.reasoners.heuristic import HeuristicReasoner
from aura_planner.reasoners.model import ModelReasoner, Reply
from aura_planner.reasoners.noop import NoopReasoner
from aura_planner.reasoners.random import RandomReasoner

__all__ = ["planner_benchmarks"]

WINDOWS = 1000
PAUSE = 0.005
"""Seconds between windows, which come one by one: without, the loop uses up its time slices and measures the scheduler."""
TITLE = "Organic whole-grain breakfast cereal with dried fruit, family pack, 750 g"


class Instant:
    """A model that answers at once with as much as it may."""

    name = "instant"

    def __init__(self) -> None:
        self.chars = 0

    def chat(self, prompt: Prompt, max_tokens: int, deadline: float) -> Reply:  # noqa: ARG002 - the interface's arguments
        """A full answer in the prompt's style."""
        self.chars = max(self.chars, len(prompt.system) + len(prompt.user))
        if isinstance(prompt, LeversPrompt):
            answer = {"frequency": "high", "admit": "all", "long": [1], "short": [2], "protect": [3]}
            answer |= {"seeds": list(prompt.load)[: prompt.max_seeds], "drop": list(prompt.drop)[: prompt.max_drop]}
            return Reply(json.dumps(answer), True, 400, 50)
        assert isinstance(prompt, KeysPrompt)
        keys = list(prompt.items)
        prefetch = [{"k": key, "v": "x", "ttl": 900} for key in keys[10:30]]
        return Reply(json.dumps({"evict": keys[:10], "prefetch": prefetch}), True, 700, 400)


class Shelf:
    """A catalogue in memory."""

    def lookup(self, items: list[str]) -> dict[str, Item]:
        """Every item has a row."""
        return {item: Item(item=item, title=TITLE, category="Breakfast", brand="Acme", price=4.99) for item in items}


def message(window: int) -> bytes:
    """A full context as the replayer writes it."""
    lots = random.Random(window)
    numbers = range(500)
    candidates: dict[str, list[Any]] = {
        "item": [str(1_000_000 + n * 37) for n in numbers],
        "count": [lots.randrange(1, 90) for _ in numbers],
        "trend": [lots.randrange(-40, 40) for _ in numbers],
        "frequency": [round(lots.random() * 50, 3) for _ in numbers],
        "last_seen": [lots.randrange(5000) for _ in numbers],
        "intent": [lots.randrange(3) for _ in numbers],
        "title": [TITLE for _ in numbers],
        "category": [f"Category number {n % 40}" for n in numbers],
    }
    stats = ("item", "count", "trend", "title", "category")
    workload = {
        "first_event": window * 5000,
        "last_event": window * 5000 + 4999,
        "start_v": window * 5000,
        "end_v": window * 5000 + 5000,
        "events": 5000,
        "requests": 5000,
        "distinct_items": 2600,
        "new_items": 400,
        "top_items": [{name: candidates[name][n] for name in stats} | {"brand": "Acme"} for n in range(20)],
        "top_categories": [{"category": f"Category number {n}", "count": 300 - n, "trend": n - 6} for n in range(12)],
        "candidates": candidates,
        "sessions": [{"events": [f"click:{1_000_000 + n * 37}" for n in range(8)]} for _ in range(5)],
    }
    policy = {"frequency": "high", "admit": "all", "ttl": {}, "protect": []}
    cache = {
        "hit_ratio": 0.48,
        "hit_ratio_history": [0.47] * 8,
        "baseline_hit_ratio": 0.42,
        "pressure": 0.99,
        "items": 3500,
        "capacity_items": 3500,
        "resident": [n for n in numbers if lots.random() < 0.5],
        "policy": policy,
        "last_plans": [],
    }
    whole = {
        "version": 1,
        "experiment": "bench",
        "run": "r1",
        "arm": "aura",
        "window": window,
        "context_id": context_id(json.dumps(workload)),
        "issued_at": time.time(),
        "expires_at": window * 5000 + 10_000,
        "workload": workload,
        "cache": cache,
        "caps": {"max_evict": 20, "max_prefetch": 20, "ttl_min": 60, "ttl_max": 3600},
    }
    return json.dumps(whole).encode()


def measure(reasoner: Reasoner, windows: int) -> dict[str, float]:
    """Milliseconds a window: median and 99th percentile, after ten windows of warm-up."""
    spec = ExperimentSpec.model_validate({"workload": {"source": {"path": "log"}}, "cache": {"capacity": "5%"}})
    pipeline = Pipeline(reasoner, spec, Enrichment(Shelf(), None, 128))
    messages = [message(window) for window in range(50)]
    wall, own, processor = [], [], []
    gc.collect()
    gc.freeze()
    for turn in range(windows + 10):
        time.sleep(PAUSE)
        waited, started, worked = queued(), time.perf_counter(), time.thread_time()
        made = pipeline.plan(ContextSnapshot.model_validate_json(messages[turn % 50]))
        wall.append((time.perf_counter() - started - made.decision.model_s) * 1000)
        processor.append((time.thread_time() - worked) * 1000)
        own.append(wall[-1] - (queued() - waited) * 1000)
        assert made.plan.outcome in {"planned", "noop"}, made.plan.reason
    return {**_spread("", wall[10:]), **_spread("own_", own[10:]), **_spread("cpu_", processor[10:])}


def queued() -> float:
    """Seconds that this thread has been ready to run and was not let; 0 where the kernel does not count them."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def _spread(name: str, times: list[float]) -> dict[str, float]:
    times = sorted(times)
    return {f"{name}p50_ms": round(times[len(times) // 2], 3), f"{name}p99_ms": round(times[int(len(times) * 0.99)], 3)}


def planner_benchmarks() -> list[Result]:
    """`planner_overhead_p99_ms`: the slowest reasoner's own time a window."""
    model = Instant()
    reasoners: dict[str, Reasoner] = {
        "noop": NoopReasoner(),
        "random": RandomReasoner(0),
        "heuristic": HeuristicReasoner(),
        "model, levers": ModelReasoner(model, "levers", 60, Enrichment(None, None, 128)),
        "model, keys": ModelReasoner(model, "keys", 60, Enrichment(None, None, 128)),
    }
    found = {name: measure(reasoner, WINDOWS) for name, reasoner in reasoners.items()}
    for name, figures in found.items():
        print(f"  {name}: {figures}")
    return [below("planner_overhead_p99_ms", max(figures["own_p99_ms"] for figures in found.values()), "ms a window", 5.0)]
