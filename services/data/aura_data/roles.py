"""Conversion of a file's columns to the types of the roles they play."""

import contextlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from aura_contract.admissibility import KEY_PREFIX, MAX_KEY_BYTES
from aura_contract.payload import key_of
from aura_data.errors import DataError

__all__ = ["ROLE_TYPES", "convert", "key_bytes"]

MOST_ESCAPED = 3
"""Bytes of a key for one of an id, at the most."""

ROLE_TYPES: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("item", "user", "session", "action", "title", "category", "brand"), pa.string()),
    "time": pa.float64(),
    "price": pa.float64(),
    "embedding": pa.list_(pa.float32()),
}
"""Arrow type of each role: strings, epoch seconds, a number, a vector."""


def convert(column: pa.Array, role: str) -> pa.Array:
    """The column as the type of its role; values that are none (bad UTF-8, no number, no time,
    an item id too long for a cache key) become null.

    Raises DataError for a column whose type cannot play the role at all.
    """
    wanted = ROLE_TYPES[role]
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), wanted)
    if role == "embedding":
        return _vectors(column)
    if pa.types.is_nested(column.type):
        raise DataError(f"holds {column.type}, which cannot be {role}")
    if role == "time":
        return _finite(_seconds(column))
    if role == "price":
        return _finite(_numbers(column))
    text = _text(column)
    return _short(text) if role == "item" else text


def _short(items: pa.Array) -> pa.Array:
    """Item ids of which a cache key can be made, others null."""
    length = pc.fill_null(pc.binary_length(items), 0)
    if pc.max(length).as_py() is None or pc.max(length).as_py() * MOST_ESCAPED + len(KEY_PREFIX) <= MAX_KEY_BYTES:
        return items
    encoded = items.dictionary_encode()
    ids = [name if name and len(key_of(name).encode()) <= MAX_KEY_BYTES else None for name in encoded.dictionary.to_pylist()]
    return pa.array(ids, pa.string()).take(encoded.indices)


def key_bytes(column: pa.Array, row: int) -> int:
    """Bytes of the cache key of an item id in a file's column, as far as they can be told."""
    value = column.slice(row, 1).cast(pa.binary())[0].as_py() if _is_text(column.type) else str(column[row].as_py()).encode()
    return len(key_of((value or b"").decode(errors="replace")).encode())


def _text(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):
        # Integer ids with gaps are often stored as floats.
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.int64())
    try:
        text = column.cast(pa.string())
        text.validate(full=True)
    except pa.ArrowInvalid:
        text = pa.array([_decoded(value) for value in column.cast(pa.binary()).to_pylist()], pa.string())
    if pc.min(pc.binary_length(text)).as_py() == 0:
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return text


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _seconds(column: pa.Array) -> pa.Array:
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        return pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), float(per_second))
    if not _is_text(column.type):
        return _numbers(column)
    text = _text(column)
    for unit in (None, pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return text.cast(pa.float64()) if unit is None else _seconds(text.cast(unit))
        except pa.ArrowInvalid:
            continue
    return _each(text, _moment)


def _numbers(column: pa.Array) -> pa.Array:
    if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
        raise DataError(f"holds {column.type}, which is no number")
    if _is_text(column.type):
        column = _text(column)
    try:
        return column.cast(pa.float64(), safe=_is_text(column.type))
    except pa.ArrowInvalid:
        return _each(column, _number)


def _finite(column: pa.Array) -> pa.Array:
    finite = pc.is_finite(column)
    if pc.all(finite).as_py() is not False:
        return column
    return pc.if_else(finite, column, pa.scalar(None, pa.float64()))


def _each(column: pa.Array, parse: Callable[[str], float | None]) -> pa.Array:
    """Distinct values one by one: the slow way, for mixed spellings."""
    encoded = column.dictionary_encode()
    parsed = pa.array([None if value is None else parse(value) for value in encoded.dictionary.to_pylist()], pa.float64())
    return parsed.take(encoded.indices)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _vectors(column: pa.Array) -> pa.Array:
    if _is_text(column.type):
        return pa.array(
            [None if value is None else _vector(value) for value in _text(column).to_pylist()], ROLE_TYPES["embedding"]
        )
    try:
        return column.cast(ROLE_TYPES["embedding"], safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"holds {column.type}, which is no list of numbers") from error


def _vector(text: str) -> list[float] | None:
    """Numbers written as a JSON list, or parted by commas or spaces."""
    try:
        values: Any = json.loads(text) if text.lstrip().startswith("[") else text.replace(",", " ").split()
        numbers = [float(value) for value in values]
    except (ValueError, TypeError):
        return None
    return numbers or None


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )
