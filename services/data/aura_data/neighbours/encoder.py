"""Embeddings of catalogue texts from a static encoder that comes whole in its package: no network, no GPU."""

import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_data.errors import DataError

__all__ = ["DIMENSION", "ENCODER", "TextEncoder"]

ENCODER = "wordllama-l2-supercat-128"
DIMENSION = 128
"""Leading dimensions that are used: the weights are trained so that fewer of them are still a good embedding."""

_STORED_DIMENSION = 256
CHUNK = 1024


class TextEncoder:
    """Mean of static token vectors (wordllama's `l2_supercat` weights), of unit length."""

    def __init__(self) -> None:
        """Loads the weights from the installed package; raises DataError when it is missing."""
        model = _load()
        self._tokenizer: Any = model.tokenizer
        self._tokenizer.no_padding()
        self._weights: NDArray[np.float32] = model.embedding

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (len(texts), 128); zeros for a text without a token."""
        # Many products differ only in their ids.
        codes: dict[str, int] = {}
        rows = np.array([codes.setdefault(text, len(codes)) for text in texts], np.int64)
        distinct = list(codes)
        blocks = [self._encode(distinct[start : start + CHUNK]) for start in range(0, len(distinct), CHUNK)]
        vectors = np.concatenate(blocks) if blocks else np.zeros((0, DIMENSION), np.float32)
        return vectors[rows]

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = [encoding.ids for encoding in encodings]
        counts = np.array([len(tokens) for tokens in ids], np.int64)
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        some = counts > 0
        if not some.any():
            return vectors
        tokens = np.concatenate([np.array(part, np.int64) for part in ids])
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        vectors[some] = np.add.reduceat(self._weights[tokens], starts[some], axis=0)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors


def _load() -> Any:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise DataError("embeddings: the package wordllama is missing; pip install 'aura-experiment[neighbours]'")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        from wordllama import WordLlama  # noqa: PLC0415 - it sets up logging when it is imported, which is undone below
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    # The package looks for its own tokenizer in a folder of another name; as a cache folder, its own is found.
    return WordLlama.load(
        "l2_supercat",
        cache_dir=Path(spec.origin).parent,
        dim=_STORED_DIMENSION,
        trunc_dim=DIMENSION,
        disable_download=True,
    )
