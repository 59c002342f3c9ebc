"""The checks find what they are there for, and a run under faults stands up to them."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from chaos.checks import Evidence, problems
from chaos.faults import ARMS, schedule
from chaos.run import one_run

from aura_contract.plan import Plan
from aura_contract.receipt import ActionCounts, Receipt
from aura_contract.results import WindowRecord
from aura_evidence.verdict import make_verdict


def record(arm: str, window: int, **changes: int) -> WindowRecord:
    fields: dict[str, Any] = {"requests": 10, "hits": 4, "misses": 6, "fills": 6, "prefetches": 0, "prefetch_hits": 0}
    fields |= {"first_event": window * 10, "last_event": window * 10 + 9, "end_v": window, "backend_reads": 6, "hit_ratio": 0.4}
    fields |= {"pressure": 0.5, "items": 5, "batch_p50_ms": 1.0, "batch_p99_ms": 1.0, "policy": {}, "plan_id": None, **changes}
    return WindowRecord(arm=arm, window=window, **fields)


def receipt(plan_id: str) -> Receipt:
    return Receipt(
        plan_id=plan_id, run="r", arm="aura", window=0, planner="heuristic", outcome="applied", requested=ActionCounts(), latency_ms=1.0
    )  # fmt: skip


def late() -> Plan:
    return Plan(evict=(), prefetch=(), run="r", arm="aura", window=1, planner="ollama/x", latency_s=11.0)


def sound() -> Evidence:
    windows = [record(arm, window) for window in range(3) for arm in ARMS]
    verdict = make_verdict(
        "chaos", "r", windows, {}, {"baseline": None, "aura": "heuristic"}, capacity_items=9, events=30, bad_rows=0,
        wall_seconds=1.0, data_sha256="0", seed=1,
    )  # fmt: skip
    states = {arm: {"requests": "30", "hits": "12", "plans": "2" if arm == "aura" else "0"} for arm in ARMS}
    return Evidence([10, 10, 10], verdict, None, windows, states, [receipt("p1"), receipt("p2"), receipt("p2")])


def test_a_sound_run_has_no_problems() -> None:
    assert problems(sound()) == []
    idle = replace(sound(), receipts=[*sound().receipts, receipt("p3")], idle=frozenset({"p3"}))
    assert problems(replace(idle, lookups={"catalogue": (0, 0), "neighbours": (3, 1)}, plans=[late()], plan_seconds=9.0)) == []
    assert problems(replace(sound(), verdict=None, sentence="Redis of arm aura does not answer", lost=frozenset({"aura"}))) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"windows": [*sound().windows, record("aura", 2)]}, "window 2 of arm aura is told 2 times"),
        ({"windows": [*sound().windows[:-1], record("aura", 2, requests=9)]}, "window 2 of arm aura has 9 requests of 10"),
        (
            {"windows": [*sound().windows[:-1], record("aura", 2, hits=5)]},
            "window 2 of arm aura: hits and misses are not its requests",
        ),
        ({"windows": sound().windows[:-1]}, "arm aura has 2 windows of 3"),
        ({"expected": [10, 10, 10, 10]}, "arm aura: 30 requests, 12 hits and 18 misses of 40 requests"),
        (
            {"states": {"aura": {"requests": "31", "hits": "12", "plans": "2"}}},
            "arm aura: 30 requests and 12 hits, its server says 31, 12",
        ),
        ({"receipts": [receipt("p1")]}, "arm aura carried out 2 plans, and 1 plans have a receipt that says so"),
        ({"lost": frozenset({"aura"})}, "a verdict in spite of arm aura, whose server was started again empty"),
        ({"verdict": None}, "the run failed without a word"),
        ({"plans": [late()], "plan_seconds": 5}, "window 1 waited 11.0 s for its plan, 10.5 at the most"),
        (
            {"lookups": {"catalogue": (2, 0)}},
            "2 look-ups of the catalogue are counted as failed, and the log says so 0 times",
        ),
        (
            {"lookups": {"neighbours": (0, 1)}},
            "0 look-ups of the neighbours are counted as failed, and the log says so 1 times",
        ),
        ({"only_context": True, "plan_seconds": 9, "plans": [late()]}, "0 of 2 windows have an answer of the planner"),
        (
            {"only_context": True, "verdict": None, "sentence": "gone"},
            "the run ended for want of context: gone",
        ),
    ],
)
def test_what_is_wrong_is_found(changes: dict[str, Any], told: str) -> None:
    assert told in problems(replace(sound(), **changes))


def test_a_seed_draws_the_same_faults_and_seeds_draw_all_kinds() -> None:
    assert schedule(Random(7)) == schedule(Random(7))
    kinds = {(fault.part, fault.action) for seed in range(60) for fault in schedule(Random(seed))}
    servers = ("redis-baseline", "redis-aura", "broker")
    wanted = {(part, action) for part in ("replayer", "planner", "executor") for action in ("kill", "pause")}
    assert kinds == wanted | {(part, action) for part in servers for action in ("kill", "pause", "cut", "stall")}


@pytest.mark.parametrize("seed", [1, 20], ids=["a verdict", "a lost arm"])
def test_a_run_under_faults(seed: int, tmp_path: Path) -> None:
    outcome = one_run(seed, tmp_path / "run")
    assert outcome.problems == [], outcome
    assert len(outcome.faults) > 3
    assert (outcome.verdict is None) == bool(outcome.lost)
