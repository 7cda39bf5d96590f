"""The documented command lines fit their cards, by arithmetic over the published configurations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evals.bench.local import PROMPT as VERDICT
from evals.bench.local import SIZES, WORDS, built
from tests.commands import SHARE, options_of, serve_lines
from tools.models.captioner import DESCRIBE_TOKENS, FRAMES, LONGEST_PX

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
GIB = 2**30
SIZE = {"Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl-7b", "Qwen/Qwen2.5-14B-Instruct": "qwen2.5-14b"}
LOOK = max(FRAMES.values()) * (LONGEST_PX // 28) ** 2 + WORDS + DESCRIBE_TOKENS
"""Tokens of a look at most: square pictures, which are cut into patches of 28 pixels."""
LINES = [(page, options_of(arguments)) for page, arguments in serve_lines()]
SHOWN = [options for page, options in LINES if page == "models.md"]


def card_of(options: dict[str, str]) -> tuple[str, float]:
    """The card a line is for, as the page writes it, and the GiB that are counted for it."""
    if "--port" in options:  # two servers on one card
        return f"80 GB × {options['--gpu-memory-utilization']}", 79.1
    return ("48 GB", 44.0) if "--host" in options else ("24 GB", 21.9)


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


@pytest.mark.parametrize("options", SHOWN, ids=lambda o: f"{card_of(o)[0]}, {o['']}")
def test_a_line_fits_its_card_and_the_page_says_how(options: dict[str, str]) -> None:
    size, (card, memory) = SIZE[options[""]], card_of(options)
    looks = "vision" in SIZES[size]
    calls = int(options["--max-num-seqs"])
    share = memory * float(options.get("--gpu-memory-utilization", SHARE))
    filled = calls * (LOOK if looks else VERDICT) * token(size) / GIB
    left = share - weights(size) - filled
    assert left > 2.0
    assert filled > int(options["--max-model-len"]) * token(size) / GIB  # one longest call, too
    named = f"VL-7B, {card}, {calls} looks" if looks else f"14B, {card}, {calls} verdicts"
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {named} |"))
    told = [float(n) for n in re.findall(r"([\d.]+) [GK]iB", row)]
    assert told == pytest.approx([weights(size), token(size) / 1024, share, filled, left], abs=6e-3)


def test_what_is_on_one_card_leaves_room_beside_it() -> None:
    shares = [float(o["--gpu-memory-utilization"]) for o in SHOWN if "--port" in o]
    assert len(shares) == 2
    assert sum(shares) < 0.95


def test_a_look_is_counted_as_the_page_says() -> None:
    assert f"counted as {LOOK} tokens" in PAGE
    assert f"a verdict as {VERDICT}" in PAGE
