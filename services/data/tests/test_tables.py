"""Every format and compression, read from real files."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import zstandard
from aura_contract.experiment import FileFormat, SourceSpec
from aura_data.tables import fingerprint, open_table

COLUMNS = {"time": "ts", "user": "who", "session": "visit", "item": "sku", "action": "what"}
ROWS = [
    {"ts": 10.5, "who": "u1", "visit": "s1", "sku": "a", "what": "click", "extra": 1},
    {"ts": 11.0, "who": None, "visit": "s1", "sku": "b c", "what": "buy", "extra": 2},
    {"ts": None, "who": "ü2", "visit": "s2", "sku": "007", "what": "click", "extra": 3},
]


def write(path: Path, fmt: str, rows: list[dict[str, object]] = ROWS) -> Path:
    """The rows as a file of the format, compressed as the last suffix says."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows)
    if fmt == "parquet":
        pq.write_table(table, sink)
    elif fmt == "jsonl":
        sink.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    else:
        pa_csv.write_csv(table, sink, pa_csv.WriteOptions(delimiter="\t" if fmt == "tsv" else ","))
    data = sink.getvalue().to_pybytes()
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, lambda same: same)(data)
    path.write_bytes(packed)
    return path


def read(path: Path, fmt: FileFormat = "auto", columns: dict[str, str] = COLUMNS, **options: object) -> list[dict[str, object]]:
    table = open_table(SourceSpec(path=path.name), fmt, columns, base=path.parent, **options)  # type: ignore[arg-type]
    return pa.Table.from_batches(table.batches()).to_pylist()


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("fmt", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_and_compression(tmp_path: Path, fmt: str, compression: str) -> None:
    path = write(tmp_path / f"log.{fmt}{compression}", fmt)
    assert read(path) == [
        {"time": 10.5, "user": "u1", "session": "s1", "item": "a", "action": "click"},
        {"time": 11.0, "user": None, "session": "s1", "item": "b c", "action": "buy"},
        {"time": None, "user": "ü2", "session": "s2", "item": "007", "action": "click"},
    ]


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "parquet"])
def test_types_limit_and_small_batches(tmp_path: Path, fmt: str) -> None:
    path = write(tmp_path / "log", fmt)
    table = open_table(SourceSpec(path="log"), fmt, COLUMNS, base=tmp_path, limit=2, batch_rows=1)  # type: ignore[arg-type]
    batches = list(table.batches())
    assert [batch.num_rows for batch in batches] == [1, 1]
    assert batches[0].schema == pa.schema(
        [(role, pa.float64() if role == "time" else pa.string()) for role in ("time", "user", "session", "item", "action")]
    )
    assert path.name == "log"


def test_fingerprint_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"item\n1\n")
    expected = "0b5d5fa0e1f7ad57a8b2a5b1b9d1c9b3"
    found = fingerprint(SourceSpec(path="x.csv"), tmp_path)
    assert len(found) == 64
    assert found != expected
