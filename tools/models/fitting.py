"""Make a value fit a JSON schema, by changes of spelling alone.

The text ``"1"`` where a number is wanted, ``Road_Accident`` where the list says ``RoadAccidents``,
a field nobody asked for. What a reply says is never changed: a label outside the list, a number
off the scale and a missing field stay misfits.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from tools.errors import BackendError

__all__ = ["Schema", "decisive", "fitted", "misfit"]

Schema = Mapping[str, Any]

BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum")
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)")


def decisive(schema: Schema) -> bool:
    """Whether a value of this schema decides something: a choice, a number, a truth."""
    kinds = ("integer", "number", "boolean")
    return "enum" in schema or "const" in schema or schema.get("type") in kinds


def fitted(value: Any, schema: Schema) -> tuple[Any, list[str]]:
    """The value in the spelling of the schema, and what was changed. It may still be a misfit."""
    changes: list[str] = []
    if isinstance(value, list) and len(value) == 1 and schema.get("type", "array") != "array":
        value = value[0]
        changes.append("taken out of a list")
    return _fit(value, schema, changes), changes


def misfit(value: Any, schema: Schema) -> BackendError | None:
    """Why a value does not satisfy a schema, None where it does."""
    if not _finite(value):
        return BackendError("the reply has a number that is none", fault="off_scale")
    from jsonschema import Draft202012Validator  # 80 ms

    errors = list(Draft202012Validator(dict(schema)).iter_errors(value))
    if not errors:
        return None
    error = next((e for e in errors if e.validator in BOUNDS), errors[0])
    where = ".".join(str(p) for p in error.absolute_path) or "the reply"
    plain = not isinstance(error.instance, (dict, list))
    off = error.validator in BOUNDS and plain
    return BackendError(f"{where}: {error.message[:200]}", fault="off_scale" if off else "schema")


def _fit(value: Any, schema: Schema, changes: list[str]) -> Any:
    if "enum" in schema:
        return _chosen(value, schema["enum"], changes)
    match schema.get("type"):
        case "object" if isinstance(value, dict):
            return _object(value, schema, changes)
        case "array" if isinstance(value, list):
            return [_fit(v, schema.get("items", {}), changes) for v in value]
        case "integer" | "number" if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            changes.append("number written as text")
            number = float(value)
            return int(number) if number.is_integer() and schema["type"] == "integer" else number
        case "boolean" if isinstance(value, str) and value.strip().casefold() in TRUTHS:
            changes.append("truth written as text")
            return TRUTHS[value.strip().casefold()]
    return value


def _object(value: dict[str, Any], schema: Schema, changes: list[str]) -> dict[str, Any]:
    fields: Mapping[str, Schema] = schema.get("properties", {})
    fit: dict[str, Any] = {}
    for key, item in value.items():
        name = key if key in fields else _alike(key, [f for f in fields if f not in value])
        if name is None or name in fit:
            if schema.get("additionalProperties", True) is False:
                changes.append("field that was not asked for left out")
            else:
                fit[key] = item
            continue
        if name != key:
            changes.append("field spelled otherwise")
        fit[name] = _fit(item, fields[name], changes)
    return fit


def _chosen(value: Any, choices: list[Any], changes: list[str]) -> Any:
    if any(type(c) is type(value) and c == value for c in choices):
        return value
    numbers = [c for c in choices if isinstance(c, (int, float)) and not isinstance(c, bool)]
    if isinstance(value, str) and set(choices) == {0, 1}:
        value = TRUTHS.get(value.strip().casefold(), value)
    if isinstance(value, bool):
        if set(numbers) == {0, 1} == set(choices):
            changes.append("truth for 0 or 1")
            return int(value)
        return value
    texts = [c for c in choices if isinstance(c, str)]
    if isinstance(value, (int, float)):
        if value in numbers:
            return numbers[numbers.index(value)]
        same = [c for c in texts if NUMBER.fullmatch(c) and float(c) == value]
        if len(same) == 1:
            changes.append("number for its text")
            return same[0]
        return value
    if not isinstance(value, str):
        return value
    if NUMBER.fullmatch(value.strip()):
        number = float(value)
        same_number: list[Any] = [c for c in numbers if c == number]
        same_number += [c for c in texts if NUMBER.fullmatch(c) and float(c) == number]
        if len(same_number) == 1:
            changes.append("number written as text")
            return same_number[0]
        return value
    label = _alike(value, texts)
    if label is None:
        return value
    changes.append("label spelled otherwise")
    return label


def _alike(text: str, among: list[str]) -> str | None:
    """The one entry that is the same but for case, separators and a plural's s; None for doubt."""
    plain = _plain(text)
    same = [c for c in among if _plain(c) == plain]
    return same[0] if len(same) == 1 and re.search(r"[^\W\d_]", plain) else None


def _plain(text: str) -> str:
    """Letters and digits, lower case, each word without a plural's s."""
    text = unicodedata.normalize("NFKC", text)
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    return "".join(w.casefold().removesuffix("s") for w in words)


def _finite(value: Any) -> bool:
    return all(math.isfinite(x) for x in _numbers(value))


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, float):
        yield value
