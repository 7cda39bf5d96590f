"""From a sentence a person writes to a rule: what can be checked by code, and what cannot.

"Nobody may stand at the fence for more than 30 seconds at night" becomes ``activity in {stands} and
… and dwell > 30 s`` in the zone *fence*, 22:00–06:00. What of the sentence nothing measures is
named, never dropped in silence; a place that is no zone is an error, for without it the rule would
apply everywhere.

Words for times of day stand for stated hours (:data:`DAYTIMES`); the person sees and confirms them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tools.concepts import CONCEPTS, DIRECTIONS, directions_in, find_concepts
from tools.decision import Plan
from tools.errors import UserError
from tools.rulebook.scoping import parse_hours, parse_weekdays
from tools.rulebook.zones import unknown_zone
from tools.types import (
    Condition,
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
    "hits_of_question",
    "stated_bounds",
    "understand",
]

NUMBER = r"\d+(?:\.\d+)?"
QUESTION = "this question"
"""Author of what a question says for itself alone."""
YARDSTICK = re.compile(
    r"\b(?:the )?(?:usual |normal )?walking (?:speed|pace)\b|\busual speed\b", re.IGNORECASE
)
"""What speeds are measured against; it asks for nobody who walks."""
LISTED = re.compile(r"\b(?:or|and|nor)\b|[,;/]", re.IGNORECASE)
DAYTIMES: Mapping[str, tuple[str, str]] = {
    "night": ("22:00", "06:00"),
    "dark": ("22:00", "06:00"),
    "nighttime": ("22:00", "06:00"),
    "morning": ("06:00", "12:00"),
    "mornings": ("06:00", "12:00"),
    "noon": ("12:00", "14:00"),
    "lunchtime": ("12:00", "14:00"),
    "afternoon": ("12:00", "18:00"),
    "afternoons": ("12:00", "18:00"),
    "evening": ("18:00", "22:00"),
    "evenings": ("18:00", "22:00"),
    "daytime": ("06:00", "22:00"),
    "day": ("06:00", "22:00"),
}
DAYTIME = re.compile(
    r"\b(?:at|by|during|in|after) (?:the )?(" + "|".join(DAYTIMES) + r")(?: hours)?\b",
    re.IGNORECASE,
)
CLOCK = r"(\d{1,2})(?:[:.](\d\d))? ?(am|pm|a\.m\.|p\.m\.|h|o['’]clock)?"
_NO_LENGTH = r"(?! ?(?:s|sec|min|m)\b)"
_END = rf"(?= |$|[.,;]){_NO_LENGTH}"
HOURS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (rf"\b(?:between|from) {CLOCK} (?:and|to|until|till|-|–) {CLOCK}{_NO_LENGTH}", "both"),
        (rf"\b(?:after|from|since) {CLOCK}{_END}", "after"),
        (rf"\b(?:before|until|till) {CLOCK}{_END}", "before"),
    )
)
_DAYS = r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?"
DAYS = re.compile(
    rf"\b(?:(?:on|at|during|over) )?(?:the )?(?:(weekends?|weekdays?|working days)|((?:{_DAYS})"
    rf"(?:(?:,| and| or|, and| to|–|-) ?(?:{_DAYS}))*))\b",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\b(?:at|near|by|beside|in|inside|within|on|behind|around|outside|through|across|over|along"
    r"|into|onto|under|enter|enters|entering|cross|crosses|crossing)"
    r" (?:the |this |that |our |my )?(?:area of the )?"
    r"([a-z][\w-]*(?: [a-z][\w-]*)?)",
    re.IGNORECASE,
)
WHOLE = frozenset(
    "scene picture image view frame footage video camera area place here there path walkway street"
    " road sidewalk pavement way line general total all any one front time times sight"
    " public".split()
)
"""Places that are the picture itself, and words that are no places."""
ALLOWS = re.compile(
    r"\b(?:is|are|be|being|counts? as|counted as) (?:perfectly |quite |also )?(?:normal|fine|ok"
    r"|okay|allowed|permitted|usual|expected|harmless|welcome)\b|\b(?:may|can|ignore|allow|disregard)\b",
    re.IGNORECASE,
)
FORBIDS = re.compile(
    r"\b(?:nobody|no one|no-one|none|nothing|never|no|not|must not|mustn['’]t|don['’]t|forbidden"
    r"|prohibited|banned|unusual|anomal\w+|abnormal|suspicious|alarm|violation|cannot|can['’]t"
    r"|isn['’]t|aren['’]t)\b",
    re.IGNORECASE,
)
ENTERS = re.compile(
    r"\b(?:enter|cross|be|go|goes|going|come|comes|stay|is|are|pass|use|climb)\w*\b", re.IGNORECASE
)
EMPTY = frozenset(
    """a about all allow allowed always an and any anybody anyone anything are as at be been being
    by can cannot cart count counted counts day disregard do does during ever every everybody
    everyone expected fine for forbidden from go goes going harmless has have here if ignore in is
    it its longer may more must never no nobody none normal not nothing of okay on one only or
    people person perfectly permitted prohibited quite s second seconds minute minutes shall should
    some somebody someone something than that the their them there these they thing things this
    those time times to unusual usual usually us we welcome when where which while who will with
    without would you anomalous anomaly abnormal suspicious alarm violation banned usual speed
    walking pace also place enter enters entering cross crosses crossing
    stay stays staying remain remains come comes pass use climb""".split()
)
"""Words that say nothing that could be measured."""


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
    """What the test cannot tell apart."""
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
    one by one, as :func:`tools.concepts.tests_of` does.

    Args:
        zones: the scene's, by name.
        kind: where the caller knows it; else the sentence says it ("is fine" against "nobody may").
        attributes: what the captioner measures; a test over others is left out.

    Raises:
        UserError: hours that are none, a place that is no zone, a list with a bound.
    """
    rest = " ".join(text.split())
    zone, rest = _zone(rest, zones)
    hours, rest = _hours(rest)
    days, rest = _days(rest)
    rest = YARDSTICK.sub(" ", rest)
    concepts = find_concepts(rest)
    if zone is None:
        _refuse_unknown_place(rest, zones, scene)
    conditions = dict.fromkeys(c for concept, _ in concepts for c in concept.predicate.all)
    caveats = [concept.caveat for concept, _ in concepts if concept.caveat]
    listed = _listed(rest, [phrase for _, phrase in concepts])
    if listed and _stated(rest):
        raise UserError(
            f"“{text}” names several things and a bound, which may not be meant for each",
            remedy="write one rule for each",
        )
    predicate = None
    if conditions and not listed:
        predicate = stated_bounds(Predicate(all=(*conditions, *directions_in(rest))), rest)
    elif not conditions:
        predicate = _bounds_alone(rest) or (_anyone() if zone and ENTERS.search(rest) else None)
    missing = [
        c.attribute
        for c in (predicate.all if predicate else ())
        if attributes is not None and c.attribute not in {*attributes, "subject", "activity"}
    ]
    if missing:
        predicate = None
        caveats = [f"the captioner gives no {' and no '.join(dict.fromkeys(missing))}"]
    scope = Scope(
        hours=hours,
        weekdays=days,
        zone=zone.name if zone else "",
        polygon=zone.polygon if zone else (),
    )
    return Understood(
        text=" ".join(text.split()),
        kind=kind or _kind(text),
        category=concepts[0][0].category if concepts else RuleCategory.ACTIVITY,
        predicate=predicate,
        scope=scope,
        unchecked=_unchecked(rest) if predicate or listed else (),
        caveats=tuple(dict.fromkeys(caveats)),
        tests=(predicate,) if predicate else tuple(c.predicate for c, _ in concepts if listed),
    )


