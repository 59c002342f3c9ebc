"""How far rules go with the backend reads that may be spent."""

from collections.abc import Callable

import pytest

from aura_contract.context import ContextSnapshot
from aura_contract.plan import Rule
from aura_planner.rules import LADDER, START, affordable_rules, rung

MakeContext = Callable[..., ContextSnapshot]


def after(make_context: MakeContext, step: int, **cache: object) -> int | None:
    standing = {"policy": {"rules": [rule.model_dump() for rule in LADDER[step]]}}
    return rung(affordable_rules(make_context(cache={**standing, **cache}, caps={"backend_reads": 0.05})))


def test_every_step_of_the_ladder_is_another_one() -> None:
    assert len(set(LADDER)) == len(LADDER)
    assert [rung(step) for step in LADDER] == [None, 1, 2, 3, 4, 5]


def test_rules_begin_in_the_middle(make_context: MakeContext) -> None:
    assert affordable_rules(make_context()) == LADDER[START]
    foreign = {"policy": {"rules": [{"on": "request", "expand": "covisit", "fanout": 1}]}}
    assert affordable_rules(make_context(cache=foreign)) == LADDER[START]


@pytest.mark.parametrize(("step", "waste", "then"), [(3, 0.0, 4), (3, 0.03, 3), (3, 0.05, 2), (1, 0.2, 1), (5, 0.0, 5)])
def test_waste_makes_rules_stricter_and_thrift_looser(make_context: MakeContext, step: int, waste: float, then: int) -> None:
    assert after(make_context, step, prefetches=100, prefetch_hits=50, waste=waste) == then


def test_prefetches_that_nobody_asks_for_make_rules_stricter_whatever_they_cost(make_context: MakeContext) -> None:
    assert after(make_context, 4, prefetches=100, prefetch_hits=9, waste=0.001) == 3
    assert after(make_context, 4, prefetches=10, prefetch_hits=0, waste=0.001) == 5


def test_a_log_without_users_or_sessions_gets_no_rules(make_context: MakeContext) -> None:
    assert affordable_rules(make_context(workload={"offers": []}, window=3)) == ()


def test_a_rule_that_asks_for_the_impossible_is_none() -> None:
    with pytest.raises(ValueError, match="less than or equal to 10"):
        Rule(on="request", expand="covisit", fanout=11)
