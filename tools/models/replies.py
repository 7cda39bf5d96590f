"""From the text of a reply to the JSON it was to be, or a refusal that says why; never a guess.

What is mended is the writing: fences, prose around the JSON, a missing comma or bracket, quotes,
the spelling of a label. A mended reply may decide nothing that its text does not state
(:mod:`tools.models.stated`); two different statements, a value cut short, a label outside the list
and a number off the scale are refusals.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from tools.errors import BackendError
from tools.models.fitting import decisive, fitted, misfit
from tools.models.stated import bare, contradicted, decisions, plainly

__all__ = ["parsed", "runs_away"]

FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
THINKING = re.compile(r"\A\s*<think(?:ing)?>", re.IGNORECASE)
LEAST_TAIL = 60
"""Characters that a repeated tail must have to be a runaway and not, say, a row of dots."""
LONGEST = 100_000
"""Characters; nothing asked here has a longer reply, and parsing has to end."""
LONGEST_PERIOD = 400
"""Characters of the longest piece whose repetition is noticed."""
DECLINED = re.compile(
    r"(?i)\b(?:i(?:'|’)?m sorry|i am sorry|i apologi[sz]e|sorry, (?:but )?i|i can(?:'|’|no)?t|"
    r"i(?:'|’)?m (?:not able|unable)|i am (?:not able|unable)|as an ai)\b"
)
RETRACTED = re.compile(
    r"(?i)\b(?:correction|actually|on second thought|scratch that|i was wrong|i made a mistake|"
    r"wait|ignore|disregard|revised?|instead)\b"
)


def runs_away(text: str) -> bool:
    """Whether a text ends in one piece said over and over, as of a model that lost its way."""
    text = text.rstrip()
    for period in range(1, min(len(text) // 4, LONGEST_PERIOD) + 1):
        times = 8 if period <= 60 else 4
        length = max(times * period, LEAST_TAIL)
        if len(text) >= length and text[-length:-period] == text[period - length :]:
            return True
    return False


def parsed(text: str, schema: Mapping[str, Any], *, cut: bool = False) -> tuple[Any, str]:
    """What a reply says, satisfying the schema, and what had to be mended (empty: nothing).

    Args:
        text: the reply as it came.
        schema: JSON schema of an object, or of one choice, number or truth.
        cut: whether it was ended by the bound on tokens.

    Raises BackendError: ``empty``, ``refusal``, ``runaway``, ``length`` (cut short), ``not_json``,
    ``schema``, ``off_scale`` (a number or label that is none of those asked for) or ``unclear``
    (two statements that differ, a doubtful one).
    """
    if not text.strip():
        raise BackendError("the reply is empty", fault="empty")
    if len(text) > LONGEST or runs_away(text):
        raise BackendError("the reply repeats one piece over and over", fault="runaway")
    value = _load(text)
    if value is not _NONE and misfit(value, schema) is None:
        return _sane(value), ""
    notes = []
    said = THOUGHT.sub("", text)
    if said != text:
        notes.append("taken from after the thoughts")
    elif THINKING.match(text):
        raise BackendError("the reply ends before its thoughts do", fault="length")
    value, how = _mended(said.lstrip("\ufeff \t\r\n"), schema, cut)
    return _sane(value), ", ".join(dict.fromkeys([*notes, *how]))


def _mended(text: str, schema: Mapping[str, Any], cut: bool) -> tuple[Any, list[str]]:
    """As :func:`parsed`, with the ways in which a reply can be mended, mildest first."""
    whole = _load(text)
    if whole is not _NONE and (isinstance(whole, (dict, list)) or decisive(schema)):
        return _fit(whole, schema)
    blocks = [b for b in FENCE.findall(text) if b.strip()]
    outside = FENCE.sub(" ", text).strip()
    if len(blocks) == 1 and not outside and (inner := _load(blocks[0])) is not _NONE:
        value, how = _fit(inner, schema)
        return value, ["taken out of a code fence", *how]
    found = [v for v in _embedded(text) if _answers(v, schema)]
    if found:
        return _of_several(found, text, schema)
    if "{" in text:
        return _repaired(text, schema)
    plain = bare(text, schema, cut=cut) if decisive(schema) else None
    if plain is not None:
        return plain[0], ["read from plain text"]
    if not decisive(schema) and (stated := plainly(text, schema, cut=cut)) is not None:
        value, how = _fit(stated, schema)
        return value, ["read from plain text", *how]
    if DECLINED.search(text):
        raise BackendError(f"the model declined: {_short(text)!r}", fault="refusal")
    raise BackendError(f"the reply is not JSON: {_short(text)!r}", fault="not_json")


def _fit(value: Any, schema: Mapping[str, Any]) -> tuple[Any, list[str]]:
    fit, changes = fitted(value, schema)
    error = misfit(fit, schema)
    if error is not None:
        raise BackendError(
            f"the reply does not fit what was asked: {error.message}", fault=error.fault
        )
    return fit, changes


def _of_several(found: list[Any], text: str, schema: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The last of the objects in a text, where all decide the same and nothing else is stated."""
    fits = [_fit(v, schema) for v in found]
    value, how = fits[-1]
    if len({repr([(d.field, d.value) for d in decisions(v, schema)]) for v, _ in fits}) > 1:
        raise BackendError("the reply holds several answers that differ", fault="unclear")
    if len(fits) > 1 and not any(True for _ in decisions(value, schema)):
        raise BackendError("the reply holds several answers", fault="unclear")
    _uncontradicted(value, schema, text, once=len(fits) == 1)
    return value, ["taken out of the text around it", *how]


