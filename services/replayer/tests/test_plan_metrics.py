"""Plans as metrics, from contexts that are sent to receipts that come back."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from aura_contract.plan import Plan, Policy
from aura_contract.receipt import Receipt
from aura_replayer.book import PlanBook
from aura_replayer.plan_metrics import PlanMetrics
from aura_replayer.results import JsonLines

Value = Callable[..., float | None]


@pytest.fixture
def book(tmp_path: Path) -> PlanBook:
    return PlanBook(("aura", "noop"), {name: JsonLines(tmp_path / name) for name in ("plans", "receipts")})


@pytest.fixture
def value(book: PlanBook) -> Value:
    """A sample by name and labels, of the arm `aura` unless another is named."""
    metrics, registry = PlanMetrics(), CollectorRegistry()
    metrics.arms = book.arms
    registry.register(metrics)
    return lambda name, **labels: registry.get_sample_value(name, {"arm": "aura", **labels})


def plan(window: int, **fields: Any) -> Plan:
    return Plan(plan_id=f"p-{window}", run="r", arm="aura", window=window, planner="test", **fields)


def receipt(window: int, outcome: str, reason: str | None = None) -> Receipt:
    counts = {"evict": 0, "prefetch": 0}
    fields = {"plan_id": f"p-{window}", "run": "r", "arm": "aura", "window": window, "planner": "test", "latency_ms": 1.0}
    fields |= dict.fromkeys(("requested", "applied", "effective"), counts)
    return Receipt.model_validate({**fields, "outcome": outcome, "reason": reason})


def test_all_counts_are_there_from_the_start(value: Value) -> None:
    for arm in ("aura", "noop"):
        for name in ("aura_contexts_total", "aura_contexts_waiting", "aura_context_wait_seconds", "aura_plans_decided_total"):
            assert value(name, arm=arm) == 0
    for reason in ("busy", "no_answer", "late", "invalid", "timeout", "unreachable"):
        assert value("aura_unplanned_windows_total", reason=reason) == 0
    for reason in ("breaker", "evictions", "ghost"):
        assert value("aura_guard_vetoes_total", reason=reason) == 0
    assert value("aura_unplanned_windows_total", reason="planned") is None


def test_a_context_waits_until_its_plan_comes(book: PlanBook, value: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    book.expect("aura", 0, exclusive=False)
    clock[0] = 130.0
    book.expect("aura", 1, exclusive=False)
    clock[0] = 145.0
    assert (value("aura_contexts_total"), value("aura_contexts_waiting"), value("aura_context_wait_seconds")) == (2, 2, 45)
    book.take_plan(plan(0))
    assert (value("aura_contexts_waiting"), value("aura_context_wait_seconds")) == (1, 15)
    book.take_plan(plan(1))
    assert (value("aura_contexts_total"), value("aura_contexts_waiting"), value("aura_context_wait_seconds")) == (2, 0, 0)
    assert value("aura_contexts_waiting", arm="noop") == 0


def test_a_context_that_was_passed_over_does_not_wait_for_ever(book: PlanBook, value: Value) -> None:
    for window in range(3):
        book.expect("aura", window, exclusive=False)
    book.take_plan(plan(1))
    assert value("aura_contexts_waiting") == 1


def test_windows_and_plans_are_counted_by_what_became_of_them(
    book: PlanBook, value: Value, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    book.judge = lambda _, judged: "ghost" if judged.window == 2 else None
    for window, outcome in enumerate(("planned", "planned", "planned", "unreachable")):
        book.expect("aura", window, exclusive=True)
        policy = Policy(frequency="high") if outcome == "planned" else None
        book.take_plan(plan(window, policy=policy, outcome=outcome))
        assert book.expect("aura", window, exclusive=True) is (outcome != "planned")
        if outcome == "planned":
            answers = (("applied", None), ("refused", "schema"), ("refused", "vetoed"))
            book.take_receipt(receipt(window, *answers[window]))
    assert value("aura_plans_decided_total") == 3
    assert (value("aura_plans_total", outcome="applied"), value("aura_plans_total", outcome="refused")) == (1, 2)
    assert value("aura_guard_vetoes_total", reason="ghost") == 1
    assert value("aura_unplanned_windows_total", reason="unreachable") == 1
    assert value("aura_unplanned_windows_total", reason="busy") == 3
    book.arms["aura"].rollbacks = 2
    assert value("aura_guard_rollbacks_total") == 2
    told = [(one.getMessage(), one.__dict__["window"], one.__dict__["plan_id"], one.__dict__["reason"]) for one in caplog.records]
    assert told == [
        ("plan applied", 0, "p-0", None),
        ("plan refused", 1, "p-1", "schema"),
        ("plan vetoed", 2, "p-2", "ghost"),
        ("plan refused", 2, "p-2", "vetoed"),
    ]
