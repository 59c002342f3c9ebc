"""What is learnt of users and sessions as the log goes by: for rules, and for what planners are told."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aura_replayer.context.affinity import Affinities
from aura_replayer.rules.covisit import Covisits
from aura_replayer.rules.expansions import Expansions
from aura_replayer.rules.history import History
from aura_replayer.source.items import ItemTable

__all__ = ["Learner", "Lessons"]


@dataclass(frozen=True)
class Lessons:
    """What is known at the end of a window: what rules could have prefetched in it, `affinity`, the share of each category in
    what its users asked for before, shape (categories,), and the tables that stand; nothing by default."""

    expansions: Expansions = field(default_factory=Expansions.empty)
    affinity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    covisits: Covisits = field(default_factory=Covisits)
    affinities: Affinities = field(default_factory=Affinities)


class Learner:
    """Takes in the requests of one window after the other."""

    def __init__(self, items: ItemTable) -> None:
        self._items = items
        self._history, self._covisits, self._affinities = History(), Covisits(), Affinities()

    def observe(self, users: NDArray[np.uint32], sessions: NDArray[np.uint32], codes: NDArray[np.int32]) -> Lessons:
        """Columns of shape (n,): hashes of user and session, 0 where unknown, and item codes."""
        found = [self._history.observe(users, sessions, codes), self._covisits.observe(sessions, codes)]
        shares = self._affinities.observe(users, self._items.categories[codes], len(self._items.category_names))
        return Lessons(Expansions.joined(found), shares, self._covisits, self._affinities)
