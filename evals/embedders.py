"""Sentence vectors for ``similarity``, by name.

``hashed-ngrams``
    The embedded embedder of the agent: shared wording, not meaning. No model.
``sentence-transformers:MODEL``
    A model by id or path, where that package is installed. It is loaded from disk or fetched as the
    package does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import UserError

__all__ = ["NAMES", "NamedEmbedder", "open_embedder"]

NAMES = ("hashed-ngrams", "sentence-transformers:MODEL")


@dataclass(frozen=True, eq=False)
class NamedEmbedder:
    """An embedder and the name that belongs beside every figure made with it."""

    name: str
    embed: Callable[[Sequence[str]], NDArray[np.float32]]
    """Texts → L2-normalised rows, shape ``(texts, dimensions)``."""


@cache
def open_embedder(name: str) -> NamedEmbedder:
    """The embedder of this name. Raises UserError for a name that is none or a missing package."""
    kind, _, model = name.partition(":")
    if kind == "hashed-ngrams" and not model:
        from tools.backends.embedded.embedder import HashedEmbedder

        hashed = HashedEmbedder()
        return NamedEmbedder(hashed.name, hashed.embed)
    if kind == "sentence-transformers" and model:
        return NamedEmbedder(name, _transformer(model))
    raise UserError(f"there is no embedder {name!r}", remedy=f"one of: {', '.join(NAMES)}")


def _transformer(model: str) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UserError(
            f"the embedder {model} needs the package sentence-transformers",
            remedy="pip install sentence-transformers, or use --embedder hashed-ngrams",
        ) from None
    try:
        loaded: Any = SentenceTransformer(model, device="cpu")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the embedder {model} cannot be loaded: {reason}") from error

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = loaded.encode(
            list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(rows, np.float32)

    return embed
