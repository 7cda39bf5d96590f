"""From a sentence a person writes to a rule: what can be checked by code, and what cannot.

"Nobody may stand at the fence for more than 30 seconds at night" becomes ``activity in {stands} and
… and dwell > 30 s`` in the zone *fence*, 22:00–06:00. A sentence that demands something is tested
by the opposite of it, where there is one. What of a sentence nothing measures is named, never
dropped in silence; where the rule would mean much more without it, its words are kept alone and the
reason is said. A place that is no zone is an error, for without it the rule would apply everywhere.

Words for times of day stand for stated hours (:data:`DAYTIMES`); the person sees and confirms them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tools.concepts import directions_in
from tools.decision import Plan
from tools.errors import UserError
from tools.rulebook.plainbounds import DAYTIMES, YARDSTICK, bounds_in, left_of, unread
from tools.rulebook.plainparts import (
    GOES_IN,
    PRESENT,
    Part,
    part_of,
    refuse_unknown_place,
    rest_of,
    unchecked_in,
)
from tools.rulebook.plainsense import MISSING, Sense, plain_words, sense_of, split_exception
from tools.rulebook.plaintests import FASTER, OUTSIDE, WordsOnly, bounded, predicates_of
from tools.rulebook.rows import clean_text
from tools.types import (
    Predicate,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    Scope,
    Weekday,
    Zone,
    content_id,
)

__all__ = [
    "DAYTIMES",
    "QUESTION",
    "YARDSTICK",
    "Understood",
    "demands",
    "hits_of_question",
    "require_content",
    "stated_bounds",
    "tests_of",
    "understand",
]

EVERYDAY = frozenset({"walking", "standing", "a group"})
"""Concepts that hold of nearly everybody."""
EVERYBODY = "without it everybody would be meant"
QUESTION = "this question"
"""Author of what a question says for itself alone."""


@dataclass(frozen=True)
class Understood:
    """A sentence as a rule."""

    text: str
    kind: RuleKind
    category: RuleCategory
    predicate: Predicate | None
    scope: Scope
    unchecked: tuple[str, ...] = ()
    """Words of the sentence that nothing measures."""
    caveats: tuple[str, ...] = ()
    """What the test cannot tell apart; without any test, why there is none."""
    tests: tuple[Predicate, ...] = ()
    """How it is checked: any one of these."""


def understand(
    text: str,
    zones: Mapping[str, Zone],
    scene: str,
    *,
    kind: RuleKind | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Understood:
    """Read a rule from a sentence.

    A sentence that lists things ("no running or riding") has no single test: its words are tested
    one by one, as :func:`tests_of` does.

    Args:
        zones: the scene's, by name.
        kind: where the caller knows it; else the sentence says it ("is fine" against "nobody may").
        attributes: what the captioner measures; a test over others is left out.

    Raises:
        UserError: hours that are none, a place that is no zone, a list with a bound, a sentence
            that says nothing, or not whether it forbids or allows.
    """
    main, found = _read(clean_text(text), tuple(zones), kind)
    wide = any(caveat.endswith(EVERYBODY) for caveat in found.caveats)
    goes = re.search(rf"\b(?:{GOES_IN})\b", main.plain)
    if not main.zone and (found.tests or wide or goes):
        refuse_unknown_place(main.plain, zones, scene)
    if main.zone and found.scope.zone:
        zone = zones[main.zone]
        scope = found.scope.model_copy(update={"zone": zone.name, "polygon": zone.polygon})
        found = replace(found, scope=scope)
        if main.beside and found.tests:
            note = (
                f"“{main.beside.lower()}” is tested as being inside the zone {zone.name}: how near "
                "to it something is, or on which side, is not measured"
            )
            found = replace(found, caveats=(*found.caveats, note))
    known = {*(attributes or ()), "subject", "activity"}
    missing = dict.fromkeys(
        c.attribute for t in found.tests for c in t.all if c.attribute not in known
    )
    if attributes is not None and missing and found.predicate is not None:
        lost = f"the captioner gives no {' and no '.join(missing)}"
        found = replace(found, predicate=None, tests=(), unchecked=(), caveats=(lost,))
    return found


def tests_of(rule: Rule) -> tuple[Predicate, ...]:
    """How a rule is tested by code: its predicate, or what its words say that can be measured."""
    if rule.predicate is not None:
        return (rule.predicate,)
    return _tests_in_words(rule.text, rule.kind, rule.scope.zone)


@lru_cache(maxsize=4096)
def _tests_in_words(text: str, kind: RuleKind, zone: str) -> tuple[Predicate, ...]:
    try:
        return _read(" ".join(text.split()), (zone,) if zone else (), kind)[1].tests
    except UserError:  # it was written for people: nothing in it is to be tested
        return ()


@lru_cache(maxsize=4096)
def demands(text: str) -> bool:
    """Whether a sentence says what is to be, so that it is not its own words that break it."""
    try:
        main, _ = split_exception(plain_words(text))
        return sense_of(part_of(main, ()).text).stance == "demands"
    except UserError:
        return False


def require_content(text: str) -> None:
    """Raises UserError for a sentence of nothing but words like "nobody" and "is"."""
    part = part_of(plain_words(text), ())
    if text.strip() and not (part.concepts or part.bounds or part.members or rest_of(part)):
        raise _empty(text)


def stated_bounds(predicate: Predicate, text: str) -> Predicate:
    """The predicate with the bounds that a sentence states: seconds of staying, or of having been
    left, times the usual walking speed."""
    stated = [
        b for b in bounds_in(text)[0] if not b.bare and b.condition.attribute in {"dwell", "speed"}
    ]
    if any("appears and stays" in c.value for c in predicate.all if isinstance(c.value, tuple)):
        stated = [b.about("unattended") if b.condition.unit == "s" else b for b in stated]
    return bounded(predicate, [b.condition for b in stated])


def hits_of_question(plan: Plan, scene: str) -> tuple[RuleHit, ...]:
    """What a question says of itself alone, as rules: what counts as unusual, what to ignore."""
    said = [(t, RuleKind.ANOMALOUS) for t in plan.counts]
    said += [(t, RuleKind.NORMAL) for t in plan.ignores]
    return tuple(
        RuleHit(
            rule=Rule(
                id=f"question-{content_id(target.predicate, kind, length=6)}",
                scene=scene,
                version=1,
                kind=kind,
                category=RuleCategory.ACTIVITY,
                text=f"{'Unusual' if kind is RuleKind.ANOMALOUS else 'Ignored'} here: "
                f"{target.phrase} ({target.concept}).",
                predicate=target.predicate,
                source="user",
                author=QUESTION,
            ),
            score=1.0,
            reason="the question says so",
        )
        for target, kind in said
    )


# ---------------------------------------------------------------- the sentence as a whole


def _read(text: str, zones: Sequence[str], kind: RuleKind | None) -> tuple[Part, Understood]:
    """The parts of a sentence and the rule it is. The scope names the zone, not its polygon."""
    said, excepted = split_exception(plain_words(text))
    main = part_of(said, zones)
    besides = part_of(excepted, zones) if excepted else None
    concepts = main.concepts
    sense = _with_limits(sense_of(main.text), main, kind)
    if kind is None:
        kind = _kind(text, sense)
    scope = Scope(
        hours=None if "|hours|" in sense.within else main.hours,
        weekdays=() if "|days|" in sense.within else main.days,
        zone="" if main.outside or "|zone|" in sense.within else main.zone,
    )
    found = Understood(
        text=text,
        kind=kind,
        category=concepts[0][0].category if concepts else RuleCategory.ACTIVITY,
        predicate=None,
        scope=scope,
    )
    try:
        scope = _scope(scope, main, besides, sense)
        found = replace(found, scope=scope)
        tests = predicates_of(_as_kind(sense, kind), main, scope)
        _refuse_too_wide(main, tests)
    except WordsOnly as reason:
        _require(text, main, besides, sense)
        return main, replace(found, caveats=(str(reason),))
    if not tests:
        _require(text, main, besides, sense)
        return main, found
    caveats = [c.caveat for c, _ in concepts if c.caveat]
    if sense.stance == "demands" and FASTER in tests[0].all and kind is RuleKind.ANOMALOUS:
        caveats = ["broken by whoever runs or glides; standing is not counted against it"]
    if any(c.attribute == "count" for t in tests for c in t.all):
        caveats.append("tested as how many go about at a time; those who stand are not counted")
    return main, replace(
        found,
        predicate=tests[0] if len(tests) == 1 else None,
        tests=tests,
        unchecked=unchecked_in(main),
        caveats=tuple(dict.fromkeys(caveats)),
    )


def _refuse_too_wide(main: Part, tests: Sequence[Predicate]) -> None:
    """Raises WordsOnly for what everybody does in a way that nothing measures: "walk backwards"."""
    rest = unchecked_in(main)
    everyday = {concept.name for concept, _ in main.concepts} <= EVERYDAY
    if tests and rest and main.concepts and everyday and not main.bounds:
        words = " and ".join(f"“{word}”" for word in rest[:3])
        raise WordsOnly(f"nothing measures {words}, and {EVERYBODY}")


def _with_limits(sense: Sense, main: Part, kind: RuleKind | None) -> Sense:
    """A limit ("at most 3 people may …", "no more than 5 people") forbids what is beyond it."""
    if sense.within.strip() == "|bound|" and len(main.bounds) == 1:  # "only for 30 seconds"
        return Sense("forbids", beyond=True)
    if kind is RuleKind.NORMAL or sense.stance not in {"permits", "open"} or not main.bounds:
        return sense
    limited = any(b.limit for b in main.bounds) and (sense.modal or sense.stance == "open")
    alone = not main.concepts and all(b.upto().upper for b in main.bounds)
    if limited or (alone and sense.stance == "permits"):
        return Sense("forbids", beyond=True)
    return sense


def _kind(text: str, sense: Sense) -> RuleKind:
    if sense.stance in {"open", "unclear"}:
        what = "does not say whether it forbids or allows" if sense.stance == "open" else sense.why
        raise UserError(
            f"“{text}”: {what}",
            remedy="say it plainly, e.g. “nobody may …” or “… is fine”, or give --kind",
        )
    normal = sense.stance in {"permits", "frees"}
    return RuleKind.NORMAL if normal else RuleKind.ANOMALOUS


def _as_kind(sense: Sense, kind: RuleKind) -> Sense:
    """What a sentence does as a rule of a kind that is given. Raises WordsOnly against it."""
    if sense.stance in {"unclear", "frees"}:
        raise WordsOnly(sense.why)
    normal = kind is RuleKind.NORMAL
    if sense.stance == "open" or (normal and sense.stance == "demands" and not sense.why):
        return Sense("permits" if normal else "forbids")
    if normal and sense.stance == "forbids":
        raise WordsOnly(MISSING)
    if not normal and sense.stance == "permits":
        raise WordsOnly("it allows something, and the kind that is given forbids it")
    return sense


def _scope(scope: Scope, main: Part, besides: Part | None, sense: Sense) -> Scope:
    """When it holds, without what is excepted. Raises WordsOnly where no scope says so."""
    if main.outside:
        raise WordsOnly(OUTSIDE)
    if sense.within:
        if "|zone|" in sense.within:
            raise WordsOnly(OUTSIDE)
        hours = main.hours if "|hours|" in sense.within else None
        days = main.days if "|days|" in sense.within else ()
        scope = _without(scope, hours, days, "the only times")
    if besides is not None:
        if besides.zone:
            raise WordsOnly(f"“{besides.zone}” is excepted, and {OUTSIDE}")
        timed = besides.hours or besides.days
        if not timed or besides.bounds or besides.members or besides.concepts or rest_of(besides):
            raise WordsOnly(f"“{besides.plain}” is excepted, and no test leaves that out")
        scope = _without(scope, besides.hours, besides.days, "what is excepted")
    return scope


def _without(
    scope: Scope, hours: tuple[str, str] | None, days: tuple[Weekday, ...], what: str
) -> Scope:
    left = left_of(scope, hours, days)
    if left is None:
        raise WordsOnly(f"no hours and days of one rule leave {what} out: write several rules")
    return left


def _require(text: str, main: Part, besides: Part | None, sense: Sense) -> None:
    """Raises UserError for a sentence that names nothing at all."""
    named = main.concepts or main.bounds or main.members or rest_of(main) or unread(main.plain)
    if not (
        named or besides or directions_in(main.plain) or PRESENT.search(main.text) or sense.within
    ):
        raise _empty(text)


def _empty(text: str) -> UserError:
    return UserError(
        f"“{text}” names nothing that a rule could be about",
        remedy='say what is forbidden or fine, e.g. "nobody may run"',
    )
