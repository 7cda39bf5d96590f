"""From the text of a reply to the JSON it was to be, or a refusal that says why; never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tools.errors import BackendError

__all__ = ["parsed", "runs_away"]

FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
TAIL = re.compile(r"(.{1,60}?)\1{7,}\s*\Z", re.DOTALL)
LEAST_TAIL = 60
"""Characters that a repeated tail must have to be a runaway and not, say, a row of dots."""


def runs_away(text: str) -> bool:
    """Whether a text ends in one piece said over and over, as of a model that lost its way."""
    found = TAIL.search(text[-1000:])
    return found is not None and len(found.group(0)) >= LEAST_TAIL


def parsed(text: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The JSON object of a reply that satisfies the schema, and what had to be done to find it.

    The reply as it is, else its one code fence, else the one object with prose around it.

    Raises BackendError: ``runaway``, ``not_json`` or ``schema``.
    """
    if runs_away(text):
        raise BackendError("the reply repeats one piece over and over", fault="runaway")
    value, how = _object(text.strip())
    flaw = _flaw(value, json.dumps(dict(schema), sort_keys=True))
    if flaw:
        raise BackendError(f"the reply does not fit what was asked: {flaw}", fault="schema")
    return value, how


def _object(text: str) -> tuple[dict[str, Any], str]:
    whole = _load(text)
    if whole is not None:
        return whole, ""
    fenced = [found for block in FENCE.findall(text) if (found := _load(block)) is not None]
    if len(fenced) == 1:
        return fenced[0], "taken out of a code fence"
    around = _embedded(text)
    if len(around) == 1:
        return around[0], "taken out of the prose around it"
    why = "holds several JSON objects" if fenced or around else "is not JSON"
    raise BackendError(f"the reply {why}: {_short(text)!r}", fault="not_json")


def _load(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _embedded(text: str) -> list[dict[str, Any]]:
    """Every whole object in a text, from left to right, without those inside another."""
    found: list[dict[str, Any]] = []
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    return found


@lru_cache(maxsize=32)
def _validator(schema: str) -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(schema))


def _flaw(value: dict[str, Any], schema: str) -> str:
    """The first thing that does not fit, in words; empty where all does."""
    error = next(iter(_validator(schema).iter_errors(value)), None)
    if error is None:
        return ""
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {_short(error.message)}" if where else _short(error.message)


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "…"
