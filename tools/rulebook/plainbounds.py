"""What a sentence says in numbers: how long, how fast, how many, at which hours, on which days.

Each reader takes its part out of the sentence and leaves a mark (:data:`MARKS`) in its place, so
that what stood beside it ("only at night") can still be told. What is not understood stays in the
sentence, and :func:`unread` names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tools.errors import UserError
from tools.rulebook.scoping import WEEKDAYS, parse_hours, parse_weekdays
from tools.types import Condition, Scope, Weekday

__all__ = [
    "DAYTIMES",
    "MARKS",
    "YARDSTICK",
    "Bound",
    "bounds_in",
    "days_in",
    "group_sizes",
    "hours_in",
    "left_of",
    "unmarked",
    "unread",
    "without",
]

Mark = Literal["hours", "days", "zone", "bound"]
MARKS = re.compile(r"\|(hours|days|zone|bound)\|")
Operator = Literal[">", ">=", "<", "<="]
_INVERSE: Mapping[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}

_NUMBERS: Mapping[str, float] = {
    word: float(n)
    for n, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split(),
        start=1,
    )
} | {
    "a couple of": 2.0,
    "a dozen": 12.0,
    **{w: 10.0 * n for n, w in enumerate("thirty forty fifty sixty".split(), start=3)},
    "ninety": 90.0,
}
_WORDS = "|".join(sorted(_NUMBERS, key=len, reverse=True))
NUMBER = rf"(?:\d+(?:[.,]\d+)?|{_WORDS})"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT = r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|days?)\b"
_AMOUNT = (
    rf"(?:half an?|a half|half|(?:a )?quarter of an|{NUMBER}(?: and a half)?|an?)[ -]?{_UNIT}"
    r"(?: and a half)?"
)
_LENGTH = rf"{_AMOUNT}(?:,? (?:and )?{_AMOUNT})?"
_MOST = r" at (?:the )?most| or less| maximum| max\b"
_LONG = (
    r"(?:(?:for |lasting )?(?P<how>{compared}) (?:about |around )?|(?P<bare>for (?:about )?))"
    rf"(?P<length>{_LENGTH})(?:(?P<more> or (?:more|longer)| at least)|(?P<most>{_MOST}))?"
)
_COMPARED: tuple[tuple[str, Operator, bool], ...] = (
    (
        r"at most|(?:no|not) (?:more|longer|larger|faster|higher|greater) than|not over"
        r"|a maximum of|(?:the )?maximum(?: is)?|max|only(?: for)?",
        "<=",
        True,
    ),
    (r"(?:no|not) (?:less|fewer|shorter|slower) than|a minimum of|not under", ">=", True),
    (r"at least|(?:the )?minimum(?: is)?", ">=", False),
    (
        r"(?:more|longer|faster|greater|higher) than|over|above|beyond|exceed(?:s|ing)?"
        r"|in excess of",
        ">",
        False,
    ),
    (r"(?:less|fewer|shorter|slower|lower) than|under|below", "<", False),
    (r"up to|within|as many as|as long as", "<=", False),
)
_COMPARE = "|".join(words for words, _, _ in _COMPARED)
DURATION = re.compile(
    rf"\b{_LONG.replace('{compared}', _COMPARE)}(?: at a (?:time|stretch))?", re.IGNORECASE
)
_PACE = r"(?:the )?(?:usual |normal )?walking (?:speed|pace)|(?:the )?usual speed"
YARDSTICK = re.compile(rf"\b(?:{_PACE})\b", re.IGNORECASE)
"""What speeds are measured against; it asks for nobody who walks."""
_TIMES = rf"(?:(?P<times>{NUMBER}) ?(?:×|x\b|times\b)|(?P<twice>twice|double))"
SPEED = re.compile(
    rf"\b(?:(?P<how>{_COMPARE})|(?P<bare>at)) (?:"
    rf"{_TIMES} ?(?P<pace>(?:the )?(?:usual|normal)(?: walking)?(?: speed| pace)?|{_PACE})?"
    rf"|(?P<walk>{_PACE})|(?<=faster than )(?P<walking>walking|a walk|usual)\b)",
    re.IGNORECASE,
)
_PEOPLE = r"(?:people|persons?|pedestrians?|individuals?|visitors?|walkers?|of them)"
_ONCE = r"(?: at (?:once|a time|one time|the same time)| together| simultaneously)"
COUNT = re.compile(
    rf"\b(?:(?P<how>{_COMPARE}) (?P<number>{NUMBER})|(?P<plain>{NUMBER})"
    rf"(?= or more\b|(?: {_PEOPLE})?{_ONCE}?(?:{_MOST})))(?P<more> or more)?"
    rf"(?: {_PEOPLE}{_ONCE}?|{_ONCE})(?:{_MOST})?(?!\w)",
    re.IGNORECASE,
)
_MEMBERS = re.compile(
    r"\b(?:groups?|crowds?|gatherings?|queues?|teams?)(?: that are)? "
    r"(?:of|with|over|under|above|below|exceeding|(?:larger|bigger|smaller|greater) than) "
    rf"(?:(?:{_COMPARE}) )?{NUMBER}(?: {_PEOPLE})?(?: or more)?(?: {_PEOPLE})?(?!\w)"
    r"|\bin (?:pairs|twos|threes|couples|single file)\b|\b(?:(?<!left )alone|side by side)\b",
    re.IGNORECASE,
)
_UNREAD = re.compile(
    rf"\b(?:(?:{_COMPARE}|(?:larger|bigger|closer|nearer|taller|wider) than) )?"
    rf"(?:\d[\d.:]*|(?!one\b)(?:{_WORDS}))(?: ?(?:%|[a-z]+(?:/[a-z]+)?))?(?!\w)"
    r"|\b(?:more|longer|larger|bigger|taller|closer|nearer|faster|slower|fewer|less|shorter) than"
    r"(?: \w+){0,2}|\btoo (?:long|many|few|close)\b"
    r"|\bfor (?:a (?:long|short) (?:time|while)|a while|long|ages|hours|minutes|seconds|days)\b"
    r"|\b(?:several|many|a few|few) (?:seconds|minutes|hours|times)\b|\b(?:once|twice|double)\b",
    re.IGNORECASE,
)
_OTHER_TIMES = re.compile(
    r"\b(?:nights?|nighttime|days?|daytime|mornings?|afternoons?|evenings?|noon|midday|midnight"
    r"|dark|dusk|dawn|sunset|sunrise|lunch\w*|(?:\w+ )?hours?|closing time|holidays?|vacations?"
    r"|winter|summer|spring|autumn|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?|weekdays?"
    r"|january|february|april|june|july|august|september|october|november|december|today|tomorrow"
    r"|months?|weeks?|years?)\b",
    re.IGNORECASE,
)
_ALWAYS = re.compile(
    r"\b(?:at any time(?: of (?:the )?day)?|all day(?: long)?|all the time|at all times"
    r"|(?:by )?day (?:and|or) (?:by )?night|24/7|around the clock|every day|daily)(?!\w)",
    re.IGNORECASE,
)
"""Words for no limit."""
DAYTIMES: Mapping[str, tuple[str, str]] = {
    "night": ("22:00", "06:00"),
    "nights": ("22:00", "06:00"),
    "dark": ("22:00", "06:00"),
    "nighttime": ("22:00", "06:00"),
    "night-time": ("22:00", "06:00"),
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
_NIGHT_ENDS = "06:00"
DAYTIME = re.compile(
    r"\b(?:(?:at|by|during|in|(?:if |when |while )?it is) (?:the )?("
    + "|".join(sorted(DAYTIMES, key=len, reverse=True))
    + r")|after (?:the )?(dark)|over(night))(?: hours)?\b",
    re.IGNORECASE,
)
CLOCK = r"(\d{1,2})(?:[:.](\d\d))? ?(am|pm|a\.m\.|p\.m\.|h|o'clock)?"
_NO_LENGTH = (
    r"(?! ?(?:s|secs?|seconds?|m|mins?|minutes?|hrs?|hours?|days?|met(?:re|er)s?|km|people|persons?"
    r"|times|[×x%])(?!\w))"
)
_END = rf"(?= |$|[.,;]){_NO_LENGTH}"
HOURS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (rf"\b(?:between|from) {CLOCK} (?:and|to|until|till|-|–) {CLOCK}{_END}", "both"),
        (rf"\b(?:after|from|since) {CLOCK}{_END}", "after"),
        (rf"\b(?:before|until|till) {CLOCK}{_END}", "before"),
    )
)
_SPOKEN = re.compile(
    r"\b(between|from|after|before|until|till|since|and|to) (noon|midday|midnight)\b", re.IGNORECASE
)
_DAYS = r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?"
DAYS = re.compile(
    rf"\b(?:(?:on|at|during|over) )?(?:the )?(?:(weekends?|weekdays?|working days)|((?:{_DAYS})"
    rf"(?:(?:,| and| or|, and| to|–|-) ?(?:{_DAYS}))*))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Bound:
    """A bound as the sentence says it: "at least 10 s" is ``dwell >= 10 s``."""

    condition: Condition
    op: Operator
    limit: bool = False
    """It says by itself that more (or less) is not wanted: "at most", "no longer than"."""
    bare: bool = False
    """A length without a comparison: "for half a minute"."""

    @property
    def upper(self) -> bool:
        return self.op in {"<", "<="}

    def broken(self) -> Bound:
        """What is not so: at most 5 is broken by more than 5."""
        return _bound(self.condition, _INVERSE[self.op])

    def about(self, attribute: str) -> Bound:
        """The same bound of another attribute."""
        return replace(self, condition=self.condition.model_copy(update={"attribute": attribute}))

    def upto(self) -> Bound:
        """Of a bare length: as what is allowed, not as what is forbidden."""
        return _bound(self.condition, "<=") if self.bare else self


# ---------------------------------------------------------------- bounds


def bounds_in(text: str) -> tuple[tuple[Bound, ...], str]:
    """How long, how fast and how many, and the sentence with marks in their place."""
    found: list[Bound] = []
    speed = SPEED.search(text)
    if speed and (speed["pace"] or speed["walk"] or speed["walking"] or _of_speed(speed)):
        times = 2.0 if speed["twice"] else number_of(speed["times"]) if speed["times"] else 1.0
        unit = "× usual walking speed"
        found.append(_stated("speed", speed["how"], "<=", times, unit))
        text = without(text, speed, "bound")
    stay = DURATION.search(text)
    if stay:
        how = "at least" if stay["more"] else "at most" if stay["most"] else stay["how"]
        found.append(_stated("dwell", how, ">=", _seconds(stay["length"]), "s"))
        text = without(text, stay, "bound")
    many = COUNT.search(text)
    if many:
        how = many["how"] or ("at least" if many["more"] else "at most")
        number = number_of(many["number"] or many["plain"])
        found.append(_stated("count", how, ">=", number, "people"))
        text = without(text, many, "bound")
    return tuple(found), text


def _of_speed(match: re.Match[str]) -> bool:
    """Whether a multiple is one of speed though it does not say of what: "3 times" may be often."""
    return bool(match["how"]) and bool(
        re.search(r"faster|slower", match["how"], re.IGNORECASE)
        or re.search(r"\d ?[×x]", match.group(0), re.IGNORECASE)
    )


def _stated(attribute: str, how: str | None, bare: Operator, value: float, unit: str) -> Bound:
    condition = Condition(attribute=attribute, op=bare, value=value, unit=unit)
    if how is None:
        return Bound(condition, bare, bare=True)
    for words, op, limit in _COMPARED:
        if re.fullmatch(words, how, re.IGNORECASE):
            return _bound(condition, op, limit=limit)
    raise AssertionError(how)


def _bound(condition: Condition, op: Operator, *, limit: bool = False) -> Bound:
    return Bound(condition.model_copy(update={"op": op}), op, limit)


def _seconds(length: str) -> float:
    return sum(_amount(m.group(0)) for m in re.finditer(_AMOUNT, length, re.IGNORECASE))


def _amount(text: str) -> float:
    """Seconds of "half a minute", "1.5 min", "two and a half hours", "a minute and a half"."""
    unit = re.search(rf"({_UNIT})(?: and a half)?$", text, re.IGNORECASE)
    said = re.match(rf"\d+(?:[.,]\d+)?|(?:{_WORDS})\b", text, re.IGNORECASE)
    if unit is None:
        raise AssertionError(text)
    value = number_of(said.group(0)) if said else 1.0
    if "quarter" in text.lower():
        value = 0.25
    elif re.match(r"(?:a )?half", text, re.IGNORECASE):
        value = 0.5
    elif "and a half" in text.lower():
        value += 0.5
    return value * _UNITS[unit.group(1)[0].lower()]


def number_of(text: str) -> float:
    """A number in digits or in words."""
    known = _NUMBERS.get(" ".join(text.casefold().split()))
    return float(text.replace(",", ".")) if known is None else known


def group_sizes(text: str) -> tuple[tuple[str, ...], str]:
    """How many are said to be together, which nothing counts: "groups larger than 4"."""
    found = tuple(m.group(0) for m in _MEMBERS.finditer(text))
    return found, _MEMBERS.sub(" |bound| ", text)


def unread(text: str) -> tuple[str, ...]:
    """Numbers, comparisons and times of a sentence that no reader took out of it."""
    found = [*_UNREAD.finditer(text), *_OTHER_TIMES.finditer(text)]
    return tuple(dict.fromkeys(m.group(0).strip(" .,;:") for m in found))


# ---------------------------------------------------------------- hours and days


def hours_in(text: str) -> tuple[tuple[str, str] | None, str]:
    """The hours a sentence names, and the sentence with a mark in their place.

    Raises UserError for hours that are none.
    """
    text = _ALWAYS.sub(" ", text)
    text = _SPOKEN.sub(
        lambda m: f"{m[1]} {'0:00' if m[2].lower() == 'midnight' else '12:00'}", text
    )
    for pattern, kind in HOURS:
        match = pattern.search(text)
        if match is None:
            continue
        groups = match.groups()
        if kind == "both":
            half = groups[2] or (groups[5] if int(groups[0]) < int(groups[3]) else None)
            first, last = _clock(groups[0], groups[1], half), _clock(*groups[3:6])
        elif kind == "after":
            first = _clock(*groups[:3])
            last = _NIGHT_ENDS if first == "0:00" else "00:00"
        else:
            first, last = "00:00", _clock(*groups[:3])
            if last == "0:00":
                raise UserError(
                    "what ends at midnight does not say when it begins",
                    remedy='write e.g. "between 20:00 and midnight"',
                )
        return parse_hours(f"{first}-{last}"), without(text, match, "hours")
    match = DAYTIME.search(text)
    if match is None:
        return None, text
    word = next(g for g in match.groups() if g).casefold()
    return DAYTIMES[word], without(text, match, "hours")


def _clock(hour: str, minute: str | None, half: str | None) -> str:
    number = int(hour)
    if half and half[0].lower() == "p" and number < 12:
        number += 12
    elif half and half[0].lower() == "a" and number == 12:
        number = 0
    return f"{number}:{minute or '00'}"


def days_in(text: str) -> tuple[tuple[Weekday, ...], str]:
    """The weekdays a sentence names, and the sentence with a mark in their place."""
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
    return found, without(text, match, "days")


def left_of(scope: Scope, hours: tuple[str, str] | None, days: tuple[Weekday, ...]) -> Scope | None:
    """When a scope still holds apart from some hours, or some days.

    None where no scope says so: nothing is left, two stretches of the day are, hours of some days
    only are excepted, or what is left of a day reaches into the next.
    """
    if hours and days:
        return None
    if days:
        kept = tuple(d for d in scope.weekdays or WEEKDAYS if d not in days)
        return scope.model_copy(update={"weekdays": kept}) if kept else None
    if hours is None:
        return None
    first, last = hours
    if scope.hours is None:
        if scope.weekdays and "00:00" < first < last:  # the rest of the night is the next day's
            return None
        return scope.model_copy(update={"hours": (last, first)})
    whole, gone = _minutes(scope.hours), set(_minutes(hours))
    kept_at = [n for n, minute in enumerate(whole) if minute not in gone]
    if not kept_at or kept_at[-1] - kept_at[0] + 1 != len(kept_at):
        return None
    ends = whole[kept_at[0]], (whole[kept_at[-1]] + 1) % 1440
    told = tuple(f"{n // 60:02d}:{n % 60:02d}" for n in ends)
    return scope.model_copy(update={"hours": told})


def _minutes(hours: tuple[str, str]) -> list[int]:
    first, last = (60 * int(h[:2]) + int(h[3:]) for h in hours)
    return [n % 1440 for n in range(first, last if last > first else last + 1440)]


# ---------------------------------------------------------------- marks


def without(text: str, match: re.Match[str], mark: Mark) -> str:
    """The sentence with a mark where the match stood."""
    return " ".join(f"{text[: match.start()]} |{mark}| {text[match.end() :]}".split())


def unmarked(text: str) -> str:
    """The sentence with mere breaks in place of the marks."""
    return " ".join(MARKS.sub("|", text).split())
