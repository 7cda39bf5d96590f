"""What is wrong with a rule book as a whole: rules that contradict, repeat or cannot be tested.

Tests are compared as regions: per attribute the interval of numbers, or the set of words, that it
admits. A *contradiction* is a normal and an anomalous rule about the same attributes whose regions
overlap, unless one of them is the other's exception (a narrower scope), or the same words called
both. *Unreachable* is what can never count: a test that nothing satisfies, or an anomalous rule
that a person's normal rule excuses whole.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import TEXT_ATTRIBUTES
from tools.rulebook.scoping import describe_scope
from tools.types import Frozen, Predicate, Rule, RuleKind, Scope

__all__ = ["Finding", "lint"]

Problem = Literal["contradictory", "duplicate", "unreachable", "untestable"]


class Finding(Frozen):
    """One thing wrong, and the rules it concerns."""

    problem: Problem
    rules: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Span:
    """Numbers that a test admits."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.open_low or self.open_high))

    def meet(self, other: Span) -> Span:
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Span(
            low,
            high,
            any(s.open_low for s in (self, other) if s.low == low),
            any(s.open_high for s in (self, other) if s.high == high),
        )


Region = Mapping[str, Span | frozenset[str]]


def lint(
    rules: Sequence[Rule],
    attributes: Mapping[str, str],
    readable: Callable[[Rule], bool] | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with these rules, the gravest first.

    Args:
        rules: the active rules of one scene.
        attributes: name → unit of what the captioner measures.
        readable: of a captioner that measures nothing: whether a rule can be found in its words.
    """
    regions = {
        rule.id: tuple(map(_region, tests_of(rule) if readable is None else _own_test(rule)))
        for rule in rules
    }
    found = [
        *_contradictions(rules, regions),
        *_duplicates(rules, regions),
        *_unreachable(rules, regions),
        *(_untestable(rules, attributes) if readable is None else _unreadable(rules, readable)),
    ]
    return tuple(found)


def _own_test(rule: Rule) -> tuple[Predicate, ...]:
    """What is tested of a rule besides its words."""
    return () if rule.predicate is None else (rule.predicate,)


# ---------------------------------------------------------------- the four


def _contradictions(
    rules: Sequence[Rule], regions: Mapping[str, tuple[Region, ...]]
) -> Iterator[Finding]:
    by_kind = {kind: [r for r in rules if r.kind is kind] for kind in RuleKind}
    said = {_plain(r.text): r for r in by_kind[RuleKind.ANOMALOUS]}
    for normal in by_kind[RuleKind.NORMAL]:
        other = said.get(_plain(normal.text))
        if other is not None and _meet(normal.scope, other.scope):
            text = f"one calls “{normal.text}” normal, the other anomalous"
            yield _of("contradictory", normal, other, text=text)
    for normal, anomalous in _alike(by_kind, regions):
        if _plain(normal.text) == _plain(anomalous.text):
            continue
        exception = normal.scope != anomalous.scope and _covers(anomalous.scope, normal.scope)
        if exception or not _meet(normal.scope, anomalous.scope):
            continue
        for a in regions[normal.id]:
            for b in regions[anomalous.id]:
                common = _common(a, b)
                if a.keys() == b.keys() and not _empty(common):
                    text = f"{_shown(common)} is normal by one and anomalous by the other"
                    yield _of("contradictory", normal, anomalous, text=text)


def _alike(
    by_kind: Mapping[RuleKind, Sequence[Rule]], regions: Mapping[str, tuple[Region, ...]]
) -> Iterator[tuple[Rule, Rule]]:
    """Pairs of a normal and an anomalous rule that test the same attributes."""
    tested: dict[frozenset[str], list[Rule]] = {}
    for rule in by_kind[RuleKind.ANOMALOUS]:
        for names in {frozenset(r) for r in regions[rule.id]}:
            tested.setdefault(names, []).append(rule)
    for normal in by_kind[RuleKind.NORMAL]:
        for names in {frozenset(r) for r in regions[normal.id]}:
            for anomalous in tested.get(names, ()):
                yield normal, anomalous


def _duplicates(
    rules: Sequence[Rule], regions: Mapping[str, tuple[Region, ...]]
) -> Iterator[Finding]:
    same: dict[object, list[Rule]] = {}
    for rule in rules:
        same.setdefault((rule.kind, rule.scope, _plain(rule.text)), []).append(rule)
        if rule.predicate is not None:
            key = (rule.kind, rule.scope, tuple(_key(r) for r in regions[rule.id]))
            same.setdefault(key, []).append(rule)
    told: set[tuple[str, str]] = set()
    for group in same.values():
        for first, second in combinations(group, 2):
            pair = (first.id, second.id)
            if pair not in told:
                told.add(pair)
                yield _of("duplicate", first, second, text=f"both say “{first.text}”")


def _unreachable(
    rules: Sequence[Rule], regions: Mapping[str, tuple[Region, ...]]
) -> Iterator[Finding]:
    for rule in rules:
        tests = regions[rule.id]
        if tests and all(_empty(r) for r in tests):
            yield _of("unreachable", rule, text="nothing can satisfy its test")
    excuses = [r for r in rules if r.kind is RuleKind.NORMAL and r.source == "user"]
    for rule in rules:
        if rule.kind is not RuleKind.ANOMALOUS or not regions[rule.id]:
            continue
        for excuse in excuses:
            whole = _covers(excuse.scope, rule.scope) and all(
                any(_within(test, e) for e in regions[excuse.id]) for test in regions[rule.id]
            )
            if whole and not all(_empty(r) for r in regions[rule.id]):
                text = "the first never counts: the second, written by a person, excuses all of it"
                yield _of("unreachable", rule, excuse, text=text)


def _untestable(rules: Sequence[Rule], attributes: Mapping[str, str]) -> Iterator[Finding]:
    known = {*attributes, *TEXT_ATTRIBUTES}
    for rule in rules:
        tests = tests_of(rule)
        if not tests:
            text = "no test, and no word of it can be measured: only a language model can apply it"
            yield _of("untestable", rule, text=text)
        for name in dict.fromkeys(c.attribute for t in tests for c in t.all):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" (did you mean “{near[0]}”?)" if near else ""
                text = f"the captioner gives no attribute “{name}”{hint}"
                yield _of("untestable", rule, text=text)
        if rule.scope.zone and not rule.scope.polygon:
            yield _of("untestable", rule, text=f"its zone “{rule.scope.zone}” is not defined")


def _unreadable(rules: Sequence[Rule], readable: Callable[[Rule], bool]) -> Iterator[Finding]:
    for rule in rules:
        if not readable(rule):
            yield _of("untestable", rule, text="no word of it can be found in a caption")
        if rule.scope.zone:
            yield _of("untestable", rule, text="words do not say where in the picture something is")


# ---------------------------------------------------------------- regions and scopes


def _region(test: Predicate) -> Region:
    found: dict[str, Span | frozenset[str]] = {}
    for condition in test.all:
        value, name = condition.value, condition.attribute
        part: Span | frozenset[str]
        if isinstance(value, str | tuple):
            part = frozenset(v.casefold() for v in ((value,) if isinstance(value, str) else value))
        else:
            low = value if condition.op in {">", ">=", "=="} else -math.inf
            high = value if condition.op in {"<", "<=", "=="} else math.inf
            part = Span(low, high, condition.op == ">", condition.op == "<")
        found[name] = _both(found[name], part) if name in found else part
    return found


def _both(a: Span | frozenset[str], b: Span | frozenset[str]) -> Span | frozenset[str]:
    if isinstance(a, Span) and isinstance(b, Span):
        return a.meet(b)
    if isinstance(a, frozenset) and isinstance(b, frozenset):
        return a & b
    return frozenset()


def _common(a: Region, b: Region) -> Region:
    return {
        n: _both(a[n], b[n]) if n in a and n in b else (a[n] if n in a else b[n]) for n in {*a, *b}
    }


def _empty(region: Region) -> bool:
    return any(p.empty if isinstance(p, Span) else not p for p in region.values())


def _within(inner: Region, outer: Region) -> bool:
    """Whether whatever satisfies the first satisfies the second."""
    return all(name in inner and _both(inner[name], part) == inner[name]
               for name, part in outer.items())  # fmt: skip


def _key(region: Region) -> tuple[object, ...]:
    return tuple(sorted((n, tuple(sorted(p)) if isinstance(p, frozenset) else p)
                 for n, p in region.items()))  # fmt: skip


def _shown(region: Region) -> str:
    parts = []
    for name, part in sorted(region.items()):
        if isinstance(part, Span):
            low = "" if part.low == -math.inf else f"{part.low:g} < "
            high = "" if part.high == math.inf else f" < {part.high:g}"
            parts.append(f"{low}{name}{high}")
        else:
            parts.append(f"{name} in {{{', '.join(sorted(part))}}}")
    return " and ".join(parts)


def _meet(a: Scope, b: Scope) -> bool:
    """Whether two scopes may have a moment and a place in common."""
    if a.cameras and b.cameras and not set(a.cameras) & set(b.cameras):
        return False
    if a.zone and b.zone and a.zone != b.zone:
        return False
    if a.weekdays and b.weekdays and not set(a.weekdays) & set(b.weekdays):
        return False
    return not (a.hours and b.hours and not _minutes(a.hours) & _minutes(b.hours))


def _covers(outer: Scope, inner: Scope) -> bool:
    """Whether the first scope applies wherever and whenever the second does."""
    return (
        (not outer.cameras or (bool(inner.cameras) and set(inner.cameras) <= set(outer.cameras)))
        and (not outer.polygon or outer.polygon == inner.polygon)
        and (
            not outer.weekdays
            or (bool(inner.weekdays) and set(inner.weekdays) <= set(outer.weekdays))
        )
        and (
            outer.hours is None
            or (inner.hours is not None and _minutes(inner.hours) <= _minutes(outer.hours))
        )
    )


def _minutes(hours: tuple[str, str]) -> frozenset[int]:
    first, last = (60 * int(h[:2]) + int(h[3:]) for h in hours)
    return frozenset(n % 1440 for n in range(first, last if last > first else last + 1440))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _of(problem: Problem, *rules: Rule, text: str = "") -> Finding:
    where = sorted({d for r in rules if (d := describe_scope(r.scope))})
    said = text + (f" ({'; '.join(where)})" if where else "")
    return Finding(problem=problem, rules=tuple(r.id for r in rules), text=said)
