"""Text embeddings without a model: signed hashing of character and word n-grams.

Source: feature hashing (Weinberger et al., ICML 2009); sub-linear term frequency as in
Manning, Raghavan, Schütze, *Introduction to Information Retrieval*, §6.4.1. It measures shared
wording, not meaning, and its name declares so in every record made with it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["HashedEmbedder"]

_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_CHARACTER_SIZES = (3, 4, 5)
_WORD_WEIGHT = 2.0
"""Words count more than the fragments they consist of, of which there are many more."""


class HashedEmbedder:
    """Embeds texts by the words and the letter sequences they share.

    Deterministic across processes and machines: the hash is BLAKE2b, never Python's own.
    """

    def __init__(self, dim: int = 512) -> None:
        if dim < 1:
            raise ValueError(f"dim must be positive, not {dim}")
        self._dim = dim

    @property
    def name(self) -> str:
        return f"hashed-ngrams-{self._dim}/1"

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def by_meaning(self) -> bool:
        return False

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of shape ``(len(texts), dim)``, L2-normalised; a text without any letter or
        digit gives the zero vector."""
        vectors = np.zeros((len(texts), self._dim), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for feature, count in Counter(_features(text)).items():
                index, sign = _slot(feature, self._dim)
                weight = _WORD_WEIGHT if feature.startswith("w") else 1.0
                vector[index] += sign * weight * (1.0 + math.log(count))
            norm = float(np.linalg.norm(vector))
            if norm > 0:
                vector /= norm
        return vectors


def _features(text: str) -> Iterator[str]:
    words = _WORD.findall(text.casefold())
    for word in words:
        yield f"w {word}"
        padded = f"<{word}>"
        for size in _CHARACTER_SIZES:
            for start in range(len(padded) - size + 1):
                yield f"c {padded[start : start + size]}"
    for first, second in pairwise(words):
        yield f"w {first} {second}"


@lru_cache(maxsize=65_536)
def _slot(feature: str, dim: int) -> tuple[int, float]:
    digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
    return (digest >> 1) % dim, 1.0 if digest & 1 else -1.0
