"""Where and when a rule applies: cameras, hours, weekdays, zones.

Hours and days are on the camera's own clock. When a video was taken is known from what the caller
says or from a stamp in its name (``gate_20261128_220000.mp4``); where it is not, a rule with hours
or days does not apply, and the answer says so.

A thing is where its feet are: the middle of the lower edge of its box. It is in a zone where that
is so for at least :data:`LEAST_INSIDE_S`, or in its key frame.

Scopes are compared by the minutes of the week in which they hold, by camera and by zone; one zone
is never taken to lie in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from math import isfinite
from typing import get_args

from tools.errors import UserError
from tools.rulebook.predicates import PredicateResult, evaluate
from tools.types import (
    Box,
    Interval,
    Observation,
    Predicate,
    Rule,
    RuleHit,
    Scope,
    VideoInfo,
    Weekday,
)

__all__ = [
    "WEEKDAYS",
    "Occasion",
    "covers",
    "describe_scope",
    "inside",
    "meet",
    "narrower",
    "occasion_of",
    "parse_corners",
    "parse_hours",
    "parse_moment",
    "parse_weekdays",
    "stamp_in",
    "tried",
    "within",
]

LEAST_INSIDE_S = 0.8
"""As long as an induced rule needs to see a thing before it is tested on it."""
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_STAMP = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_.T ]+"
    r"([0-2]\d)[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(?!\d)"
)
_HOUR = re.compile(r"([0-2]?\d)(?::([0-5]\d))?")
_WEEK = (1 << 7 * 1440) - 1


@dataclass(frozen=True)
class Occasion:
    """The circumstances in which a rule is to apply."""

    camera: str = ""
    start: datetime | None = None
    """None: not known."""
    end: datetime | None = None
    """Exclusive; None: the instant ``start``."""

    def admits(self, scope: Scope) -> bool:
        """Whether a rule of this scope applies at any moment of it."""
        if scope.cameras and self.camera not in scope.cameras:
            return False
        if not scope.timed:
            return True
        if self.start is None:
            return False
        end = self.end or self.start + timedelta(microseconds=1)
        return any(a < end and b > self.start for a, b in _spells(scope, self.start, end))


def occasion_of(video: VideoInfo, interval: Interval | None = None) -> Occasion:
    """When and by which camera a stretch of a video was taken, as far as that is known."""
    if not video.started:
        return Occasion(video.camera)
    part = interval or video.interval
    began = datetime.fromisoformat(video.started)
    return Occasion(
        video.camera,
        began + timedelta(seconds=part.start_s),
        began + timedelta(seconds=part.end_s),
    )


def within(
    scope: Scope, video: VideoInfo | None, interval: Interval
) -> tuple[Interval, ...] | None:
    """The parts of a stretch of video in which a rule applies; None: all of it."""
    if not scope.timed:
        return None
    if video is None or not video.started:
        return ()
    began = datetime.fromisoformat(video.started)
    start = began + timedelta(seconds=interval.start_s)
    end = began + timedelta(seconds=interval.end_s)
    parts: list[Interval] = []
    for first, last in _spells(scope, start, end):
        a, b = max(first, start), min(last, end)
        if a < b:
            parts.append(
                Interval.from_seconds(
                    (a - began).total_seconds(), (b - began).total_seconds(), interval.time_base
                )
            )
    return tuple(parts)


def _spells(scope: Scope, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Stretches of wall-clock time in which the scope holds, near ``[start, end)``."""
    day = start.date() - timedelta(days=1)  # a spell of yesterday may reach into today
    while day <= end.date():
        if not scope.weekdays or WEEKDAYS[day.weekday()] in scope.weekdays:
            yield _spell(scope, day)
        day += timedelta(days=1)


def _spell(scope: Scope, day: date) -> tuple[datetime, datetime]:
    if scope.hours is None:
        midnight = datetime.combine(day, time())
        return midnight, midnight + timedelta(days=1)
    first, last = (datetime.combine(day, time.fromisoformat(h)) for h in scope.hours)
    return first, last if last > first else last + timedelta(days=1)


# ---------------------------------------------------------------- matching


