"""Hashes of text columns that are the same in every process."""

import zlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["hashes"]


def hashes(column: pa.Array) -> NDArray[np.uint32]:
    """CRC-32 of each text, shape (len(column),), 0 where there is none: hash() would differ from process to process."""
    encoded = column.fill_null("").dictionary_encode()
    found = np.array([zlib.crc32(value.encode()) for value in encoded.dictionary.to_numpy(zero_copy_only=False)], np.uint32)
    return np.asarray(found[encoded.indices.to_numpy(zero_copy_only=False)])
