"""The documented command lines fit their cards, by arithmetic over the published configurations."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from evals.bench.local import PROMPT as VERDICT
from evals.bench.local import SIZES, WORDS, built
from tests.commands import options_of, serve_lines
from tools.models.captioner import DESCRIBE_TOKENS, FRAMES, LONGEST_PX

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
GIB = 2**30
SIZE = {"Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl-7b", "Qwen/Qwen2.5-14B-Instruct": "qwen2.5-14b"}
LOOK = max(FRAMES.values()) * (LONGEST_PX // 28) ** 2 + WORDS + DESCRIBE_TOKENS
"""Tokens of a look at most: square pictures, which are cut into patches of 28 pixels."""
LINES = [(page, options_of(arguments)) for page, arguments in serve_lines()]
SHARED = [o for page, o in LINES if page == "models.md" and "--gpu-memory-utilization" in o]


def card_of(options: dict[str, str]) -> float:
    """GiB of the card a line is for: the one with two servers on it is the larger."""
    return 79.1 if "--port" in options else 21.9


def weights(size: str) -> float:
    """GiB in bfloat16."""
    return 2 * sum(p.numel() for p in built(size, device="meta").parameters()) / GIB


def token(size: str) -> int:
    """Bytes of cache: a key and a value of each layer and head, two bytes a number."""
    told = SIZES[size]
    head = told["hidden_size"] // told["num_attention_heads"]
    return int(2 * told["num_hidden_layers"] * told["num_key_value_heads"] * head * 2)


def test_the_page_and_the_readme_give_the_same_lines() -> None:
    readme, models = ([o for p, o in LINES if p == page] for page in ("README.md", "models.md"))
    assert len(readme) == 5
    assert readme == models


@pytest.mark.parametrize("options", SHARED, ids=lambda o: f"{o['']}-{o['--max-num-seqs']}")
def test_a_line_fits_its_card_and_the_page_says_how(options: dict[str, str]) -> None:
    size = SIZE[options[""]]
    each = LOOK if "vision" in SIZES[size] else VERDICT
    share = float(options["--gpu-memory-utilization"]) * card_of(options)
    filled = int(options["--max-num-seqs"]) * each * token(size) / GIB
    left = share - weights(size) - filled
    assert left > 2.0
    assert filled > int(options["--max-model-len"]) * token(size) / GIB  # one longest call, too
    row = next(
        cells
        for line in PAGE.splitlines()
        if re.match(rf"\| (VL-7B|14B), .*, {options['--max-num-seqs']} ", line)
        for cells in [re.findall(r"([\d.]+) [GK]iB", line)]
    )
    told = [weights(size), token(size) / 1024, share, filled, left]
    assert all(math.isclose(float(a), b, abs_tol=0.006) for a, b in zip(row, told, strict=True))


def test_what_is_on_one_card_leaves_room_beside_it() -> None:
    shares = [float(o["--gpu-memory-utilization"]) for o in SHARED if "--port" in o]
    assert len(shares) == 2
    assert sum(shares) < 0.95


def test_a_look_is_counted_as_the_page_says() -> None:
    assert f"counted as {LOOK} tokens" in PAGE
    assert f"a verdict as {VERDICT}" in PAGE
