"""Bytes of a source: local files and urls, decompressed as they stream."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

import pyarrow as pa

from aura_contract.workload import SourceSpec
from aura_data.errors import DataError, explain, redact

__all__ = ["HEAD_BYTES", "SourceFile", "locate"]

HEAD_BYTES = 256 * 1024
CHUNK = 1024 * 1024

_SUFFIXES: Mapping[str, str] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_MAGIC: Mapping[bytes, str] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_OTHER_MAGIC: Mapping[bytes, str] = {b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z"}


@dataclass(frozen=True)
class SourceFile:
    """One file, local or behind a url, which can be opened again and again.

    `name` stands in messages; `place` is the absolute path or the url; `codec` is gzip, zstd or None.
    """

    name: str
    place: str
    local: bool
    codec: str | None = None

    @property
    def suffix(self) -> str:
        """Last suffix in lower case, without that of the compression."""
        path = PurePosixPath(self.place if self.local else urlsplit(self.place).path)
        return (path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path).suffix.lower()

    def raw(self) -> Any:
        """The file's own bytes as a `pyarrow.NativeFile`; raises whatever the file system raises."""
        if self.local:
            return pa.OSFile(self.place, "rb")
        return pa.PythonFile(_open_url(self.place), mode="r")

    def stream(self) -> Any:
        """The decompressed bytes as a `pyarrow.NativeFile`, read once from the start."""
        return pa.CompressedInputStream(self.raw(), self.codec) if self.codec else self.raw()

    def head(self) -> tuple[bytes, bool]:
        """The first bytes after decompression, at most 256 KB, and whether they are all there is."""
        with self.stream() as stream:
            head = read_full(stream, HEAD_BYTES + 1)
        return head[:HEAD_BYTES], len(head) <= HEAD_BYTES

    def seekable(self) -> Any:
        """The decompressed content with random access; a copy in a temporary file unless it is a plain local file."""
        if self.local and not self.codec:
            return self.raw()
        spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the PythonFile around it
        with self.stream() as stream:
            while chunk := stream.read(CHUNK):
                spool.write(chunk)
        spool.seek(0)
        return pa.PythonFile(spool, mode="r")


def locate(source: SourceSpec, base: Path) -> SourceFile:
    """The file that a path or url names, opened once to see that it is there and how it is compressed; raises DataError."""
    if source.url is not None:
        parts = urlsplit(source.url)
        local = parts.scheme in {"", "file"}
        place = parts.path if local else source.url
        name = redact(source.url)
    else:
        assert source.path is not None
        place = name = str(base / source.path)
        local = True
    file = SourceFile(name, place, local)
    try:
        if local and not Path(place).is_file():
            _refuse(Path(place))
        with file.raw() as raw:
            head = read_full(raw, 8)
    except DataError:
        raise
    except Exception as error:
        raise _absent(error, name, local) from error
    return SourceFile(name, place, local, _codec(file, head))


def read_full(stream: Any, size: int) -> bytes:
    """Up to `size` bytes; fewer only at the end of the stream."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _refuse(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(path)
    if not path.exists():
        raise FileNotFoundError(path)
    raise DataError(f"{path}: is not a regular file, and a log is read more than once; write it to a file first")


def _absent(error: Exception, name: str, local: bool) -> DataError:
    if isinstance(error, FileNotFoundError) and not local:
        # fsspec says "not found" to whatever goes wrong; the cause knows better.
        if isinstance(error.__cause__, Exception) and not isinstance(error.__cause__, FileNotFoundError):
            return explain(error.__cause__, name)
        return DataError(f"{name}: the server answered 404 Not Found; check the url")
    return explain(error, name)


def _codec(file: SourceFile, head: bytes) -> str | None:
    codec = next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), None)
    other = next((codec for magic, codec in _OTHER_MAGIC.items() if head.startswith(magic)), None)
    if other:
        raise DataError(f"{file.name}: is compressed with {other}, which is not supported; compress it with gzip or zstd")
    suffix = PurePosixPath(urlsplit(file.place).path if not file.local else file.place).suffix.lower()
    expected = _SUFFIXES.get(suffix)
    # A server may send a .gz file decompressed, and Parquet files named .gzip are compressed inside.
    lenient = not file.local or head.startswith(b"PAR1")
    if head and expected and codec != expected and not lenient:
        raise DataError(f"{file.name}: is not {expected}-compressed although its name ends in {suffix}; rename or compress it")
    return codec


def _open_url(url: str) -> Any:
    import fsspec  # noqa: PLC0415 - only runs with urls pay for it

    protocol = url.partition("://")[0]
    http = protocol in {"http", "https"}
    try:
        file_system, path = fsspec.url_to_fs(url, **(_http_options() if http else {}))
    except ImportError as error:
        package = str(error).removeprefix("Install ").split(" ")[0].strip("'\",;") or "a file system"
        raise DataError(f"{redact(url)}: {protocol}:// needs a package that is missing; pip install {package}") from error
    except ValueError as error:
        raise DataError(f"{redact(url)}: {protocol}:// is not a known kind of url; use https:// or a path") from error
    # Block size 0 streams the answer; otherwise each read would be a request for a range.
    return file_system.open(path, "rb", **({"block_size": 0} if http else {}))


def _http_options() -> dict[str, Any]:
    import aiohttp  # noqa: PLC0415 - only runs with urls pay for it

    # No limit on the whole transfer: a replay reads as slowly as it replays.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=120)
    return {"client_kwargs": {"trust_env": True, "timeout": timeout}}
