"""Snapshots of what users see. ``UPDATE_SNAPSHOTS=1 pytest …`` writes them anew; read the diff."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["assert_snapshot"]

FOLDER = Path(__file__).parent / "__snapshots__"


def assert_snapshot(name: str, text: str) -> None:
    """The text is what ``tests/__snapshots__/NAME`` holds."""
    path = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text == known, f"{path} differs; if that is meant: UPDATE_SNAPSHOTS=1 pytest, and read"