def _repaired(text: str, schema: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """JSON that json-repair can mend, checked against what the text states."""
    start, end = _region(text)
    inner = text[start:end]
    try:
        import json_repair  # 30 ms

        value = json_repair.loads(inner, skip_json_loads=True)
    except (ValueError, RecursionError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise BackendError(f"the reply is not JSON: {_short(text)!r}", fault="not_json") from error
    if not isinstance(value, dict):
        raise BackendError(f"the reply is not JSON: {_short(text)!r}", fault="not_json")
    whole = inner.rstrip().endswith("}")
    try:
        fit, how = _fit(value, schema)
    except BackendError as error:
        if whole:
            raise
        raise BackendError(f"the reply is cut short: {error.message}", fault="length") from None
    if not whole and (_lists(schema) or not any(True for _ in decisions(fit, schema))):
        raise BackendError("the reply is cut short", fault="length")
    if _blanks(fit) and '""' not in inner and "''" not in inner:
        raise BackendError("a field of the reply has no value", fault="schema")
    _uncontradicted(fit, schema, text, once=True)
    around = ["taken out of the text around it"] if (text[:start] + text[end:]).strip() else []
    return fit, [*around, "broken JSON repaired" if whole else "cut after what it decides", *how]


def _uncontradicted(value: Any, schema: Mapping[str, Any], text: str, *, once: bool) -> None:
    """Raises BackendError where the text around or within a value says something else."""
    error = contradicted(value, schema, text, once=once)
    if error is not None:
        raise error
    if RETRACTED.search(text[text.rfind("}") + 1 :]):
        raise BackendError("the reply takes back what it says", fault="unclear")


def _answers(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether an object in a text is meant as the answer: it has a required field."""
    if decisive(schema):
        return not isinstance(value, dict)
    names = schema.get("required") or schema.get("properties", {})
    fit, _ = fitted(value, schema)
    return isinstance(fit, dict) and any(name in fit for name in names)


def _embedded(text: str) -> list[Any]:
    """Every whole object or list in a text, left to right, without those inside another."""
    found: list[Any] = []
    at = 0
    while (opening := re.compile(r"[{\[]").search(text, at)) is not None:
        try:
            value, at = DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            at = opening.start() + 1
        else:
            found.append(value)
    return found


def _region(text: str) -> tuple[int, int]:
    """Where the JSON of a text lies: from its first brace to the one that closes it, or the end."""
    start = text.index("{")
    depth, inside, at = 0, False, start
    while at < len(text):
        char = text[at]
        if inside:
            at += char == "\\"
            inside = char != '"'
        elif char == '"':
            inside = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return start, at + 1
        at += 1
    last = text.rfind("}")
    if last > start and not text[last + 1 :].strip("`] \t\r\n"):
        return start, last + 1
    fence = text.find("```", start)
    return start, len(text) if fence < 0 else fence


def _lists(schema: Mapping[str, Any]) -> bool:
    return any(s.get("type") == "array" for s in schema.get("properties", {}).values())


def _blanks(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_blanks, value)) if isinstance(value, list) else value == ""


def _sane(value: Any) -> Any:
    """The value without control characters (it will be printed), unless a text in it runs away."""
    if isinstance(value, dict):
        return {key: _sane(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_sane(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if runs_away(value):
        raise BackendError("a text of the reply repeats one piece over and over", fault="runaway")
    return "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf"))


_NONE = object()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value and value[key] != item:
            raise ValueError(f"{key} stands twice")
        value[key] = item
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is none")
    return number


def _nothing(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number, parse_constant=_nothing)


def _load(text: str) -> Any:
    """The JSON a text is, ``_NONE`` where it is none or says one thing twice."""
    try:
        return DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return _NONE


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "…"
