"""Each bad input gets its one sentence."""

import gzip
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from aura_contract.workload import FileFormat, SourceSpec
from aura_data.tables import DataError, fingerprint, open_table

LINES = b"item,user\n" + b"".join(b"%d,u%d\n" % (i, i) for i in range(50_000))
FIX = "correct it or skip such rows with --bad-rows skip"


def fault(source: SourceSpec, base: Path, fmt: FileFormat = "auto", **columns: str) -> str:
    """The sentence that reading the source to its end raises, without the file's name."""
    with pytest.raises(DataError) as caught:
        list(open_table(source, fmt, columns or {"item": "item"}, base=base).batches())
    name, _, sentence = str(caught.value).partition(": ")
    assert name == (source.url or str(base / str(source.path)))
    return sentence


def content_fault(tmp_path: Path, name: str, content: bytes, fmt: FileFormat = "auto", **columns: str) -> str:
    (tmp_path / name).write_bytes(content)
    return fault(SourceSpec(path=name), tmp_path, fmt, **columns)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.csv", b"", "is empty; it needs a header line and rows"),
        ("x.csv", b" \n", "is empty; it needs a header line and rows"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "is empty; it needs a header line and rows"),
        ("x.jsonl", b"\n", "is empty; it needs one JSON object a line"),
        ("x.parquet", b"", "is empty; check the file and its format"),
        ("x.csv", b"item,user\n", "holds a header line and no rows; it needs at least one row"),
        ("x.csv", b"item,user", "holds a header line and no rows; it needs at least one row"),
        ("x.csv", bytes(range(256)) * 9, "holds zero bytes, so it is not csv text; set format to what it is"),
        ("x.jsonl", b'{"a":1}\0', "holds zero bytes, so it is not jsonl text; set format to what it is"),
        ("x.jsonl", b"item,user\n1,2\n", "does not begin with one JSON object a line; set format to what it is"),
        ("x.parquet", b"item,user\n1,2\n", "is not a Parquet file; check the file and its format"),
        ("x.log", LINES, "its name does not tell its format; set format to csv, tsv, jsonl or parquet"),
        ("x.csv.gz", LINES, "is not gzip-compressed although its name ends in .gz; rename or compress it"),
        ("x.csv.zst", LINES, "is not zstd-compressed although its name ends in .zst; rename or compress it"),
        ("x.csv.xz", b"\xfd7zXZ\x00..", "is compressed with xz, which is not supported; compress it with gzip or zstd"),
        ("x.csv", LINES + b"7\n", f"line 50002 has 1 fields where the header has 2; {FIX}"),
        ("x.csv", b'user,item\n"a\nb",1\n\n2,3,4\n', f"line 5 has 3 fields where the header has 2; {FIX}"),
        ("x.csv", LINES + b",u\n" + LINES[10:], f"line 50002 has no usable value in column 'item' (item); {FIX}"),
        ("x.csv", b"item\na\n\xff\xfe\n", f"line 3 has no usable value in column 'item' (item); {FIX}"),
        (
            "x.csv",
            b"item\na\n" + b"x" * 246 + b"\n",
            f"line 3 makes a cache key of 251 bytes, of at most 250, in column 'item' (item); {FIX}",
        ),
        (
            "x.csv",
            "item\n{}\n{}\n".format("%" * 81, "%" * 82).encode(),
            f"line 3 makes a cache key of 251 bytes, of at most 250, in column 'item' (item); {FIX}",
        ),
        ("x.jsonl", b'{"item":"a"}\n\n{"item":', f"line 3 is not a JSON object; {FIX}"),
        ("x.jsonl", b'{"item":"a"}\n\n{"item":""}\n', f"line 3 has no usable value in column 'item' (item); {FIX}"),
        (
            "x.csv",
            b'item\n1\n"' + b"x" * 3_000_000,
            "a line does not end within 1 MB; look for an opening quote without its closing one",
        ),
        ("x.csv", b"itm,user\n1,2\n", "has no column 'item' (item); its columns are 'itm', 'user'; did you mean 'itm'?"),
        ("x.csv", b"a;b\n1;2\n", "has no column 'item' (item); its columns are 'a;b'"),
        ("x.csv", b"item,item\n1,2\n", "has the column 'item' (item) more than once; rename one of them"),
        ("x.jsonl", b'{"sku":1}\n', "has no column 'item' (item); its columns are 'sku'"),
    ],
)
def test_sentences(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    assert content_fault(tmp_path, name, content) == sentence


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_damaged_compression(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(os.urandom(2000).hex().encode().join([LINES] * 4))
    early = "its compressed data ends too early; copy or download the file again"
    assert content_fault(tmp_path, f"x.csv.{suffix}", packed[: len(packed) // 2]) == early
    broken = packed[:12] + b"\xff" * 40 + packed[60:]
    damaged = "its compressed data is damaged; copy or download the file again"
    assert content_fault(tmp_path, f"x.csv.{suffix}", broken) == damaged


def test_damaged_parquet(tmp_path: Path) -> None:
    assert content_fault(tmp_path, "x.parquet", b"PAR1" + b"x" * 100).startswith("cannot be read as parquet: ")
    pq.write_table(pa.table({"item": pa.array([], pa.string())}), tmp_path / "y.parquet")
    assert fault(SourceSpec(path="y.parquet"), tmp_path) == "holds columns and no rows; it needs at least one row"


def test_rows_of_parquet_are_numbered(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item": ["a", None]}), tmp_path / "x.parquet")
    sentence = f"row 2 has no usable value in column 'item' (item); {FIX}"
    assert fault(SourceSpec(path="x.parquet"), tmp_path) == sentence


def test_columns_that_cannot_play_their_role(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item": [[1]], "t": [True]}), tmp_path / "x.parquet")
    source = SourceSpec(path="x.parquet")
    nested = "column 'item' holds list<element: int64>, which cannot be item; name another column for item"
    assert fault(source, tmp_path) == nested
    assert (
        fault(source, tmp_path, time="t", item="t") == "column 't' holds bool, which is no number; name another column for time"
    )


def test_a_needed_role_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("item\n1\n")
    with pytest.raises(DataError, match="no column is named for time, which is needed; name one under columns"):
        open_table(SourceSpec(path="x.csv"), "auto", {"item": "item"}, base=tmp_path, required=("item", "time"))


def test_a_needed_time(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("item,ts\n1,5\n2,soon\n")
    table = open_table(SourceSpec(path="x.csv"), "auto", {"item": "item", "time": "ts"}, base=tmp_path, required=("item", "time"))
    with pytest.raises(DataError) as caught:
        list(table.batches())
    assert str(caught.value) == f"{tmp_path / 'x.csv'}: line 3 has no usable value in column 'ts' (time); {FIX}"


def test_files_that_are_not_there_or_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = "does not exist; check the path, which is relative to the manifest's folder"
    assert fault(SourceSpec(path="x.csv"), tmp_path) == absent
    with pytest.raises(DataError, match=absent):
        fingerprint(SourceSpec(path="x.csv"), tmp_path)
    (tmp_path / "folder.csv").mkdir()
    assert fault(SourceSpec(path="folder.csv"), tmp_path) == "is a folder; name a file in it"
    os.mkfifo(tmp_path / "pipe.csv")
    pipe = "is not a regular file, and a log is read more than once; write it to a file first"
    assert fault(SourceSpec(path="pipe.csv"), tmp_path) == pipe

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.csv").write_bytes(LINES)
    monkeypatch.setattr("aura_data.files.pa.OSFile", refuse)
    denied = "may not be read (permission denied); allow this user to read it"
    assert fault(SourceSpec(path="x.csv"), tmp_path) == denied


class Forbidden(BaseHTTPRequestHandler):
    """Answers 403."""

    def do_GET(self) -> None:
        self.send_error(403)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


class Files(SimpleHTTPRequestHandler):
    """Files of a folder; those called cut* break off in the middle."""

    def do_GET(self) -> None:
        if not self.path.startswith("/cut"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(LINES)))
        self.end_headers()
        self.wfile.write(LINES[:-300_000])
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    yield from serve(partial(Files, directory=str(tmp_path)))


@pytest.fixture
def forbidden() -> Iterator[str]:
    yield from serve(Forbidden)


def serve(handler: object) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:  # type: ignore[arg-type]
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.jsonl.zst", "x.parquet"])
def test_urls(tmp_path: Path, server: str, name: str) -> None:
    ids = [str(i) for i in range(100_000)]
    content = b"item\n" + "\n".join(ids).encode()
    if name.endswith("jsonl.zst"):
        content = "".join(f'{{"item":{i}}}\n' for i in ids).encode()
    packers: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}
    pack = packers.get(name.rpartition(".")[2])
    (tmp_path / name).write_bytes(pack(content) if pack else content)
    if name == "x.parquet":
        pq.write_table(pa.table({"item": ids}), tmp_path / name)
    for url in (f"{server}/{name}?token=secret", f"file://{tmp_path / name}"):
        table = open_table(SourceSpec(url=url), "auto", {"item": "item"}, base=tmp_path)
        assert [item for batch in table.batches() for item in batch.column("item").to_pylist()] == ids
        assert "secret" not in table.description
        assert fingerprint(SourceSpec(url=url), tmp_path) == fingerprint(SourceSpec(path=name), tmp_path)


def test_faults_of_urls(tmp_path: Path, server: str, forbidden: str) -> None:
    assert fault(SourceSpec(url=f"{server}/x.csv"), tmp_path) == "the server answered 404 Not Found; check the url"
    denied = "the server answered 403 Forbidden; check the url and who may read it"
    assert fault(SourceSpec(url=f"{forbidden}/x.csv"), tmp_path) == denied
    broken = "the transfer broke off; try again or download the file first"
    assert fault(SourceSpec(url=f"{server}/cut.csv"), tmp_path) == broken
    refused = fault(SourceSpec(url="http://127.0.0.1:9/x.csv"), tmp_path)
    assert refused == "cannot be reached (connection refused); check host and port"
    assert fault(SourceSpec(url="s3://bucket/x.csv"), tmp_path) == "s3:// needs a package that is missing; pip install s3fs"
    unknown = "nope:// is not a known kind of url; use https:// or a path"
    assert fault(SourceSpec(url="nope://x/x.csv"), tmp_path) == unknown
    missing = "does not exist; check the path, which is relative to the manifest's folder"
    with pytest.raises(DataError, match=missing):
        open_table(SourceSpec(url=f"file://{tmp_path}/none.csv"), "auto", {"item": "item"}, base=tmp_path)
