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
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        counts = np.array([len(encoding.ids) for encoding in encodings], np.int64)
        vectors = np.zeros((len(texts), self._weights.shape[1]), np.float32)
        if not counts.sum():
            return vectors
        tokens = np.concatenate([np.array(encoding.ids, np.int64) for encoding in encodings])
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        some = counts > 0
        vectors[some] = np.add.reduceat(self._weights[tokens], starts[some], axis=0)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors


def _load() -> Any:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise DataError("embeddings: the package wordllama is missing; pip install 'aura-experiment[data]'")
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
