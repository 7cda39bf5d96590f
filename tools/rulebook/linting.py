"""What is wrong with a rule book as a whole: rules that contradict, repeat or cannot be tested.

Tests are compared as regions (:mod:`tools.rulebook.regions`). A *contradiction* is a normal and an
anomalous rule for some of the same things, unless one of them is the other's exception
(:mod:`tools.rulebook.precedence`), or the same words called both. Two rules that people wrote are
for the same things where their tests overlap and have an attribute in common; a rule and an induced
one, which speaks of what was usual and not of what is allowed, where they test the same attributes.
*Unreachable* is what can never count: a test that nothing satisfies, or an induced anomalous rule
that a person's normal rule excuses whole. Two rules are in one finding at most.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Literal

from tools.rulebook.plainwords import tests_of
from tools.rulebook.precedence import is_exception
from tools.rulebook.predicates import TEXT_ATTRIBUTES, VALUES
from tools.rulebook.regions import (
    Region,
    common,
    empty,
    impossible,
    key_of,
    lies_within,
    region_of,
    shown,
)
from tools.rulebook.scoping import covers, describe_scope, meet, narrower
from tools.types import Frozen, Predicate, Rule, RuleKind

__all__ = ["Finding", "Problem", "lint"]

Problem = Literal["contradictory", "duplicate", "unreachable", "untestable"]
Tests = Mapping[str, tuple[Predicate, ...]]
Regions = Mapping[str, tuple[Region, ...]]


class Finding(Frozen):
    """One thing wrong, and the rules it concerns."""

    problem: Problem
    rules: tuple[str, ...]
    text: str


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
    tests = {r.id: tests_of(r) if readable is None else _own_test(r) for r in rules}
    never = [r for r in rules if tests[r.id] and all(_void(t, attributes) for t in tests[r.id])]
    same = _same(rules, tests)
    others = {r.id for group in same for r in group[1:]}  # stand for the first
    useless = others | {r.id for r in never}
    left = [r for r in rules if r.id not in useless]
    conflicts = tuple(_conflicts(left, tests, attributes, measured=readable is None))
    return (
        *(f for f in conflicts if f.problem == "contradictory"),
        *(_repeated(group) for group in same),
        *(_of("unreachable", r, text="nothing can satisfy its test") for r in never),
        *(f for f in conflicts if f.problem != "contradictory"),
        *(_untestable(rules, attributes) if readable is None else _unreadable(rules, readable)),
    )


def _own_test(rule: Rule) -> tuple[Predicate, ...]:
    """What is tested of a rule besides its words."""
    return () if rule.predicate is None else (rule.predicate,)


def _void(test: Predicate, attributes: Mapping[str, str]) -> bool:
    return impossible(region_of(test), attributes)


# ---------------------------------------------------------------- the four


def _conflicts(
    rules: Sequence[Rule], tests: Tests, attributes: Mapping[str, str], *, measured: bool
) -> Iterator[Finding]:
    """Contradictions, and induced rules that a person's rule excuses whole."""
    by_kind = {kind: [r for r in rules if r.kind is kind] for kind in RuleKind}
    words = {r.id: _plain(r.text) for r in rules}
    regions = {r.id: tuple(map(region_of, tests[r.id])) for r in rules}
    for normal, anomalous in _pairs(by_kind, words, regions):
        alike = words[normal.id] == words[anomalous.id]
        excused = _excused_whole(anomalous, normal, regions)
        shared = _shared(normal, anomalous, regions, attributes)
        if not (alike or shared or excused) or not meet(normal.scope, anomalous.scope):
            continue
        if excused:
            text = "the first never counts: the second, written by a person, excuses all of it"
            yield _of("unreachable", anomalous, normal, text=text)
        elif alike and not _limited(normal, anomalous):
            text = f"one calls “{normal.text}” normal, the other anomalous"
            yield _of("contradictory", normal, anomalous, text=text)
        elif not alike and (contested := _contested(normal, anomalous, tests, shared)):
            text = f"{' or '.join(contested)} is normal by one and anomalous by the other"
            if measured:
                counts = normal if normal.source == "user" else anomalous
                text += f"; as it is, the {counts.kind} one counts"
            yield _of("contradictory", normal, anomalous, text=text)


def _pairs(
    by_kind: Mapping[RuleKind, Sequence[Rule]], words: Mapping[str, str], regions: Regions
) -> Iterator[tuple[Rule, Rule]]:
    """Pairs that may conflict, each once: those that test a common attribute, or say the same."""

    def names(rule: Rule) -> set[str]:
        return {f"“{words[rule.id]}”"}.union(*regions[rule.id])

    known: dict[str, dict[str, Rule]] = defaultdict(dict)
    for rule in by_kind[RuleKind.ANOMALOUS]:
        for name in names(rule):
            known[name][rule.id] = rule
    for rule in by_kind[RuleKind.NORMAL]:
        likely: dict[str, Rule] = {}
        for name in sorted(names(rule)):
            likely |= known.get(name, {})
        for other in likely.values():
            yield rule, other


