"""The interface of a catalogue, and the one that knows nothing."""

from collections.abc import Callable, Sequence
from typing import Protocol

from aura_contract.payload import Item

__all__ = ["Catalog", "EmptyCatalog", "ProgressCallback"]

ProgressCallback = Callable[[int], None]
"""Called with the number of items done so far."""


class Catalog(Protocol):
    """Metadata by item id."""

    @property
    def size(self) -> int:
        """Number of items."""
        ...

    def lookup(self, items: Sequence[str]) -> dict[str, Item]:
        """Metadata of `items`; unknown ids are absent. Raises DataError when the catalogue went away."""
        ...

    def close(self) -> None:
        """Let go of connections and memory; may be called twice."""
        ...


class EmptyCatalog:
    """A catalogue without items."""

    size = 0

    def lookup(self, items: Sequence[str]) -> dict[str, Item]:  # noqa: ARG002
        """Always empty."""
        return {}

    def close(self) -> None:
        """Nothing to close."""
