"""Every format and compression, read from real files."""

import contextlib
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aura_contract.workload import FileFormat, SourceSpec
from aura_data.tables import DataError, fingerprint, open_table

COLUMNS = {"time": "ts", "user": "who", "session": "visit", "item": "sku", "action": "what"}
ROWS: list[dict[str, Any]] = [
    {"ts": 10.5, "who": "u1", "visit": "s1", "sku": "a", "what": "click", "extra": 1},
    {"ts": 11.0, "who": None, "visit": "s1", "sku": "b c", "what": "buy", "extra": 2},
    {"ts": None, "who": "ü2", "visit": "s2", "sku": "007", "what": "click", "extra": 3},
]


def write(path: Path, fmt: str, rows: list[dict[str, Any]] = ROWS) -> Path:
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
    packers: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}
    packed = packers[path.suffix](data) if path.suffix in packers else data
    path.write_bytes(packed)
    return path


def read(path: Path, fmt: FileFormat = "auto", columns: dict[str, str] = COLUMNS, **options: Any) -> list[dict[str, Any]]:
    table = open_table(SourceSpec(path=path.name), fmt, columns, base=path.parent, **options)
    rows: list[dict[str, Any]] = pa.Table.from_batches(table.batches()).to_pylist()
    return rows


def read_text(tmp_path: Path, text: str, columns: dict[str, str], name: str = "log.csv", **options: Any) -> list[object]:
    """Values of the last role of a file with this text."""
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    return [list(row.values())[-1] for row in read(tmp_path / name, columns=columns, **options)]


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
def test_types_limit_and_small_batches(tmp_path: Path, fmt: FileFormat) -> None:
    write(tmp_path / "log", fmt)
    table = open_table(SourceSpec(path="log"), fmt, COLUMNS, base=tmp_path, limit=2, batch_rows=1)
    batches = list(table.batches())
    assert [batch.num_rows for batch in batches] == [1, 1]
    assert batches[0].schema == pa.schema([(role, pa.float64() if role == "time" else pa.string()) for role in COLUMNS])
    assert table.roles == tuple(COLUMNS)
    assert sum(batch.num_rows for batch in table.batches()) == 2, "a table can be read again"


def test_gzip_is_told_by_content_and_may_have_members(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(gzip.compress(b"item\na\n") + gzip.compress(b"b\n"))
    assert [row["item"] for row in read(tmp_path / "log.csv", columns={"item": "item"})] == ["a", "b"]


def test_parquet_named_gzip_is_compressed_inside(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item": [1, 2]}), tmp_path / "x.parquet.gzip", compression="gzip")
    assert [row["item"] for row in read(tmp_path / "x.parquet.gzip", columns={"item": "item"})] == ["1", "2"]


def test_one_column_may_play_two_roles(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("\ufeffid,u\n1,a\n")
    assert read(tmp_path / "log.csv", columns={"user": "u", "session": "u", "item": "id"}) == [
        {"user": "a", "session": "a", "item": "1"}
    ]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1511658000", 1511658000.0),
        ("1.5e9", 1.5e9),
        ("2017-01-01T11:53:26", 1483271606.0),
        ("2017-01-01 11:53:26.25", 1483271606.25),
        ("2017-01-01T11:53:26Z", 1483271606.0),
        ("2017-01-01T12:53:26+01:00", 1483271606.0),
        ("2017-01-01", 1483228800.0),
        ("nan", None),
        ("soon", None),
    ],
)
def test_times_as_text(tmp_path: Path, written: str, seconds: float | None) -> None:
    columns = {"item": "i", "time": "t"}
    assert read_text(tmp_path, f"i,t\n1,{written}\n", columns) == [seconds]
    assert read_text(tmp_path, f"i,t\n1,{written}\n2,5\n3,2017-01-01T00:00:00\n", columns) == [seconds, 5.0, 1483228800.0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_as_time_stamps(tmp_path: Path, unit: str) -> None:
    stamps = pa.array([1483271606], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit, "UTC"))
    pq.write_table(pa.table({"i": ["a"], "t": stamps}), tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet", columns={"item": "i", "time": "t"})[0]["time"] == 1483271606.0


def test_ids_stored_as_numbers_become_their_digits(tmp_path: Path) -> None:
    table = pa.table({"i": pa.array([1.0, 12345678901.0]), "u": pa.array([7, 8]).dictionary_encode(), "b": [True, False]})
    pq.write_table(table, tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet", columns={"item": "i", "user": "u", "session": "b"}) == [
        {"item": "1", "user": "7", "session": "true"},
        {"item": "12345678901", "user": "8", "session": "false"},
    ]


def test_prices_and_vectors_of_every_format(tmp_path: Path) -> None:
    columns = {"item": "i", "price": "p", "embedding": "e"}
    expected = [{"item": "a", "price": 1.5, "embedding": [1.0, 0.5]}, {"item": "b", "price": None, "embedding": None}]
    (tmp_path / "x.csv").write_text('i,p,e\na,1.5,"[1, 0.5]"\nb,free,none\n')
    (tmp_path / "x.tsv").write_text("i\tp\te\na\t1.5\t1 0.5\nb\t\t\n")
    (tmp_path / "x.jsonl").write_text('{"i":"a","p":1.5,"e":[1,0.5]}\n{"i":"b","p":null,"e":["x"]}\n')
    pq.write_table(pa.table({"i": ["a", "b"], "p": [1.5, None], "e": [[1.0, 0.5], None]}), tmp_path / "x.parquet")
    for suffix in ("csv", "tsv", "jsonl", "parquet"):
        assert read(tmp_path / f"x.{suffix}", columns=columns) == expected, suffix


def test_jsonl_with_mixed_types_and_gaps(tmp_path: Path) -> None:
    text = '{"i": 1, "x": {"deep": 1}}\n\n{"i": "two"}\r\n{"i": 3.0}\n{"i": true}\n{"i": "\\ud800y"}'
    assert read_text(tmp_path, text, {"item": "i"}, "log.jsonl") == ["1", "two", "3", "true", "y"]


def test_skipped_rows_are_counted(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"t,i\n1,a\n2\n3,b,c\n4,\n5,\xff\xfe\n6,z\n")
    table = open_table(SourceSpec(path="log.csv"), "auto", {"item": "i"}, base=tmp_path, bad_rows="skip")
    assert [value for batch in table.batches() for value in batch.column("item").to_pylist()] == ["a", "z"]
    assert table.bad_rows == 4
    (tmp_path / "log.jsonl").write_text('{"i":"a"}\nnot json\n[1]\n{"i":null}\n{"i":"z"}\n')
    table = open_table(SourceSpec(path="log.jsonl"), "auto", {"item": "i"}, base=tmp_path, bad_rows="skip")
    assert [value for batch in table.batches() for value in batch.column("item").to_pylist()] == ["a", "z"]
    assert table.bad_rows == 3


def test_many_blocks(tmp_path: Path) -> None:
    count = 300_000
    (tmp_path / "log.csv").write_text("i,t\n" + "".join(f'"{i},x",{i}\n' for i in range(count)))
    (tmp_path / "log.jsonl").write_text("".join(f'{{"i":"{i},x","t":{i}}}\n' for i in range(count)))
    for name in ("log.csv", "log.jsonl"):
        table = open_table(SourceSpec(path=name), "auto", {"item": "i", "time": "t"}, base=tmp_path, batch_rows=10_000)
        whole = pa.Table.from_batches(table.batches())
        assert whole.column("item").to_pylist() == [f"{i},x" for i in range(count)]
        assert whole.column("time").to_pylist() == [float(i) for i in range(count)]


def test_fingerprint_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    data = gzip.compress(b"item\n1\n")
    (tmp_path / "x.csv.gz").write_bytes(data)
    assert fingerprint(SourceSpec(path="x.csv.gz"), tmp_path) == hashlib.sha256(data).hexdigest()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=20))
