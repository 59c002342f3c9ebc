"""The memory limit of an arm: what keeps its items at their budget, whatever else the server needs memory for."""

from dataclasses import dataclass, replace

__all__ = ["FEWEST", "Memory", "MemoryLimit", "Room", "batches_under_way"]

FULL = 0.9
SMOOTHING = 4
FEWEST, MOST = 3, 8
ITEMS_EACH = 250
FOLLOWED = 2
"""A limit is set until so many batches were answered that were not under way before it."""

GAIN = 0.2


@dataclass(frozen=True)
class Memory:
    """Bytes of a server: `data` is all but its connections; of that, `remembered` holds plans and `tables` finds the keys."""

    data: int
    connections: int
    remembered: int
    tables: int
    items: int


@dataclass(frozen=True)
class Room:
    """`budget` in bytes is what `items` of `item_bytes` each take, with their share of the tables; 0 where that is not known.

    `in_flight` batches are under way at the most."""

    budget: int = 0
    items: int = 0
    item_bytes: float = 0.0
    in_flight: int = FEWEST


def batches_under_way(items: int, *, stops: bool) -> int:
    """How many batches are under way in an arm of so many items; `stops` where the replay waits for plans at each window's end.

    More of them keep a server busy while another, or the replay itself, has its core. They take room in its buffers, which
    makes the number of items in a small arm unsteady, and gain nothing where the replay stops anyway.
    """
    return FEWEST if stops else max(FEWEST, min(MOST, items // ITEMS_EACH))


class MemoryLimit:
    """`bytes` is the limit to set, `empty` what the server uses without items.

    Redis evicts when all its memory, the buffers of the call under way included, passes the limit. Those take as much as a
    small arm's items and change from call to call, so the limit follows the number of items, which every batch tells exactly;
    how many make up the budget is weighed from time to time, when nothing is under way. Tables double at once when they are
    full, which some arms of a run do and others do not: every item counts with the same share of them.
    """

    def __init__(self, empty: int, room: Room, now: Memory) -> None:
        self._empty, self._room = empty, room
        self._item_bytes = room.item_bytes
        self._before = now.items
        self._errors: list[float] = []
        self._follows = 0
        self.bytes = empty + room.budget + now.connections + now.remembered

    def weigh(self, now: Memory) -> None:
        """Learn how many bytes an item takes."""
        data = now.data - now.remembered - self._empty
        if not now.items or data <= FULL * self._room.budget:
            return
        found = (data - now.tables) / now.items
        if not self._item_bytes:
            self._room = replace(self._room, items=int(self._room.budget * now.items / data), item_bytes=found)
            self._item_bytes = found
        self._item_bytes += (found - self._item_bytes) / SMOOTHING

    def follow(self, before: int, after: int) -> bool:
        """Take note of the number of items before and after a batch; whether `bytes` is to be set anew."""
        if not self._item_bytes:
            return False
        wanted, mean = self._room.items * self._room.item_bytes / self._item_bytes, (before + after) / 2
        # While nothing is evicted the arm is still filling, and the limit is no hindrance.
        if before < self._before or mean > wanted:
            self._errors.append(wanted - mean)
        self._before = after
        before_it = self._room.in_flight
        if len(self._errors) < before_it + FOLLOWED:
            return False
        self._follows += 1
        gain = max(GAIN, 1 / self._follows)
        change = gain * self._room.budget / self._room.items * sum(self._errors[before_it:]) / FOLLOWED
        self._errors.clear()
        self.bytes = max(self._empty, self.bytes + round(change))
        return True
