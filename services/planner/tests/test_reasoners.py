"""The reasoners that need no server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aura_contract.context import ContextSnapshot
from aura_contract.experiment import ExperimentSpec
from aura_contract.plan import Plan
from aura_planner.enrichment import Enrichment
from aura_planner.errors import SetupError
from aura_planner.pipeline import Pipeline
from aura_planner.reasoners.adversarial import AdversarialReasoner
from aura_planner.reasoners.bandit import BanditReasoner
from aura_planner.reasoners.heuristic import HeuristicReasoner
from aura_planner.reasoners.random import RandomReasoner
from aura_planner.reasoners.recorded import RecordedReasoner

MakeContext = Callable[..., ContextSnapshot]


def test_random_fills_the_caps_and_repeats(make_context: MakeContext) -> None:
    context = make_context(100)
    decision = RandomReasoner(1).decide(context)
    resident = {c.item for c in context.workload.candidates.rows if c.id in context.cache.resident}
    assert len(decision.seeds) == len(decision.evict) == 20
    assert not set(decision.seeds) & resident
    assert set(decision.evict) <= resident
    assert decision == RandomReasoner(1).decide(context)
    assert decision != RandomReasoner(2).decide(context)
    assert decision.seeds != RandomReasoner(1).decide(make_context(100, window=4)).seeds


def stat(frequency: str, gain: float, windows: float = 2.0) -> dict[str, object]:
    return {"frequency": frequency, "admit": "all", "windows": windows, "gain": gain, "spread": 0.0}


@pytest.mark.parametrize(
    ("levers", "expected"),
    [
        ([stat("high", -0.003)], "none"),
        ([stat("high", -0.003, windows=1.0)], "high"),
        ([stat("high", -0.001)], "high"),
        ([stat("high", -0.003), stat("medium", 0.02)], "medium"),
        ([stat("high", 0.01), stat("low", -0.02)], "high"),
        ([stat("none", -0.003)], "high"),
    ],
)
def test_heuristic_leaves_what_has_lost(make_context: MakeContext, levers: list[dict[str, object]], expected: str) -> None:
    policy = HeuristicReasoner().decide(make_context(40, window=16, cache={"levers": levers})).policy
    assert policy is not None
    assert policy.frequency == expected


def test_random_levers_do_not_depend_on_what_is_resident(make_context: MakeContext) -> None:
    windows = [(make_context(100, window=w), make_context(100, window=w, cache={"resident": [1, 2]})) for w in range(20)]
    levers = [[RandomReasoner(1).decide(context).policy for context in pair] for pair in windows]
    assert all(one == other for one, other in levers)
    assert len({str(one) for one, _ in levers}) > 5


@pytest.mark.parametrize(
    ("workload", "cache", "window", "expected"),
    [
        ({}, {}, 3, "high"),
        ({"new_items": 3800, "distinct_items": 3900}, {}, 3, "medium"),
        ({"new_items": 4000, "distinct_items": 4000}, {}, 3, "none"),
        ({"new_items": 0, "requests": 0, "distinct_items": 0}, {}, 3, "none"),
        ({}, {"hit_ratio": 0.45, "policy": {"frequency": "high"}}, 3, "medium"),
        ({}, {"hit_ratio": 0.45, "policy": {"frequency": "low"}}, 3, "none"),
        ({}, {"hit_ratio": 0.495, "policy": {"frequency": "high"}}, 3, "high"),
        ({}, {"policy": {"frequency": "low"}}, 9, "low"),
        ({}, {"policy": {"frequency": "low"}}, 16, "high"),
    ],
)
def test_heuristic_frequency(workload: Any, cache: Any, window: int, expected: str, make_context: MakeContext) -> None:
    decision = HeuristicReasoner().decide(make_context(workload=workload, cache=cache, window=window))
    assert decision.policy is not None
    assert decision.policy.frequency == expected


def test_heuristic_admission(make_context: MakeContext) -> None:
    usual = HeuristicReasoner().decide(make_context())
    fresh = HeuristicReasoner().decide(make_context(workload={"new_items": 3500, "distinct_items": 3600}))
    first = HeuristicReasoner().decide(make_context(workload={"new_items": 3500, "distinct_items": 3600}, window=0))
    assert [d.policy.admit for d in (usual, fresh, first) if d.policy] == ["all", "second_hit", "all"]


def test_heuristic_actions(make_context: MakeContext) -> None:
    context = make_context(200)
    decision = HeuristicReasoner().decide(context)
    by_item = {c.item: c for c in context.workload.candidates.rows}
    assert len(decision.seeds) == 20
    assert all(by_item[item].trend > 0 and by_item[item].id not in context.cache.resident for item in decision.seeds)
    assert not decision.evict


def test_a_recording_repeats_bit_for_bit(tmp_path: Path, make_context: MakeContext, make_spec: Callable[..., Any]) -> None:
    spec: ExperimentSpec = make_spec()
    first = Pipeline(RandomReasoner(3), spec, Enrichment(None, None, 128))
    contexts = [make_context(100, window=n) for n in range(4)]
    plans = [first.plan(context).plan for context in contexts]
    path = tmp_path / "plans.jsonl"
    path.write_text("".join(plan.model_dump_json() + "\n" for plan in plans[:3]) + '{"half a li', encoding="utf-8")
    again = Pipeline(RecordedReasoner(path), spec, Enrichment(None, None, 1))
    for context, plan in zip(contexts[:3], plans, strict=False):
        repeated = again.plan(context.model_copy(update={"run": "r2"})).plan
        varying = {"run", "plan_id", "issued_at", "planner"}
        assert repeated.model_dump(exclude=varying) == plan.model_dump(exclude=varying)
        assert repeated.planner == "recorded (random)"
        assert repeated.plan_id == (plan.plan_id or "").replace("r1-", "r2-")
    unknown = again.plan(contexts[3]).plan
    assert (unknown.outcome, unknown.reason) == ("invalid", "no recorded plan for this window")
    assert not unknown.prefetch


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "the recording cannot be read: No such file or directory"),
        ("", "holds no plans"),
        ("garbage\n{}\n", "line 1: is not a plan"),
        (json.dumps(Plan().model_dump()) + "\n", "holds no plans"),
    ],
)
def test_bad_recordings_are_named(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "plans.jsonl"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SetupError, match=sentence) as caught:
        RecordedReasoner(path)
    assert str(path) in str(caught.value)


def ghosts(**gains: float) -> dict[str, object]:
    levels = ("none", "low", "medium", "high")
    return {"ghosts": [{"frequency": level, "gain": gains.get(level, 0.0), "error": 0.01} for level in levels]}


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ({"low": 0.05, "medium": 0.09, "high": 0.1}, "high"),
        ({"low": 0.05, "medium": 0.1, "high": 0.095}, "high"),
        ({"low": 0.05, "medium": 0.1, "high": 0.02}, "medium"),
        ({"low": 0.004, "medium": 0.006, "high": 0.009}, "none"),
        ({"low": -0.01, "medium": -0.05, "high": -0.2}, "none"),
    ],
)
def test_what_ghosts_find_decides_before_it_was_tried(make_context: MakeContext, gains: dict[str, float], expected: str) -> None:
    policy = HeuristicReasoner().decide(make_context(cache=ghosts(**gains))).policy
    assert policy is not None
    assert policy.frequency == expected
    tried = BanditReasoner(1).decide(make_context(cache={**ghosts(**gains), "standing": 5}, window=9)).policy
    assert tried is not None
    assert tried.frequency == max(gains | {"none": 0.0}, key=lambda level: (gains | {"none": 0.0})[level])


def test_the_adversary_does_its_worst_within_the_rules(make_context: MakeContext) -> None:
    context = make_context(200)
    decision = AdversarialReasoner().decide(context)
    by_item = {c.item: c for c in context.workload.candidates.rows}
    hottest = sorted((c.count for c in context.workload.candidates.rows if c.id in context.cache.resident), reverse=True)
    assert [by_item[item].count for item in decision.evict] == hottest[:20]
    assert not {by_item[item].id for item in decision.seeds} & set(context.cache.resident)
    assert decision.policy is not None
    assert decision.policy.ttl == {"*": "none"}
