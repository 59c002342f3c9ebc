"""Connections to Milvus, or to Milvus Lite, whose server is threads of this process."""

import importlib
import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aura_contract.connection import refused, tls_fault
from aura_contract.credentials import Credentials, credentials
from aura_contract.dependencies import External
from aura_contract.manifest import ManifestError
from aura_data.errors import DataError, ServerAway, ServerError, redact

__all__ = ["CONNECT_SECONDS", "DEFAULT_COLLECTION", "Connection", "Target"]

Target = External | str | Path
"""A server (`http://HOST:PORT` or HOST:PORT) or the path of Milvus Lite's folder."""

DEFAULT_COLLECTION = "aura_items"
CONNECT_SECONDS = 5.0

_HOST_PORT = re.compile(r"[\w.-]+:\d{1,5}")
_DOWN = re.compile(r"connect|unavailable|deadline|time ?out|timed out", re.IGNORECASE)
_UNAUTHENTICATED = re.compile(r"auth check failure|unauthenticated|invalid credential", re.IGNORECASE)
_ABSENT = re.compile(r"not found|not exist|can't find|does not", re.IGNORECASE)


class Connection:
    """A pymilvus client with the sentence for what goes wrong; `client` is the `MilvusClient`."""

    _open: Counter[str] = Counter()
    _lock = threading.Lock()

    def __init__(self, target: Target, seconds: float = CONNECT_SECONDS, *, probe: bool = True) -> None:
        """Connects within `seconds`; raises DataError when the server does not answer or the folder cannot be used.

        With `probe` a server that does not answer is looked at for what is wrong with its encryption, which takes seconds.
        """
        self._probe = probe
        text = target.endpoint if isinstance(target, External) else str(target)
        self._embedded: str | None = None
        if not isinstance(target, Path) and ("://" in text or _HOST_PORT.fullmatch(text)):
            uri = text if "://" in text else f"http://{text}"
            self.name, self._address = f"Milvus at {redact(uri)}", uri
        else:
            # pymilvus tells an embedded database by this suffix.
            path = Path(text if text.endswith(".db") else f"{text}.db").absolute()
            self.name = f"Milvus Lite in {path}"
            self._embedded = uri = str(path)
        self.client: Any = self._connect(uri, seconds)
        self._probe = False

    def _connect(self, uri: str, seconds: float) -> Any:
        # Its C library writes failed handshakes to standard error, beside the sentence that says what to do.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from pymilvus import MilvusClient  # noqa: PLC0415 - takes a second and is often not needed

        if self._embedded is None:
            with self.explained():
                return MilvusClient(uri, timeout=seconds, **_identity(credentials("MILVUS")))
        with self._lock:
            logging.getLogger("grpc._server").addFilter(_known_gap)
            try:
                Path(uri).parent.mkdir(parents=True, exist_ok=True)
                with _quiet("milvus_lite", "pymilvus"):
                    client = MilvusClient(uri)
            except Exception as error:
                raise DataError(
                    f"{self.name}: cannot be opened; another process may be using it, or the folder may not be written"
                ) from error
            self._open[uri] += 1
            return client

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what pymilvus and grpc raise inside into a DataError that names the server."""
        from pymilvus import MilvusException  # noqa: PLC0415

        try:
            with _quiet("pymilvus"):
                yield
        except (DataError, ManifestError):
            raise
        except MilvusException as error:
            # While it connects, pymilvus tells what the server said only in the cause.
            text = f"{error.message} {getattr(error.__cause__, 'details', str)() or ''}".strip()
            if _UNAUTHENTICATED.search(text):
                raise ServerError(f"{self.name}: {refused('MILVUS')}") from error
            if not _DOWN.search(text):
                raise ServerError(f"{self.name}: refuses the request ({' '.join(text.split())[:200]})") from error
            raise self._silent() from error
        except Exception as error:
            raise self._silent() from error

    def _silent(self) -> ServerError:
        fault = tls_fault("MILVUS", self._address) if self._probe and not self._embedded else None
        if fault:
            return ServerError(f"{self.name}: {fault}")
        return ServerAway(f"{self.name}: does not answer; check the address or start the server")

    def current(self, alias: str, seconds: float | None = None) -> str | None:
        """Name of the collection that `alias` stands for, or None; waits at most so many seconds."""
        from pymilvus import MilvusException  # noqa: PLC0415

        with self.explained():
            try:
                return str(self.client.describe_alias(alias, timeout=seconds)["collection_name"])
            except MilvusException as error:
                if _ABSENT.search(str(error.message)):
                    return None
                raise

    def close(self) -> None:
        """Close the client, and the embedded server with the last connection to it."""
        client, self.client = self.client, None
        if client is None:
            return
        client.close()
        if self._embedded is not None:
            with self._lock:
                self._open[self._embedded] -= 1
                if self._open[self._embedded] <= 0:
                    # Closing the client leaves its server and the lock on the folder behind.
                    importlib.import_module("milvus_lite").server_manager_instance.release_server(self._embedded)


def _identity(found: Credentials) -> dict[str, Any]:
    """What the client is told besides the address; a CA alone goes by another name than one with a client certificate."""
    options: dict[str, Any] = {}
    if found.username:
        options |= {"user": found.username, "password": found.password or ""}
    if found.tls:
        options["secure"] = True
    if found.cert:
        options |= {"client_pem_path": found.cert, "client_key_path": found.key, "ca_pem_path": found.ca or ""}
    elif found.ca:
        options["server_pem_path"] = found.ca
    return options


def _known_gap(record: logging.LogRecord) -> bool:
    """Whether to log: not the trace of a call that pymilvus tries and Milvus Lite lacks, since pymilvus goes on without it."""
    return not (record.exc_info and record.exc_info[0] is NotImplementedError)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep a library from logging an error that is about to be raised as one sentence."""
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    for logger, _ in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
