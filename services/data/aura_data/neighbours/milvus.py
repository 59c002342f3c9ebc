"""Neighbours out of Milvus."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from aura_data.errors import DataError
from aura_data.neighbours.connection import DEFAULT_COLLECTION, Connection, Target

__all__ = ["MilvusNeighbours", "item_key"]

CHUNK = 500
CACHED_ITEMS = 20_000
LEAST_FETCHED = 10
PROBES = 16


def item_key(item: str) -> int:
    """Primary key of an item: 63 bits of its SHA-256, so that no id ever stands in a filter expression."""
    return int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "big") >> 1


class MilvusNeighbours:
    """Neighbours by cosine over what `build_neighbours` stored; answers of the last 20,000 items are kept at hand.

    May be asked by several threads."""

    def __init__(self, target: Target, collection: str = DEFAULT_COLLECTION) -> None:
        """Connects and loads the collection; raises DataError when the server is away or holds no neighbours."""
        self._connection = Connection(target)
        self._cache: OrderedDict[str, tuple[int, list[str]]] = OrderedDict()
        self._lock = threading.Lock()
        try:
            found = self._connection.current(collection)
            if found is None:
                raise DataError(f"{self._connection.name}: holds no neighbours; build them with aura load")
            self._collection = found
            with self._connection.explained():
                self._connection.client.load_collection(found)
        except DataError:
            self.close()
            raise

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
        with self._connection.explained():
            client = self._connection.client
            keys = [item_key(item) for item in items]
            rows = client.get(self._collection, ids=keys, output_fields=["item", "vector"])
            vectors = [row["vector"] for row in rows]
            search = {"limit": k + 1, "output_fields": ["item"], "search_params": {"params": {"nprobe": PROBES}}}
            answers = client.search(self._collection, data=vectors, **search) if vectors else []
        self._cache.update((item, (k, [])) for item in items)
        for row, hits in zip(rows, answers, strict=True):
            self._cache[row["item"]] = (k, _others(row["item"], hits)[:k])

    def close(self) -> None:
        """See `Neighbours.close`."""
        self._connection.close()


def _others(item: str, hits: Sequence[Any]) -> list[str]:
    found = [str(hit["entity"]["item"]) for hit in hits]
    return [other for other in found if other != item]
