"""Was each abnormal stretch found, how well placed, how soon, and how often for nothing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.metrics.curves import MetricUndefined
from evals.metrics.resampling import ScoredVideo
from evals.model import frame_runs
from tools.errors import UserError

__all__ = [
    "IOUS",
    "Delays",
    "FalseAlarms",
    "Matching",
    "delays",
    "event_f1",
    "false_alarms",
    "match_events",
]

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
    peaks: list[float] = []
    hours = 0.0
    for video, rate in zip(videos, fps, strict=True):
        peaks += [float(video.scores[a:b].max()) for a, b in frame_runs(video.truth)]
        hours += float((~video.truth).sum()) / rate / 3600
    if not peaks or hours == 0:
        raise MetricUndefined("false alarms per hour need true stretches and normal frames")
    ranked = np.sort(peaks)[::-1]
    threshold = float(ranked[max(0, int(np.ceil(recall * len(ranked) - 1e-9)) - 1)])
    alarms = sum(
        not video.truth[a:b].any()
        for video in videos
        for a, b in frame_runs(video.scores >= threshold)
    )
    return FalseAlarms(
        per_hour=alarms / hours,
        alarms=alarms,
        hours=hours,
        threshold=threshold,
        recall=float(np.mean(ranked >= threshold)),
    )