def stated_bounds(predicate: Predicate, text: str) -> Predicate:
    """The predicate with the bounds that a sentence states: seconds of staying, times the usual
    walking speed."""
    stated = _stated(text)
    kept = [c for c in predicate.all if c.attribute not in {s.attribute for s in stated}]
    return Predicate(all=(*kept, *stated)) if stated else predicate


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


# ---------------------------------------------------------------- parts of a sentence


def _kind(text: str) -> RuleKind:
    if FORBIDS.search(text) or not ALLOWS.search(text):
        return RuleKind.ANOMALOUS
    return RuleKind.NORMAL


def _zone(text: str, zones: Mapping[str, Zone]) -> tuple[Zone | None, str]:
    """The zone a sentence names, and the sentence without it."""
    for name in sorted(zones, key=len, reverse=True):
        spoken = re.escape(name).replace(r"\-", "[- ]").replace("_", "[_ ]")
        match = re.search(
            r"(?:\b(?:at|near|by|beside|in|inside|within|on|behind|around|through|across|over|along"
            rf"|into|onto|under) )?(?:\b(?:the|this|that|zone) )*\b{spoken}\b",
            text,
            re.IGNORECASE,
        )
        if match:
            return zones[name], _without(text, match)
    return None, text


def _refuse_unknown_place(text: str, zones: Mapping[str, Zone], scene: str) -> None:
    rest = text
    for concept in CONCEPTS:  # "on the grass" is a concept of its own
        if concept.category is RuleCategory.ENVIRONMENT:
            rest = re.sub(rf"\b(?:{concept.words})\b", " ; ", rest, flags=re.IGNORECASE)
    for match in PLACE.finditer(rest):
        words = [w.casefold() for w in match.group(1).split()]
        words = words[: next((n for n, w in enumerate(words) if w in EMPTY), len(words))]
        if not words or WHOLE & set(words) or find_concepts(words[0]):
            continue
        raise unknown_zone("-".join(words), scene, list(zones))


