"""Footage: exact time, space, what is known of a video, and its events.

Times are exact integers of presentation ticks with a time base; seconds exist only at the edges.
Intervals are half-open. Boxes are half-open pixel rectangles of the upright frame.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Box",
    "Event",
    "EventTree",
    "Frozen",
    "Interval",
    "Level",
    "Score",
    "TimeBase",
    "Timestamp",
    "VideoInfo",
    "clock",
    "content_id",
    "ordered_unique",
    "parse_clock",
]

Score = Annotated[float, Field(ge=0.0, le=1.0)]


class Frozen(BaseModel):
    """Base of all vocabulary types: immutable, no unknown fields, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def content_id(*parts: Any, length: int = 12) -> str:
    """A short id derived from content alone, so that doing a thing twice names it once."""
    canonical = json.dumps(parts, sort_keys=True, default=_plain, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"no canonical form for {type(value).__name__}")


def ordered_unique(items: Iterable[str]) -> tuple[str, ...]:
    """The items without repeats, in first-seen order."""
    return tuple(dict.fromkeys(items))


# ---------------------------------------------------------------- time


def clock(seconds: float) -> str:
    """Seconds as people read them on a recorder: ``MM:SS.t`` or ``H:MM:SS.t`` (tenths, floored)."""
    tenths = math.floor(seconds * 10 + 1e-6)
    sign, tenths = ("-", -tenths) if tenths < 0 else ("", tenths)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    tail = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{sign}{hours}:{tail}" if hours else f"{sign}{tail}"


def parse_clock(text: str) -> float:
    """Seconds from ``SS``, ``MM:SS`` or ``H:MM:SS``, decimals allowed; else ValueError."""
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 3 or any(not p for p in parts):
        raise ValueError(f"not a time: {text!r}")
    total = 0.0
    for part in parts:
        total = total * 60 + float(part)
    return total


class TimeBase(Frozen):
    """Length of one presentation tick: ``num / den`` seconds."""

    num: int = Field(gt=0)
    den: int = Field(gt=0)

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.num, self.den)


class Timestamp(Frozen):
    """An exact instant of a video: ``pts`` ticks of ``time_base`` after its first frame."""

    pts: int
    time_base: TimeBase

    @property
    def seconds(self) -> float:
        return float(self.pts * self.time_base.fraction)

    def __str__(self) -> str:
        return clock(self.seconds)


class Interval(Frozen):
    """Half-open stretch ``[start, end)`` in ticks after the first frame of the video."""

    start: int
    end: int
    time_base: TimeBase

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"empty interval [{self.start}, {self.end})")
        return self

    @classmethod
    def from_seconds(cls, start: float, end: float, time_base: TimeBase) -> Interval:
        """Nearest ticks to the given seconds; at least one tick long."""
        first = round(start / time_base.fraction)
        return cls(
            start=first,
            end=max(first + 1, round(end / time_base.fraction)),
            time_base=time_base,
        )

    @property
    def start_s(self) -> float:
        return float(self.start * self.time_base.fraction)

    @property
    def end_s(self) -> float:
        return float(self.end * self.time_base.fraction)

    @property
    def seconds(self) -> float:
        return float((self.end - self.start) * self.time_base.fraction)

    def intersection(self, other: Interval) -> Interval | None:
        """The common part (same time base), or None."""
        self._same_base(other)
        start, end = max(self.start, other.start), min(self.end, other.end)
        if start >= end:
            return None
        return Interval(start=start, end=end, time_base=self.time_base)

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that contains both (same time base)."""
        self._same_base(other)
        return Interval(
            start=min(self.start, other.start),
            end=max(self.end, other.end),
            time_base=self.time_base,
        )

    def iou(self, other: Interval) -> float:
        """Temporal intersection over union, in [0, 1]."""
        common = self.intersection(other)
        if common is None:
            return 0.0
        shared = common.end - common.start
        return shared / (self.end - self.start + other.end - other.start - shared)

    def contains(self, pts: int) -> bool:
        return self.start <= pts < self.end

    def _same_base(self, other: Interval) -> None:
        if self.time_base != other.time_base:
            raise ValueError("intervals of different time bases")

    def __str__(self) -> str:
        return f"{clock(self.start_s)}–{clock(self.end_s)}"


# ---------------------------------------------------------------- space and media


class Box(Frozen):
    """Half-open pixel rectangle ``[x0, x1) × [y0, y1)`` of the upright, full-size frame."""

    x0: int
    y0: int
    x1: int
    y1: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError(f"empty box {self.x0, self.y0, self.x1, self.y1}")
        return self

    @property
    def center(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


class VideoInfo(Frozen):
    """What is known of a video before it is decoded. Times count from its first frame."""

    id: str
    """First 16 hex digits of ``sha256``."""
    path: str
    sha256: str
    """Hash of the file; for a folder of frames, of its sorted names and their contents."""
    kind: Literal["file", "frames"]
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    """Size of the upright frame, after rotation, in pixels."""
    rotation: Literal[0, 90, 180, 270] = 0
    frames: int = Field(gt=0)
    time_base: TimeBase
    duration: int = Field(gt=0)
    """Ticks from the first frame to the end of the last."""
    start_pts: int = 0
    """Presentation stamp of the first frame in the container, in ticks (a delayed start)."""
    fps: float = Field(gt=0)
    """Average frames per second."""
    variable_rate: bool = False
    codec: str = ""
    camera: str = ""
    """Name of the camera, where it was given; rules may be for some cameras only."""
    started: str = ""
    """When its first frame was taken: ISO 8601 on the camera's clock; empty where not known."""
    damage: str = ""
    """What is missing of it though it can be read, in words; empty where nothing is known to be."""

    @property
    def interval(self) -> Interval:
        return Interval(start=0, end=self.duration, time_base=self.time_base)

    @property
    def seconds(self) -> float:
        return self.interval.seconds

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rsplit("/", 1)[-1]


# ---------------------------------------------------------------- events


class Level(StrEnum):
    COARSE = "coarse"
    FINE = "fine"


class Event(Frozen):
    """A node of the event tree. ``start_strength``/``end_strength``: confidence of its two ends."""

    id: str
    video_id: str
    level: Level
    interval: Interval
    parent: str | None = None
    start_strength: Score = 1.0
    end_strength: Score = 1.0


class EventTree(Frozen):
    """Coarse events partition the video; the fine events of one parent partition that parent."""

    video_id: str
    events: tuple[Event, ...]

    @property
    def coarse(self) -> tuple[Event, ...]:
        return tuple(e for e in self.events if e.level is Level.COARSE)

    @property
    def leaves(self) -> tuple[Event, ...]:
        """The finest events, which partition the video: every one without children."""
        parents = {e.parent for e in self.events}
        return tuple(e for e in self.events if e.id not in parents)

    def children(self, event_id: str) -> tuple[Event, ...]:
        return tuple(e for e in self.events if e.parent == event_id)

    def __getitem__(self, event_id: str) -> Event:
        for event in self.events:
            if event.id == event_id:
                return event
        raise KeyError(event_id)
