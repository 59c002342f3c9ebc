"""The one error of this package, and how errors of the layers below become its sentence."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

__all__ = ["DataError", "ServerAway", "ServerError", "explain", "explained", "redact"]

_NOT_THAT_CODEC = ("incorrect header check", "Unknown frame descriptor")


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence that names the file, line or column and what to do."""


class ServerError(DataError):
    """A server that cannot be used, though nothing is wrong with the data; the message is one sentence that names it."""


class ServerAway(ServerError):
    """A server that does not answer, or not yet."""


def redact(url: str) -> str:
    """The url without credentials, query and fragment, fit for a message."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def explain(error: Exception, name: str, fmt: str = "") -> DataError:
    """The DataError for whatever reading `name` (as format `fmt`) raised."""
    return DataError(f"{name}: {_http(error) or _file(error) or _content(error, fmt)}")


@contextmanager
def explained(name: str, fmt: str = "") -> Iterator[None]:
    """Turn whatever reading `name` raises inside into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise explain(error, name, fmt) from error


def _file(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist; check the path, which is relative to the manifest's folder"
    if isinstance(error, IsADirectoryError):
        return "is a folder; name a file in it"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied); allow this user to read it"
    return ""


def _http(error: Exception) -> str:
    # Imported by fsspec when a url is opened; when it is not, the error is not from there.
    aiohttp = sys.modules.get("aiohttp")
    if aiohttp is None:
        return ""
    if isinstance(error, aiohttp.ClientResponseError):
        advice = "check the url" if error.status == HTTPStatus.NOT_FOUND else "check the url and who may read it"
        return f"the server answered {error.status} {_phrase(error.status)}; {advice}"
    if isinstance(error, aiohttp.ClientConnectorError):
        known = error.errno is not None and error.errno > 0
        reason = os.strerror(error.errno) if known else (error.strerror or "no answer")
        return f"cannot be reached ({reason.lower()}); check host and port"
    if isinstance(error, aiohttp.ClientError):
        return "the transfer broke off; try again or download the file first"
    if isinstance(error, TimeoutError):
        return "the server does not answer in time; try again or download the file first"
    return ""


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else "an unknown status"


def _content(error: Exception, fmt: str) -> str:
    text = " ".join(str(error).split())
    if "Truncated compressed stream" in text:
        return "its compressed data ends too early; copy or download the file again"
    if any(part in text for part in _NOT_THAT_CODEC) or "inflate failed" in text or "ZSTD decompress failed" in text:
        return "its compressed data is damaged; copy or download the file again"
    text = re.sub(r"\.?( Details:.*)?$", "", text)[:200]
    return f"cannot be read{f' as {fmt}' if fmt else ''}: {text or type(error).__name__}; check the file and its format"
