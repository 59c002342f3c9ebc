"""Policies in words, with levers that are not there yet too."""

import pytest

from aura_contract.base import MessageModel
from aura_contract.plan import Policy, Rule
from aura_evidence.levers import label, settings


class Hint(MessageModel):
    about: str
    weight: int = 5


class Wider(Policy):
    """A policy as a later version may have it: entries of a new kind, a text and a switch."""

    hints: tuple[Hint, ...] = ()
    scope: str | None = None
    eager: bool = False


HISTORY = Rule(on="session_start", expand="history", confidence="low")
NEXT = Rule(on="request", expand="covisit", fanout=5)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(), "no lever moved"),
        (Policy(frequency="high"), "frequency high, admit all"),
        (Policy(admit="frequent", ttl={"a": "long"}), "frequency none, admit frequent, TTL of 1 category"),
        (
            Policy(protect=("a", "b"), ttl={"a": "long", "b": "none"}),
            "frequency none, admit all, TTL of 2 categories, 2 protected categories",
        ),
        (Policy(ttl={"*": "long"}, rules=(HISTORY, NEXT)), "frequency none, admit all, TTL long, history (low), covisit (high)"),
        (Wider(frequency="high", hints=(Hint(about="x"),) * 2), "frequency high, admit all, 2 hints, eager False"),
        (Wider(hints=(Hint(about="x"),), scope="all"), "frequency none, admit all, 1 hint, scope all, eager False"),
    ],
)
def test_a_setting_in_a_few_words(policy: Policy, words: str) -> None:
    assert label(policy) == words


def test_whole_settings_of_what_was_moved() -> None:
    assert settings(None) == settings(Policy()) == []
    policy = Policy(frequency="low", ttl={"dairy > milk": "long", "bread": "none"}, protect=("a", "b"), rules=(HISTORY, NEXT))
    assert settings(policy) == [
        ("frequency", "low"),
        ("ttl", "dairy > milk: long, bread: none"),
        ("protect", "a, b"),
        (
            "rules",
            (
                "on: session_start, expand: history, confidence: low, fanout: 10; "
                "on: request, expand: covisit, confidence: high, fanout: 5"
            ),
        ),
    ]
