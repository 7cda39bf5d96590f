"""Boundary signal → event tree: where a video falls into events, coarse and fine.

Peaks of the signal are taken strongest first; two-means over their strengths tells coarse from
fine boundaries. Times are ticks from the first frame, intervals half-open.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tools.ports import BoundaryDetector, BoundarySignal
from tools.types import Event, EventTree, Interval, Level, VideoInfo, content_id

__all__ = [
    "ReferenceSpans",
    "build_tree",
    "embedded_detector",
    "peaks",
    "reference_spans",
    "two_means_threshold",
]

GAMMA = 0.3
"""Least confidence of a boundary."""
MAX_COARSE_S = 20.0
"""Longer coarse events are divided even where nothing stands out: a still hour is looked at too."""
MAX_FINE_S = 8.0
HALVE_FROM_S = 4.0
"""Coarse events without finer structure get two fine children from this length on."""
COARSE_PER_HOUR = 400.0
COARSE_FLOOR = 12
"""Coarse events that are always allowed, however short the video."""
CUT_SPACING_S = 0.2
"""Hard cuts may bound events shorter than ``min_event_s``, but not shorter than this."""


def embedded_detector(*, samples_per_s: float = 10.0) -> BoundaryDetector:
    """The motion and appearance detector, which needs OpenCV and PySceneDetect only."""
    from tools.backends.embedded.boundaries import MotionBoundaryDetector

    return MotionBoundaryDetector(samples_per_s=samples_per_s)


def peaks(confidence: NDArray[np.float64], gamma: float) -> NDArray[np.int64]:
    """Interior samples with confidence ≥ ``gamma`` and ≥ both neighbours; shape ``(k,)``."""
    if len(confidence) < 3:
        return np.zeros(0, dtype=np.int64)
    middle = confidence[1:-1]
    keep = (middle >= gamma) & (middle >= confidence[:-2]) & (middle >= confidence[2:])
    return np.flatnonzero(keep) + 1


def two_means_threshold(values: Iterable[float]) -> float | None:
    """Least value of the higher of two clusters with the least squared error (exact, 1-D).

    None where there are fewer than two distinct values.
    """
    ordered = np.sort(np.asarray(list(values), dtype=np.float64))
    count = len(ordered)
    if count < 2 or ordered[0] == ordered[-1]:
        return None
    total, squares = np.cumsum(ordered), np.cumsum(ordered**2)
    low = np.arange(1, count)
    error_low = squares[:-1] - total[:-1] ** 2 / low
    error_high = squares[-1] - squares[:-1] - (total[-1] - total[:-1]) ** 2 / (count - low)
    error = np.where(ordered[1:] > ordered[:-1], error_low + error_high, np.inf)
    return float(ordered[int(np.argmin(error)) + 1])


# ---------------------------------------------------------------- our tree


def build_tree(
    signal: BoundarySignal,
    info: VideoInfo,
    *,
    gamma: float = GAMMA,
    min_event_s: float = 1.0,
    max_event_s: float = MAX_COARSE_S,
    reference: bool = False,
) -> EventTree:
    """The event tree of a video.

    Coarse events partition the video; none is longer than ``max_event_s`` (up to the spacing of
    the samples), none shorter than ``min_event_s`` except between hard cuts, and there are about
    400 an hour at most. The fine events of a coarse one partition it; where there is no second
    boundary in reach, it has none, so that no stretch appears twice.

    Args:
        signal: samples in presentation order, with times before ``info.duration``.
        gamma: least confidence of a boundary.
        reference: build the tree of :func:`reference_spans` instead, where a coarse event may
            have a single fine child of the same stretch, as in the describe-and-verify system.

    Raises:
        ValueError: settings that contradict each other, or a signal of another video.
    """
    if min_event_s <= 0 or max_event_s < 2 * min_event_s:
        raise ValueError("max_event_s must be at least twice min_event_s, which must be above 0")
    if signal.video_id != info.id:
        raise ValueError(f"the signal is of video {signal.video_id}, not of {info.id}")
    if reference:
        return _reference_tree(signal, info, gamma)
    cutter = _Cutter(signal, info, min_event_s)
    chosen = cutter.choose(gamma)
    coarse = _coarse_marks(cutter, chosen, max_event_s)
    events: list[Event] = []
    for start, end in _pairs(coarse):
        parent = cutter.event(Level.COARSE, start, end, None)
        events.append(parent)
        inner = [p for p in chosen if start < p < end]
        length = cutter.seconds(start, end)
        if not inner and length > HALVE_FROM_S:
            inner = cutter.divide(start, end)
        marks = cutter.cap([start, *inner, end], MAX_FINE_S)
        if len(marks) > 2:
            events += [cutter.event(Level.FINE, a, b, parent.id) for a, b in _pairs(marks)]
    return EventTree(video_id=info.id, events=tuple(events))


class _Cutter:
    """Places boundaries, in ticks, and remembers their strengths."""

    def __init__(self, signal: BoundarySignal, info: VideoInfo, min_event_s: float) -> None:
        self.info = info
        self.tick = float(info.time_base.fraction)
        self.least = max(1, round(min_event_s / self.tick))
        inside = (signal.pts > 0) & (signal.pts < info.duration)
        self.pts = signal.pts[inside]
        self.strength = np.clip(signal.confidence[inside], 0.0, 1.0)
        self.known = dict(zip(self.pts.tolist(), self.strength.tolist(), strict=True))
        sampled = dict(zip(signal.frames.tolist(), signal.pts.tolist(), strict=True))
        self.cuts = {sampled[f] for f in signal.cuts if f in sampled} & set(self.known)
        at_peak = np.zeros(len(signal.pts), dtype=bool)
        at_peak[peaks(signal.confidence, 0.0)] = True
        self.is_peak = at_peak[inside]

    def seconds(self, start: int, end: int) -> float:
        return (end - start) * self.tick

    def choose(self, gamma: float) -> list[int]:
        """Boundaries, strongest first (ties: the earliest), apart by the least event length."""
        candidates = [
            i
            for i in range(len(self.pts))
            if (self.is_peak[i] and self.strength[i] >= gamma) or int(self.pts[i]) in self.cuts
        ]
        candidates.sort(key=lambda i: (int(self.pts[i]) not in self.cuts, -self.strength[i], i))
        close = max(1, round(CUT_SPACING_S / self.tick))
        taken = [0, self.info.duration]
        for i in candidates:
            at = int(self.pts[i])
            room = min(close, self.least) if at in self.cuts else self.least
            after = bisect_left(taken, at)
            if at - taken[after - 1] >= room and taken[after] - at >= room:
                taken.insert(after, at)
        return taken[1:-1]

    def divide(self, start: int, end: int) -> list[int]:
        """One boundary within: the strongest sample of the middle half, else the very middle."""
        if end - start < 2 * self.least:
            return []
        reach = min((end - start) // 4, (end - start) // 2 - self.least)
        middle = (start + end) // 2
        low, high = np.searchsorted(self.pts, [middle - reach, middle + reach + 1])
        if low == high:
            return [middle] if start < middle < end else []
        window = self.strength[low:high]
        # Among equals the one nearest the middle: a flat signal gives halves.
        best = min(
            range(len(window)), key=lambda k: (-window[k], abs(int(self.pts[low + k]) - middle))
        )
        return [int(self.pts[low + best])]

    def cap(self, marks: Sequence[int], longest_s: float) -> list[int]:
        """The marks, with pieces longer than ``longest_s`` divided until none is."""
        done: list[int] = [marks[0]]
        waiting = list(marks[:0:-1])
        while waiting:
            start, end = done[-1], waiting[-1]
            inner = self.divide(start, end) if self.seconds(start, end) > longest_s else []
            if inner:
                waiting.append(inner[0])
            else:
                done.append(waiting.pop())
        return done

    def event(self, level: Level, start: int, end: int, parent: str | None) -> Event:
        strengths = (
            1.0 if start == 0 else self.known.get(start, 0.0),
            1.0 if end == self.info.duration else self.known.get(end, 0.0),
        )
        return _event(self.info, level, (start, end), parent, *strengths)


def _coarse_marks(cutter: _Cutter, chosen: Sequence[int], max_event_s: float) -> list[int]:
    """Ends of the coarse events: the strong boundaries, bounded in number, then in length."""
    duration = cutter.info.duration
    strengths = [cutter.known[p] for p in chosen]
    threshold = two_means_threshold(strengths)
    strong = [p for p in chosen if threshold is None or cutter.known[p] >= threshold]
    hours = cutter.seconds(0, duration) / 3600
    most = max(COARSE_FLOOR, math.floor(COARSE_PER_HOUR * hours)) - 1
    if len(strong) > most:
        by_strength = sorted(strong, key=lambda p: (-cutter.known[p], p))
        strong = sorted(by_strength[:most])
    # Where a long piece must be divided, a boundary already found goes before a forced one.
    marks = [0, *strong, duration]
    spare = sorted(set(chosen) - set(strong), key=lambda p: (-cutter.known[p], p))
    for at in spare:
        after = int(np.searchsorted(marks, at))
        if cutter.seconds(marks[after - 1], marks[after]) > max_event_s:
            marks.insert(after, at)
    return cutter.cap(marks, max_event_s)


def _pairs(marks: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(marks))


def _event(
    info: VideoInfo,
    level: Level,
    span: tuple[int, int],
    parent: str | None,
    start_strength: float,
    end_strength: float,
) -> Event:
    return Event(
        id=content_id(info.id, level.value, *span),
        video_id=info.id,
        level=level,
        interval=Interval(start=span[0], end=span[1], time_base=info.time_base),
        parent=parent,
        start_strength=start_strength,
        end_strength=end_strength,
    )


# ---------------------------------------------------------------- the reference tree


@dataclass(frozen=True)
class ReferenceSpans:
    """Spans ``(first, last)`` of sample indices, both inclusive and shared with the neighbour."""

    coarse: tuple[tuple[int, int], ...]
    fine: tuple[tuple[int, int], ...]


def reference_spans(confidence: NDArray[np.float64], gamma: float) -> ReferenceSpans:
    """The event tree of the describe-and-verify reference system (VADTree), from its description.

    [0, n−1] is split depth first at the strongest peak inside (ties: the earliest) and every
    internal node is kept with the confidences of its ends (the video's ends count 1.0). Two-means
    over the cuts gives a threshold: nodes with both ends at or above it are coarse, the others
    fine; a node that contains another of its kind is redundant; where fine nodes leave a gap, the
    coarse nodes there fill it. With fewer than two distinct cuts, both are the leaves.
    """
    last = len(confidence) - 1
    if last < 1:
        return ReferenceSpans(((0, 0),), ((0, 0),))
    found = peaks(confidence, gamma)
    order = sorted(found.tolist(), key=lambda p: (-confidence[p], p))
    nodes = [(0, last)]
    ends = [0, last]
    # Splitting the piece a peak lies in, strongest peak first, visits the nodes depth first does.
    for peak in order:
        after = int(np.searchsorted(ends, peak))
        nodes += [(ends[after - 1], peak), (peak, ends[after])]
        ends.insert(after, peak)
    threshold = two_means_threshold(confidence[found])
    leaves = tuple(_pairs(ends))
    if threshold is None:
        return ReferenceSpans(leaves, leaves)
    strong = {0, last, *(p for p in order if confidence[p] >= threshold)}
    coarse = _innermost([n for n in nodes if strong.issuperset(n)])
    fine = _innermost([n for n in nodes if not strong.issuperset(n)])
    gaps = [c for c in coarse if not any(f[0] < c[1] and c[0] < f[1] for f in fine)]
    return ReferenceSpans(tuple(coarse), tuple(sorted([*fine, *gaps])))


def _innermost(nodes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The nodes that contain no other, in order. Nodes are nested or apart."""
    kept: list[tuple[int, int]] = []
    for node in sorted(set(nodes), key=lambda n: (n[0], -n[1])):
        while kept and kept[-1][0] <= node[0] and node[1] <= kept[-1][1]:
            kept.pop()
        kept.append(node)
    return kept


def _reference_tree(signal: BoundarySignal, info: VideoInfo, gamma: float) -> EventTree:
    spans = reference_spans(signal.confidence, gamma)
    last = len(signal.confidence) - 1

    def event(level: Level, span: tuple[int, int], parent: str | None) -> Event:
        start = 0 if span[0] == 0 else int(signal.pts[span[0]])
        end = info.duration if span[1] == last else int(signal.pts[span[1]])
        strengths = [1.0 if i in {0, last} else float(signal.confidence[i]) for i in span]
        return _event(info, level, (start, end), parent, *strengths)

    events: list[Event] = []
    for span in spans.coarse:
        parent = event(Level.COARSE, span, None)
        inner = [f for f in spans.fine if span[0] <= f[0] and f[1] <= span[1]]
        events += [parent, *(event(Level.FINE, f, parent.id) for f in inner)]
    return EventTree(video_id=info.id, events=tuple(events))
