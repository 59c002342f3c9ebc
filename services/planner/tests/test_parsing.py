"""Answers as small models write them, and answers as nobody should."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_contract.context import Caps
from aura_planner.answers import keys_decision, levers_decision
from aura_planner.parsing import AnswerError, first_object
from aura_planner.prompt import KeysPrompt, LeversPrompt
from aura_planner.rules import AHEAD

GOOD = {"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}]}
CAPS = Caps(max_evict=3, max_prefetch=3, ttl_min=60, ttl_max=3600)
KEYS = KeysPrompt("", "", {}, {f"item:{n}": str(n) for n in range(1, 13)})
LEVERS = LeversPrompt(
    "", "", {}, load={1: "a", 2: "b", 3: "c"}, drop={4: "d", 5: "e"}, categories=("x", "y"), max_seeds=2, max_drop=2
)


@pytest.mark.parametrize(
    "text",
    [
        '{"evict":["item:1"],"prefetch":[{"k":"item:2","v":"x","ttl":900}]}',
        '```json\n{"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}]}\n```',
        'Sure! Here is the plan:\n\n{"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}]}\n\nEnjoy :}',
        'Given {pressure} of 85%: {"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}]} and {"evict": []}',
        "{'evict': ['item:1'], 'prefetch': [{'k': 'item:2', 'v': 'x', 'ttl': 900}]}",
        '{"evict": ["item:1",], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900,},],}',
        '{evict: ["item:1"], prefetch: [{k: "item:2", v: "x", ttl: 900}]}',
        '{"evict": ["item:1"], // cold\n "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}] /* hot */ }',
        '{"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}]',
        '{"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": "x", "ttl": 900}',
        '{"evict": ["item:1"] "prefetch": [{"k": "item:2" "v": "x" "ttl": 900}]}',
        "{“evict”: [“item:1”], “prefetch”: [{“k”: “item:2”, “v”: “x”, “ttl”: 900}]}",
        '<think>maybe {"evict": []}?</think>{"evict":["item:1"],"prefetch":[{"k":"item:2","v":"x","ttl":900}]}',
    ],
)
def test_one_object_in_many_disguises(text: str) -> None:
    assert first_object(text) == GOOD


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"v": "a } brace and a \\" quote", "ttl": 1}', {"v": 'a } brace and a " quote', "ttl": 1}),
        ("{'v': 'it\\'s', 'ok': True, 'no': None, 'f': 1.5}", {"v": "it's", "ok": True, "no": None, "f": 1.5}),
        ('{"evict": ["item:1", "item:12', {"evict": ["item:1"]}),
        ('{"seeds": [1, 2, 3', {"seeds": [1, 2]}),
        ('{"prefetch": [{"k": "item:1", "ttl": 60}, {"k": "item:2", "tt', {"prefetch": [{"k": "item:1", "ttl": 60}]}),
        ('{"a": "\\u0041", \'b\': "\\u0042"}', {"a": "A", "b": "B"}),
        ("{a: {b: {c: 1}}}", {"a": {"b": {"c": 1}}}),
    ],
)
def test_what_is_kept(text: str, found: dict[str, Any]) -> None:
    assert first_object(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("<think>hmm", "empty"),
        ("I would evict nothing.", "no_object"),
        ("[1, 2, 3]", "no_object"),
        ("{}", "no_object"),
        ("{{{{{{", "no_object"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "no_object"),
    ],
)
def test_no_object(text: str, reason: str) -> None:
    with pytest.raises(AnswerError) as caught:
        first_object(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("piece", ["{", "{a", '{"a":', "[", "/*", '{"', "{'a':'", "\\", "{a:/*x", '{"a":"\\'])
def test_a_megabyte_of_garbage_is_bounded(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    with contextlib.suppress(AnswerError):
        first_object(text)
    assert time.perf_counter() - started < 2


def keys(evict: str = "[]", prefetch: str = "[]") -> str:
    return f'{{"evict": {evict}, "prefetch": {prefetch}}}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no plan today", "no_object"),
        ('{"evict": "item:1", "prefetch": []}', "schema"),
        ('{"evict": []}', "schema"),
        (keys(prefetch='[{"k": "item:1"}]'), "schema"),
        (keys(prefetch='[{"k": "item:1", "v": "", "ttl": "soon"}]'), "schema"),
        (keys('["item:99"]'), "unknown_item"),
        (keys('["user:1"]'), "unknown_item"),
        (keys('["item:1", "item:1"]'), "duplicate"),
        (keys('["item:1", "item:2", "item:3", "item:4"]'), "over_cap"),
        (keys(prefetch='[{"k": "item:1", "v": "", "ttl": 5}]'), "ttl_out_of_range"),
        (keys(prefetch='[{"k": "item:1", "v": "", "ttl": 86400}]'), "ttl_out_of_range"),
        (keys('["item:1"]', '[{"k": "item:1", "v": "", "ttl": 60}]'), "conflict"),
    ],
)
def test_keys_discarded(text: str, reason: str) -> None:
    with pytest.raises(AnswerError) as caught:
        keys_decision(text, KEYS, CAPS)
    assert caught.value.reason == reason


def test_keys_kept() -> None:
    text = '{"evict": ["item:1"], "prefetch": [{"k": "item:2", "v": {"any": "thing"}, "ttl": "120"}, {"k": "item:3", "ttl": 60}]}'
    decision = keys_decision(text, KEYS, CAPS)
    assert (decision.evict, decision.seeds, decision.ttl) == (("1",), ("2", "3"), {"2": 120, "3": 60})
    assert decision.policy is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"frequency": "extreme", "admit": "all"}', "schema"),
        ('{"frequency": "high"}', "schema"),
        ('{"frequency": "high", "admit": "all", "seeds": ["one"]}', "schema"),
        ('{"frequency": "high", "admit": "all", "seeds": [9]}', "unknown_item"),
        ('{"frequency": "high", "admit": "all", "seeds": [4]}', "unknown_item"),
        ('{"frequency": "high", "admit": "all", "drop": [1]}', "unknown_item"),
        ('{"frequency": "high", "admit": "all", "seeds": [1, 2, 3]}', "over_cap"),
        ('{"frequency": "high", "admit": "all", "seeds": [1, 1]}', "duplicate"),
        ('{"frequency": "high", "admit": "all", "protect": [3]}', "unknown_category"),
        ('{"frequency": "high", "admit": "all", "long": [0]}', "unknown_category"),
        ('{"frequency": "high", "admit": "all", "long": [1], "short": [1]}', "conflict"),
    ],
)
def test_levers_discarded(text: str, reason: str) -> None:
    with pytest.raises(AnswerError) as caught:
        levers_decision(text, LEVERS)
    assert caught.value.reason == reason


def test_levers_kept() -> None:
    text = '{"frequency":"high","admit":"second_hit","ahead":"sure","long":[1],"short":[2],"protect":[2],"expand":"similar",'
    text += '"seeds":[3,1],"drop":[5]}'
    decision = levers_decision(text, LEVERS)
    assert decision.policy is not None
    assert decision.policy.model_dump() == {
        "frequency": "high",
        "admit": "second_hit",
        "ttl": {"x": "long", "y": "short"},
        "protect": ("y",),
        "rules": tuple(rule.model_dump() for rule in AHEAD["sure"]),
    }
    assert (decision.seeds, decision.evict, decision.expand) == (("c", "a"), ("e",), "similar")


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["item:1", "item:2", "item:99"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from([*GOOD, "k", "v", "ttl"]) | st.text(), inner),
    max_leaves=20,
)
NEAR = st.sampled_from(
    ['{"evict":', '["item:1"', "]", ',"prefetch":', '[{"k":"item:2","v":"', '","ttl":', "900", "}", "'", "//", "\\"]
)
ANSWERS = st.text() | JSONISH.map(str) | st.lists(NEAR | st.text(max_size=3), max_size=30).map("".join)


@given(ANSWERS)
def test_any_answer_is_a_valid_decision_or_discarded(text: str) -> None:
    _check(lambda: keys_decision(text, KEYS, CAPS), set(KEYS.items.values()), set(KEYS.items.values()), (3, 3))
    _check(lambda: levers_decision(text, LEVERS), set(LEVERS.load.values()), set(LEVERS.drop.values()), (2, 2))


NUMBERS = st.lists(st.integers(-1, 7), max_size=4)


@given(
    st.fixed_dictionaries(
        {"frequency": st.sampled_from(["none", "high", "odd"]), "admit": st.just("all")},
        optional=dict.fromkeys(("long", "short", "protect", "seeds", "drop"), NUMBERS),
    )
)
def test_any_numbers_stay_within_the_options(answer: dict[str, Any]) -> None:
    _check(lambda: levers_decision(str(answer), LEVERS), set(LEVERS.load.values()), set(LEVERS.drop.values()), (2, 2))


@given(
    st.lists(st.sampled_from([f"item:{n}" for n in range(15)]), max_size=5),
    st.lists(
        st.fixed_dictionaries({"k": st.sampled_from([f"item:{n}" for n in range(15)]), "ttl": st.integers(0, 4000)}), max_size=5
    ),
)
def test_any_keys_stay_within_the_caps(evict: list[str], prefetch: list[dict[str, Any]]) -> None:
    text = str({"evict": evict, "prefetch": prefetch})
    _check(lambda: keys_decision(text, KEYS, CAPS), set(KEYS.items.values()), set(KEYS.items.values()), (3, 3))


def _check(decide: Callable[[], Any], load: set[str], drop: set[str], caps: tuple[int, int]) -> None:
    try:
        decision = decide()
    except AnswerError:
        return
    assert set(decision.seeds) <= load
    assert set(decision.evict) <= drop
    assert len(set(decision.seeds)) == len(decision.seeds) <= caps[0]
    assert len(set(decision.evict)) == len(decision.evict) <= caps[1]
    assert not set(decision.seeds) & set(decision.evict)
    assert all(60 <= ttl <= 3600 for ttl in decision.ttl.values())
