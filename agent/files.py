"""Files that a command is asked to write."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tools.errors import StoreError

__all__ = ["write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, with the folders it needs. Raises StoreError."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot be written: {error.strerror or error}", remedy="name another file"
        ) from error
