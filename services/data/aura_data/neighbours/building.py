"""Building the neighbours: each item of a catalogue as a vector in Milvus."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aura_contract.workload import CatalogSpec
from aura_data.catalog import ProgressCallback, catalog_batches
from aura_data.errors import DataError
from aura_data.neighbours.connection import DEFAULT_COLLECTION, Connection, Target
from aura_data.neighbours.encoder import ENCODER, TextEncoder
from aura_data.neighbours.milvus import item_key
from aura_data.tables import fingerprint

__all__ = ["build_neighbours"]

INSERT_CHUNK = 4000
ITEM_BYTES = 2048
EXACT_BELOW = 10_000
LISTS = 256

Vectors = NDArray[np.float32]


def build_neighbours(
    catalog: CatalogSpec,
    target: Target,
    base: Path,
    progress: ProgressCallback | None = None,
    collection: str = DEFAULT_COLLECTION,
) -> int:
    """Embed a catalogue and store it; returns the number of items stored.

    Nothing is done when the same catalogue is there already. A new one is built beside the old one, which is replaced
    when it is complete. Vectors are the catalogue's `embedding` column, or the encoder's of title, category and brand
    in lower case; items with neither are left out.

    Raises DataError: catalogue unreadable, no item with a vector, vectors of different lengths, server not answering.
    """
    if not re.fullmatch(r"[A-Za-z_]\w{0,200}", collection, re.ASCII):
        raise DataError(f"collection {collection}: may hold letters, digits and underscores only; rename it")
    name = f"{collection}_{_version(catalog, base)}"
    connection = Connection(target)
    try:
        if connection.current(collection) == name:
            with connection.explained():
                return int(connection.client.get_collection_stats(name)["row_count"])
        return _build(connection, name, collection, _vectors(catalog, base), progress)
    finally:
        connection.close()


def _version(catalog: CatalogSpec, base: Path) -> str:
    columns = catalog.columns.model_dump_json()
    encoder = "own" if catalog.columns.embedding else ENCODER
    text = "\n".join((fingerprint(catalog.source, base, "catalog"), columns, encoder))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _build(
    connection: Connection,
    name: str,
    alias: str,
    vectors: Iterator[tuple[list[str], Vectors]],
    progress: ProgressCallback | None,
) -> int:
    done = 0
    for items, block in vectors:
        with connection.explained():
            if done == 0:
                _create(connection.client, name, block.shape[1])
            for start in range(0, len(items), INSERT_CHUNK):
                chunk = items[start : start + INSERT_CHUNK]
                rows = [
                    {"id": item_key(item), "item": item, "vector": vector}
                    for item, vector in zip(chunk, block[start : start + INSERT_CHUNK], strict=True)
                ]
                connection.client.insert(name, rows)
                done += len(chunk)
                if progress:
                    progress(done)
    if done == 0:
        raise DataError("neighbours: no item of the catalogue has an embedding, title, category or brand to compare")
    _finish(connection, name, alias, done)
    return done


def _create(client: Any, name: str, dimension: int) -> None:
    from pymilvus import DataType  # noqa: PLC0415 - takes a second and is often not needed

    if client.has_collection(name):
        # Left behind by a build that did not come to its end.
        client.drop_collection(name)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("item", DataType.VARCHAR, max_length=ITEM_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    client.create_collection(name, schema=schema)


def _finish(connection: Connection, name: str, alias: str, count: int) -> None:
    former = connection.current(alias)
    with connection.explained():
        client = connection.client
        client.flush(name)
        index = client.prepare_index_params()
        # An inverted file builds in seconds where a graph takes a minute; below, an exact search is quick enough.
        exact = count < EXACT_BELOW
        kind, settings = ("FLAT", {}) if exact else ("IVF_FLAT", {"nlist": LISTS})
        index.add_index("vector", index_type=kind, metric_type="COSINE", params=settings)
        client.create_index(name, index)
        client.load_collection(name)
        if former is None:
            client.create_alias(name, alias)
        else:
            client.alter_alias(name, alias)
        for other in client.list_collections():
            if other != name and re.fullmatch(rf"{alias}_[0-9a-f]{{16}}", other):
                client.drop_collection(other)


def _vectors(catalog: CatalogSpec, base: Path) -> Iterator[tuple[list[str], Vectors]]:
    """Blocks of item ids and their vectors, shape (n, dimension)."""
    own = catalog.columns.embedding is not None
    encoder = None if own else TextEncoder()
    dimension: int | None = None
    for batch in catalog_batches(catalog, base, embedding=own):
        if encoder is None:
            keep, block = _own_vectors(batch, dimension)
        else:
            block = encoder.encode(_texts(batch))
            keep = np.arange(batch.num_rows)
        usable = np.isfinite(block).all(axis=1) & (np.abs(block).sum(axis=1) > 0)
        ids = batch.column("item").take(pa.array(keep[usable])).to_pylist()
        fits = np.array([len(item.encode()) <= ITEM_BYTES for item in ids], np.bool_)
        if fits.any():
            dimension = block.shape[1]
            yield [item for item, fit in zip(ids, fits, strict=True) if fit], block[usable][fits]


def _own_vectors(batch: pa.RecordBatch, dimension: int | None) -> tuple[NDArray[np.int64], Vectors]:
    column = batch.column("embedding")
    keep = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    vectors = [np.asarray(value, np.float32) for value in column.take(pa.array(keep)).to_pylist()]
    wanted = dimension or (len(vectors[0]) if vectors else 0)
    for row, vector in zip(keep, vectors, strict=True):
        if len(vector) != wanted:
            item = batch.column("item")[int(row)].as_py()
            raise DataError(
                f"catalogue: the embedding of item {item} has {len(vector)} numbers where others have {wanted}; correct it"
            )
    return keep, np.stack(vectors) if vectors else np.zeros((0, wanted), np.float32)


def _texts(batch: pa.RecordBatch) -> list[str]:
    roles = [role for role in ("title", "category", "brand") if role in batch.schema.names]
    columns = [batch.column(role).fill_null("").to_pylist() for role in roles]
    if not columns:
        return [""] * batch.num_rows
    return [" ".join(filter(None, parts)).lower() for parts in zip(*columns, strict=True)]
