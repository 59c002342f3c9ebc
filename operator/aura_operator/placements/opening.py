"""Whether other clusters can reach an embedded Kafka."""

from dataclasses import dataclass

from aura_operator.blueprint import Door
from aura_operator.placements.visits import PENDING, Seen

__all__ = ["SHUT", "Opening"]


@dataclass(frozen=True)
class Opening:
    """An open door, or what its placements wait for; `hold` when the broker would be started twice without waiting."""

    waiting: Seen
    door: Door | None = None
    hold: bool = False


SHUT = Opening(Seen(PENDING, "waiting until the experiment's own parts are up"))