def _hours(text: str) -> tuple[tuple[str, str] | None, str]:
    for pattern, kind in HOURS:
        match = pattern.search(text)
        if match is None:
            continue
        groups = match.groups()
        if kind == "both":
            half = groups[2] or (groups[5] if int(groups[0]) < int(groups[3]) else None)
            first, last = _clock(groups[0], groups[1], half), _clock(*groups[3:6])
        elif kind == "after":
            first, last = _clock(*groups[:3]), "00:00"
        else:
            first, last = "00:00", _clock(*groups[:3])
        return parse_hours(f"{first}-{last}"), _without(text, match)
    match = DAYTIME.search(text)
    if match is None:
        return None, text
    return DAYTIMES[match.group(1).casefold()], _without(text, match)


def _clock(hour: str, minute: str | None, half: str | None) -> str:
    number = int(hour)
    if half and half[0].lower() == "p" and number < 12:
        number += 12
    elif half and half[0].lower() == "a" and number == 12:
        number = 0
    return f"{number}:{minute or '00'}"


def _days(text: str) -> tuple[tuple[Weekday, ...], str]:
    match = DAYS.search(text)
    if match is None:
        return (), text
    if match.group(1):
        weekend = match.group(1).casefold().startswith("weekend")
        found = parse_weekdays("sat,sun" if weekend else "mon-fri")
    else:
        found = parse_weekdays(
            re.sub(r"\s*(?:\bto\b|–|-)\s*", "-", re.sub(r",? (?:and|or) ", ",", match.group(2)))
        )
    return found, _without(text, match)


def _without(text: str, match: re.Match[str]) -> str:
    return " ".join((text[: match.start()] + " ; " + text[match.end() :]).split())


def _stated(text: str) -> tuple[Condition, ...]:
    found = []
    stay = re.search(
        rf"(?:more|longer) than (?:about )?({NUMBER}) ?(s(?:ec\w*)?|min\w*|h(?:ours?)?)\b"
        rf"|\b(?:for )?over ({NUMBER}) ?(s(?:ec\w*)?|min\w*|h(?:ours?)?)\b",
        text,
        re.IGNORECASE,
    )
    if stay:
        number, unit = stay.group(1) or stay.group(3), stay.group(2) or stay.group(4)
        factor = {"s": 1, "m": 60, "h": 3600}[unit[0].lower()]
        found.append(Condition(attribute="dwell", op=">", value=float(number) * factor, unit="s"))
    speed = re.search(rf"(?:faster|more) than ({NUMBER}) ?(?:×|x|times)", text, re.IGNORECASE)
    if speed:
        unit = "× usual walking speed"
        value = float(speed.group(1))
        found.append(Condition(attribute="speed", op=">", value=value, unit=unit))
    return tuple(found)


def _bounds_alone(text: str) -> Predicate | None:
    """A sentence of staying or speed that names no concept: "nobody may stay longer than 20 s"."""
    stated = _stated(text)
    staying = re.search(r"\b(?:stay|remain|be|linger|sit|lie|park)\w*\b", text, re.IGNORECASE)
    if stated and (staying or stated[0].attribute == "speed"):
        return Predicate(all=stated)
    return None


def _listed(text: str, phrases: Sequence[str]) -> bool:
    """Whether a sentence names several things side by side, not one in several words."""
    places = sorted((text.find(p), text.find(p) + len(p)) for p in phrases)
    return any(LISTED.search(text[a[1] : b[0]]) for a, b in pairwise(places))


def _anyone() -> Predicate:
    """Whatever moves by itself: for sentences of who may be in a zone at all."""
    movers = ("group", "large object", "person", "person-sized object")
    return Predicate(all=(Condition(attribute="subject", op="in", value=movers),))


def _unchecked(text: str) -> tuple[str, ...]:
    rest = text.casefold()
    for pattern, _ in DIRECTIONS:
        rest = re.sub(pattern, " ", rest)
    for concept in CONCEPTS:
        rest = re.sub(rf"\b(?:{concept.words})\b", " ", rest, flags=re.IGNORECASE)
    rest = re.sub(rf"\b(?:for )?(?:more|longer|faster|over) (?:than )?{NUMBER} ?\w*", " ", rest)
    return _rare(re.findall(r"[a-z][a-z'’-]+", rest))


def _rare(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(w for w in words if w.split("'")[0].split("’")[0] not in EMPTY | WHOLE)
    )
