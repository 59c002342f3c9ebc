"""The planner of fixed rules: what a careful engineer would set without looking twice."""

from aura_contract.context import ContextSnapshot, GhostStat
from aura_contract.plan import Admit, Frequency, Policy, TtlClass
from aura_planner.candidates import rising
from aura_planner.decision import Decision
from aura_planner.rules import affordable_rules

__all__ = ["HeuristicReasoner"]

KEEP: dict[str, TtlClass] = {"*": "long"}
"""A full cache shortens TTLs to make room; where the priority does that, they only throw out what is still asked for."""

LEVELS: tuple[Frequency, ...] = ("none", "low", "medium", "high")
RETRY_WINDOWS = 8
LOSS = 0.01
EQUAL = 0.002
"""Hit ratio by which two equal arms may differ."""

ENOUGH = 1.5
"""Windows that a setting must have stood, older ones counting less, before it is judged."""
RARE, SOME = 0.02, 0.1
ONE_TIMERS = 0.8


class HeuristicReasoner:
    """Levers from what ghosts find and how repetitive the window is, rules within the budget, seeds from what rises.

    It evicts nothing: the arm's own order makes room where room is needed, and what the window did not ask for may yet be.
    """

    name = "heuristic"
    slow = False

    def decide(self, context: ContextSnapshot) -> Decision:
        """Rules only; the same context gives the same decision."""
        seeds = [c.item for c in rising(context) if c.trend > 0 and c.count + c.intent >= 2]
        return Decision(
            seeds=tuple(seeds[: context.caps.max_prefetch]),
            policy=Policy(
                frequency=frequency(context),
                admit=admission(context),
                ttl=KEEP,
                protect=context.cache.policy.protect,
                rules=affordable_rules(context),
            ),
        )


def frequency(context: ContextSnapshot) -> Frequency:
    """The level that ghosts find best, or, before they tell, `high` wherever items come back (DESIGN 2.2); lower while it loses.

    What has lost against the baseline while it stood is not set again before that is half forgotten, and nothing is where no
    level has won. A level that is more than a point behind is lowered by one, and the full level is tried again every eighth
    window, because a lowered level shows no more what it could gain.
    """
    cache, returning = context.cache, 1 - _newcomers(context)
    target = LEVELS.index("high" if returning >= SOME else "medium" if returning >= RARE else "none")
    if cache.ghosts:
        target = LEVELS.index(promising(cache.ghosts))
    lost = {stat.frequency for stat in cache.levers if stat.windows >= ENOUGH and stat.gain < -EQUAL}
    won = {stat.frequency for stat in cache.levers if stat.frequency != "none" and stat.gain > EQUAL}
    if lost - {"none"} and not won:
        return "none"
    while target and LEVELS[target] in lost:
        target -= 1
    current = LEVELS.index(cache.policy.frequency)
    if current and cache.hit_ratio < cache.baseline_hit_ratio - LOSS:
        return LEVELS[current - 1]
    if context.window >= RETRY_WINDOWS and current < target and context.window % RETRY_WINDOWS:
        return LEVELS[current]
    return LEVELS[target]


def promising(ghosts: tuple[GhostStat, ...]) -> Frequency:
    """The highest level whose gain is the best one's but for chance; `none` where no gain is more than chance."""
    best = max(ghosts, key=lambda ghost: ghost.gain)
    able = [ghost.frequency for ghost in ghosts if ghost.gain > max(ghost.error, best.gain - best.error)]
    return max(able, key=LEVELS.index, default="none")


def admission(context: ContextSnapshot) -> Admit:
    """`all`, unless most requests go to items that were never seen before: then only what comes back is kept."""
    return "second_hit" if context.window >= 2 and _newcomers(context) >= ONE_TIMERS else "all"


def _newcomers(context: ContextSnapshot) -> float:
    return context.workload.new_items / context.workload.requests if context.workload.requests else 1.0
