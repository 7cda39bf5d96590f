"""The hashed embedder: what it promises beyond the port (see tests/conformance)."""

from __future__ import annotations

import numpy as np

from tools.backends.embedded.embedder import HashedEmbedder


def test_golden_vector() -> None:
    """Vectors are stored: a change of the hash must change the name (``…/1``) too."""
    embedder = HashedEmbedder(512)
    assert embedder.name == "hashed-ngrams-512/1"
    (vector,) = embedder.embed(["People walk."])
    strongest = np.argsort(-np.abs(vector))[:3]
    assert {int(i) for i in strongest} == {36, 435, 478}


def test_related_wordings_are_nearer_than_others() -> None:
    texts = ["something glides fast", "a gliding object, very fast", "people stand in a group"]
    gram = HashedEmbedder().embed(texts) @ HashedEmbedder().embed(texts).T
    assert gram[0, 1] > 2 * gram[0, 2]


def test_case_and_punctuation_do_not_matter() -> None:
    one, other = HashedEmbedder().embed(["Fast, rigid motion!", "fast rigid motion"])
    np.testing.assert_array_equal(one, other)
