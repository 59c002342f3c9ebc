"""Parquet, page by page."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aura_data.errors import DataError
from aura_data.files import SourceFile
from aura_data.formats.base import BadRows

__all__ = ["ParquetReader"]

BUFFER = 1024 * 1024
MAX_ROWS = 32_768


class ParquetReader:
    """A Parquet file; columns keep their types."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        with file.stream() as stream:
            magic = stream.read(4)
        if magic != b"PAR1":
            kind = "is empty" if not magic else "is not a Parquet file"
            raise DataError(f"{file.name}: {kind}; check the file and its format")
        with self._open() as parquet:
            self.columns: Sequence[str] = parquet.schema_arrow.names
            rows = parquet.metadata.num_rows
        if rows == 0:
            raise DataError(f"{file.name}: holds columns and no rows; it needs at least one row")

    def _open(self) -> Any:
        # Buffered and not pre-buffered: otherwise the columns of a whole row group are held at once.
        return pq.ParquetFile(self._file.seekable(), buffer_size=BUFFER, pre_buffer=False)

    def batches(self, wanted: Sequence[str], rows: int, bad: BadRows) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """See `Reader.batches`; at most 32,768 rows, since larger ones cost memory and gain no time."""
        with self._open() as parquet:
            yield from parquet.iter_batches(batch_size=min(rows, MAX_ROWS), columns=list(wanted), use_threads=False)

    def place(self, row: int) -> str:
        """See `Reader.place`."""
        return f"row {row + 1}"
