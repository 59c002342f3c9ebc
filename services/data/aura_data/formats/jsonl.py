"""JSON lines: whole blocks through Arrow, and line by line where a block is not as regular as Arrow needs it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json

from aura_data.errors import DataError
from aura_data.files import SourceFile, read_full
from aura_data.formats.base import BadRows

__all__ = ["JsonlReader"]

BLOCK = 1024 * 1024
LONGEST_LINE = 64 * 1024 * 1024
SAMPLE_LINES = 1000

_ARROW_TYPES: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64()}


class JsonlReader:
    """A text file with one JSON object a line; its columns are the names in the first 1,000 lines."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        head, whole = file.head()
        if not head.strip():
            raise DataError(f"{file.name}: is empty; it needs one JSON object a line")
        if b"\0" in head:
            raise DataError(f"{file.name}: holds zero bytes, so it is not jsonl text; set format to what it is")
        lines = head.split(b"\n")
        sample = [_record(line) for line in (lines if whole else lines[:-1])[:SAMPLE_LINES]]
        records = [record for record in sample if record]
        if not records:
            raise DataError(f"{file.name}: does not begin with one JSON object a line; set format to what it is")
        self.columns: Sequence[str] = list(dict.fromkeys(name for record in records for name in record))
        self._kinds = {name: {type(record[name]) for record in records if record.get(name) is not None} for name in self.columns}

    def batches(self, wanted: Sequence[str], rows: int, bad: BadRows) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """See `Reader.batches`, of 1 MB of text; raises DataError at a line that is not a JSON object."""
        schema = self._schema(wanted)
        line = 0
        for block in self._blocks():
            batch = _fast(block, schema) if schema is not None else None
            yield batch if batch is not None else _slow(block, wanted, line, bad)
            line += block.count(b"\n")

    def _schema(self, wanted: Sequence[str]) -> pa.Schema | None:
        kinds = [self._kinds.get(name, set()) for name in wanted]
        if any(len(kind) != 1 or not kind <= _ARROW_TYPES.keys() for kind in kinds):
            return None
        return pa.schema([(name, _ARROW_TYPES[next(iter(kind))]) for name, kind in zip(wanted, kinds, strict=True)])

    def _blocks(self) -> Iterator[bytes]:
        """Whole lines, about 1 MB at a time."""
        with self._file.stream() as stream:
            rest = b""
            while chunk := read_full(stream, BLOCK):
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield rest + chunk[:end]
                rest = chunk[end:] if end else rest + chunk
                if len(rest) > LONGEST_LINE:
                    raise DataError(f"{self._file.name}: a line does not end within 64 MB; it needs one JSON object a line")
            if rest.strip():
                yield rest

    def place(self, row: int) -> str:
        """See `Reader.place`."""
        line = 0
        for block in self._blocks():
            for text in block.splitlines():
                line += 1
                row -= bool(text.strip())
                if row < 0:
                    return f"line {line}"
        return f"line {line}"


def _fast(block: bytes, schema: pa.Schema) -> pa.RecordBatch | None:
    options = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = pa_json.read_json(
            pa.BufferReader(block), pa_json.ReadOptions(use_threads=False, block_size=len(block) + 1), options
        )
    except pa.ArrowInvalid:
        return None
    batches = table.select(schema.names).combine_chunks().to_batches()
    return batches[0] if len(batches) == 1 else None


def _slow(block: bytes, wanted: Sequence[str], lines_before: int, bad: BadRows) -> pa.RecordBatch:
    columns: list[list[Any]] = [[] for _ in wanted]
    for number, line in enumerate(block.split(b"\n"), lines_before + 1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            if not bad.skipping:
                raise bad.failure(f"line {number}", "is not a JSON object")
            bad.count += 1
            continue
        for values, name in zip(columns, wanted, strict=True):
            values.append(_plain(record.get(name)))
    return pa.RecordBatch.from_arrays([_array(values) for values in columns], names=list(wanted))


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _plain(value: Any) -> Any:
    """A string, a list of numbers or None: what the conversion to roles takes."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # A lone surrogate is no text; the row is then one without that value.
    return None if value is None else str(value).encode("utf-8", "ignore").decode()


def _array(values: list[Any]) -> pa.Array:
    if any(isinstance(value, list) for value in values):
        return pa.array([_numbers(value) for value in values], pa.list_(pa.float32()))
    return pa.array(values, pa.string())


def _numbers(value: Any) -> list[float] | None:
    if not isinstance(value, list) or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in value):
        return None
    return [float(x) for x in value]
