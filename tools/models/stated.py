"""What a reply states, field by field, read from its text: ``"anomaly": 1``, ``Category: arson``.

A second reading, independent of any JSON parser. It checks what was mended (a mended reply may hold
no decision that does not stand in the text beside its name, and the text may state no other), and
it reads replies that are no JSON at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.errors import BackendError
from tools.models.fitting import Schema, decisive, fitted, misfit

__all__ = ["bare", "contradicted", "decisions", "plainly"]

QUOTE = "\"'“”‘’`"
VALUE = re.compile(
    r"\s*(?:(?P<mark>[\"'`“‘])(?P<text>[^\"'`“”‘’\n]*)[\"'`”’](?P<end>\s*\Z)?"
    r"|(?P<bare>[^\s\"'`“”,;:{}\[\]]+(?:[ \t]+[^\s\"'`“”,;:{}\[\]]+)*))"
)
"""A quoted text, or words up to the next separator."""
CLEAN = re.compile(
    r"\s*(?:[}\])]|,?\s*[\"'`“‘]?\w[\w \-]*[\"'`”’]?\s*[:=]|,\s*\Z|,\s*[}\]]|[,;]?\s*```)"
)
"""What may follow a value: a bracket, or another field, with a comma or without."""
LEADS = ("answer", "verdict", "score", "rating", "label", "category", "class", "classification")
DOUBT = re.compile(
    r"(?i)\b(?:not|no|never|neither|nor|cannot|if|unless|whether|would|could|might|may|"
    r"either|example|e\.g|instead of|rather than|or)\b|n['’]t\b"
)
DECORATION = " \t\r\n*_#>-=()[]{}" + QUOTE
LABEL_END = re.compile(
    r"[.;,!?](?=\s|\Z)|[.;,!?]*\Z|\n|\s+(?:because|since|as|due to|given)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Decision:
    """A decisive value of a parsed reply, with its name."""

    field: str
    value: Any
    schema: Schema


def decisions(value: Any, schema: Schema, field: str = "") -> Iterator[Decision]:
    """All that decides something in a parsed value: choices, numbers, truths, by field."""
    if decisive(schema):
        yield Decision(field, value, schema)
    elif isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                yield from decisions(value[key], inner, key)
    elif isinstance(value, list):
        for item in value:
            yield from decisions(item, schema.get("items", {}), field)


def contradicted(value: Any, schema: Schema, text: str, *, once: bool) -> BackendError | None:
    """Whether the text states another decision than a mended value, or not all of it.

    Args:
        once: the text holds this value and no repetition of it.
    """
    found = list(decisions(value, schema))
    if decisive(schema):
        return _aside(value, schema, text)
    for field in {d.field for d in found} | _deciding(schema):
        held = [d for d in found if d.field == field]
        kind = held[0].schema if held else _field(schema, field)
        try:
            said = _stated(text, field, kind)
        except _Unclear as unclear:
            return BackendError(f"{field}: {unclear}", fault=unclear.fault)
        values = [d.value for d in held]
        same = all(v in values for v in said) and all(v in said for v in values)
        if not same or (once and len(said) != len(held)):
            return BackendError(
                f"{field}: the reply does not say plainly which of {said or 'none'}",
                fault="unclear",
            )
    return None


def _aside(value: Any, schema: Schema, text: str) -> BackendError | None:
    """Whether prose around one decision in brackets leaves doubt about it.

    It has to be the first line or to end the last one, and no statement may say otherwise.
    """
    lines = [line.strip().rstrip(".") for line in text.strip().splitlines() if line.strip()]
    alone = re.fullmatch(r"\[[^\[\]]*\]", lines[0]) is not None
    if not alone and (not lines[-1].endswith("]") or DOUBT.search(lines[-1])):
        return BackendError(f"no clear decision in {lines[-1][:80]!r}", fault="unclear")
    try:
        said = _sentences(re.sub(r"[\[\]]", " ", text), LEADS, schema, cut=False)
    except BackendError as error:
        return error
    if any(v != value for v in said):
        return BackendError(f"the reply states {said} and {value}", fault="unclear")
    return None


def plainly(text: str, schema: Schema, *, cut: bool = False) -> dict[str, Any] | None:
    """An object read from statements in plain text; None where it states none of its fields.

    Only an object whose required fields all decide something can be read so.
    Raises BackendError where the text is in doubt.
    """
    fields = schema.get("properties", {})
    required = schema.get("required", [])
    if not required or not all(decisive(fields.get(f, {})) for f in required):
        return None
    if len(required) == 1 and (whole := bare(text, fields[required[0]], required[0], cut=cut)):
        return {required[0]: whole[0]}
    found: dict[str, Any] = {}
    for field in required:
        said = _sentences(text, (field,), fields[field], cut=cut)
        if said:
            found[field] = said[0]
    return found or None


def bare(text: str, schema: Schema, field: str = "", *, cut: bool = False) -> tuple[Any] | None:
    """A decision said by itself: ``Normal.``, ``**7**``, ``The answer is 7.``; None for no such.

    Raises BackendError where the text is in doubt.
    """
    whole = _value(text, schema)
    if whole is not None and not (cut and isinstance(whole[0], (int, float))):
        return whole
    leads = tuple(dict.fromkeys((field, *LEADS))) if field else LEADS
    said = _sentences(text, leads, schema, cut=cut)
    return (said[0],) if said else None


class _Unclear(Exception):
    def __init__(self, message: str, fault: str = "unclear") -> None:
        super().__init__(message)
        self.fault: Any = fault


def _stated(text: str, field: str, schema: Schema) -> list[Any]:
    """Values a JSON-like text gives a field. Raises _Unclear for a value that is not clean."""
    found = []
    name = re.compile(rf"(?i)(?<![\w-])(?P<quote>[{QUOTE}]?){_spelled(field)}[{QUOTE}]?\**\s*[:=]")
    for at in name.finditer(text):
        value = VALUE.match(text, at.end())
        if value is None:
            if at["quote"]:
                raise _Unclear("no value")
            continue
        quoted = value["mark"] is not None
        said = _value(value["text"] if quoted else value["bare"], schema)
        if not at["quote"] and said is None:
            continue  # prose that happens to hold the word
        rest = text[value.end() :]
        ended = quoted or "\n" in rest
        if not ended and not rest.strip():
            raise _Unclear("the reply is cut within the value", "length")
        ends = ended and not rest.strip()
        if said is None or not (ends or CLEAN.match(rest)):
            shown = text[at.start() : value.end() + 20].strip()
            raise _Unclear(f"{shown!r} is no clear value")
        found.append(said[0])
    return found


def _sentences(text: str, leads: tuple[str, ...], schema: Schema, *, cut: bool) -> list[Any]:
    """Values that plain statements give: "category: arson", "the answer is 7". All agree."""
    found: list[Any] = []
    words = "|".join(_spelled(lead) for lead in leads)
    name = re.compile(rf"(?i)(?<![\w-])[{QUOTE}*_]*(?:{words})[{QUOTE}*_]*(?:\s*[:=]|\s+is\b:?)")
    for at in name.finditer(text):
        start = max(text.rfind(mark, 0, at.start()) for mark in (". ", "\n", "? ", "! ")) + 1
        end = LABEL_END.search(text, at.end())
        stop = end.start() if end else len(text)
        said = _value(text[at.end() : stop], schema)
        if said is None and not at[0].endswith((":", "=")) and not _names(text, at.end(), schema):
            continue  # "the anomaly is that he runs"
        asked = end is not None and end.group(0).startswith("?")
        if said is None or asked or DOUBT.search(text[start : at.start()]):
            shown = text[at.start() : stop][:80].strip()
            raise BackendError(f"no clear decision in {shown!r}", fault="unclear")
        if cut and not text[stop:].strip():
            raise BackendError("the reply is cut within the decision", fault="length")
        found.append(said[0])
    if len(set(map(repr, found))) > 1:
        raise BackendError(f"the reply states several decisions: {found}", fault="unclear")
    return found


def _names(text: str, at: int, schema: Schema) -> bool:
    """Whether the rest of a sentence holds a possible value."""
    sentence = re.split(r"[.!?](?=\s|\Z)|\n", text[at:], maxsplit=1)[0]
    return any(_value(word, schema) is not None for word in sentence.split())


def _value(text: str, schema: Schema) -> tuple[Any] | None:
    """One value of a decisive schema, stripped of decoration; None where the text is none."""
    plain = text.strip()
    if not NUMERIC_SIGN.match(plain):
        plain = plain.strip(DECORATION).rstrip(".,;!").strip(DECORATION)
    plain = plain.rstrip(".,;!")
    for candidate in (plain, _literal(plain)):
        value, _ = fitted(candidate, schema)
        if misfit(value, schema) is None:
            return (value,)
    return None


NUMERIC_SIGN = re.compile(r"[-+]?\.?\d")


def _literal(text: str) -> Any:
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    return float(text) if re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text) else text


def _spelled(field: str) -> str:
    """A pattern for a field's name, its separators as they come."""
    return r"[\s_-]?".join(re.escape(part) for part in re.split(r"[\s_-]", field))


def _deciding(schema: Schema) -> set[str]:
    """Names of all decisive fields of a schema."""
    fields = schema.get("properties", {})
    found = {name for name, inner in fields.items() if decisive(inner)}
    for inner in [*fields.values(), schema.get("items", {})]:
        if inner and not decisive(inner):
            found |= _deciding(inner)
    return found


def _field(schema: Schema, name: str) -> Schema:
    fields: Mapping[str, Schema] = schema.get("properties", {})
    if name in fields and decisive(fields[name]):
        return fields[name]
    for inner in [*fields.values(), schema.get("items", {})]:
        if inner and not decisive(inner) and name in _deciding(inner):
            return _field(inner, name)
    return {}