def test_any_id_survives_any_format(tmp_path: Path, ids: list[str]) -> None:
    table = pa.table({"sku": ids})
    pq.write_table(table, tmp_path / "x.parquet")
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"sku": i}) + "\n" for i in ids))
    quoted = "".join('"' + i.replace('"', '""') + '"\n' for i in ids)
    (tmp_path / "x.csv").write_text('"sku"\n' + quoted, encoding="utf-8", newline="")
    for name in ("x.parquet", "x.jsonl", "x.csv"):
        assert [row["item"] for row in read(tmp_path / name, columns={"item": "sku"})] == ids, name


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(["x.csv", "x.tsv", "x.jsonl", "x.parquet", "x.csv.gz", "x.jsonl.zst"]))
def test_rubbish_is_data_or_a_sentence(tmp_path: Path, rubbish: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(rubbish)
    table = None
    with contextlib.suppress(DataError):
        table = open_table(SourceSpec(path=name), "auto", {"item": "item"}, base=tmp_path, bad_rows="skip")
    if table is not None:
        assert all(batch.num_rows for batch in table.batches())


MEMORY_PROBE = """
import resource, sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from aura_contract.workload import SourceSpec
from aura_data.tables import open_table
columns = {"time": "ts", "user": "user", "item": "item", "action": "action"}
table = open_table(SourceSpec(path=sys.argv[1]), "auto", columns, base=Path("/"), limit=int(sys.argv[2]))
assert sum(batch.num_rows for batch in table.batches()) == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("fmt", ["csv.gz", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, fmt: str) -> None:
    path = tmp_path / f"log.{fmt}"
    block = pa.table(
        {
            "ts": [1.5e9 + i for i in range(100_000)],
            "user": [f"user{i % 4999}" for i in range(100_000)],
            "item": [f"item{i * 7919 % 60_000}" for i in range(100_000)],
            "action": ["click"] * 100_000,
        }
    )
    whole = pa.concat_tables([block] * 30)
    if fmt == "parquet":
        pq.write_table(whole, path, row_group_size=whole.num_rows)
    else:
        with pa.CompressedOutputStream(str(path), "gzip") as sink:
            pa_csv.write_csv(whole, sink)
    del whole
    small, large = (
        int(subprocess.run([sys.executable, "-c", MEMORY_PROBE, str(path), rows], check=True, capture_output=True).stdout)
        for rows in ("300000", "3000000")
    )
    assert large - small < 40 * 1024, f"{small} KB became {large} KB"
