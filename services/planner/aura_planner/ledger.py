"""Commits in order while arms are planned at the same time."""

from collections import defaultdict, deque
from collections.abc import Callable

__all__ = ["Entry", "Ledger"]


class Entry:
    """One message that was taken from the broker and not yet committed; any thread may set `done`."""

    __slots__ = ("commit", "done")

    def __init__(self, commit: Callable[[], None]) -> None:
        self.commit = commit
        self.done = False


class Ledger:
    """Messages of each partition in the order they came. A commit covers all messages before it in its partition, so none
    is made over an unfinished one.

    Belongs to the thread that polls: a Kafka consumer that is asked to commit while another thread polls it hangs.
    """

    def __init__(self) -> None:
        self._entries: defaultdict[int, deque[Entry]] = defaultdict(deque)

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def opened(self, partition: int, commit: Callable[[], None]) -> Entry:
        """Note a message that came."""
        entry = Entry(commit)
        self._entries[partition].append(entry)
        return entry

    def settle(self) -> None:
        """Commit whatever is done and has nothing unfinished before it."""
        for entries in self._entries.values():
            while entries and entries[0].done:
                entries.popleft().commit()
