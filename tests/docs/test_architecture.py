"""The graph in docs/architecture.md is the graph the code builds."""

from __future__ import annotations

import re
from pathlib import Path

from agent.draw import mermaid

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def test_the_drawn_graph_is_the_real_one() -> None:
    drawn = re.search(r"```mermaid\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert drawn is not None
    assert drawn.group(1).split() == mermaid().split(), "run: python -m agent.draw"


def test_every_module_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    root = PAGE.parents[1]
    named = set(re.findall(r"`((?:tools|graphs|agent|evals|prompts|tests|docs)/[\w./]*)`", text))
    missing = sorted(n for n in named if not (root / n).exists())
    assert named
    assert not missing
