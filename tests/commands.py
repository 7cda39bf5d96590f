"""The command lines that the documentation gives for serving models."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

__all__ = ["SHARE", "options_of", "serve_lines"]

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SHARE = 0.92
"""Of a card's memory, which vLLM takes where a line names no share."""
SERVE = re.compile(r"^vllm serve ((?:.*\\\n)*.*)", re.MULTILINE)


def serve_lines() -> list[tuple[str, list[str]]]:
    """Page and arguments of every ``vllm serve …``, as a shell would pass them."""
    return [
        (page.name, shlex.split(line.replace("\\\n", " ")))
        for page in PAGES
        for line in SERVE.findall(page.read_text(encoding="utf-8"))
    ]


def options_of(arguments: list[str]) -> dict[str, str]:
    """The model (``""``) and the options that have a value."""
    found = {"": arguments[0]}
    for name, value in zip(arguments[1:], [*arguments[2:], "--"], strict=True):
        if name.startswith("--") and not value.startswith("--"):
            found[name] = value
    return found