def _shared(
    normal: Rule, anomalous: Rule, regions: Regions, attributes: Mapping[str, str]
) -> list[tuple[int, int, Region]]:
    """Which test of the one overlaps which of the other, and in what."""
    by_people = normal.source == anomalous.source == "user"
    found = []
    for (m, a), (n, b) in product(*(enumerate(regions[r.id]) for r in (normal, anomalous))):
        if a.keys() & b.keys() if by_people else a.keys() == b.keys():
            both = common(a, b)
            if not empty(both) and not impossible(both, attributes):
                found.append((m, n, both))
    return found


def _limited(normal: Rule, anomalous: Rule) -> bool:
    """Whether one of the rules holds in a part of the other's scope only."""
    return narrower(normal.scope, anomalous.scope) or narrower(anomalous.scope, normal.scope)


def _contested(
    normal: Rule, anomalous: Rule, tests: Tests, shared: Sequence[tuple[int, int, Region]]
) -> list[str]:
    """What is claimed by tests of which neither is the other's exception, in words."""
    found = {}
    for m, n, both in shared:
        a, b = tests[normal.id][m], tests[anomalous.id][n]
        exception = is_exception(normal, a, anomalous, b) or is_exception(anomalous, b, normal, a)
        if not exception:
            found[shown(both)] = both
    return list(found)


def _excused_whole(anomalous: Rule, normal: Rule, regions: Regions) -> bool:
    """Whether an induced rule never counts because a person's normal rule holds where it does."""
    if anomalous.source == "user" or normal.source != "user" or not regions[anomalous.id]:
        return False
    return covers(normal.scope, anomalous.scope) and all(
        any(lies_within(mine, excuse) for excuse in regions[normal.id])
        for mine in regions[anomalous.id]
    )


def _same(rules: Sequence[Rule], tests: Tests) -> list[list[Rule]]:
    """Groups of rules that say the same, or have the same test, in the same scope."""
    groups: dict[object, list[Rule]] = {}
    for rule in rules:
        keys: list[object] = [(rule.kind, rule.scope, _plain(rule.text))]
        if rule.predicate is not None:
            regions = tuple(key_of(region_of(t)) for t in tests[rule.id])
            keys.append((rule.kind, rule.scope, regions))
        found = {id(g): g for key in keys if (g := groups.get(key)) is not None}
        group = [*(r for g in found.values() for r in g), rule]
        groups |= dict.fromkeys(keys, group)
        groups |= {key: group for key, g in groups.items() if id(g) in found}
    every = {id(g): g for g in groups.values() if len(g) > 1}
    return list(every.values())


def _repeated(group: Sequence[Rule]) -> Finding:
    every = "both" if len(group) == 2 else "all"
    return _of("duplicate", *group, text=f"{every} say “{group[0].text}”")


def _untestable(rules: Sequence[Rule], attributes: Mapping[str, str]) -> Iterator[Finding]:
    known = {*attributes, *TEXT_ATTRIBUTES}
    for rule in rules:
        tests = tests_of(rule)
        if not tests:
            text = "no test, and no word of it can be measured: only a language model can apply it"
            yield _of("untestable", rule, text=text)
        for name in dict.fromkeys(c.attribute for t in tests for c in t.all):
            if name not in known:
                text = f"the captioner gives no attribute “{name}”{_near(name, known)}"
                yield _of("untestable", rule, text=text)
        for name, region in ((n, region_of(t)) for t in tests for n in VALUES):
            words = region.get(name, frozenset())
            for word in sorted(words - VALUES[name]) if isinstance(words, frozenset) else ():
                text = f"the captioner never gives “{word}” as {name}{_near(word, VALUES[name])}"
                yield _of("untestable", rule, text=text)
        if rule.scope.zone and not rule.scope.polygon:
            yield _of("untestable", rule, text=f"its zone “{rule.scope.zone}” is not defined")


def _near(name: str, known: set[str] | frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean “{near[0]}”?)" if near else ""


def _unreadable(rules: Sequence[Rule], readable: Callable[[Rule], bool]) -> Iterator[Finding]:
    for rule in rules:
        if not readable(rule):
            yield _of("untestable", rule, text="no word of it can be found in a caption")
        if rule.scope.zone:
            yield _of("untestable", rule, text="words do not say where in the picture something is")


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _of(problem: Problem, *rules: Rule, text: str = "") -> Finding:
    where = sorted({d for r in rules if (d := describe_scope(r.scope))})
    said = text + (f" ({'; '.join(where)})" if where else "")
    return Finding(problem=problem, rules=tuple(r.id for r in rules), text=said)
