"""The catalogue in MongoDB: one document an item, its id in `_id`."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pyarrow as pa
import pymongo
from pymongo import MongoClient, ReplaceOne
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from aura_contract.connection import refused, tls_fault
from aura_contract.credentials import Credentials, credentials
from aura_contract.dependencies import External
from aura_contract.manifest import ManifestError
from aura_contract.payload import Item
from aura_contract.workload import CatalogSpec
from aura_data.catalog.base import ProgressCallback
from aura_data.catalog.records import CatalogRows, clean_text
from aura_data.errors import DataError, ServerAway, ServerError, redact

__all__ = ["COLLECTION", "DATABASE", "MongoCatalog", "load_mongodb"]

DATABASE = "aura"
COLLECTION = "items"
TIMEOUT_MS = 3000
ANSWER_MS = 20_000
LOOKUP_CHUNK = 1000
WRITE_CHUNK = 2000
CACHED_ITEMS = 10_000
WRONG_PASSWORD = 18

_FIELDS = ("title", "category", "brand", "price")


class MongoCatalog:
    """Items of the collection `items`, in the url's database or else in `aura`.

    `endpoint` is HOST:PORT or a `mongodb://` url. The last 10,000 items are kept at hand. May be asked by several threads.
    A look-up takes at most `patience` seconds, also where a server takes it and says nothing; without it 20 s an answer.
    """

    def __init__(self, endpoint: str, patience: float | None = None) -> None:
        """Connects; raises DataError when the server does not answer within 3 s or holds no catalogue."""
        self._endpoint, self._patience = endpoint, patience
        self._client = _connect(endpoint)
        self._items = _collection(self._client)
        self._cache: OrderedDict[str, Item] = OrderedDict()
        self._lock = threading.Lock()
        try:
            with _explained(self._endpoint):
                self.size: int = self._items.estimated_document_count()
            if not self.size:
                raise DataError(f"{_name(endpoint)}: holds no catalogue; load it with aura load")
        except DataError:
            self.close()
            raise

    def lookup(self, items: Sequence[str]) -> dict[str, Item]:
        """See `Catalog.lookup`."""
        with self._lock:
            return self._lookup(list(dict.fromkeys(items)))

    def _lookup(self, wanted: Sequence[str]) -> dict[str, Item]:
        found = {item: self._cache[item] for item in wanted if item in self._cache}
        missing = [item for item in wanted if item not in found]
        for start in range(0, len(missing), LOOKUP_CHUNK):
            chunk = missing[start : start + LOOKUP_CHUNK]
            with _explained(self._endpoint, known=True), pymongo.timeout(self._patience):
                documents = list(self._items.find({"_id": {"$in": chunk}}, dict.fromkeys(_FIELDS, 1)))
            found.update({str(document["_id"]): _item(document) for document in documents})
        self._remember(found)
        return found

    def _remember(self, found: Mapping[str, Item]) -> None:
        # Not what is unknown: a server that came back empty may be loaded again.
        for item, row in found.items():
            self._cache[item] = row
            self._cache.move_to_end(item)
        while len(self._cache) > CACHED_ITEMS:
            self._cache.popitem(last=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def load_mongodb(catalog: CatalogSpec, mongodb: External, base: Path, progress: ProgressCallback | None = None) -> int:
    """Write a catalogue's items into MongoDB and return how many; items already there are replaced, others stay.

    Raises DataError when the source cannot be read or the server does not answer.
    """
    rows = CatalogRows(catalog, base)
    client = _connect(mongodb.endpoint)
    items = _collection(client)
    done = 0
    try:
        with _explained(mongodb.endpoint):
            for batch in rows.batches():
                for documents in _documents(batch):
                    items.bulk_write([ReplaceOne({"_id": d["_id"]}, d, upsert=True) for d in documents], ordered=False)
                    done += len(documents)
                    if progress:
                        progress(done)
    finally:
        client.close()
    return done


def _documents(batch: pa.RecordBatch) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, batch.num_rows, WRITE_CHUNK):
        rows = batch.slice(start, WRITE_CHUNK).to_pylist()
        yield [{"_id": row.pop("item"), **{name: value for name, value in row.items() if value is not None}} for row in rows]


def _item(document: Mapping[str, Any]) -> Item:
    """The item of a document that anyone may have written: what is not of the right type is left out."""
    texts = {name: clean_text(document[name]) for name in _FIELDS[:3] if isinstance(document.get(name), str)}
    price = document.get("price")
    number = float(price) if isinstance(price, int | float) and not isinstance(price, bool) else None
    return Item(item=document["_id"], price=number, **texts)


def _name(endpoint: str) -> str:
    return f"MongoDB at {redact(endpoint) if '://' in endpoint else endpoint.rpartition('@')[2]}"


def _connect(endpoint: str) -> MongoClient[dict[str, Any]]:
    url = endpoint if "://" in endpoint else f"mongodb://{endpoint}"
    try:
        with _identity(credentials("MONGODB")) as options:
            return MongoClient(
                url,
                serverSelectionTimeoutMS=TIMEOUT_MS,
                connectTimeoutMS=TIMEOUT_MS,
                socketTimeoutMS=ANSWER_MS,
                appname="aura",
                **options,
            )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise DataError(f"{_name(endpoint)}: is not a MongoDB address; write HOST:PORT or mongodb://HOST:PORT") from error


@contextmanager
def _identity(found: Credentials) -> Iterator[dict[str, Any]]:
    """Options for user, password and certificates; win over what the url says."""
    options: dict[str, Any] = {}
    if found.username:
        options |= {"username": found.username, "password": found.password or ""}
    if found.mechanism:
        options["authMechanism"] = found.mechanism
    if found.tls:
        options["tls"] = True
    if found.ca:
        options["tlsCAFile"] = found.ca
    if not (found.cert and found.key):
        yield options
        return
    # The client wants both in one file, and reads it while it is made.
    with NamedTemporaryFile(suffix=".pem") as both:
        both.write(Path(found.cert).read_bytes() + b"\n" + Path(found.key).read_bytes())
        both.flush()
        yield {**options, "tlsCertificateKeyFile": both.name}


def _collection(client: MongoClient[dict[str, Any]]) -> Any:
    return client.get_default_database(DATABASE)[COLLECTION]


@contextmanager
def _explained(endpoint: str, *, known: bool = False) -> Iterator[None]:
    """Turn what pymongo raises inside into a ServerError; a server that is `known` has nothing wrong with its encryption."""
    name = _name(endpoint)
    try:
        yield
    except OperationFailure as error:
        reason = (error.details or {}).get("errmsg", "") or "the operation failed"
        if error.code == WRONG_PASSWORD or "requires authentication" in reason:
            raise ServerError(f"{name}: {refused('MONGODB')}") from error
        raise ServerError(f"{name}: refuses the request ({reason}); check user, password and rights") from error
    except PyMongoError as error:
        fault = None if known else tls_fault("MONGODB", endpoint)
        if fault:
            raise ServerError(f"{name}: {fault}") from error
        raise ServerAway(f"{name}: does not answer; check the address or start the server") from error
