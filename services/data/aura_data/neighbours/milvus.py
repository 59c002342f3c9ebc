"""Neighbours out of Milvus."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from aura_data.errors import DataError, ServerAway
from aura_data.neighbours.connection import CONNECT_SECONDS, DEFAULT_COLLECTION, Connection, Target

__all__ = ["MilvusNeighbours", "item_key"]

CHUNK = 500
CACHED_ITEMS = 20_000
LEAST_FETCHED = 10
PROBES = 16
PATIENCE = 20.0
AT_LEAST = 0.05


def item_key(item: str) -> int:
    """Primary key of an item: 63 bits of its SHA-256, so that no id ever stands in a filter expression."""
    return int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "big") >> 1


class MilvusNeighbours:
    """Neighbours by cosine over what `build_neighbours` stored; answers of the last 20,000 items are kept at hand.

    May be asked by several threads. Waits no longer than `patience` seconds in one question. After one that failed the collection
    is looked for and loaded again: a server that was started again may have let go of it or have another."""

    def __init__(
        self, target: Target, collection: str = DEFAULT_COLLECTION, patience: float = PATIENCE, *, missing_ok: bool = False
    ) -> None:
        """Connects and loads the collection; raises DataError when the server is away or holds no neighbours.

        With `missing_ok` a server that is away is connected to by the first question that finds it.
        """
        self._target, self._alias, self._patience = target, collection, patience
        self._connection: Connection | None = None
        self._collection: str | None = None
        self._cache: OrderedDict[str, tuple[int, list[str]]] = OrderedDict()
        self._lock = threading.Lock()
        try:
            # Loading a large collection takes its time, and nobody waits for it yet.
            self._open(time.monotonic() + max(patience, PATIENCE), probe=True)
        except DataError as error:
            self.close()
            if not (missing_ok and isinstance(error, ServerAway)):
                raise

    def _open(self, deadline: float, *, probe: bool) -> tuple[Connection, str]:
        """Connection and collection, found now where they are not known."""
        if self._connection is None:
            self._connection = Connection(self._target, _left(deadline, CONNECT_SECONDS), probe=probe)
        if self._collection is None:
            found = self._connection.current(self._alias, _left(deadline))
            if found is None:
                raise DataError(f"{self._connection.name}: holds no neighbours; build them with aura load")
            with self._connection.explained():
                self._connection.client.load_collection(found, timeout=_left(deadline))
            self._collection = found
        return self._connection, self._collection

    def similar(self, items: Sequence[str], k: int) -> dict[str, list[str]]:
        """See `Neighbours.similar`."""
        if k <= 0:
            return {}
        with self._lock:
            return self._similar(items, k)

    def _similar(self, items: Sequence[str], k: int) -> dict[str, list[str]]:
        wanted = list(dict.fromkeys(items))
        fresh = [item for item in wanted if self._cache.get(item, (0, []))[0] < k]
        for start in range(0, len(fresh), CHUNK):
            self._fetch(fresh[start : start + CHUNK], max(k, LEAST_FETCHED))
        known = {item: self._cache[item][1] for item in wanted}
        for item in wanted:
            self._cache.move_to_end(item)
        while len(self._cache) > CACHED_ITEMS:
            self._cache.popitem(last=False)
        return {item: found[:k] for item, found in known.items() if found}

    def _fetch(self, items: Sequence[str], k: int) -> None:
        """Ask for `k` neighbours of each item, in two calls whatever their number."""
        deadline = time.monotonic() + self._patience
        try:
            connection, collection = self._open(deadline, probe=False)
            with connection.explained():
                client, keys = connection.client, [item_key(item) for item in items]
                rows = client.get(collection, ids=keys, output_fields=["item", "vector"], timeout=_left(deadline))
                vectors = [row["vector"] for row in rows]
                search = {"limit": k + 1, "output_fields": ["item"], "search_params": {"params": {"nprobe": PROBES}}}
                answers = client.search(collection, data=vectors, **search, timeout=_left(deadline)) if vectors else []
        except DataError:
            self._collection = None
            raise
        self._cache.update((item, (k, [])) for item in items)
        for row, hits in zip(rows, answers, strict=True):
            self._cache[row["item"]] = (k, _others(row["item"], hits)[:k])

    def close(self) -> None:
        """See `Neighbours.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _left(deadline: float, most: float = float("inf")) -> float:
    """Seconds until `deadline`, for a call that takes no time limit of nothing."""
    return min(most, max(AT_LEAST, deadline - time.monotonic()))


def _others(item: str, hits: Sequence[Any]) -> list[str]:
    found = [str(hit["entity"]["item"]) for hit in hits]
    return [other for other in found if other != item]
