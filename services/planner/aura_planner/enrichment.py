"""What the planner looks up: payloads from the catalogue and similar items; either may be missing or go away."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from aura_contract.payload import Item, payload_of, plain_payload

__all__ = ["LOOKUP_SECONDS", "SOURCES", "Catalogue", "Enrichment", "Similar", "Source"]

Source = Literal["catalogue", "neighbours"]
LOOKUP_SECONDS, REST_SECONDS = 2.0, 10.0
"""How long a server may take for a look-up, and is left in peace after one that failed."""
SOURCES: tuple[Source, ...] = ("catalogue", "neighbours")

log = logging.getLogger(__name__)


class Catalogue(Protocol):
    """Metadata by item id; unknown items are absent from the answer."""

    def lookup(self, items: Sequence[str]) -> Mapping[str, Item]:
        """Rows of `items`."""
        ...


class Similar(Protocol):
    """Nearest neighbours by embedding; unknown items are absent from the answer."""

    def similar(self, items: Sequence[str], k: int) -> Mapping[str, Sequence[str]]:
        """At most `k` neighbours of each of `items`, the nearest first."""
        ...


class Enrichment:
    """Payloads and neighbours. A source that fails is said so once, told to `failed` each time, and done without.

    It is asked again after `rest` seconds: waiting for a server that is gone would cost every window its time limit.
    """

    def __init__(
        self,
        catalogue: Catalogue | None,
        neighbours: Similar | None,
        payload_bytes: int,
        failed: Callable[[Source], None] | None = None,
        rest: float = REST_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._neighbours = neighbours
        self._payload_bytes = payload_bytes
        # Every arm has a thread, and the sources keep caches that are not made for that.
        self._lock, self._looking, self._asking = threading.Lock(), threading.Lock(), threading.Lock()
        self._said: set[Source] = set()
        self._tell, self._rest = failed, rest
        self._away: dict[Source, float] = {}

    @property
    def has_neighbours(self) -> bool:
        """Whether `similar` can be asked for at all."""
        return self._neighbours is not None

    def rows(self, items: Sequence[str]) -> Mapping[str, Item]:
        """What the catalogue has of `items`; nothing without one."""
        if self._catalogue is None or not items or self._resting("catalogue"):
            return {}
        try:
            with self._looking:
                return self._catalogue.lookup(items)
        except Exception as error:  # noqa: BLE001 - a catalogue that went away only costs words
            self._failed("catalogue", error)
            return {}

    def payloads(self, items: Sequence[str]) -> dict[str, str]:
        """The value of each of `items`: the catalogue's words, or a plain payload for items it does not have."""
        rows = self.rows(items)
        return {item: payload_of(rows[item]) if item in rows else plain_payload(item, self._payload_bytes) for item in items}

    def similar(self, items: Sequence[str], k: int) -> dict[str, tuple[str, ...]]:
        """At most `k` similar items of each of `items`; empty without neighbours."""
        if self._neighbours is None or not items or k <= 0 or self._resting("neighbours"):
            return {}
        try:
            with self._asking:
                found = self._neighbours.similar(items, k)
            return {item: tuple(near[:k]) for item, near in found.items()}
        except Exception as error:  # noqa: BLE001 - neighbours that went away only cost the expansion
            self._failed("neighbours", error)
            return {}

    def _resting(self, source: Source) -> bool:
        return time.monotonic() < self._away.get(source, 0.0)

    def _failed(self, source: Source, error: Exception) -> None:
        with self._lock:
            first = source not in self._said
            self._said.add(source)
            self._away[source] = time.monotonic() + self._rest
        if self._tell:
            self._tell(source)
        if first:
            log.warning("the %s cannot be used, planning goes on without: %s: %s", source, type(error).__name__, error)
