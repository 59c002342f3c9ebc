"""Tables by role: the columns of a log or catalogue, streamed from a file, a url or a named data set.

Batches come as `pyarrow.RecordBatch` with one column a role: `item, user, session, action, title, category, brand` as
`pa.string()` (absent values null, never empty), `time` as float64 epoch seconds, `price` as float64 and `embedding` as
`list<float>`. Numbers in a time column are taken as seconds; ISO 8601 text and time stamps are converted, UTC when they
name no zone.
"""

import difflib
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from aura_contract.admissibility import MAX_KEY_BYTES
from aura_contract.workload import FileFormat, SourceSpec
from aura_data.datasets import dataset_file, open_dataset
from aura_data.errors import DataError, explained
from aura_data.files import CHUNK, SourceFile, locate
from aura_data.formats import BadRows, DelimitedReader, JsonlReader, ParquetReader, Reader
from aura_data.roles import convert, key_bytes

__all__ = ["DataError", "Table", "TableKind", "fingerprint", "open_table"]

TableKind = Literal["workload", "catalog"]

_FORMATS: Mapping[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


class Table:
    """An opened table. `description` names it in messages; `bad_rows` counts the rows skipped by the current iteration."""

    def __init__(
        self,
        description: str,
        reader: Reader,
        columns: Mapping[str, str],
        *,
        limit: int | None,
        bad_rows: Literal["fail", "skip"],
        required: Collection[str],
        batch_rows: int,
    ) -> None:
        self.description = description
        self._reader = reader
        self._columns = dict(columns)
        self._limit = limit
        self._policy = bad_rows
        self._required = [role for role in self._columns if role in required]
        self._batch_rows = batch_rows
        self._bad = BadRows(description, bad_rows)

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the columns of each batch."""
        return tuple(self._columns)

    @property
    def bad_rows(self) -> int:
        """Rows skipped so far by the current iteration: fields missing or too many, or a required value missing."""
        return self._bad.count

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of at most `batch_rows` rows in the file's order, from its start on each call; raises DataError."""
        self._bad = BadRows(self.description, self._policy)
        left = self._limit
        row = 0
        for raw in self._raw():
            batch = self._drop_bad(self._by_role(raw), raw, row)
            row += raw.num_rows
            if left is not None:
                batch = batch.slice(0, left)
                left -= batch.num_rows
            for start in range(0, batch.num_rows, self._batch_rows):
                yield batch.slice(start, self._batch_rows)
            if left == 0:
                return

    def _raw(self) -> Iterator[pa.RecordBatch]:
        wanted = list(dict.fromkeys(self._columns.values()))
        rows = self._batch_rows if self._limit is None else min(self._batch_rows, self._limit)
        with explained(self.description):
            yield from self._reader.batches(wanted, rows, self._bad)

    def _by_role(self, raw: pa.RecordBatch) -> pa.RecordBatch:
        arrays = []
        for role, name in self._columns.items():
            try:
                arrays.append(convert(raw.column(name), role))
            except (DataError, pa.ArrowException) as error:
                raise DataError(f"{self.description}: column '{name}' {error}; name another column for {role}") from error
        return pa.RecordBatch.from_arrays(arrays, names=list(self._columns))

    def _drop_bad(self, batch: pa.RecordBatch, raw: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        for role in self._required:
            column = batch.column(role)
            if not column.null_count:
                continue
            if not self._bad.skipping:
                index, name = pc.index(pc.is_null(column), True).as_py(), self._columns[role]
                fault = f"has no usable value in column '{name}' ({role})"
                size = key_bytes(raw.column(name), index) if role == "item" else 0
                if size > MAX_KEY_BYTES:
                    fault = f"makes a cache key of {size:,} bytes, of at most {MAX_KEY_BYTES}, in column '{name}' (item)"
                raise self._bad.failure(self._reader.place(first_row + index), fault)
            batch = batch.filter(pc.is_valid(column))
            self._bad.count += column.null_count
        return batch


def open_table(
    source: SourceSpec,
    fmt: FileFormat,
    columns: Mapping[str, str],
    *,
    base: Path,
    limit: int | None = None,
    bad_rows: Literal["fail", "skip"] = "fail",
    required: Collection[str] = ("item",),
    batch_rows: int = 131072,
    kind: TableKind | None = None,
) -> Table:
    """Open a table and check that it can be read; rows are read by `Table.batches` in constant memory.

    `columns` maps roles to the file's column names; `base` is the manifest's folder; `limit` counts good rows. A row
    without a value in a `required` role is bad, as is one with too few or too many fields; in other roles what cannot be
    read (no time, no number) is null. A named data set brings its
    own columns: those of its workload, or of its catalogue when `columns` has a catalogue's roles (or `kind` says so).

    Raises DataError: source missing, unreadable, empty, of an unknown or another format; a column that is not there.
    """
    if source.dataset is not None:
        description, reader, columns = open_dataset(source.dataset, columns, kind)
    else:
        file = locate(source, base)
        description = file.name
        reader = _reader(file, fmt)
    _check_columns(description, reader.columns, columns, required)
    return Table(description, reader, columns, limit=limit, bad_rows=bad_rows, required=required, batch_rows=batch_rows)


def fingerprint(source: SourceSpec, base: Path, kind: TableKind = "workload") -> str:
    """SHA-256 of the source's bytes as they are stored, in hex; raises DataError when it cannot be read.

    A named data set stands for the file of its workload, or of its catalogue when `kind` says so.
    """
    file = locate(source, base) if source.dataset is None else dataset_file(source.dataset, kind)
    digest = hashlib.sha256()
    with explained(file.name), file.raw() as raw:
        while chunk := raw.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _reader(file: SourceFile, fmt: FileFormat) -> Reader:
    if fmt == "auto":
        found = _FORMATS.get(file.suffix)
        if found is None:
            raise DataError(f"{file.name}: its name does not tell its format; set format to csv, tsv, jsonl or parquet")
        fmt = found
    with explained(file.name, fmt):
        if fmt == "parquet":
            return ParquetReader(file)
        if fmt == "jsonl":
            return JsonlReader(file)
        return DelimitedReader(file, "\t" if fmt == "tsv" else ",")


def _check_columns(description: str, there: Sequence[str], columns: Mapping[str, str], required: Collection[str]) -> None:
    for role in required:
        if role not in columns:
            raise DataError(f"{description}: no column is named for {role}, which is needed; name one under columns")
    for role, name in columns.items():
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            if not near and role not in required:
                hint = f"; name one of them or write {role}: null"
            listed = ", ".join(f"'{column}'" for column in list(there)[:30])
            raise DataError(f"{description}: has no column '{name}' ({role}); its columns are {listed}{hint}")
        if list(there).count(name) > 1:
            raise DataError(f"{description}: has the column '{name}' ({role}) more than once; rename one of them")
