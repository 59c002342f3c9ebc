"""Answers of a hostile model, on their whole way to a plan: `make hostile` tries a million of them."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aura_contract.admissibility import Admissible, admissible
from aura_contract.context import ContextSnapshot
from aura_contract.experiment import ExperimentSpec
from aura_contract.limits import ExecutorSpec
from aura_planner.answers import keys_decision, levers_decision
from aura_planner.enrichment import Enrichment
from aura_planner.parsing import MAX_ANSWER_CHARS, AnswerError
from aura_planner.pipeline import Pipeline
from aura_planner.prompt import KeysPrompt, LeversPrompt, Prompt, keys_prompt, levers_prompt
from aura_planner.reasoners.model import ModelReasoner, Reply

LOTS = int(os.environ.get("AURA_HOSTILE_LOTS", "1"))
ANSWERS_A_LOT = 5000
SLOWEST_S = 2.0

KEYS = KeysPrompt("", "", {}, {f"item:{n}": str(n) for n in range(1, 13)})
LEVERS = LeversPrompt(
    "", "", {}, load={1: "a", 2: "b", 3: "c"}, drop={4: "d", 5: "e"}, categories=("x", "y"), max_seeds=2, max_drop=2
)
WHOLE = (
    '{"evict":["item:1"],"prefetch":[{"k":"item:2","v":"x","ttl":900},{"k":"item:3","ttl":"60"}]}',
    '{"frequency":"high","admit":"all","ahead":"sure","long":[1],"short":[2],"protect":[2],"expand":"covisit","seeds":[1,2],"drop":[4]}',
    "```json\n{'evict': [], 'prefetch': [],}\n```",
)
PIECES = (
    "{", "}", "[", "]", '"', "'", "`", "```json\n", "<think>", "</think>", "<thinking>", "//", "/*", "*/", "#", "\\", "\\u", "\\ud800",
    "\ud800", "\udfff", "\0", "\r\n", "\u2028", "\ufeff", "\u202e", "😀", "“", "”", "e\u0301", ",", ":", "null", "NaN", "Infinity", "-0",
    "1e999", "9" * 400, "9" * 5000, "0x1", "true", "None", '"evict":', '"prefetch":', '"k":"item:1"', '"ttl":', '"frequency":"high"',
    '"admit":"all"', '"seeds":[1]', '"__class__":', "item:*", "item:1\r\nFLUSHALL\r\n", "aura:state", "{" * 2000, "[" * 5000, '{"a":' * 2000,
    "x" * MAX_ANSWER_CHARS, "`" * 5000, '\\"' * 5000, "<think>" * 3000, "/*" * 8000, "{'" * 5000, '"' * 8000, "😀" * 5000, " " * 8000,
)  # fmt: skip
SHORT_PIECES = tuple(piece for piece in PIECES if len(piece) < 50)
PIECE = st.sampled_from(PIECES) | st.text(max_size=8) | st.sampled_from(WHOLE)


@st.composite
def answers(draw: st.DrawFn) -> str:
    """A whole answer with pieces put in, taken out or repeated, or pieces alone."""
    text = draw(st.sampled_from(("", *WHOLE)))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 6)))
        text = text[:start] + draw(PIECE) * draw(st.sampled_from((1, 1, 1, 2, 50))) + text[stop:]
    return text


def checked(text: str) -> int:
    """Both readers: their own refusal or a decision within the options, and in time. Returns how many decided."""
    started, decided, longest = time.process_time(), 0, 0
    for decide, load, drop, cap in (
        (lambda: keys_decision(text, KEYS, ExecutorSpec(max_evict=3, max_prefetch=3)), KEYS.items, KEYS.items, 3),
        (lambda: levers_decision(text, LEVERS), LEVERS.load, LEVERS.drop, 2),
    ):
        try:
            decision = decide()
        except AnswerError as error:
            longest = max(longest, len(str(error)))
            continue
        decided += 1
        for chosen, allowed in ((decision.seeds, load), (decision.evict, drop)):
            assert set(chosen) <= set(allowed.values())
            assert len(set(chosen)) == len(chosen) <= cap
        assert not set(decision.seeds) & set(decision.evict)
    assert longest <= 1000
    assert time.process_time() - started < SLOWEST_S
    return decided


@settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
@given(answers())
def test_any_answer_is_refused_or_within_the_options(text: str) -> None:
    checked(text)


def drawn(lots: random.Random) -> str:
    """An answer as in `answers`, by an ordinary generator: a hundred times as fast, and nothing that could be shrunk."""
    text = lots.choice(("", *WHOLE))
    for _ in range(lots.randrange(6)):
        start = lots.randrange(len(text) + 1)
        pieces = PIECES if lots.random() < 0.02 else SHORT_PIECES
        piece = lots.choice(pieces) if lots.random() < 0.8 else chr(lots.randrange(0x3000))
        text = text[:start] + piece * lots.choice((1, 1, 1, 2, 50)) + text[start + lots.randrange(7) :]
    return text


@pytest.mark.parametrize("lot", range(LOTS))
def test_many_answers_are_refused_or_within_the_options(lot: int) -> None:
    lots = random.Random(lot)
    kept = 0
    for _ in range(ANSWERS_A_LOT):
        kept += checked(drawn(lots))
    assert 0 < kept < ANSWERS_A_LOT


@dataclass
class Said:
    """A chat server that says one thing."""

    text: str = ""
    name: str = "said"

    def chat(self, prompt: Prompt, max_tokens: int, deadline: float) -> Reply:
        return Reply(self.text.encode("utf-8", "replace").decode(), complete=True)


@pytest.mark.parametrize("style", ["levers", "keys"])
def test_any_answer_ends_in_a_plan_that_no_executor_refuses(
    style: str, make_context: Callable[..., ContextSnapshot], make_spec: Callable[..., ExperimentSpec]
) -> None:
    context, spec, server = make_context(40), make_spec(), Said()
    enrichment = Enrichment(None, None, spec.cache.payload_bytes)
    pipeline = Pipeline(ModelReasoner(server, "keys" if style == "keys" else "levers", 5.0, enrichment), spec, enrichment)
    prompt = keys_prompt(context) if style == "keys" else levers_prompt(context, similar=False)
    outcomes = set()

    @settings(max_examples=200, database=None)
    @given(answers())
    def planned(text: str) -> None:
        server.text = text
        made = pipeline.plan(context)
        found = admissible(made.payload, ExecutorSpec())
        assert isinstance(found, Admissible)
        assert (found.refused, found.clamped, made.removed) == ({}, 0, {})
        assert made.plan.outcome in {"planned", "invalid"}
        assert made.decision.discarded != "exception"
        outcomes.add(made.plan.outcome)

    planned()
    server.text = good(prompt)
    outcomes.add(pipeline.plan(context).plan.outcome)
    assert outcomes == {"planned", "invalid"}


def good(prompt: Prompt) -> str:
    """An answer that passes every check."""
    if isinstance(prompt, LeversPrompt):
        return '{"frequency":"high","admit":"all"}'
    return '{"evict":[],"prefetch":[]}'


@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_of_anything_is_bounded(piece: str) -> None:
    checked(piece * (1_000_000 // len(piece)))
    checked(WHOLE[0][:-2] + piece * (1_000_000 // len(piece)))
