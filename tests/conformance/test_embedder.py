"""Every embedder: shapes, norms, determinism across processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from tools.backends.embedded.embedder import HashedEmbedder
from tools.ports import Embedder

TEXTS = ["people walk", "something glides at 3.9× the usual walking speed", "", "…", "長い"]


@pytest.fixture(params=["hashed", "hashed-64"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return {"hashed": HashedEmbedder(), "hashed-64": HashedEmbedder(64)}[request.param]


def test_shape_type_and_norm(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim)
    assert vectors.dtype == np.float32
    norms = np.linalg.norm(vectors, axis=1)
    assert np.all(np.isclose(norms, 1, atol=1e-5) | (norms == 0))


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_a_text_embeds_alike_alone_and_in_a_batch(embedder: Embedder) -> None:
    np.testing.assert_array_equal(embedder.embed(TEXTS)[1], embedder.embed(TEXTS[1:2])[0])


def test_the_name_is_stable_and_tells_dimensions_apart(embedder: Embedder) -> None:
    assert embedder.name == type(embedder)(embedder.dim).name  # type: ignore[call-arg]
    assert str(embedder.dim) in embedder.name


def test_the_same_in_another_process(embedder: Embedder) -> None:
    code = (
        "import hashlib;from tools.backends.embedded.embedder import HashedEmbedder;"
        f"v = HashedEmbedder({embedder.dim}).embed({TEXTS!r});"
        "print(hashlib.sha256(v.tobytes()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = hashlib.sha256(embedder.embed(TEXTS).tobytes()).hexdigest()
    assert other.stdout.strip() == here
