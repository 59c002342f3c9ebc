"""The bandit on made-up statistics and on a small world in which settings differ."""

import itertools
import random
from collections.abc import Callable

import pytest

from aura_contract.context import ContextSnapshot
from aura_contract.plan import Policy
from aura_planner.reasoners.bandit import HOLD_WINDOWS, SETTINGS, BanditReasoner

MakeContext = Callable[..., ContextSnapshot]
Gains = dict[tuple[str, str], float]


def played(make_context: MakeContext, gains: Gains, windows: int, seed: int = 1) -> list[tuple[str, str]]:
    """Settings chosen over a run in which each brings its gain (others nothing), give or take half a point."""
    lots, bandit = random.Random(seed), BanditReasoner(seed)
    policy, standing = Policy(), -1
    seen: dict[tuple[str, str], list[float]] = {}
    chosen: list[tuple[str, str]] = []
    for window in range(windows):
        setting = (policy.frequency, policy.admit)
        standing += 1
        if standing:
            seen.setdefault(setting, []).append(gains.get(setting, 0.0) + lots.gauss(0, 0.005))
        stats = [
            {"frequency": f, "admit": a, "windows": len(found), "gain": sum(found) / len(found), "spread": 0.005}
            for (f, a), found in seen.items()
        ]
        cache = {"policy": policy, "standing": standing, "levers": stats}
        decided = bandit.decide(make_context(10, window=window, cache=cache)).policy
        assert decided is not None
        if (decided.frequency, decided.admit) != setting:
            policy, standing = decided, -1
        chosen.append((decided.frequency, decided.admit))
    return chosen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("best", [("high", "all"), ("high", "second_hit"), ("medium", "all")])
def test_finds_the_best_setting(make_context: MakeContext, best: tuple[str, str], seed: int) -> None:
    gains = {setting: 0.08 if setting[0] in ("high", "medium") else 0.0 for setting in SETTINGS} | {best: 0.10}
    chosen = played(make_context, gains, 150, seed)
    assert chosen[-50:].count(best) >= 40


def test_leaves_what_loses(make_context: MakeContext) -> None:
    gains = dict.fromkeys(SETTINGS, -0.05) | {("none", "all"): 0.0}
    assert played(make_context, gains, 200)[-50:].count(("none", "all")) >= 40


def test_a_setting_stands_until_something_is_learnt_of_it(make_context: MakeContext) -> None:
    chosen = played(make_context, {}, 60)
    switches = [n for n in range(1, len(chosen)) if chosen[n] != chosen[n - 1]]
    assert switches
    assert all(later - earlier > HOLD_WINDOWS for earlier, later in itertools.pairwise(switches))


def test_equal_contexts_give_equal_decisions(make_context: MakeContext) -> None:
    context = make_context(10, window=0)
    assert BanditReasoner(1).decide(context) == BanditReasoner(1).decide(context)
    assert BanditReasoner(1).decide(context).seeds == ()
