"""The bench of model sizes: the published ones have their published weights, the tiny one runs."""

from __future__ import annotations

import pytest

from evals.bench.local import SIZES, built, paces
from tools.errors import UserError

PUBLISHED = {"qwen2.5-vl-7b": 8.29e9, "qwen2.5-14b": 14.77e9}
"""Parameters as their model cards count them."""


def test_the_tiny_size_looks_over_batch_sizes() -> None:
    import torch

    torch.set_num_threads(1)
    found = list(paces("tiny", (1, 2), device="cpu", rounds=1, tokens=3))
    assert [(p.what, p.batch) for p in found] == [("looks", 1), ("looks", 2)]
    assert all(p.per_s > 0 for p in found)


@pytest.mark.parametrize("size", sorted(PUBLISHED))
def test_a_published_size_has_its_published_parameters(size: str) -> None:
    model = built(size, device="meta")  # shapes without memory
    count = sum(p.numel() for p in model.parameters())
    assert count == pytest.approx(PUBLISHED[size], rel=0.002)
    assert set(SIZES) == {"tiny", *PUBLISHED}


def test_a_size_that_is_none_is_the_users_error() -> None:
    with pytest.raises(UserError, match="no size"):
        list(paces("huge", (1,)))
