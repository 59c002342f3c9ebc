"""What rules could prefetch in one window, whatever the policy: a policy then takes what it trusts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_contract.plan import Confidence, Rule

__all__ = ["CONFIDENCE", "COVISIT", "FLOOR", "HISTORY", "MOST", "Expansions", "chosen", "offers"]

CONFIDENCE: dict[Confidence, float] = {"high": 0.5, "medium": 0.3, "low": 0.15}
"""Least probability of being requested next that a rule acts on."""

FLOOR = min(CONFIDENCE.values())
MOST = 10
"""Items for one event at the most: the largest fan-out of a rule."""

HISTORY, COVISIT = 0, 1
SOURCES = {"history": HISTORY, "covisit": COVISIT}


@dataclass(frozen=True)
class Expansions:
    """Columns of shape (m,): item `items` may be fetched after request `at` of the window (from 0).

    `probability` is how often such items were requested next so far, `rank` their place among those of the same request and
    source (from 0), `starts` whether that request begins a session.
    """

    at: NDArray[np.int64]
    items: NDArray[np.int32]
    probability: NDArray[np.float32]
    rank: NDArray[np.int8]
    source: NDArray[np.int8]
    starts: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def empty(cls) -> "Expansions":
        """None at all."""
        nothing, small = np.zeros(0, np.int64), np.zeros(0, np.int8)
        return cls(nothing, np.zeros(0, np.int32), np.zeros(0, np.float32), small, small, np.zeros(0, np.bool_))

    @classmethod
    def joined(cls, parts: Sequence["Expansions"]) -> "Expansions":
        """All of `parts`, in the order of the requests they follow."""
        columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)]
        return cls(*columns)._picked(np.argsort(columns[0], kind="stable"))

    def _picked(self, places: NDArray[np.int64]) -> "Expansions":
        return Expansions(*(getattr(self, field.name)[places] for field in fields(self)))


def chosen(rules: Sequence[Rule], found: Expansions, most: int) -> NDArray[np.int64]:
    """Places in `found` that one of the rules fetches, in their order; at most `most`, the likeliest."""
    wanted = np.zeros(len(found), np.bool_)
    for rule in rules:
        fits = (found.source == SOURCES[rule.expand]) & (found.rank < rule.fanout)
        fits &= found.probability >= CONFIDENCE[rule.confidence]
        wanted |= fits & found.starts if rule.on == "session_start" else fits
    places = np.flatnonzero(wanted)
    if len(places) > most:
        places = np.sort(places[np.argsort(-found.probability[places], kind="stable")[:most]])
    return places


def offers(found: Expansions) -> list[dict[str, Any]]:
    """What each rule could have fetched, as `RuleOffer`s; nothing for rules that find nothing."""
    counted = []
    for expand, source in SOURCES.items():
        mine = found.probability[found.source == source]
        for confidence, least in CONFIDENCE.items():
            likely = mine[mine >= least]
            if len(likely):
                mean = round(float(likely.mean(dtype=np.float64)), 3)
                counted.append({"expand": expand, "confidence": confidence, "items": len(likely), "probability": mean})
    return counted
