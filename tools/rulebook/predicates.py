"""Predicates: conditions over one observation that code checks, and their readable form.

Grammar of the readable form (``parse`` and ``describe`` are inverse to each other)::

    predicate := condition ("and" condition)*
    condition := attribute op number [unit]          speed > 1.5 × usual walking speed
               | attribute "==" word+                activity == glides
               | attribute "in" "{" word+ ("," word+)* "}"      direction in {left, right}
    op        := ">" | ">=" | "<" | "<=" | "=="      (also ≥ ≤ =)

Words may be put in double quotes, and must be where they hold ``and``, a comma or a brace.

Strength (Zadeh's minimum for *and*) of a numeric condition is ``1 − 2^(−r)`` with r = value/bound
for a lower bound and r = bound/value for an upper one, so it is 0.5 at the bound and grows with
the margin; bounds at or below zero use r = 1 ± (value − bound) / max(|bound|, 1) instead.
Conditions on words are met (1) or not (0).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Literal, NoReturn

from tools.errors import UserError
from tools.types import Condition, Frozen, Observation, Predicate, Score

__all__ = [
    "TEXT_ATTRIBUTES",
    "VALUES",
    "Margin",
    "PredicateResult",
    "describe",
    "evaluate",
    "parse",
    "validate",
]

VALUES: Mapping[str, frozenset[str]] = {
    "subject": frozenset(
        {
            "person", "person-sized object", "small object", "large object", "object", "group",
            "scene",
        }
    ),
    "activity": frozenset(
        {"walks", "runs", "stands", "moves", "glides", "appears and stays", "is missing"}
    ),
    "direction": frozenset({"left", "right", "toward the camera", "away from the camera"}),
}  # fmt: skip
"""The words that captioners which measure give for each attribute of words."""
TEXT_ATTRIBUTES = frozenset(VALUES)
"""Attributes whose values are words. Subject and activity belong to every observation."""

Operator = Literal[">", ">=", "<", "<=", "==", "in"]
_OPERATORS: Mapping[str, Operator] = {
    ">": ">", ">=": ">=", "≥": ">=", "<": "<", "<=": "<=", "≤": "<=", "==": "==", "=": "==",
    "in": "in",
}  # fmt: skip


class Margin(Frozen):
    """How one condition came out. ``holds`` None: the observation has no such attribute."""

    condition: Condition
    value: float | str | None
    holds: bool | None
    strength: Score


class PredicateResult(Frozen):
    """Outcome of a predicate on one observation.

    ``holds`` is False when a condition is known not to hold, None when it cannot be told because
    an attribute is absent, else True. ``strength`` is that of the weakest condition.
    """

    holds: bool | None
    strength: Score
    margins: tuple[Margin, ...]


def evaluate(predicate: Predicate, observation: Observation) -> PredicateResult:
    """Check a predicate against one observation."""
    margins = tuple(_check(c, observation.value(c.attribute)) for c in predicate.all)
    outcomes = {m.holds for m in margins}
    holds = False if False in outcomes else None if None in outcomes else True
    return PredicateResult(holds=holds, strength=min(m.strength for m in margins), margins=margins)


def _check(condition: Condition, value: float | str | None) -> Margin:
    holds: bool | None
    bound = condition.value
    if value is None:
        holds, strength = None, 0.0
    elif isinstance(bound, tuple):
        holds = str(value).casefold() in {b.casefold() for b in bound}
        strength = float(holds)
    elif isinstance(bound, str):
        holds = str(value).casefold() == bound.casefold()
        strength = float(holds)
    elif isinstance(value, str):
        holds, strength = None, 0.0  # a number was asked of words: cannot be told
    else:
        holds, strength = _compare(value, condition.op, bound)
    return Margin(condition=condition, value=value, holds=holds, strength=strength)


def _compare(value: float, op: str, bound: float) -> tuple[bool, float]:
    if op == "==":
        holds = math.isclose(value, bound, rel_tol=1e-6, abs_tol=1e-9)
        return holds, float(holds)
    above = op in {">", ">="}
    if bound > 0 and value >= 0:
        ratio = value / bound if above else bound / value if value > 0 else math.inf
    else:
        difference = value - bound if above else bound - value
        ratio = max(0.0, 1.0 + difference / max(abs(bound), 1.0))
    holds = {">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[op]
    return holds, 1.0 - 2.0 ** (-ratio)


# ---------------------------------------------------------------- readable form


def describe(predicate: Predicate) -> str:
    """The readable form, e.g. ``glide > 1.4 × usual walking speed and size > 1.6``."""
    return " and ".join(_describe(c) for c in predicate.all)


def _describe(condition: Condition) -> str:
    value = condition.value
    if isinstance(value, tuple):
        shown = "{" + ", ".join(_quoted(v) for v in value) + "}"
    elif isinstance(value, str):
        shown = _quoted(value, always=_NUMBER.match(value) is not None)
    else:
        shown = repr(float(value)).removesuffix(".0")
    unit = f" {condition.unit}" if condition.unit else ""
    return f"{condition.attribute} {condition.op} {shown}{unit}"


def _quoted(words: str, *, always: bool = False) -> str:
    plain = _PLAIN.fullmatch(words) and "and" not in words.split()
    return words if plain and not always else '"' + words.replace('"', "'") + '"'


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PLAIN = re.compile(r"[^\s\",{}()\[\]<>=≤≥]+(?: [^\s\",{}()\[\]<>=≤≥]+)*")
_NAME = re.compile(r"[^\W\d]\w*")
_OP = re.compile(r">=|<=|==|≥|≤|>|<|=|in\b")
_AND = re.compile(r"(?:and|&&?)(?=\s|$)")


def parse(text: str) -> Predicate:
    """Read a predicate from its readable form.

    Raises:
        UserError: naming the position (1-based) of what cannot be read.
    """
    return _Parser(text).predicate()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def predicate(self) -> Predicate:
        conditions = [self._condition()]
        while not self._done():
            if not self._take(_AND):
                self._fail("expected “and”")
            conditions.append(self._condition())
        return Predicate(all=tuple(conditions))

    def _condition(self) -> Condition:
        attribute = self._take(_NAME)
        if not attribute:
            self._fail("expected the name of an attribute")
        symbol = self._take(_OP)
        if not symbol:
            self._fail(f"expected one of > >= < <= == in after “{attribute}”")
        op = _OPERATORS[symbol]
        if op == "in":
            return Condition(attribute=attribute, op=op, value=self._set())
        number = self._take(_NUMBER)
        if number:
            value = float(number)
            if not math.isfinite(value):
                self._fail("a bound must be finite")
            return Condition(attribute=attribute, op=op, value=value, unit=self._words())
        if op != "==":
            self._fail(f"expected a number after “{attribute} {op}”")
        words = self._words()
        if not words:
            self._fail(f"expected a value after “{attribute} {op}”")
        return Condition(attribute=attribute, op=op, value=words)

    def _set(self) -> tuple[str, ...]:
        if not self._take(re.compile(r"[{(\[]")):
            self._fail("expected “{” after “in”")
        items: list[str] = []
        while True:
            item = self._words(until=re.compile(r"\s*[,})\]]"))
            if not item:
                self._fail("expected a value")
            items.append(item)
            if self._take(re.compile(r"[})\]]")):
                return tuple(items)
            if not self._take(re.compile(",")):
                self._fail("expected “,” or “}”")

    def _words(self, until: re.Pattern[str] | None = None) -> str:
        """Quoted words, or plain ones up to ``and``, the end, or what ``until`` matches."""
        quoted = self._take(re.compile(r'"[^"]*"'))
        if quoted:
            return quoted[1:-1]
        words: list[str] = []
        while not self._done():
            if until is None and _AND.match(self.text, self.at):
                break
            if until is not None and until.match(self.text, self.at):
                break
            word = self._take(re.compile(r"[^\s\",{}()\[\]<>=≤≥]+"))
            if not word:
                self._fail("unexpected character")
            words.append(word)
        return " ".join(words)

    def _take(self, pattern: re.Pattern[str]) -> str:
        self._skip()
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match.group()

    def _done(self) -> bool:
        self._skip()
        return self.at >= len(self.text)

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _fail(self, what: str) -> NoReturn:
        self._skip()
        found = self.text[self.at : self.at + 20]
        here = f"found “{found}”" if found else "the text ends"
        raise UserError(
            f"predicate “{self.text}”, character {self.at + 1}: {what}, but {here}",
            remedy="write it like: speed > 1.5 and size > 1.6, or: activity == glides",
        )


# ---------------------------------------------------------------- validation


def validate(predicate: Predicate, attributes: Mapping[str, str]) -> Predicate:
    """The predicate with units filled in, checked against what can be measured.

    Args:
        predicate: as parsed or induced.
        attributes: name → unit, as a captioner declares them.

    Raises:
        UserError: an unknown attribute, a unit it is not measured in, a number asked of words.
    """
    return Predicate(all=tuple(_validated(c, attributes) for c in predicate.all))


def _validated(condition: Condition, attributes: Mapping[str, str]) -> Condition:
    name = condition.attribute
    known = {**attributes, "subject": "", "activity": ""}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean “{close[0]}”?" if close else ""
        raise UserError(
            f"no attribute “{name}” is measured here{hint}", remedy="known: " + ", ".join(known)
        )
    words = name in TEXT_ATTRIBUTES
    if words != isinstance(condition.value, str | tuple):
        kind = "words, not a number" if words else "a number, not words"
        raise UserError(f"“{name}” is {kind}", remedy=f"write it like: {_example(name, words)}")
    given, unit = _unit(condition.unit), known[name]
    if given and not _unit(unit).startswith(given):
        raise UserError(
            f"“{name}” is measured in “{unit or 'words'}”, not in “{condition.unit}”",
            remedy=f"leave the unit out, or give it as “{unit}”",
        )
    return condition.model_copy(update={"unit": "" if words else unit})


def _unit(text: str) -> str:
    return re.sub(r"^x\b", "×", text.strip().casefold())


def _example(name: str, words: bool) -> str:
    return f'{name} == "…"' if words else f"{name} > 1.5"
