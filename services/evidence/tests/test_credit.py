"""The planner's credit against controls, with figures computed by hand."""

from collections.abc import Callable

import pytest
from hand_made import folder_of

from aura_contract.plan import Plan
from aura_contract.results import WindowRecord
from aura_evidence.comparison import Difference
from aura_evidence.credit import Credit, Rival, model_of
from aura_evidence.facts import gather

Record = Callable[..., WindowRecord]


def plan(arm: str, seconds: float, planner: str | None = None, answer: str | None = None) -> Plan:
    return Plan(arm=arm, latency_s=seconds, planner=planner, answer=answer)


def test_credit_is_over_the_best_control_and_the_cheapest(record: Record) -> None:
    hits = {"baseline": 500, "aura": 580, "noop": 500, "heuristic": 560, "random": 530}
    records = [record(arm, window, hits=count) for window in range(6) for arm, count in hits.items()]
    plans = [plan("aura", s) for s in (1.0, 2.0, 9.0)] + [plan("heuristic", 0.002), plan("noop", 0.001), plan("random", 0.003)]
    facts = gather(folder_of(records, plans, warmup=1))
    credit = facts.credit
    assert credit is not None
    assert (credit.control, credit.gain.points, credit.standing) == ("heuristic", 2.0, "ahead")
    assert (credit.gain.low, credit.gain.high) == pytest.approx((2.0, 2.0))
    assert (credit.cheapest.name, credit.cheapest.gain.points, credit.cheapest.seconds) == ("noop", 8.0, 0.001)
    assert [(rival.name, rival.gain.points) for rival in credit.rivals] == [("noop", 8.0), ("heuristic", 2.0), ("random", 5.0)]
    assert facts.decision_seconds == 2.0
    assert facts.model == "ollama"


def test_windows_before_the_end_of_warm_up_do_not_count(record: Record) -> None:
    records = [record(arm, 0, hits=count) for arm, count in (("baseline", 100), ("aura", 900), ("noop", 100))]
    records += [record(arm, 1, hits=count) for arm, count in (("baseline", 500), ("aura", 510), ("noop", 505))]
    credit = gather(folder_of(records, warmup=1)).credit
    assert credit is not None
    assert credit.gain == Difference(0.5, 0.5, 0.5)
    assert credit.cheapest.seconds is None


def test_no_controls_no_credit(record: Record) -> None:
    assert gather(folder_of([record("baseline", 0), record("aura", 0)])).credit is None
    assert gather(folder_of([record("baseline", 0), record("noop", 0)])).credit is None


@pytest.mark.parametrize(
    ("gain", "standing"),
    [
        (Difference(1.0, 0.5, 1.5), "ahead"),
        (Difference(1.0, -0.1, 2.0), "level"),
        (Difference(0.2, 0.1, 0.3), "level"),
        (Difference(-0.2, -0.3, -0.1), "level"),
        (Difference(-1.0, -2.0, 0.1), "level"),
        (Difference(-1.0, -1.5, -0.5), "behind"),
    ],
)
def test_standing_needs_a_clear_interval_and_more_than_the_margin(gain: Difference, standing: str) -> None:
    rival = Rival("noop", 2, gain, None)
    assert Credit(rival, rival, [rival]).standing == standing


@pytest.mark.parametrize(
    ("backend", "planner", "answer", "model"),
    [
        ("ollama", "ollama/llama3.2:1b", "{}", "ollama/llama3.2:1b"),
        ("openai", None, None, "openai"),
        ("auto", "ollama/qwen", None, "ollama/qwen"),
        ("auto", "heuristic (http://localhost:11434 does not answer)", None, None),
        ("recorded", "recorded (ollama/llama3.2:1b)", None, "ollama/llama3.2:1b"),
        ("recorded", "recorded (openai/a (b))", None, "openai/a (b)"),
        ("recorded", "recorded (heuristic)", None, None),
        ("recorded", "recorded", '{"frequency": "high"}', "recorded model"),
        ("recorded", "recorded", None, None),
        ("heuristic", "heuristic", None, None),
        ("bandit", None, None, None),
    ],
)
def test_what_counts_as_a_model(backend: str, planner: str | None, answer: str | None, model: str | None) -> None:
    others = [plan("noop", 0.0, "ollama/not-this-arm", "text")]
    assert model_of(backend, [*others, plan("aura", 1.0, planner, answer)]) == model
