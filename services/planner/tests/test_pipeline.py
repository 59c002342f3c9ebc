"""From decision to message: actions, envelope, guard, and what happens when something breaks."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_contract.admissibility import Admissible, admissible
from aura_contract.context import ContextSnapshot
from aura_contract.experiment import ExperimentSpec
from aura_contract.limits import ExecutorSpec
from aura_contract.payload import Item, payload_of
from aura_contract.plan import Plan, Policy, Prefetch
from aura_planner.decision import Decision
from aura_planner.enrichment import Enrichment
from aura_planner.guard import guarded
from aura_planner.metrics import Metrics
from aura_planner.pipeline import Pipeline

MakeContext = Callable[..., ContextSnapshot]
MakeSpec = Callable[..., ExperimentSpec]


@dataclass
class Fixed:
    """A reasoner that decides what it is told, or raises it."""

    what: Decision | Exception
    name: str = "fixed"
    slow: bool = False

    def decide(self, context: ContextSnapshot) -> Decision:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


@dataclass
class Books:
    """A catalogue and neighbours in memory, which fail when told to."""

    rows: dict[str, Item] = field(default_factory=dict)
    near: dict[str, list[str]] = field(default_factory=dict)
    broken: bool = False

    def lookup(self, items: Sequence[str]) -> Mapping[str, Item]:
        if self.broken:
            raise ConnectionError("gone")
        return {item: self.rows[item] for item in items if item in self.rows}

    def similar(self, items: Sequence[str], k: int) -> Mapping[str, Sequence[str]]:
        if self.broken:
            raise ConnectionError("gone")
        return {item: self.near.get(item, []) for item in items}


def pipeline(what: Any, spec: ExperimentSpec, books: Books | None = None) -> Pipeline:
    return Pipeline(Fixed(what), spec, Enrichment(books, books, spec.cache.payload_bytes))


def test_a_plan_names_its_shard(make_context: MakeContext, make_spec: MakeSpec) -> None:
    made = [pipeline(Decision(), make_spec()).plan(make_context(shard=shard)) for shard in (0, 2)]
    assert [one.plan.shard for one in made] == [0, 2]
    # Two shards may see the same, and windows of an empty one look alike.
    assert made[0].plan.plan_id != made[1].plan.plan_id
    found = admissible(made[1].payload, ExecutorSpec())
    assert isinstance(found, Admissible)
    assert found.plan.shard == 2


def test_values_come_from_the_catalogue(make_context: MakeContext, make_spec: MakeSpec) -> None:
    item = Item(item="i3", title="Tea", category="Drinks")
    plan = pipeline(Decision(seeds=("i3", "i5"), evict=("i2",)), make_spec(), Books({"i3": item})).plan(make_context()).plan
    assert plan.evict == ("item:i2",)
    assert plan.prefetch == (
        Prefetch(k="item:i3", v=payload_of(item), ttl=900),
        Prefetch(k="item:i5", v="i5".ljust(128, "."), ttl=900),
    )


def test_residents_and_evicted_items_are_not_prefetched(make_context: MakeContext, make_spec: MakeSpec) -> None:
    plan = pipeline(Decision(seeds=("i2", "i3", "i3", "i5"), evict=("i5",)), make_spec()).plan(make_context()).plan
    assert [action.k for action in plan.prefetch] == ["item:i3"]


def test_caps_and_ttls(make_context: MakeContext, make_spec: MakeSpec) -> None:
    context = make_context(caps={"max_prefetch": 2, "max_evict": 1, "ttl_min": 100, "ttl_max": 200})
    decision = Decision(seeds=("i1", "i3", "i5"), evict=("i2", "i4"), ttl={"i3": 150})
    plan = pipeline(decision, make_spec()).plan(context).plan
    assert [(action.k, action.ttl) for action in plan.prefetch] == [("item:i1", 200), ("item:i3", 150)]
    assert len(plan.evict) == 1


def test_expansion_by_similarity_fills_up_round_by_round(make_context: MakeContext, make_spec: MakeSpec) -> None:
    books = Books(near={"i1": ["n1", "i2", "n2"], "i3": ["n3", "n1"]})
    decision = Decision(seeds=("i1", "i3"), expand="similar", fanout=2)
    plan = pipeline(decision, make_spec(), books).plan(make_context()).plan
    assert [action.k for action in plan.prefetch] == ["item:i1", "item:i3", "item:n1", "item:n3"]


def test_expansion_by_co_visitation(make_context: MakeContext, make_spec: MakeSpec, make_candidate: Callable[..., Any]) -> None:
    rows = [make_candidate(1, neighbours=["c1", "c2", "c3"]), make_candidate(2)]
    decision = Decision(seeds=("i1",), expand="covisit", fanout=2)
    plan = pipeline(decision, make_spec()).plan(make_context(rows)).plan
    assert [action.k for action in plan.prefetch] == ["item:i1", "item:c1", "item:c2"]


def test_a_source_that_failed_is_not_asked_again_at_once() -> None:
    failed: list[str] = []
    enrichment = Enrichment(Books(broken=True), Books(broken=True), 128, failed.append)
    for _ in range(3):
        assert enrichment.rows(["i1"]) == enrichment.similar(["i1"], 2) == {}
    assert failed == ["catalogue", "neighbours"]


def test_a_catalogue_that_goes_away_is_done_without_and_said_once(
    make_context: MakeContext, make_spec: MakeSpec, caplog: pytest.LogCaptureFixture
) -> None:
    books, metrics = Books(broken=True), Metrics(())
    enrichment = Enrichment(books, books, 128, metrics.failed_lookup, rest=0)
    one = Pipeline(Fixed(Decision(seeds=("i3",), expand="similar", fanout=1)), make_spec(), enrichment)
    for _ in range(3):
        plan = one.plan(make_context()).plan
        assert (plan.outcome, len(plan.prefetch)) == ("planned", 1)
    assert sum("cannot be used" in record.message for record in caplog.records) == 2
    for source in ("catalogue", "neighbours"):
        assert metrics.registry.get_sample_value("aura_planner_failed_lookups_total", {"source": source}) == 3


def test_latency_is_charged_or_free(make_context: MakeContext, make_spec: MakeSpec) -> None:
    context, decision = make_context(), Decision(latency_s=1.2345)
    end = context.workload.end_v
    charged = pipeline(decision, make_spec({"latency": "charged"})).plan(context).plan
    assert (charged.apply_at, charged.expires_at, charged.latency_s) == (end + 1234, context.expires_at + 1234, 1.2345)
    tenfold = pipeline(decision, make_spec({"latency": "x10"})).plan(context).plan
    assert (tenfold.apply_at, tenfold.expires_at, tenfold.latency_s) == (end + 12345, context.expires_at + 12345, 1.2345)
    free = pipeline(decision, make_spec({"latency": "free"})).plan(context).plan
    assert (free.apply_at, free.expires_at, free.latency_s) == (end, context.expires_at, 1.2345)


def test_an_exception_leaves_the_window_unplanned(make_context: MakeContext, make_spec: MakeSpec) -> None:
    made = pipeline(ValueError("y" * 500), make_spec()).plan(make_context())
    assert made.plan.outcome == "invalid"
    assert (made.plan.reason or "").startswith("ValueError: yyy")
    assert len(made.plan.reason or "") == 200
    assert (made.plan.evict, made.plan.prefetch, made.plan.policy) == ((), (), None)
    assert made.decision.discarded == "exception"


def test_the_answer_is_cut(make_context: MakeContext, make_spec: MakeSpec) -> None:
    plan = pipeline(Decision(outcome="invalid", answer="z" * 9000), make_spec()).plan(make_context()).plan
    assert len(plan.answer or "") == 4000


def test_the_message_is_the_plan(make_context: MakeContext, make_spec: MakeSpec) -> None:
    made = pipeline(Decision(seeds=("i3",), policy=Policy(frequency="high", protect=("cat1",))), make_spec()).plan(make_context())
    assert Plan.model_validate_json(made.payload) == made.plan
    assert json.loads(made.payload)["policy"]["frequency"] == "high"


def test_keys_that_the_executor_refuses_are_taken_out(
    make_context: MakeContext, make_spec: MakeSpec, make_candidate: Callable[..., Any]
) -> None:
    rows = [make_candidate(1, item="k" * 300), make_candidate(3, item="with space"), make_candidate(5, item="ü\n")]
    made = pipeline(Decision(seeds=tuple(row["item"] for row in rows)), make_spec()).plan(make_context(rows))
    assert [action.k for action in made.plan.prefetch] == ["item:with%20space", "item:ü%0A"]
    assert made.removed == {"bad_key": 1}


def test_a_plan_over_a_megabyte_is_cut(make_context: MakeContext, make_spec: MakeSpec) -> None:
    rows = {f"i{n}": Item(item=f"i{n}", title="t" * 64_000) for n in range(1, 40, 2)}
    made = pipeline(Decision(seeds=tuple(rows)), make_spec(), Books(rows)).plan(make_context())
    assert 10 < len(made.plan.prefetch) < 20
    assert made.removed["too_large"] == 20 - len(made.plan.prefetch)
    assert isinstance(admissible(made.payload, ExecutorSpec()), Admissible)


PLANS = st.builds(
    Plan,
    evict=st.lists(st.text(max_size=8) | st.sampled_from(["item:1", "item:2", "user:1"]), max_size=8).map(tuple),
    prefetch=st.lists(
        st.builds(
            Prefetch,
            k=st.text(max_size=8) | st.sampled_from(["item:1", "item:3", "item:"]),
            v=st.text(),
            ttl=st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=8,
    ).map(tuple),
    answer=st.none() | st.text(),
    policy=st.none() | st.builds(Policy, ttl=st.dictionaries(st.text(), st.just("long"), max_size=3)),
    latency_s=st.floats(min_value=0, allow_infinity=False),
)


def test_a_plan_that_nothing_makes_small_is_emptied() -> None:
    plan, payload, _ = guarded(Plan(reason="r" * 2_000_000), ExecutorSpec())
    assert plan.outcome == "invalid"
    assert (plan.reason or "").startswith("the plan breaks a rule of the executor: too_large: 2000")
    assert isinstance(admissible(payload, ExecutorSpec()), Admissible)


@settings(max_examples=200)
@given(PLANS)
def test_nothing_that_leaves_the_guard_is_refused(plan: Plan) -> None:
    caps = ExecutorSpec(max_evict=3, max_prefetch=3)
    _, payload, _ = guarded(plan, caps)
    verdict = admissible(payload, caps)
    assert isinstance(verdict, Admissible)
    assert not verdict.refused
    assert not verdict.clamped
