"""The guard of a run: which plans are refused before they act, and which settings are taken back after they did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aura_contract.plan import Plan, Policy
from aura_replayer.context.windows import Window
from aura_replayer.guard.ghost import Ghost, Sample, sampled
from aura_replayer.guard.levels import LevelGhosts
from aura_replayer.levers import Stream
from aura_replayer.source.items import ItemTable

__all__ = ["Guard", "VetoReason"]

VetoReason = Literal["breaker", "evictions", "ghost"]

EVICTED_SHARE = 0.001
"""Evictions of items that the last window asked for, as a share of its requests, above which a plan is refused: each is a miss
to come, and what it makes room for is worth one hit at the most."""

SURE, LEAST = 2.0, 0.01
"""A ghost must lose so many standard deviations, and such a share of the requests, against the one that nobody plans for."""

LOSS_AT_ONCE, LOSS = 0.02, 0.002
"""Hit ratio below the baseline's at which a setting is taken back: in its first windows, and on average from the third on."""

JUDGED_AFTER = 3
STRIKES, WITHIN, PAUSE = 3, 12, 8
"""So many vetoes and rollbacks within so many windows open the breaker, for so many windows and twice as many each time."""


@dataclass
class _Watched:
    """One arm. `ghost` went through the last window as the arm did, under `stood` and with `hits`; `before` is its state at that
    window's start."""

    ghost: Ghost
    before: Ghost
    stood: Policy = field(default_factory=Policy)
    hits: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    policy: Policy = field(default_factory=Policy)
    gains: list[float] = field(default_factory=list)
    strikes: list[int] = field(default_factory=list)
    opened: int = 0
    closed_at: int = 0

    def strike(self, window: int) -> None:
        """Note a veto or a rollback; too many of them open the breaker."""
        self.strikes = [*(earlier for earlier in self.strikes if earlier > window - WITHIN), window]
        if len(self.strikes) >= STRIKES:
            self.closed_at = window + PAUSE * 2**self.opened
            self.opened += 1
            self.strikes = []


class Guard:
    """Watches the `arms` whose planners can act; works on what the log and the arms' counters say, so it repeats with them."""

    def __init__(self, arms: Sequence[str], items: ItemTable, capacity_items: int, window_requests: int, seed: int) -> None:
        self._items, self._capacity = items, capacity_items
        self._sample = Sample.of(capacity_items, window_requests)
        self.levels = LevelGhosts(self._sample, capacity_items, seed)
        ghosts = [Ghost(self._sample.items, seed) for _ in arms]
        self._arms = {arm: _Watched(ghost, ghost) for arm, ghost in zip(arms, ghosts, strict=True)}
        self._window: Window | None = None

    def observe(self, window: Window, stood: dict[str, tuple[Policy, Stream]]) -> None:
        """A window is over: the levers that `stood` at its end and what they made of it, by arm."""
        self._window = window
        self.levels.observe(window)
        for arm, watched in self._arms.items():
            watched.stood, stream = stood[arm]
            watched.before = watched.ghost.copy()
            watched.hits = self._served(watched.ghost, stream, window)

    def _stream(self, window: Window, policy: Policy) -> Stream:
        return Stream.of(window, policy, self._items, self._capacity, packed=False)

    def _served(self, ghost: Ghost, stream: Stream, window: Window) -> NDArray[np.bool_]:
        return np.array(ghost.serve(sampled(stream, self._sample, window.first)), np.bool_)

    def judge(self, arm: str, plan: Plan) -> VetoReason | None:
        """Why a plan must not be carried out, or None."""
        window, watched = self._window, self._arms.get(arm)
        if window is None or watched is None:
            return None
        if window.number < watched.closed_at:
            return "breaker"
        reason: VetoReason | None = None
        evicted = [code for key in plan.evict if (code := self._items.known_key(key.encode(errors="replace"))) is not None]
        asked_for = int(np.isin(evicted, window.codes).sum())
        if asked_for > EVICTED_SHARE * len(window.codes):
            reason = "evictions"
        elif plan.policy is not None and self._loses(watched, window, plan.policy, evicted):
            reason = "ghost"
        if reason:
            watched.strike(window.number)
        return reason

    def _loses(self, watched: _Watched, window: Window, policy: Policy, evicted: list[int]) -> bool:
        """Whether the last window, once more with the plan, has clearly fewer hits than without any (McNemar 1947)."""
        planned, unplanned = watched.hits, self.levels.plain_hits
        if evicted or policy != watched.stood:
            ghost = watched.before.copy()
            ghost.drop(evicted)
            planned = self._served(ghost, self._stream(window, policy), window)
        won, lost = int((planned & ~unplanned).sum()), int((unplanned & ~planned).sum())
        return lost - won > max(SURE * math.sqrt(won + lost), LEAST * len(planned))

    def harmful(self, arm: str, window: int, policy: Policy, gain: float) -> bool:
        """Whether the setting that stood in a window is to be taken back; `gain` is the arm's hit ratio over the baseline's."""
        watched = self._arms[arm]
        if policy != watched.policy:
            watched.policy, watched.gains = policy, []
        if policy == Policy():
            return False
        watched.gains.append(gain)
        late = len(watched.gains) >= JUDGED_AFTER and float(np.mean(watched.gains[-PAUSE:])) < -LOSS
        if not late and gain >= -LOSS_AT_ONCE:
            return False
        watched.strike(window)
        return True
