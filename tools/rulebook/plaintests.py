"""How a sentence in plain words is tested by code: as it says, or by the opposite of a demand.

Where no test means what the sentence says, :class:`WordsOnly` says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from tools.concepts import DIRECTIONS, directions_in, find_concepts
from tools.errors import UserError
from tools.rulebook.plainbounds import Bound, unmarked, unread
from tools.rulebook.plainparts import NOBODY, PRESENT, Part, content_words, unchecked_in
from tools.rulebook.plainsense import BOTH_WAYS, Sense
from tools.types import Condition, Predicate, Scope

__all__ = ["FASTER", "OUTSIDE", "WordsOnly", "bounded", "predicates_of"]

LISTED = re.compile(r"\b(?:or|and|nor)\b|[,;/]", re.IGNORECASE)
DOES = re.compile(
    r"\b(?:may|can|could|must|should|shall|has to|have to|do|does|will)\b", re.IGNORECASE
)
DOING = re.compile(r"\b[a-z]+ing\b", re.IGNORECASE)
_BEYOND = re.compile(r"\b(?:outside|out of|beyond|away from (?!the camera))\b", re.IGNORECASE)
_TWO_TIMES = re.compile(r"\|(?:hours|days)\|,? (?:and|or) \|(?:hours|days)\|")
STAYING = re.compile(r"\b(?:stay|remain|be|linger|park)\w*\b", re.IGNORECASE)
ON_THE_MOVE = frozenset({"running", "riding", "walking", "moving fast", "going the wrong way"})
"""Concepts of things that go: how long that lasts is not measured, only how long a place is
stayed at."""
FASTER = Condition(attribute="activity", op="in", value=("glides", "runs"))
"""What is done instead of walking; whoever stands for a moment may still be said to walk."""

OUTSIDE = "a rule holds inside a zone, not outside of it"
DEMANDS = "it says what is to be, and what would break it is not measured"
COUNTED = (
    "people are counted in the whole picture, where they move: not in a zone, nor by what they do"
)


class WordsOnly(Exception):
    """The reason why no test means what the sentence says."""


def predicates_of(sense: Sense, main: Part, scope: Scope) -> tuple[Predicate, ...]:
    """How a sentence is tested. Raises WordsOnly where no test means what it says."""
    _refuse_unread(main)
    _refuse_doing(main)
    if _BEYOND.search(main.plain):
        raise WordsOnly(OUTSIDE)
    if _TWO_TIMES.search(main.text):
        raise WordsOnly("two times are named, and one rule has one: write several rules")
    found = main.concepts
    names = {concept.name for concept, _ in found}
    bounds = [_of(b, names) for b in main.bounds]
    told = {b.condition.attribute for b in bounds}
    listed = _listed(main.plain, [phrase for _, phrase in found])
    if listed and bounds and sense.stance != "demands":
        raise UserError(
            f"“{main.plain.replace('|', '…')}” names several things and a bound, which may not be "
            "meant for each",
            remedy="write one rule for each",
        )
    if "count" in told and (found or main.zone or len(bounds) > 1):
        raise WordsOnly(COUNTED)
    if "dwell" in told and names & ON_THE_MOVE:
        raise WordsOnly("how long it is done is not measured, only how long a place is stayed at")
    if sense.stance == "demands":
        return _opposite(sense, main, bounds, listed=listed)
    stated = _stated(sense, bounds)
    also = directions_in(main.plain)
    if listed:
        return tuple(_joined([*c.predicate.all, *also]) for c, _ in found)
    if found:
        return (bounded(_joined([c for f, _ in found for c in f.predicate.all] + [*also]), stated),)
    if lost := unchecked_in(main):
        if also or stated or main.zone or PRESENT.search(main.text):
            raise WordsOnly(
                f"nothing measures {', '.join(f'“{w}”' for w in lost)}, and without that the rule "
                "would mean much more"
            )
        return ()
    if also or stated:
        if stated and not also and told == {"dwell"} and not STAYING.search(main.plain):
            return ()
        return (Predicate(all=(*also, *stated)),)
    somewhen = scope.zone or scope.hours or scope.weekdays
    if PRESENT.search(main.text) or (NOBODY.search(main.plain) and somewhen):
        return (_anyone(),)
    return ()


def _refuse_unread(main: Part) -> None:
    text = main.plain
    for _, phrase in main.concepts:
        text = text.replace(phrase, "|")
    missed = (*main.members, *unread(text))
    if missed:
        named = ", ".join(f"“{m}”" for m in missed)
        raise WordsOnly(f"nothing measures {named}, and without that the rule would mean much more")


def _refuse_doing(main: Part) -> None:
    """Raises WordsOnly where what is done with a thing is not measured: "pushing a cart"."""
    first = min((main.plain.find(phrase) for _, phrase in main.concepts), default=0)
    before = main.plain[:first]
    verb = DOES.search(before)
    said = content_words(before[verb.end() :] if verb else " ".join(DOING.findall(before)))
    if said:
        raise WordsOnly(f"nothing measures “{said[0]}”, and it is not the same without that")


def _of(bound: Bound, names: set[str]) -> Bound:
    """A bound with the attribute that it is about: what was left is timed from when it was."""
    if bound.condition.attribute == "dwell" and "leaving something behind" in names:
        return bound.about("unattended")
    return bound


def _stated(sense: Sense, bounds: Sequence[Bound]) -> list[Condition]:
    """The bounds of a sentence that forbids or allows. Raises WordsOnly where they cannot be."""
    if sense.stance == "permits":
        return [b.upto().condition for b in bounds]
    if sense.beyond:
        bounds = [b.upto().broken() for b in bounds]
    elif any(b.limit or (b.bare and b.upper) for b in bounds):
        raise WordsOnly(BOTH_WAYS)
    for bound in bounds:
        _refuse_short(bound)
    return [b.condition for b in bounds]


def _refuse_short(bound: Bound) -> None:
    """Raises WordsOnly for what every stay is at first, and every crowd but for who stands."""
    if bound.upper and bound.condition.unit == "s":
        raise WordsOnly("every stay is short at first: that it was too short is not measured")
    if bound.upper and bound.condition.attribute == "count":
        raise WordsOnly("those who stand are not counted: that there are too few is not measured")


def _opposite(
    sense: Sense, main: Part, bounds: Sequence[Bound], *, listed: bool
) -> tuple[Predicate, ...]:
    """What breaks a demand. Raises WordsOnly where nothing that is measured does."""
    if sense.why:
        raise WordsOnly(sense.why)
    who, demand = unmarked(sense.who), unmarked(sense.demand)
    also = directions_in(demand)
    if listed or unchecked_in(main) or directions_in(who) or len(bounds) + len(also) > 1:
        raise WordsOnly(DEMANDS)
    done = [concept for concept, _ in find_concepts(demand)]
    conditions = [c for f, _ in find_concepts(who) for c in f.predicate.all]
    if also or bounds:
        conditions += [c for f in done for c in f.predicate.all]
    if also:
        named = also[0].value
        others = tuple(way for _, way in DIRECTIONS if way not in named)  # type: ignore[operator]
        conditions.append(also[0].model_copy(update={"value": others}))
    elif bounds:
        broken = bounds[0].broken()
        _refuse_short(broken)
        if not conditions and broken.condition.unit == "s" and not STAYING.search(demand):
            raise WordsOnly(DEMANDS)
        if conditions:
            return (bounded(_joined(conditions), [broken.condition]),)
        conditions.append(broken.condition)
    elif [concept.name for concept in done] == ["walking"]:
        conditions.append(FASTER)
    else:
        raise WordsOnly(DEMANDS)
    return (_joined(conditions),)


def _joined(conditions: Sequence[Condition]) -> Predicate:
    """All of them; sets of words for one attribute as what they share. Raises WordsOnly where
    that is nothing."""
    joined: dict[object, Condition] = {}
    for condition in conditions:
        words = condition.value
        before = joined.get(condition.attribute) if isinstance(words, tuple) else None
        if before is None or not isinstance(before.value, tuple) or not isinstance(words, tuple):
            joined[condition.attribute if isinstance(words, tuple) else condition] = condition
            continue
        both = tuple(w for w in before.value if w in words)
        if not both and condition.attribute == "subject":  # "a standing car": the thing is named
            both = min(before.value, words, key=len)
        if not both:
            raise WordsOnly("it asks for two things of which nothing is both")
        joined[condition.attribute] = before.model_copy(update={"value": both})
    return Predicate(all=tuple(joined.values()))


def bounded(predicate: Predicate, stated: Sequence[Condition]) -> Predicate:
    """The predicate with the bounds that are stated in place of its own."""
    kept = [c for c in predicate.all if c.attribute not in {s.attribute for s in stated}]
    return Predicate(all=(*kept, *stated)) if stated else predicate


def _anyone() -> Predicate:
    """Whatever moves by itself: for sentences of who may be there at all."""
    movers = ("group", "large object", "person", "person-sized object")
    return Predicate(all=(Condition(attribute="subject", op="in", value=movers),))


def _listed(text: str, phrases: Sequence[str]) -> bool:
    """Whether a sentence names several things side by side, not one in several words."""
    places = sorted((text.find(p), text.find(p) + len(p)) for p in phrases)
    return any(LISTED.search(text[a[1] : b[0]]) for a, b in pairwise(places))
