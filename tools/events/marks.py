"""Boundaries of one stretch: where it is divided, and the events between marks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tools.types import Event, Interval, Level, TimeBase, content_id

__all__ = ["CERTAIN", "Limits", "Stretch", "elastic", "events_between"]

CERTAIN = 0.5
"""From this confidence on a boundary is rather there than not."""
UNSURE_SPACING_S = 1.0
"""Boundaries less than certain stand at least this far apart."""
CUT_SPACING_S = 0.2
"""Hard cuts may bound events shorter than ``min_event_s``, but not shorter than this."""
MAX_FINE_S = 8.0
HALVE_FROM_S = 4.0
"""Coarse events without finer structure get two fine children from this length on."""
COARSE_PER_HOUR = 400.0
COARSE_FLOOR = 12
"""Coarse events that are always allowed, however short the video."""
FINE_PER_HOUR = 7200.0


def elastic(seconds: float) -> float:
    """How much longer than in an hour events may be, and how many more there are: √hours.

    A day then has five times the events of an hour, each five times as long; up to an hour, 1.
    """
    return math.sqrt(max(1.0, seconds / 3600))


@dataclass(frozen=True)
class Limits:
    """Lengths of events in ticks, and how many there may be, for so many seconds of video."""

    tick: float
    """Seconds."""
    least: int
    unsure: int
    cut: int
    coarse: float
    fine: float
    halve: float
    most_coarse: int
    most_fine: int

    @classmethod
    def of(
        cls, time_base: TimeBase, seconds: float, min_event_s: float, max_event_s: float
    ) -> Limits:
        tick, wide = float(time_base.fraction), elastic(seconds)
        hours = seconds / 3600 / wide

        def ticks(length_s: float) -> int:
            # Above, so that no rounding makes an event shorter than was asked for.
            return max(1, math.ceil(length_s / tick - 1e-6))

        least = ticks(min_event_s)
        return cls(
            tick=tick,
            least=least,
            unsure=max(least, ticks(UNSURE_SPACING_S)),
            cut=min(least, ticks(CUT_SPACING_S)),
            coarse=max_event_s * wide / tick,
            fine=MAX_FINE_S * wide / tick,
            halve=HALVE_FROM_S * wide / tick,
            most_coarse=max(COARSE_FLOOR, math.floor(COARSE_PER_HOUR * hours)),
            most_fine=max(COARSE_FLOOR, math.floor(FINE_PER_HOUR * hours)),
        )

    def room(self, strength: float, cut: bool) -> int:
        """Ticks that a boundary keeps from the next one."""
        return self.cut if cut else self.least if strength >= CERTAIN else self.unsure


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of a stretch of video: ticks, increasing, and confidences; shape ``(n,)`` each."""

    pts: NDArray[np.int64]
    strength: NDArray[np.float64]

    def at(self, pts: int) -> float:
        """Confidence of the sample at an instant, 0 where there is none."""
        i = int(np.searchsorted(self.pts, pts))
        return float(self.strength[i]) if i < len(self.pts) and self.pts[i] == pts else 0.0

    def divide(self, start: int, end: int, least: int) -> list[int]:
        """One boundary within: the strongest sample of the middle half, else the very middle."""
        if end - start < 2 * least:
            return []
        reach = min((end - start) // 4, (end - start) // 2 - least)
        middle = (start + end) // 2
        low, high = np.searchsorted(self.pts, [middle - reach, middle + reach + 1])
        if low == high:
            return [middle] if start < middle < end else []
        window, off = self.strength[low:high], np.abs(self.pts[low:high] - middle)
        # Among equals the one nearest the middle: a flat signal gives halves.
        best = int(np.lexsort((off, -window))[0])
        return [int(self.pts[low + best])]

    def cap(self, marks: Sequence[int], longest: float, least: int) -> list[int]:
        """The marks, with pieces longer than ``longest`` divided until none is."""
        done: list[int] = [marks[0]]
        waiting = list(marks[:0:-1])
        while waiting:
            start, end = done[-1], waiting[-1]
            inner = self.divide(start, end, least) if end - start > longest else []
            if inner:
                waiting.append(inner[0])
            else:
                done.append(waiting.pop())
        return done


def events_between(
    video_id: str,
    time_base: TimeBase,
    stretch: Stretch,
    limits: Limits,
    span: tuple[int, int],
    inner: Sequence[int],
    strengths: tuple[float, float],
) -> Iterator[Event]:
    """A coarse event and its fine children, which the boundaries ``inner`` and lengths give it.

    ``strengths``: of its two ends. None is a child of the same stretch: an event without a
    boundary in reach has no children and is a leaf itself.
    """
    marks = list(inner)
    if not marks and span[1] - span[0] > limits.halve:
        marks = stretch.divide(*span, limits.least)
    marks = stretch.cap([span[0], *marks, span[1]], limits.fine, limits.least)
    ends = {span[0]: strengths[0], span[1]: strengths[1]}

    def event(level: Level, start: int, end: int, parent: str | None) -> Event:
        return Event(
            id=content_id(video_id, level.value, start, end),
            video_id=video_id,
            level=level,
            interval=Interval(start=start, end=end, time_base=time_base),
            parent=parent,
            start_strength=ends[start] if start in ends else stretch.at(start),
            end_strength=ends[end] if end in ends else stretch.at(end),
        )

    parent = event(Level.COARSE, *span, None)
    yield parent
    if len(marks) > 2:
        yield from (event(Level.FINE, a, b, parent.id) for a, b in pairwise(marks))
