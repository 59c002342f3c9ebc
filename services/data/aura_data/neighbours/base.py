"""The interface of neighbours, and the one without any."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Neighbours", "NoNeighbours"]


class Neighbours(Protocol):
    """Similar items by embedding."""

    def similar(self, items: Sequence[str], k: int) -> dict[str, list[str]]:
        """At most `k` neighbours of each item, the nearest first and never itself; items without embedding are absent.

        Raises DataError when the server went away.
        """
        ...

    def close(self) -> None:
        """Let go of connections and, when embedded, of the server; may be called twice."""
        ...


class NoNeighbours:
    """No item is similar to any other."""

    def similar(self, items: Sequence[str], k: int) -> dict[str, list[str]]:  # noqa: ARG002
        """Always empty."""
        return {}

    def close(self) -> None:
        """Nothing to close."""
