"""The planner with a trained model: seeds and evictions by the probability that the next window requests a candidate."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aura_contract.context import ContextSnapshot
from aura_planner.decision import Decision
from aura_planner.errors import SetupError
from aura_planner.ml.features import features
from aura_planner.ml.library import lightgbm
from aura_planner.ml.model import AGAIN, read_model
from aura_planner.reasoners.heuristic import HeuristicReasoner

__all__ = ["MlReasoner"]

LIKELY = 0.5
"""Probability from which a candidate is prefetched: a prefetch is a backend read, and saves one with this probability."""

DEAD = 0.1
DEAD_SHARE = 4
"""A resident candidate may go when it is so many times as likely as the head's candidates were, and such evictions take at most
the fourth part of the cap: the arm's own order finds most dead items, and a live one that is evicted is a miss."""


class MlReasoner:
    """Levers of the heuristic, items by the model; equal contexts give equal decisions.

    `path` is what `aura train` has written for windows of `every_events` rows; raises SetupError when it cannot be used.
    Nothing is evicted below `pressure`, a fraction of the budget.
    """

    name = "ml"
    slow = False

    def __init__(self, path: Path, every_events: int, pressure: float) -> None:
        model, library = read_model(path, every_events), lightgbm()
        try:
            self._booster = library.Booster(model_str=model.text)
        except library.basic.LightGBMError as error:
            raise SetupError(f"{path}: LightGBM cannot read the model: {error}; {AGAIN}") from error
        self._pressure = pressure
        self._levers = HeuristicReasoner()
        self._dead = DEAD * model.header.positives / model.header.rows

    def decide(self, context: ContextSnapshot) -> Decision:
        """Absent candidates that are more likely than not to be requested, the likeliest first, and a few dead ones."""
        items, policy = context.workload.candidates.item, self._levers.decide(context).policy
        if not items:
            return Decision(policy=policy)
        chance = self.probabilities(context)
        resident = np.zeros(len(items), np.bool_)
        resident[list(context.cache.resident)] = True
        seeds = _first(-chance, ~resident & (chance >= LIKELY), context.caps.max_prefetch)
        full = context.cache.pressure >= self._pressure
        dead = _first(chance, resident & (chance < self._dead) & full, context.caps.max_evict // DEAD_SHARE)
        return Decision(
            seeds=tuple(items[number] for number in seeds), evict=tuple(items[number] for number in dead), policy=policy
        )

    def probabilities(self, context: ContextSnapshot) -> NDArray[np.float64]:
        """Chance of each candidate to be requested in the next window, by id, shape (candidates,); there is at least one."""
        # One thread: handing five hundred rows to others costs more than they save.
        return np.asarray(self._booster.predict(features(context.workload), num_threads=1), np.float64)


def _first(order: NDArray[np.float64], allowed: NDArray[np.bool_], limit: int) -> list[int]:
    """Ids of the allowed candidates with the smallest `order`, at most `limit`; shapes (candidates,)."""
    ranked = np.argsort(order, kind="stable")
    chosen: list[int] = ranked[allowed[ranked]][:limit].tolist()
    return chosen
