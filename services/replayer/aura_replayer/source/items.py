"""Item codes: each item id of the log becomes a small integer once, with its key, payload and metadata at that index."""

import hashlib
from collections.abc import Sequence
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aura_contract.admissibility import KEY_PREFIX
from aura_contract.payload import Item, key_of, payload_of, plain_payload
from aura_data.catalog import Catalog

__all__ = ["TITLE_CHARS", "Entries", "ItemTable", "pack"]

LOOKUP_CHUNK = 5000
TITLE_CHARS = 80


def pack(key: bytes, payload: bytes) -> bytes:
    """One entry of a batch as the arm's library reads it: key length (1 byte), payload length (2), key, payload."""
    return bytes((len(key),)) + len(payload).to_bytes(2, "big") + key + payload


class Entries:
    """Packed entries of some requests, one after the other in one buffer."""

    def __init__(self, column: pa.LargeBinaryArray) -> None:
        _, offsets, data = column.buffers()
        self._offsets = np.frombuffer(offsets, np.int64)
        self._data = memoryview(data)

    def part(self, start: int, stop: int) -> memoryview:
        """Those of the requests from `start` up to `stop`."""
        return self._data[self._offsets[start] : self._offsets[stop]]


class NoEntries(Entries):
    """What simulated arms are sent."""

    def __init__(self) -> None:
        super().__init__(pa.array([b""], pa.large_binary()))

    def part(self, start: int, stop: int) -> memoryview:  # noqa: ARG002
        """Nothing."""
        return self._data


NOTHING = NoEntries()


class ItemTable:
    """All items seen so far; parallel lists indexed by code.

    `packed` holds batch entries, `keys` cache keys, `titles` the first 80 characters of each title, `categories` the code of
    the item's category in `category_names`, `held` which items no plan may touch: the share `held_out` of the keys, by their
    hash as the arm's library computes it. With `payload_bytes` of 0 there are no packed entries: simulated arms have no use
    for them.
    """

    def __init__(self, catalog: Catalog, payload_bytes: int, held_out: float = 0.0) -> None:
        self._catalog = catalog
        self._payload_bytes = payload_bytes
        self.held_permille = round(held_out * 1000)
        self._held = np.zeros(1024, np.bool_)
        self._codes: dict[str, int] = {}
        self._by_key: dict[bytes, int] = {}
        self._category_codes: dict[str, int] = {"": 0}
        self.names: list[str] = []
        self.keys: list[bytes] = []
        self.packed: list[bytes] = []
        self.titles: list[str] = []
        self.brands: list[str] = []
        self._categories = np.zeros(1024, np.int32)
        self._column = pa.array((), pa.large_binary())
        self.unknown = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def categories(self) -> NDArray[np.int32]:
        """Category code of each item, shape (len,)."""
        return self._categories[: len(self.names)]

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether each item is held out, shape (len,)."""
        return self._held[: len(self.names)]

    @property
    def category_names(self) -> list[str]:
        """Category name of each category code; code 0 is no category."""
        return list(self._category_codes)

    def entries(self, codes: NDArray[np.integer]) -> Entries:
        """The packed entries of `codes`, shape (n,), gathered at once: one by one they cost cache misses."""
        if not self._payload_bytes:
            return NOTHING
        if len(self._column) < len(self.packed):
            self._column = pa.array(self.packed, pa.large_binary())
        return Entries(self._column.take(pa.array(codes)))

    def encode(self, column: pa.Array) -> NDArray[np.int32]:
        """Codes of a column of item ids, shape (len(column),); new ids are added with their catalogue metadata."""
        encoded = column.dictionary_encode()
        # By way of numpy, which makes the strings five times as fast as to_pylist.
        values: list[str] = encoded.dictionary.to_numpy(zero_copy_only=False).tolist()
        codes = list(map(self._codes.get, values))
        if None in codes:
            new = [value for value, code in zip(values, codes, strict=True) if code is None]
            for start in range(0, len(new), LOOKUP_CHUNK):
                self._add(new[start : start + LOOKUP_CHUNK])
            codes = list(map(self._codes.get, values))
        return np.asarray(np.array(codes, np.int32)[encoded.indices.to_numpy(zero_copy_only=False)])

    def known_key(self, key: bytes) -> int | None:
        """Code of the item with a cache key, None for one that was never seen."""
        for code in range(len(self._by_key), len(self.keys)):
            self._by_key[self.keys[code]] = code
        return self._by_key.get(key)

    def code_of_key(self, key: bytes) -> int:
        """Code of the item with a cache key; one that was never seen is added."""
        code = self.known_key(key)
        if code is None:
            code = len(self.names)
            self._add([unquote(key.decode().removeprefix(KEY_PREFIX))])
        return code

    def entry_bytes(self, code: int, payload_bytes: int) -> int:
        """Bytes of an item's key and payload, of `payload_bytes` where the catalogue knows nothing of it."""
        name = self.names[code]
        item = self._catalog.lookup([name]).get(name)
        return len(self.keys[code]) + (len(payload_of(item).encode()) if item else payload_bytes)

    def _add(self, ids: Sequence[str]) -> None:
        known = self._catalog.lookup(ids)
        self.unknown += len(ids) - len(known)
        start = len(self.names)
        if start + len(ids) > len(self._categories):
            room = max(2 * len(self._categories), start + len(ids))
            self._categories, self._held = np.resize(self._categories, room), np.resize(self._held, room)
        for code, name in enumerate(ids, start):
            self._append(code, name, known.get(name))

    def _append(self, code: int, name: str, item: Item | None) -> None:
        key = key_of(name).encode()
        if self._payload_bytes:
            payload = (payload_of(item) if item else plain_payload(name, self._payload_bytes)).encode()
            self.packed.append(pack(key, payload))
        self._codes[name] = code
        if self.held_permille:
            self._held[code] = _held_out(key, self.held_permille)
        self.names.append(name)
        self.keys.append(key)
        self.titles.append(item.title[:TITLE_CHARS] if item else "")
        self.brands.append(item.brand if item else "")
        category = item.category if item else ""
        self._categories[code] = self._category_codes.setdefault(category, len(self._category_codes))


def _held_out(key: bytes, permille: int) -> bool:
    return int(hashlib.sha1(key, usedforsecurity=False).hexdigest()[:8], 16) % 1000 < permille
