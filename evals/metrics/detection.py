"""Was each abnormal stretch found, how well placed, how soon, and how often for nothing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from evals.metrics.resampling import ScoredVideo, divided
from evals.model import frame_runs
from tools.errors import UserError

__all__ = [
    "IOUS",
    "AlarmCounts",
    "Delays",
    "FalseAlarms",
    "Matching",
    "delays",
    "event_f1",
    "false_alarms",
    "match_events",
]

Array = NDArray[np.float64]
Span = tuple[float, float]
IOUS = (0.1, 0.2, 0.3, 0.5, 0.7)
"""Temporal overlaps at which F1 is given."""
RECALL = 0.8
"""Share of true stretches to be found at the threshold at which false alarms are counted."""


@dataclass(frozen=True)
class Matching:
    """One-to-one matching of found and true stretches of one video; adds up with ``+``."""

    matched: int
    found: int
    true: int

    def __add__(self, other: Matching) -> Matching:
        return Matching(
            self.matched + other.matched, self.found + other.found, self.true + other.true
        )

    @property
    def f1(self) -> float:
        """2 · matched / (found + true). Raises MetricUndefined where both are 0."""
        if self.found + self.true == 0:
            raise MetricUndefined("no stretches, true or found")
        return 2 * self.matched / (self.found + self.true)


@dataclass(frozen=True)
class Delays:
    """Seconds from the beginning of a true stretch to its first flagged frame."""

    seconds: tuple[float, ...]
    """Of the stretches that were found."""
    missed: int

    @property
    def median(self) -> float:
        return self._at(50)

    @property
    def p90(self) -> float:
        return self._at(90)

    def _at(self, percent: float) -> float:
        if not self.seconds:
            raise MetricUndefined("no true stretch was found")
        return float(np.percentile(self.seconds, percent))


@dataclass(frozen=True)
class FalseAlarms:
    """False alarms at the highest threshold that finds a share ``recall`` of true stretches."""

    per_hour: float
    alarms: int
    hours: float
    """Length of the frames labelled normal."""
    threshold: float
    recall: float
    """Share of true stretches found at that threshold (at least the one asked for)."""


def match_events(
    found: Sequence[Span], true: Sequence[Span], iou: float
) -> tuple[Matching, tuple[float, ...]]:
    """The one-to-one matching of greatest number at temporal IoU ≥ ``iou``, ties by greatest sum.

    Returns it with the IoU of each true stretch's partner, 0 where it has none. Raises UserError
    for an empty stretch.
    """
    from scipy.optimize import linear_sum_assignment

    for start, end in (*found, *true):
        if not end > start:
            raise UserError(f"an empty interval [{start}, {end})")
    if not found or not true:
        return Matching(0, len(found), len(true)), (0.0,) * len(true)
    f, t = np.array(found, float), np.array(true, float)
    common = np.minimum(f[:, None, 1], t[None, :, 1]) - np.maximum(f[:, None, 0], t[None, :, 0])
    common = np.clip(common, 0, None)
    union = (f[:, 1] - f[:, 0])[:, None] + (t[:, 1] - t[:, 0])[None, :] - common
    overlap = common / union
    allowed = (overlap >= iou) & (overlap > 0)
    # One more match outweighs any sum of overlaps.
    value = np.where(allowed, overlap + min(overlap.shape) + 1, 0.0)
    rows, columns = linear_sum_assignment(value, maximize=True)
    partner = [0.0] * len(true)
    for row, column in zip(rows, columns, strict=True):
        if allowed[row, column]:
            partner[int(column)] = float(overlap[row, column])
    return Matching(sum(p > 0 for p in partner), len(found), len(true)), tuple(partner)


def event_f1(videos: Sequence[tuple[Sequence[Span], Sequence[Span]]], iou: float) -> float:
    """F1 over all videos' (found, true) stretches. Raises MetricUndefined where there are none."""
    total = Matching(0, 0, 0)
    for found, true in videos:
        total += match_events(found, true, iou)[0]
    return total.f1


def delays(videos: Sequence[tuple[Sequence[Span], Sequence[Span]]]) -> Delays:
    """Delay of each true stretch's first flagged instant, from (flagged, true) in seconds.

    A flagged stretch that began before the true one and lasts into it gives 0.
    """
    seconds, missed = [], 0
    for flagged, true in videos:
        for start, end in true:
            starts = [max(s, start) for s, e in flagged if s < end and e > start]
            if starts:
                seconds.append(min(starts) - start)
            else:
                missed += 1
    return Delays(tuple(seconds), missed)


