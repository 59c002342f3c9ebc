"""Which part is hit, how and when: drawn from a seed, so that a run that went wrong can be drawn again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

__all__ = ["ARMS", "CONTEXT", "Fault", "context_schedule", "schedule"]

Action = Literal["kill", "pause", "cut", "stall"]

ARMS = ("baseline", "aura")
SERVERS = (*(f"redis-{arm}" for arm in ARMS), "broker")
WEIGHTS: dict[tuple[str, Action], int] = {
    ("replayer", "kill"): 5,
    ("replayer", "pause"): 4,
    ("planner", "kill"): 5,
    ("planner", "pause"): 4,
    ("executor", "kill"): 5,
    ("executor", "pause"): 4,
    **{(server, action): 3 for server in SERVERS for action in ("pause", "cut", "stall")},
}
CONTEXT = ("mongodb", "milvus", "ollama")
"""Servers in containers: what planners ask, and what no request of the log waits for."""

ACTIONS: tuple[Action, ...] = ("kill", "pause", "cut", "stall")
CONTEXT_WEIGHT = 8
CONTEXT_ALONE_CHANCE = 0.5
LOSSES = ("redis-baseline", "redis-aura", "broker")
LOSS_CHANCE = 0.25
UNSEEN_CHANCE = 0.5
"""Of losses that happen while the replayer is starting again, so that it never saw the server go."""
LONG_CHANCE, CONTEXT_LONG_CHANCE = 0.03, 0.25
"""What planners ask is mostly back before they give it up, so that it is away for longer more often."""
SHORTEST, LONGEST = 8, 20


@dataclass(frozen=True)
class Fault:
    """`action` hits `part`, `after` seconds after the one before; a part that is paused, cut off or stalled is so for `seconds`.

    Cut off: connections are dropped and none is taken. Stalled: connections stay and nothing gets through.
    """

    part: str
    action: Action
    seconds: float
    after: float

    @property
    def loses_data(self) -> bool:
        """Whether what the part remembers is gone: all servers keep their data in memory."""
        return self.action == "kill" and self.part in SERVERS


def schedule(random: Random) -> list[Fault]:
    """Faults of one run; at most the last one loses a server's data, since nothing after it says anything new."""
    faults = _drawn(random, WEIGHTS)
    if random.random() < LOSS_CHANCE:
        unseen = random.random() < UNSEEN_CHANCE
        if unseen:
            faults.append(Fault("replayer", "kill", 0.0, random.uniform(0.05, 0.8)))
        faults.append(Fault(random.choice(LOSSES), "kill", random.uniform(0, 0.3), 0.05 if unseen else random.uniform(0.05, 0.8)))
    return faults


def context_schedule(random: Random, parts: Sequence[str]) -> list[Fault]:
    """Faults of a run whose context servers `parts` are hit: these alone, or among others that lose no data."""
    weights = {(part, action): CONTEXT_WEIGHT for part in parts for action in ACTIONS}
    return _drawn(random, weights if random.random() < CONTEXT_ALONE_CHANCE else {**WEIGHTS, **weights})


def _drawn(random: Random, weights: Mapping[tuple[str, Action], int]) -> list[Fault]:
    drawn = random.choices(list(weights), list(weights.values()), k=random.randint(SHORTEST, LONGEST))
    return [Fault(part, action, _seconds(random, part), random.uniform(0.05, 0.8)) for part, action in drawn]


def _seconds(random: Random, part: str) -> float:
    """Mostly shorter than any time limit; now and then longer than a consumer group waits for its members."""
    chance = CONTEXT_LONG_CHANCE if part in CONTEXT else LONG_CHANCE
    return random.uniform(7, 9) if random.random() < chance else random.uniform(0.05, 1.2)
