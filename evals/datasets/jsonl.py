"""gzip JSON lines, read with errors that name file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.errors import UserError

__all__ = ["field", "rows"]


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """``(line number, object)`` of a ``.jsonl`` or ``.jsonl.gz`` file, blank lines left out.

    Raises UserError naming the file, and the line where one is to blame.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if not text.strip():
                    continue
                try:
                    value = json.loads(text)
                except ValueError as error:
                    raise UserError(f"{path}:{number}: not JSON: {error}") from None
                if not isinstance(value, dict):
                    raise UserError(f"{path}:{number}: expected an object")
                yield number, value
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing", remedy="set VIDOCQ_DATA to the folder that holds the data"
        ) from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}:{number + 1}: cannot be read: {error}") from None


def field(
    path: Path, number: int, row: dict[str, Any], name: str, kind: type | tuple[type, ...]
) -> Any:
    """A field of a row, checked for its type. Raises UserError naming file, line and field."""
    value = row.get(name)
    wrong_bool = isinstance(value, bool) and kind is not bool and bool not in _all(kind)
    if not isinstance(value, kind) or wrong_bool:
        what = "is missing" if name not in row else f"is {value!r:.40}"
        raise UserError(f"{path}:{number}: {name} {what}")
    return value


def _all(kind: type | tuple[type, ...]) -> tuple[type, ...]:
    return kind if isinstance(kind, tuple) else (kind,)