def false_alarms(
    videos: Sequence[ScoredVideo], fps: Sequence[float], *, recall: float = RECALL
) -> FalseAlarms:
    """False alarms per hour of normal footage at a fixed recall of true stretches.

    A stretch is found at a threshold that one of its frames reaches. The threshold is the highest
    that finds a share ``recall`` of all. An alarm is a run of frames at or above it; it is false
    where it touches no abnormal frame. Normal footage is every frame labelled normal. Raises
    MetricUndefined without true stretches or normal frames.
    """
    counts = AlarmCounts.of(videos, fps)
    if not counts.stretches.sum() or not counts.hours.sum():
        raise MetricUndefined("false alarms per hour need true stretches and normal frames")
    once = np.ones((1, len(videos)), np.int64)
    at = int(counts.level(once, recall=recall)[0])
    alarms, hours = int(counts.alarms[:, at].sum()), float(counts.hours.sum())
    return FalseAlarms(
        per_hour=alarms / hours,
        alarms=alarms,
        hours=hours,
        threshold=float(counts.thresholds[at]),
        recall=float(counts.found[:, at].sum() / counts.stretches.sum()),
    )


@dataclass(frozen=True, eq=False)
class AlarmCounts:
    """Stretches found and false alarms of each video, at every threshold that could be chosen.

    Of a run of frames at or above t only its rise counts: Σ over normal frames of
    [s(i−1) < t ≤ s(i)], less the runs that reach into an abnormal neighbour. Each term is a step
    in t, so that all thresholds are counted in one pass over the frames.
    """

    thresholds: Array
    """Shape ``(levels,)``: the distinct peaks of true stretches, highest first."""
    found: Array
    """Shape ``(videos, levels)``."""
    alarms: Array
    """Shape ``(videos, levels)``."""
    stretches: Array
    """Shape ``(videos,)``, as hours."""
    hours: Array

    @classmethod
    def of(cls, videos: Sequence[ScoredVideo], fps: Sequence[float]) -> AlarmCounts:
        """``fps``: frames per second of each video."""
        peaks = [
            np.array([v.scores[a:b].max() for a, b in frame_runs(v.truth)], np.float64)
            for v in videos
        ]
        levels = np.unique(np.concatenate(peaks)) if peaks else np.zeros(0)
        shape = (len(videos), len(levels))
        found = [np.cumsum(_hits(levels, p)[::-1])[::-1] for p in peaks]
        alarms = [_false_runs(v, levels) for v in videos]
        hours = [(~v.truth).sum() / rate / 3600 for v, rate in zip(videos, fps, strict=True)]
        return cls(
            thresholds=levels[::-1],
            found=np.array(found, np.float64).reshape(shape)[:, ::-1],
            alarms=np.array(alarms, np.float64).reshape(shape)[:, ::-1],
            stretches=np.array([len(p) for p in peaks], np.float64),
            hours=np.array(hours, np.float64),
        )

    def level(self, counts: NDArray[np.int64], *, recall: float = RECALL) -> NDArray[np.int64]:
        """Index of the highest threshold that finds a share ``recall``, per draw."""
        c = counts.astype(np.float64)
        need = np.maximum(1, np.ceil(recall * (c @ self.stretches) - 1e-9))
        return np.asarray(np.argmax(c @ self.found >= need[:, None], axis=1), np.int64)

    def per_hour(self, counts: NDArray[np.int64], *, recall: float = RECALL) -> Array:
        """False alarms per hour, the threshold chosen anew in each draw; NaN where undefined."""
        if not self.thresholds.size:
            return np.full(len(counts), np.nan)
        out = []
        for rows in np.array_split(counts, max(1, len(counts) // 100)):
            c = rows.astype(np.float64)
            at = self.level(rows, recall=recall)
            alarms = (c @ self.alarms)[np.arange(len(rows)), at]
            value = divided(alarms, c @ self.hours)
            out.append(np.where(c @ self.stretches > 0, value, np.nan))
        return np.concatenate(out)


def _hits(levels: Array, peaks: Array) -> Array:
    return np.bincount(np.searchsorted(levels, peaks), minlength=len(levels)).astype(np.float64)


def _false_runs(video: ScoredVideo, levels: Array) -> Array:
    """Runs at or above each of the ascending levels that touch no abnormal frame."""
    scores, truth = video.scores, video.truth
    before = np.concatenate([[-np.inf], scores[:-1]])
    before[1:][truth[:-1]] = -np.inf
    rise = ~truth & (scores > before)
    change = np.zeros(len(levels) + 1)

    def add(low: Array, high: Array, sign: float) -> None:
        """Where low < level ≤ high."""
        for ends, one in ((low, sign), (high, -sign)):
            at = np.searchsorted(levels, ends, side="right")
            np.add(change, one * np.bincount(at, minlength=len(change)), out=change)

    add(before[rise], scores[rise], 1.0)
    for a, b in frame_runs(~truth):
        left, right = a > 0, b < len(scores)
        ends = [scores[a - 1 : a + 1].min()] if left else []
        ends += [scores[b - 1 : b + 1].min()] if right else []
        high = np.array(ends, np.float64)
        add(np.full(high.shape, -np.inf), high, -1.0)
        if left and right:
            add(np.array([-np.inf]), scores[a - 1 : b + 1].min(keepdims=True), 1.0)
    return np.asarray(np.cumsum(change)[:-1], np.float64)
