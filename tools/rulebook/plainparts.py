"""A sentence in its parts: where, when and how much, and the words that are left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.concepts import CONCEPTS, DIRECTIONS, Concept, directions_in, find_concepts
from tools.rulebook.plainbounds import (
    YARDSTICK,
    Bound,
    bounds_in,
    days_in,
    group_sizes,
    hours_in,
    unmarked,
    unread,
    without,
)
from tools.rulebook.zones import unknown_zone
from tools.types import RuleCategory, Weekday, Zone

__all__ = [
    "GOES_IN",
    "NOBODY",
    "PRESENT",
    "Part",
    "content_words",
    "part_of",
    "refuse_unknown_place",
    "rest_of",
    "unchecked_in",
]

_BESIDE = r"in front of|next to|close to|near|by|beside|behind|around"
"""Where that is no zone's inside: nothing measures it."""
PLACE = re.compile(
    rf"\b(?:{_BESIDE}|at|in|inside|within|on|outside|through|across|over|along"
    r"|into|onto|under|enter|enters|entering|cross|crosses|crossing)"
    r" (?:the |this |that |our |my )?(?:area of the )?"
    r"([a-z][\w-]*(?: [a-z][\w-]*)?)",
    re.IGNORECASE,
)
WHOLE = frozenset(
    "scene picture image view frame footage video camera area place here there path walkway street"
    " road sidewalk pavement way line general total all any one front time times sight"
    " public ground floor foot".split()
)
"""Places that are the picture itself, and words that are no places."""
GOES_IN = r"enter|enters|entering|cross|crosses|crossing"
PRESENT = re.compile(
    rf"\b(?:{GOES_IN}|go|goes|going|come|comes|stays?|staying|remains?|pass|use|entry|access"
    r"|(?:is|are|be|being) (?:(?:some|any|no)(?:body| ?one) )?"
    r"(?=\||here|there|in\b|at\b|on\b|inside|within|around|present|seen))",
    re.IGNORECASE,
)
"""That somebody is there at all."""
NOBODY = re.compile(r"\b(?:nobody|no one|no people|no persons?)\b", re.IGNORECASE)
EMPTY = frozenset(
    """a abnormal about accept acceptable access after again alarm alert all allow allowed alright
    also always an and anomalous anomaly any anybody anyone anything are as at ban banned be
    because been before being both but by called can cannot cart come comes common compulsory
    considered could count counts cross crosses crossing dangerous day disallowed discouraged
    disregard do does during each either else enter entering enters entry ever every everybody
    everyone everything except expected fine flag for forbid forbidden from get gets go goes
    going had harmless has have he her here him his how i if ignore illegal in inappropriate
    individual individuals into is it its just least legal let lets like longer mandatory may me
    might more most must my need needs neither never no nobody none nor normal not nothing
    notify obligatory odd of off ok okay on once one only onto or ordinary our out over pace
    pass people perfectly permit permitted person persons place please present prohibit
    prohibited quite regarded remain remains report required s seen shall she should since so
    some somebody someone something speed speeds stay staying stays strange such supposed
    suspicious than that the their them then there these they thing things this those through
    time times to tolerate tolerated too treated unacceptable under unexpected unless unsafe
    until unusual unwanted up us use usual usually very violation violations walking want wants
    warn was we welcome were what whatever when whenever where which while who whoever will with
    within without would wrong yet you your""".split()
)
"""Words that say nothing that could be measured."""
MOVING = frozenset(
    {"move", "moves", "moving", "travel", "travels", "head", "heads", "pass", "drive"}
)
"""Words of motion: where a speed or a direction is told, they say nothing besides."""


@dataclass(frozen=True)
class Part:
    """A sentence, or what it excepts, with marks for where, when and how much."""

    text: str
    zone: str = ""
    beside: str = ""
    """How it says that it is beside the zone, not in it."""
    outside: bool = False
    hours: tuple[str, str] | None = None
    days: tuple[Weekday, ...] = ()
    bounds: tuple[Bound, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        return unmarked(self.text)

    @property
    def concepts(self) -> tuple[tuple[Concept, str], ...]:
        return find_concepts(self.plain)


def part_of(text: str, zones: Sequence[str]) -> Part:
    zone, beside, outside, text = _zone(text, zones)
    bounds, text = bounds_in(text)
    members, text = group_sizes(text)
    hours, text = hours_in(text)
    days, text = days_in(text)
    return Part(YARDSTICK.sub(" ", text), zone, beside, outside, hours, days, bounds, members)


def _zone(text: str, zones: Sequence[str]) -> tuple[str, str, bool, str]:
    """The zone a sentence names, whether it means what is beside it or outside, and the sentence
    without it."""
    for name in sorted(zones, key=len, reverse=True):
        spoken = re.escape(name).replace(r"\-", "[- ]").replace("_", "[_ ]")
        match = re.search(
            rf"(?:\b(?:(?P<beside>{_BESIDE})|at|in|inside|within|on|through|across|over|along"
            r"|into|onto|under|(?P<out>outside(?: of)?|out of|off|away from|beyond"
            rf"|not (?:in|at|inside|within|on))) )?(?:\b(?:the|this|that|zone) )*\b{spoken}\b"
            r"(?: (?:zone|area|region)\b)?",
            text,
            re.IGNORECASE,
        )
        if match:
            return name, match["beside"] or "", bool(match["out"]), without(text, match, "zone")
    return "", "", False, text


def refuse_unknown_place(text: str, zones: Mapping[str, Zone], scene: str) -> None:
    rest = text
    for concept in CONCEPTS:  # "on the grass" is a concept of its own
        if concept.category is RuleCategory.ENVIRONMENT:
            rest = re.sub(rf"\b(?:{concept.words})\b", " ; ", rest, flags=re.IGNORECASE)
    for pattern, _ in DIRECTIONS:
        rest = re.sub(pattern, " ; ", rest, flags=re.IGNORECASE)
    for match in PLACE.finditer(rest):
        words = [w.casefold() for w in match.group(1).split()]
        words = words[: next((n for n, w in enumerate(words) if w in EMPTY), len(words))]
        if not words or WHOLE & set(words) or find_concepts(words[0]) or unread(" ".join(words)):
            continue
        raise unknown_zone("-".join(words), scene, list(zones))


def unchecked_in(part: Part) -> tuple[str, ...]:
    """Words that nothing measures; "move" is measured where a speed or a direction is."""
    told = part.bounds or directions_in(part.plain)
    return tuple(word for word in rest_of(part) if not told or word not in MOVING)


def rest_of(part: Part) -> tuple[str, ...]:
    """Words that no concept, direction or bound covers and that say something."""
    rest = part.plain.casefold()
    for pattern, _ in DIRECTIONS:
        rest = re.sub(pattern, " ", rest)
    for concept in CONCEPTS:
        rest = re.sub(rf"\b(?:{concept.words})\b", " ", rest, flags=re.IGNORECASE)
    return content_words(rest)


def content_words(text: str) -> tuple[str, ...]:
    words = re.findall(r"[a-z][a-z'-]+", text.casefold())
    return tuple(dict.fromkeys(w for w in words if w.split("'")[0] not in EMPTY | WHOLE))
