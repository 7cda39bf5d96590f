"""Small text tables, read strictly: what does not fit is named with its file and line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from tools.errors import UserError

__all__ = ["Split", "flag", "number", "only_one", "split_of", "table_rows", "text_of", "whole"]

Split = Literal["train", "test"]


def text_of(file: Path) -> str:
    """The text of a UTF-8 file. Raises UserError naming it, and the line that is no UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{file} is missing") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{file}:{line}: not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None


def only_one(folder: Path, pattern: str) -> Path:
    """The one file of a pattern. Raises UserError where there are none or several."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise UserError(f"{folder}: expected one {pattern}, found {len(found)}")
    return found[0]


def table_rows(file: Path, needed: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """``(line number, row)`` of a CSV file with a header that holds ``needed``.

    Raises UserError where a column is missing, a row has another number of them, or none is there.
    """
    reader = csv.DictReader(text_of(file).splitlines())
    header = [h.strip() for h in reader.fieldnames or ()]
    missing = needed - set(header)
    if missing:
        raise UserError(f"{file}:1: the header has no {', '.join(sorted(missing))}")
    reader.fieldnames = header
    empty = True
    for row in reader:
        empty = False
        if None in row or None in row.values():
            raise UserError(f"{file}:{reader.line_num}: {len(header)} columns expected")
        yield reader.line_num, {k: v.strip() for k, v in row.items()}
    if empty:
        raise UserError(f"{file}:1: a header and no rows")


def whole(file: Path, line: int, row: Mapping[str, str], name: str) -> int:
    """A column as a whole number. Raises UserError."""
    try:
        return int(row[name])
    except ValueError:
        raise UserError(f"{file}:{line}: {name} {row[name]!r} is no whole number") from None


def number(file: Path, line: int, row: Mapping[str, str], name: str) -> float:
    """A column as a finite number. Raises UserError."""
    try:
        value = float(row[name])
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise UserError(f"{file}:{line}: {name} {row[name]!r} is no finite number")
    return value


def flag(file: Path, line: int, row: Mapping[str, str], name: str) -> bool:
    """A column of 0 or 1. Raises UserError."""
    if row[name] not in {"0", "1"}:
        raise UserError(f"{file}:{line}: {name} {row[name]!r} is neither 0 nor 1")
    return row[name] == "1"


def split_of(file: Path, line: int, row: Mapping[str, str]) -> Split:
    """The column ``split``; without one, or where it is empty, ``test``. Raises UserError."""
    match row.get("split", ""):
        case "" | "test":
            return "test"
        case "train":
            return "train"
        case other:
            raise UserError(f"{file}:{line}: split {other!r} is neither train nor test")