def tried(rule: Rule | RuleHit, test: Predicate, observation: Observation) -> PredicateResult:
    """A rule's test on an observation, within the rule's zone and hours.

    Outside of them the test does not hold. What lasts (``dwell``, in seconds) counts no longer
    than the thing was in the zone.
    """
    hit = rule if isinstance(rule, RuleHit) else None
    scope = (hit.rule if hit else rule).scope  # type: ignore[union-attr]
    result = evaluate(test, observation)
    if hit is not None and hit.within is not None and not _overlaps(hit.within, observation):
        return result.model_copy(update={"holds": False})
    if not scope.polygon:
        return result
    stay = _seconds_inside(scope, observation)
    if stay is None:
        return result.model_copy(update={"holds": False})
    if stay < observation.interval.seconds - LEAST_INSIDE_S:
        result = evaluate(test, _staying(observation, stay))
    return result


def _overlaps(parts: Sequence[Interval], observation: Observation) -> bool:
    return any(p.intersection(observation.interval) is not None for p in parts)


def _staying(observation: Observation, seconds: float) -> Observation:
    """The observation with what it says of its lasting cut to ``seconds``."""
    attributes = tuple(
        a.model_copy(update={"value": min(a.value, seconds)})
        if a.unit == "s" and isinstance(a.value, float | int)
        else a
        for a in observation.attributes
    )
    return observation.model_copy(update={"attributes": attributes})


def _seconds_inside(scope: Scope, observation: Observation) -> float | None:
    """How long the thing was in the zone; None where it was not."""
    boxes = [p.box for p in observation.points if p.box is not None]
    now = observation.box is not None and inside(scope, observation.box)
    if not boxes:
        return observation.interval.seconds if now else None
    share = sum(inside(scope, box) for box in boxes) / len(boxes)
    seconds = share * observation.interval.seconds
    enough = seconds >= min(LEAST_INSIDE_S, observation.interval.seconds / 2)
    return seconds if now or enough else None


def inside(scope: Scope, box: Box) -> bool:
    """Whether the feet of what is in a box are in the zone (even–odd rule)."""
    x, y = (box.x0 + box.x1) / 2, float(box.y1)
    odd = False
    corners = scope.polygon
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


# ---------------------------------------------------------------- comparing


def covers(outer: Scope, inner: Scope) -> bool:
    """Whether the first scope applies wherever and whenever the second does."""
    cameras = not outer.cameras or (
        bool(inner.cameras) and set(inner.cameras) <= set(outer.cameras)
    )
    there = not _place(outer) or _place(outer) == _place(inner)
    return cameras and there and not _minutes(inner) & ~_minutes(outer)


def narrower(one: Scope, other: Scope) -> bool:
    """Whether the first scope is a part of the second: what makes a rule an exception."""
    return one != other and covers(other, one) and not covers(one, other)


def meet(a: Scope, b: Scope) -> bool:
    """Whether two scopes may have a moment and a place in common."""
    if a.cameras and b.cameras and not set(a.cameras) & set(b.cameras):
        return False
    if _place(a) and _place(b) and _place(a) != _place(b):
        return False
    return bool(_minutes(a) & _minutes(b))


def _place(scope: Scope) -> object:
    return scope.polygon or scope.zone


def _minutes(scope: Scope) -> int:
    """The minutes of a week in which a scope holds, one bit each."""
    return _week(scope.hours, scope.weekdays) if scope.timed else _WEEK


@lru_cache(maxsize=1024)
def _week(hours: tuple[str, str] | None, weekdays: tuple[Weekday, ...]) -> int:
    first, last = (60 * int(h[:2]) + int(h[3:]) for h in hours or ("00:00", "24:00"))
    spell = (1 << (last - first if last > first else last - first + 1440)) - 1
    found = 0
    for day in weekdays or WEEKDAYS:
        found |= spell << (first + 1440 * WEEKDAYS.index(day))
    return (found | found >> 7 * 1440) & _WEEK  # Sunday's night ends on Monday


# ---------------------------------------------------------------- reading and saying


