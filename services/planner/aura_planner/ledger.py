"""Commits in order while arms are planned at the same time."""

from collections import deque
from collections.abc import Callable

__all__ = ["Entry", "Ledger"]


class Entry:
    """One message that was taken from the broker and not yet committed; any thread may set `done`."""

    __slots__ = ("commit", "done")

    def __init__(self, commit: Callable[[], None]) -> None:
        self.commit = commit
        self.done = False


class Ledger:
    """Messages in the order they came. A commit covers all messages before it, so none is made over an unfinished one.

    Belongs to the thread that polls: a Kafka consumer that is asked to commit while another thread polls it hangs.
    """

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def opened(self, commit: Callable[[], None]) -> Entry:
        """Note a message that came."""
        entry = Entry(commit)
        self._entries.append(entry)
        return entry

    def settle(self) -> None:
        """Commit whatever is done and has nothing unfinished before it."""
        while self._entries and self._entries[0].done:
            self._entries.popleft().commit()
