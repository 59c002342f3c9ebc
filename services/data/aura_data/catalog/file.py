"""A catalogue held in memory as columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aura_contract.payload import Item
from aura_contract.workload import CatalogSpec
from aura_data.catalog.records import CatalogRows

__all__ = ["FileCatalog"]


class FileCatalog:
    """The catalogue of a file, url or named data set: Arrow columns and a sorted index of 12 bytes an item.

    `duplicates` counts rows that were dropped because their item came before, `bad_rows` those without an id or with too few
    or too many fields. Embeddings are left in the file.
    """

    def __init__(self, spec: CatalogSpec, base: Path) -> None:
        """Reads the whole catalogue; raises DataError."""
        rows = CatalogRows(spec, base)
        batches = list(rows.batches())
        self.description = rows.description
        self.duplicates, self.bad_rows = rows.duplicates, rows.bad_rows
        self._table: pa.Table = pa.Table.from_batches(batches).combine_chunks()
        self._roles = frozenset(self._table.column_names)
        hashes = _hashes(self._table.column("item").to_pylist())
        self._rows: NDArray[np.uint32] = np.argsort(hashes, kind="stable").astype(np.uint32)
        self._hashes = hashes[self._rows]

    @property
    def size(self) -> int:
        """Number of distinct items."""
        return len(self._hashes)

    def lookup(self, items: Sequence[str]) -> dict[str, Item]:
        """See `Catalog.lookup`."""
        if not items or not self.size:
            return {}
        wanted = _hashes(items)
        places = np.minimum(np.searchsorted(self._hashes, wanted), self.size - 1)
        found = self._rows[places[self._hashes[places] == wanted]]
        ids = set(items)
        rows = self._table.take(pa.array(found))
        names, titles, categories, brands = (self._texts(rows, role) for role in ("item", "title", "category", "brand"))
        prices = rows.column("price").to_pylist() if "price" in self._roles else [None] * len(names)
        return {
            name: Item(item=name, title=title, category=category, brand=brand, price=price)
            for name, title, category, brand, price in zip(names, titles, categories, brands, prices, strict=True)
            if name in ids
        }

    def _texts(self, rows: pa.Table, role: str) -> list[str]:
        return rows.column(role).fill_null("").to_pylist() if role in self._roles else [""] * rows.num_rows

    def close(self) -> None:
        """Let go of the memory; the catalogue is empty afterwards."""
        self._table = self._table.slice(0, 0)
        self._rows, self._hashes = self._rows[:0].copy(), self._hashes[:0].copy()


def _hashes(items: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, items), np.int64, len(items))
