"""CSV and TSV, at the speed of Arrow's own reader."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from aura_data.errors import DataError
from aura_data.files import SourceFile
from aura_data.formats.base import BadRows

__all__ = ["DelimitedReader"]

BLOCK = 1024 * 1024


class DelimitedReader:
    """A text file with a header line; all columns come as strings, empty values as nulls."""

    def __init__(self, file: SourceFile, delimiter: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._fmt = "tsv" if delimiter == "\t" else "csv"
        head, whole = file.head()
        if not head.strip():
            raise DataError(f"{file.name}: is empty; it needs a header line and rows")
        if b"\0" in head:
            raise DataError(f"{file.name}: holds zero bytes, so it is not {self._fmt} text; set format to what it is")
        rows = (row for row in self._parse(head.decode("utf-8-sig", "replace")) if row)
        self.columns: Sequence[str] = next(rows, [])
        if whole and next(rows, None) is None:
            raise DataError(f"{file.name}: holds a header line and no rows; it needs at least one row")

    def batches(self, wanted: Sequence[str], rows: int, bad: BadRows) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """See `Reader.batches`, of 1 MB of text; raises DataError at a row with too few or too many fields."""
        fault: list[tuple[int, str]] = []

        def on_invalid_row(row: Any) -> str:
            if bad.skipping:
                bad.count += 1
                return "skip"
            fault.append((row.number, f"has {row.actual_columns} fields where the header has {row.expected_columns}"))
            return "error"

        try:
            with self._file.stream() as stream:
                yield from self._open(stream, wanted, on_invalid_row)
        except pa.ArrowInvalid as error:
            if fault:
                # Arrow counts from 1 and counts the header, but not blank lines.
                raise bad.failure(self.place(fault[0][0] - 2), fault[0][1]) from error
            if "straddling object" in str(error):
                fault_text = "a line does not end within 1 MB; look for an opening quote without its closing one"
                raise DataError(f"{self._file.name}: {fault_text}") from error
            raise

    def _open(self, stream: Any, wanted: Sequence[str], on_invalid_row: Any) -> Any:
        return pa_csv.open_csv(
            stream,
            # One thread: as fast here, in constant memory, and only so does Arrow number the rows.
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=on_invalid_row
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(wanted),
                column_types={name: pa.string() for name in wanted},
                strings_can_be_null=True,
                null_values=[""],
                check_utf8=False,
            ),
        )

    def place(self, row: int) -> str:
        """See `Reader.place`."""
        with self._file.stream() as stream, io.TextIOWrapper(stream, "utf-8", "replace", newline="") as text:
            reader = csv.reader(text, delimiter=self._delimiter)
            try:
                number = -1
                for fields in reader:
                    number += bool(fields)
                    if number > row:
                        break
            except csv.Error:
                return f"row {row + 1}"
            return f"line {reader.line_num}"

    def _parse(self, text: str) -> Iterator[list[str]]:
        try:
            yield from csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        except csv.Error as error:
            raise DataError(f"{self._file.name}: its header line cannot be read as {self._fmt}: {error}") from error
