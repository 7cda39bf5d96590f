"""The event tree of a stream: it grows at its right edge, and what is closed stays as it is.

Every decision rests on the samples up to then alone and on nothing about how they were handed
over, so the tree of the whole is the tree built in pieces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.events.marks import CERTAIN, Limits, Stretch, events_between
from tools.events.peaks import two_means_threshold
from tools.ports import BoundarySignal
from tools.types import Event, EventTree, Level, TimeBase

__all__ = ["GrowingTree"]

REMEMBERED = 256
"""Boundaries whose strengths tell coarse from fine."""


@dataclass(frozen=True)
class _Mark:
    pts: int
    strength: float
    cut: bool = False


class GrowingTree:
    """Feed it samples in order; ask for the tree at any time.

    A boundary is known about a second after it; a coarse event is closed by the next coarse
    boundary, or when it has become too long. Memory between calls is that of the events made and
    of the samples of the coarse event still open.

    Args:
        gamma, min_event_s, max_event_s: as for :func:`tools.boundaries.build_tree`.
    """

    def __init__(
        self,
        video_id: str,
        time_base: TimeBase,
        *,
        gamma: float,
        min_event_s: float,
        max_event_s: float,
    ) -> None:
        self._id, self._base, self._gamma = video_id, time_base, gamma
        self._lengths = (min_event_s, max_event_s)
        self._tick = float(time_base.fraction)
        self._limits = Limits.of(time_base, 0.0, *self._lengths)
        self._closed: list[Event] = []
        self._coarse, self._fine = 0, 0
        self._pts: list[int] = []
        self._strength: list[float] = []
        self._open = _Mark(0, 1.0)
        """Start of the coarse event that is open."""
        self._inner: list[_Mark] = []
        self._pending: _Mark | None = None
        self._level: float | None = None
        self._top: _Mark | None = None
        self._strengths: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def closed(self) -> Sequence[Event]:
        """The events that no later sample can change."""
        return self._closed

    def feed(
        self, pts: Iterable[int], confidence: Iterable[float], cuts: Iterable[int] = ()
    ) -> None:
        """More samples, in order; ``cuts``: those of their ticks at which there is a hard cut."""
        at_cuts = {int(c) for c in cuts}
        for at, value in zip(pts, confidence, strict=True):
            self._sample(int(at), float(min(1.0, max(0.0, value))), int(at) in at_cuts)

    def feed_signal(self, signal: BoundarySignal) -> None:
        """The samples of a signal, or of its next piece."""
        cut = signal.pts[np.isin(signal.frames, signal.cuts)]
        self.feed(signal.pts.tolist(), signal.confidence.tolist(), cut.tolist())

    def tree(self, duration: int) -> EventTree:
        """The tree of the video so far; ``duration``: its ticks, not below the last sample's."""
        events = list(self._closed)
        start, inner = self._open, list(self._inner)
        if self._pending is not None:
            inner.append(self._pending)
        if duration - start.pts < self._limits.least and events:
            # Too short to stand alone: the last closed event reaches to the end.
            while events[-1].level is Level.FINE:
                events.pop()
            last = events.pop()
            start = _Mark(last.interval.start, last.start_strength)
            inner = [
                _Mark(e.interval.end, e.end_strength)
                for e in self._closed
                if e.parent == last.id and e.interval.end < last.interval.end
            ]
        while inner and duration - inner[-1].pts < self._limits.least:
            inner.pop()
        events += self._events(start, _Mark(duration, 1.0), inner)
        return EventTree(video_id=self._id, events=tuple(events))

    # ------------------------------------------------------------ one sample

    def _sample(self, pts: int, value: float, cut: bool) -> None:
        if pts > 0:
            self._pts.append(pts)
            self._strength.append(value)
        if cut:
            self._candidate(_Mark(pts, value, True))
        peak = self._peak(pts, value)
        if peak is not None and peak.strength >= self._gamma:
            self._candidate(peak)
        if self._pending is not None and pts - self._pending.pts >= self._limits.unsure:
            self._settle()
        self._bound(pts)

    def _peak(self, pts: int, value: float) -> _Mark | None:
        """The plateau that ends before this sample, if it was one; told by its first sample."""
        found = None
        if self._level is None:
            self._top = None
        elif value > self._level:
            self._top = _Mark(pts, value)
        elif value < self._level:
            found, self._top = self._top, None
        self._level = value
        return found

    def _candidate(self, mark: _Mark) -> None:
        """Keep the stronger of two boundaries that are too close."""
        room = self._limits.room(mark.strength, mark.cut)
        pending = self._pending
        if pending is not None and mark.pts - pending.pts >= max(
            room, self._limits.room(pending.strength, pending.cut)
        ):
            self._settle()
            pending = None
        before = self._inner[-1].pts if self._inner else self._open.pts
        if mark.pts - before < room:
            return
        rank = (mark.cut, mark.strength)
        if pending is None or rank > (pending.cut, pending.strength):
            self._pending = mark

    def _settle(self) -> None:
        """The pending boundary stays: as a coarse one, or within the event that is open."""
        mark, self._pending = self._pending, None
        if mark is None or (not mark.cut and self._fine + self._coarse >= self._limits.most_fine):
            return
        self._strengths.append(mark.strength)
        threshold = two_means_threshold(self._strengths)
        strong = mark.cut or mark.strength >= (CERTAIN if threshold is None else threshold)
        if strong and self._coarse < self._limits.most_coarse - 1:
            self._close(mark)
        else:
            self._inner.append(mark)

    def _bound(self, now: int) -> None:
        """Close the open event where it has become too long, at the best place in its past."""
        while now - self._limits.unsure - self._open.pts > self._limits.coarse:
            limits, start = self._limits, self._open.pts
            low, high = start + limits.least, start + int(limits.coarse)
            if self._pending is not None:
                high = min(high, self._pending.pts - limits.least)
            known = [m for m in self._inner if low <= m.pts <= high]
            if known:
                self._close(max(known, key=lambda m: (m.strength, -m.pts)))
                continue
            stretch = self._stretch()
            half = max(low, start + int(limits.coarse) // 2)
            i, j = (int(k) for k in np.searchsorted(stretch.pts, [half, high + 1]))
            if i >= j:
                self._close(_Mark(max(low, high), 0.0))
                continue
            best = i + int(np.argmax(stretch.strength[i:j]))
            self._close(_Mark(int(stretch.pts[best]), float(stretch.strength[best])))

    def _close(self, mark: _Mark) -> None:
        made = self._events(self._open, mark, [m for m in self._inner if m.pts < mark.pts])
        self._closed += made
        self._coarse += 1
        self._fine += len(made) - 1
        self._inner = [m for m in self._inner if m.pts > mark.pts]
        self._open = mark
        keep = int(np.searchsorted(np.array(self._pts, dtype=np.int64), mark.pts))
        del self._pts[:keep], self._strength[:keep]
        self._limits = Limits.of(self._base, mark.pts * self._tick, *self._lengths)

    def _events(self, start: _Mark, end: _Mark, inner: Sequence[_Mark]) -> list[Event]:
        return list(
            events_between(
                self._id,
                self._base,
                self._stretch(),
                self._limits,
                (start.pts, end.pts),
                [m.pts for m in inner],
                (start.strength, end.strength),
            )
        )

    def _stretch(self) -> Stretch:
        pts: NDArray[np.int64] = np.array(self._pts, dtype=np.int64)
        return Stretch(pts, np.array(self._strength, dtype=np.float64))
