"""Boundary signal → event tree, with the whole signal at hand.

Peaks of the signal, one per plateau, are taken strongest first and kept apart; two-means over
their strengths tells coarse from fine boundaries. Times are ticks from the first frame, intervals
half-open.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from tools.events.marks import Limits, Stretch, events_between
from tools.events.peaks import plateaus, two_means_threshold
from tools.events.reference import reference_spans
from tools.ports import BoundarySignal
from tools.types import Event, EventTree, Interval, Level, VideoInfo, content_id

__all__ = ["found_boundaries", "offline_tree", "reference_tree"]


def found_boundaries(
    signal: BoundarySignal, info: VideoInfo, limits: Limits, gamma: float
) -> list[int]:
    """Ticks of the boundaries found in a signal, increasing: step one of the tree.

    Strongest first (cuts before all, ties: the earliest); each keeps its room to its neighbours
    and to the ends, so that no event is shorter than the least one.
    """
    inside = (signal.pts > 0) & (signal.pts < info.duration)
    cuts = np.flatnonzero(np.isin(signal.frames, signal.cuts) & inside)
    runs = [(i, i, True) for i in cuts.tolist()]
    runs += [(a, b, False) for a, b in plateaus(signal.confidence, gamma).tolist()]
    runs.sort(key=lambda run: (not run[2], -signal.confidence[run[0]], run[0]))
    taken = [0, info.duration]
    for first, last, cut in runs:
        room = limits.room(float(signal.confidence[first]), cut)
        for i in _from_the_middle(first, last):
            pts = int(signal.pts[i])
            after = bisect_left(taken, pts)
            if pts - taken[after - 1] >= room and taken[min(after, len(taken) - 1)] - pts >= room:
                taken.insert(after, pts)
                break
        if len(taken) > limits.most_fine:
            break
    return taken[1:-1]


def _from_the_middle(first: int, last: int) -> Iterator[int]:
    """The samples of a plateau, those nearest its middle first."""
    middle = (first + last) // 2
    yield middle
    for off in range(1, last - first + 1):
        yield from (i for i in (middle - off, middle + off) if first <= i <= last)


def offline_tree(
    signal: BoundarySignal, info: VideoInfo, gamma: float, min_event_s: float, max_event_s: float
) -> EventTree:
    """See :func:`tools.boundaries.build_tree`."""
    limits = Limits.of(info.time_base, info.seconds, min_event_s, max_event_s)
    inside = (signal.pts > 0) & (signal.pts < info.duration)
    stretch = Stretch(signal.pts[inside], np.clip(signal.confidence[inside], 0.0, 1.0))
    chosen = found_boundaries(signal, info, limits, gamma)
    coarse = _coarse_marks(stretch, limits, chosen, info.duration)
    ends = {0: 1.0, info.duration: 1.0}
    events: list[Event] = []
    for start, end in pairwise(coarse):
        inner = chosen[bisect_left(chosen, start + 1) : bisect_left(chosen, end)]
        strengths = tuple(ends[m] if m in ends else stretch.at(m) for m in (start, end))
        events += events_between(
            info.id,
            info.time_base,
            stretch,
            limits,
            (start, end),
            inner,
            (strengths[0], strengths[1]),
        )
    return EventTree(video_id=info.id, events=tuple(events))


def _coarse_marks(
    stretch: Stretch, limits: Limits, chosen: Sequence[int], duration: int
) -> list[int]:
    """Ends of the coarse events: the strong boundaries, bounded in number, then in length."""
    strength = {p: stretch.at(p) for p in chosen}
    threshold = two_means_threshold(strength.values())
    strong = [p for p in chosen if threshold is None or strength[p] >= threshold]
    if len(strong) > limits.most_coarse - 1:
        by_strength = sorted(strong, key=lambda p: (-strength[p], p))
        strong = sorted(by_strength[: limits.most_coarse - 1])
    # Where a long piece must be divided, a boundary already found goes before a forced one.
    marks = [0, *strong, duration]
    spare = sorted(set(chosen) - set(strong), key=lambda p: (-strength[p], p))
    for at in spare:
        after = bisect_left(marks, at)
        if marks[after] - marks[after - 1] > limits.coarse:
            marks.insert(after, at)
    return stretch.cap(marks, limits.coarse, limits.least)


def reference_tree(signal: BoundarySignal, info: VideoInfo, gamma: float) -> EventTree:
    """The tree of :func:`tools.events.reference.reference_spans`, its spans half-open.

    A coarse event may have a single fine child of the same stretch, as in the reference system.
    """
    spans = reference_spans(signal.confidence, gamma)
    last = len(signal.confidence) - 1

    def event(level: Level, span: tuple[int, int], parent: str | None) -> Event:
        start = 0 if span[0] == 0 else int(signal.pts[span[0]])
        end = info.duration if span[1] == last else int(signal.pts[span[1]])
        strengths = [1.0 if i in {0, last} else float(signal.confidence[i]) for i in span]
        return Event(
            id=content_id(info.id, level.value, start, end),
            video_id=info.id,
            level=level,
            interval=Interval(start=start, end=end, time_base=info.time_base),
            parent=parent,
            start_strength=strengths[0],
            end_strength=strengths[1],
        )

    events: list[Event] = []
    for span in spans.coarse:
        parent = event(Level.COARSE, span, None)
        inner = [f for f in spans.fine if span[0] <= f[0] and f[1] <= span[1]]
        events += [parent, *(event(Level.FINE, f, parent.id) for f in inner)]
    return EventTree(video_id=info.id, events=tuple(events))
