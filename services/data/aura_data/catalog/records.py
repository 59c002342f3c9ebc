"""Rows of a catalogue's source: each item once, its texts cleaned."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from aura_contract.workload import CatalogSpec
from aura_data.tables import DataError, Table, open_table

__all__ = ["TEXT_LENGTH", "CatalogRows", "catalog_batches", "clean_text"]

TEXT_LENGTH = 300
"""Longest title, category or brand in characters."""

log = logging.getLogger(__name__)

TEXTS = ("title", "category", "brand")

# Control characters, line and paragraph separators, and those that turn the direction of writing.
_UNWANTED = r"[\p{Cc}\x{2028}\x{2029}\x{202A}-\x{202E}\x{2066}-\x{2069}]+"
_UNWANTED_PYTHON = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class CatalogRows:
    """The rows of a catalogue's source, streamed; `duplicates` counts the rows dropped because their item came before."""

    def __init__(self, spec: CatalogSpec, base: Path, *, embedding: bool = False) -> None:
        roles = {role: name for role, name in spec.columns.model_dump().items() if name is not None}
        if not embedding:
            roles.pop("embedding", None)
        # A row without an id describes nothing; one bad row of a catalogue is no reason not to run.
        self._table: Table = open_table(spec.source, spec.format, roles, base=base, bad_rows="skip", kind="catalog")
        self.duplicates = 0

    @property
    def description(self) -> str:
        """Name of the source for messages."""
        return self._table.description

    @property
    def bad_rows(self) -> int:
        """Rows skipped for want of an id, or for too few or too many fields."""
        return self._table.bad_rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches by role as `Table.batches` yields them; of an item that comes twice the first row counts."""
        seen: set[int] = set()
        self.duplicates = 0
        usable = 0
        for batch in self._table.batches():
            keep = []
            for item in batch.column("item").to_pylist():
                # 64-bit hashes instead of the ids: a tenth of the memory.
                code = hash(item)
                keep.append(code not in seen)
                seen.add(code)
            dropped = keep.count(False)
            self.duplicates += dropped
            usable += batch.num_rows - dropped
            yield _cleaned(batch.filter(pa.array(keep)) if dropped else batch)
        if not usable:
            raise DataError(f"{self.description}: has no row with an item id; check the catalogue's columns")
        if self.bad_rows or self.duplicates:
            log.warning("%s: skipped %d bad rows and %d repeated items", self.description, self.bad_rows, self.duplicates)


def catalog_batches(spec: CatalogSpec, base: Path, *, embedding: bool = False) -> Iterator[pa.RecordBatch]:
    """The rows of a catalogue's source: each item once, texts without control characters and at most 300 long."""
    return CatalogRows(spec, base, embedding=embedding).batches()


def clean_text(text: str) -> str:
    """`text` without control characters, which become spaces, and at most 300 characters long."""
    return _UNWANTED_PYTHON.sub(" ", text).strip(" ")[:TEXT_LENGTH]


def _cleaned(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = []
    for role, column in zip(batch.schema.names, batch.columns, strict=True):
        if role in TEXTS:
            spaced = pc.utf8_trim(pc.replace_substring_regex(column, _UNWANTED, " "), " ")
            arrays.append(pc.utf8_slice_codeunits(spaced, 0, TEXT_LENGTH))
        else:
            arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
