"""The planner that learns: Thompson sampling over the settings of the levers, from what each has brought so far."""

import math
import random
from itertools import product
from typing import get_args

from aura_contract.context import CacheView, ContextSnapshot, LeverStat
from aura_contract.plan import Admit, Frequency, Policy
from aura_planner.candidates import generator
from aura_planner.decision import Decision
from aura_planner.reasoners.heuristic import KEEP
from aura_planner.rules import affordable_rules

__all__ = ["BanditReasoner"]

Setting = tuple[Frequency, Admit]
SETTINGS: tuple[Setting, ...] = tuple(product(get_args(Frequency), get_args(Admit)))

EXPECTED_FREQUENCY: dict[Frequency, float] = {"none": -0.03, "low": -0.02, "medium": -0.01, "high": 0.0}
EXPECTED_ADMIT: dict[Admit, float] = {"all": 0.0, "second_hit": -0.01, "frequent": -0.02}
"""What a setting is expected to bring before it was tried, against `high` and `all`: the order of DESIGN 2.2, in small steps, and
for the frequency what ghosts say, once they do."""

UNCERTAIN = 0.006
"""Standard deviation of that expectation, in hit ratio."""

BASELINE: Setting = ("none", "all")
"""What the baseline does itself: it brings nothing, as far as two equal arms can tell."""

EQUAL_ARMS = 0.001
"""Standard deviation of the difference between two equal arms, in hit ratio."""

NOISE = 0.005
"""Least standard deviation that one window's gain is taken to have, in hit ratio."""

HOLD_WINDOWS = 2
"""A setting stands at least so many windows beside its first, or nothing is learnt of it."""

LOSS = 0.01
"""A setting whose gain is below minus this, in hit ratio, does not stand any longer."""


class BanditReasoner:
    """Sets `frequency` and `admit`; its memory is the context's statistics, so any replica may plan the next window.

    Each setting's gain has a normal posterior: its expectation is that of a setting never tried, moved to where the tried ones
    have turned out to be, and weighs as much as its uncertainty allows against the windows seen (Thompson 1933; Russo et
    al. 2018, section 4.2). One sample of each is drawn, and the highest one's setting is taken. Equal contexts and seeds
    give equal decisions.
    """

    name = "bandit"
    slow = False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def decide(self, context: ContextSnapshot) -> Decision:
        """The levers of the next window and rules within the budget; no evictions and no prefetches by name."""
        cache = context.cache
        current = (cache.policy.frequency, cache.policy.admit)
        # Until a policy was ever applied, `standing` counts windows of the arm's own behaviour.
        if cache.standing < HOLD_WINDOWS and context.window > cache.standing and not _loses(current, cache.levers):
            return _levers(current, context)
        if all((stat.frequency, stat.admit) == BASELINE for stat in cache.levers):
            # All else is expected to be like what is tried first, so that had better be what mostly helps.
            return _levers(max(SETTINGS, key=lambda setting: _expected(setting, cache)), context)
        lots = generator(context, self._seed)
        drawn = {setting: _draw(setting, cache, lots) for setting in SETTINGS}
        return _levers(max(SETTINGS, key=drawn.__getitem__), context)


def _levers(setting: Setting, context: ContextSnapshot) -> Decision:
    policy = Policy(frequency=setting[0], admit=setting[1], ttl=KEEP, rules=affordable_rules(context))
    return Decision(policy=policy)


def _of(setting: Setting, stats: tuple[LeverStat, ...]) -> LeverStat | None:
    return next((stat for stat in stats if (stat.frequency, stat.admit) == setting), None)


def _loses(setting: Setting, stats: tuple[LeverStat, ...]) -> bool:
    own = _of(setting, stats)
    return own is not None and own.gain < -LOSS


def _expected(setting: Setting, cache: CacheView) -> float:
    told = next((ghost.gain for ghost in cache.ghosts if ghost.frequency == setting[0]), EXPECTED_FREQUENCY[setting[0]])
    return told + EXPECTED_ADMIT[setting[1]]


def _draw(setting: Setting, cache: CacheView, lots: random.Random) -> float:
    """One sample of the posterior of a setting's gain."""
    # The baseline's own setting says nothing of what the others bring.
    tried = [stat for stat in cache.levers if (stat.frequency, stat.admit) != BASELINE]
    windows = sum(stat.windows for stat in tried)
    level = sum(stat.windows * (stat.gain - _expected((stat.frequency, stat.admit), cache)) for stat in tried) / windows
    variance = sum(stat.windows * stat.spread**2 for stat in tried) / windows
    noise = max(NOISE**2, variance)
    own = _of(setting, cache.levers)
    expected, uncertain = (0.0, EQUAL_ARMS) if setting == BASELINE else (level + _expected(setting, cache), UNCERTAIN)
    prior_weight = noise / uncertain**2
    seen = own.windows if own else 0.0
    mean = (prior_weight * expected + seen * (own.gain if own else 0.0)) / (prior_weight + seen)
    return lots.gauss(mean, math.sqrt(noise / (prior_weight + seen)))