def describe_scope(scope: Scope) -> str:
    """In words, e.g. ``in the zone fence, 22:00–06:00, sat sun``; empty for no limit."""
    said = []
    if scope.zone or scope.polygon:
        said.append(f"in the zone {scope.zone or '(unnamed)'}")
    if scope.hours:
        said.append("–".join(scope.hours))
    if scope.weekdays:
        said.append(" ".join(scope.weekdays))
    if scope.cameras:
        said.append(f"camera {', '.join(scope.cameras)}")
    return ", ".join(said)


def parse_hours(text: str) -> tuple[str, str]:
    """``22:00-06:00``, ``22-6``. Raises UserError."""
    parts = [_HOUR.fullmatch(p.strip()) for p in re.split(r"-|–", text.strip())]
    found = [p for p in parts if p is not None and int(p[1]) < 24]
    if len(parts) != 2 or len(found) != 2:
        raise UserError(f"“{text}” are no hours", remedy="write them like 22:00-06:00")
    first, last = (f"{int(p[1]):02d}:{p[2] or '00'}" for p in found)
    if first == last:
        raise UserError(
            f"“{text}”: hours that end when they begin", remedy="leave them out for the whole day"
        )
    return first, last


def parse_weekdays(text: str) -> tuple[Weekday, ...]:
    """``mon-fri``, ``sat,sun``, ``Saturday``. Raises UserError."""
    days: set[Weekday] = set()
    for part in re.split(r"[,\s]+", text.strip().casefold()):
        ends = [next((d for d in WEEKDAYS if len(w) >= 3 and _day(d).startswith(w)), None)
                for w in re.split(r"-|–", part)]  # fmt: skip
        if None in ends or not 1 <= len(ends) <= 2:
            raise UserError(
                f"“{part or text}” is no weekday", remedy="write e.g. mon-fri or sat,sun"
            )
        first, last = (WEEKDAYS.index(e) for e in (ends[0], ends[-1]) if e is not None)
        days |= {WEEKDAYS[n % 7] for n in range(first, last + 1 if last >= first else last + 8)}
    return tuple(d for d in WEEKDAYS if d in days)


def _day(short: Weekday) -> str:
    return {"mon": "mondays", "tue": "tuesdays", "wed": "wednesdays", "thu": "thursdays",
            "fri": "fridays", "sat": "saturdays", "sun": "sundays"}[short]  # fmt: skip


def parse_corners(text: str, width: int, height: int) -> tuple[tuple[float, float], ...]:
    """Corners of a polygon, ``X,Y X,Y X,Y …`` in pixels. Raises UserError.

    Args:
        width: of the scene's picture; corners must lie in it.
    """
    corners: list[tuple[float, float]] = []
    for pair in text.split():
        try:
            x, y = (float(n) for n in pair.split(","))
        except ValueError:
            raise UserError(
                f"“{pair}” is no corner", remedy='write corners like "0,120 360,120 360,240"'
            ) from None
        if not (isfinite(x) and isfinite(y) and 0 <= x <= width and 0 <= y <= height):
            raise UserError(
                f"corner {pair} lies outside the picture, which is {width}×{height}",
                remedy="give pixels of the scene's frames",
            )
        corners.append((x, y))
    if len(corners) < 3 or not _area(corners):
        raise UserError(
            f"“{text}” encloses nothing", remedy="a zone needs three corners or more, not in a line"
        )
    return tuple(corners)


def _area(corners: Sequence[tuple[float, float]]) -> float:
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)


def parse_moment(text: str) -> str:
    """A date and time as ISO 8601 without a zone. Raises UserError."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or len(text.strip()) < 16:
        raise UserError(f"“{text}” is no date and time", remedy="write it like 2026-11-28T22:00")
    return moment.replace(tzinfo=None).isoformat()


def stamp_in(name: str) -> str:
    """The date and time that a recorder wrote into a file's name; empty where there is not one."""
    found = {tuple(map(int, m)) for m in _STAMP.findall(name)}
    if len(found) != 1:
        return ""
    year, month, day, hour, minute, second = found.pop()
    try:
        return datetime(year, month, day, hour, minute, second).isoformat()
    except ValueError:
        return ""
