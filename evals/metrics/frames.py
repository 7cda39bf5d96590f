"""Frame-level metrics: does the score of an abnormal frame exceed that of a normal one?

Scores of different videos are compared as they are. Scaling each video to its own range first, as
some published code does, tells the metric that every video holds an anomaly and inflates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import Curve, MetricUndefined, curve
from evals.metrics.resampling import Estimate, PairCounts, ScoredVideo, bootstrap
from evals.model import frame_truth
from tools.errors import UserError

__all__ = [
    "Decomposition",
    "Estimate",
    "MacroAuroc",
    "MetricUndefined",
    "ScoredVideo",
    "abnormal_only",
    "average_precision",
    "bootstrap",
    "decomposition",
    "distinct_scores",
    "frame_truth",
    "joined_curve",
    "latency_aware_ap",
    "macro_auroc",
    "micro_auroc",
    "pr_trapezoid",
    "probabilistic_curve",
    "scaled_per_video",
]

HALF_LIFE_S = 2.0
"""Latency-aware AP: a detection this late is worth half."""


@dataclass(frozen=True)
class MacroAuroc:
    """Mean of the per-video AUROC over the ``videos`` that hold both classes."""

    value: float
    videos: int
    skipped: tuple[str, ...]
    """Videos of one class, for which no AUROC exists."""


@dataclass(frozen=True)
class Decomposition:
    """``micro = weight · within + (1 − weight) · cross``; a part of no pairs is None."""

    micro: float
    within: float | None
    """Share of rightly ordered pairs of frames of one video."""
    cross: float | None
    """The same for pairs of frames of two videos."""
    weight: float
    """Share of all pairs that lie within one video. It is small where videos are many: micro
    AUROC then says which video is odd more than when."""


def joined_curve(videos: Sequence[ScoredVideo]) -> Curve:
    """The curve over all frames together. Raises MetricUndefined for one class or no videos."""
    if not videos:
        raise MetricUndefined("no videos")
    return curve(
        np.concatenate([v.scores for v in videos]), np.concatenate([v.truth for v in videos])
    )


def micro_auroc(videos: Sequence[ScoredVideo]) -> float:
    """Area under the ROC curve over the frames of all videos together.

    Raises MetricUndefined where the frames are all of one class.
    """
    return joined_curve(videos).auroc


def average_precision(videos: Sequence[ScoredVideo]) -> float:
    """Average precision (step-wise, without interpolation) over all frames together.

    Raises MetricUndefined where the frames are all of one class.
    """
    return joined_curve(videos).average_precision


def pr_trapezoid(videos: Sequence[ScoredVideo]) -> float:
    """Trapezoidal area under the precision–recall curve, which some papers call AP."""
    return joined_curve(videos).pr_trapezoid


def macro_auroc(videos: Sequence[ScoredVideo]) -> MacroAuroc:
    """Mean per-video AUROC. Raises MetricUndefined where no video holds both classes."""
    both = [v for v in videos if v.truth.any() and not v.truth.all()]
    if not both:
        raise MetricUndefined("macro AUROC needs a video with normal and abnormal frames")
    return MacroAuroc(
        value=float(np.mean([micro_auroc([v]) for v in both])),
        videos=len(both),
        skipped=tuple(v.name for v in videos if all(v is not b for b in both)),
    )


def decomposition(videos: Sequence[ScoredVideo]) -> Decomposition:
    """Split micro AUROC into pairs within and across videos. Raises MetricUndefined."""
    counts = PairCounts.of(videos)
    once = np.ones((1, len(videos)), np.int64)
    micro, within, cross, weight = (
        float(part(once)[0]) for part in (counts.micro, counts.within, counts.cross, counts.weight)
    )
    if np.isnan(micro):
        raise MetricUndefined("the decomposition needs normal and abnormal frames")
    return Decomposition(
        micro=micro,
        within=None if np.isnan(within) else within,
        cross=None if np.isnan(cross) else cross,
        weight=weight,
    )


def abnormal_only(videos: Sequence[ScoredVideo]) -> list[ScoredVideo]:
    """The videos with an abnormal frame: AUROC over these alone says *when*, not *which video*."""
    return [v for v in videos if v.truth.any()]


def scaled_per_video(videos: Sequence[ScoredVideo]) -> list[ScoredVideo]:
    """Every video's scores scaled to its own [0, 1] (a constant one to 0).

    Only for figures reported apart, under their own name, to compare with papers that do it.
    """
    scaled = []
    for video in videos:
        low, high = float(video.scores.min()), float(video.scores.max())
        scores = (video.scores - low) / (high - low) if high > low else np.zeros_like(video.scores)
        scaled.append(ScoredVideo(video.name, scores, video.truth))
    return scaled


def distinct_scores(videos: Sequence[ScoredVideo]) -> int:
    """Number of distinct scores over all frames: a handful means a coarse ranking."""
    return len(np.unique(np.concatenate([v.scores for v in videos]))) if videos else 0


def probabilistic_curve(
    scores: Sequence[NDArray[np.float64]], votes: Sequence[NDArray[np.float64]]
) -> Curve:
    """The curve under several annotators, whose share of votes is the label.

    A frame that a share p of them call abnormal weighs p among the abnormal and 1 − p among the
    normal. Prob-AUC and Prob-AP are its ``auroc`` and ``average_precision`` (the idea of averaging
    rounds of annotation: Liu et al. 2025, "Rethinking Metrics and Benchmarks of Video Anomaly
    Detection"; the weighting is as written here). Raises UserError for votes outside [0, 1].
    """
    if not scores:
        raise MetricUndefined("no videos")
    weights = np.concatenate(votes)
    if not ((weights >= 0) & (weights <= 1)).all():
        raise UserError("a share of votes lies outside [0, 1]")
    return curve(np.concatenate(scores), weights)


def latency_aware_ap(
    videos: Sequence[ScoredVideo],
    fps: Sequence[float],
    *,
    half_life_s: float = HALF_LIFE_S,
    line: Curve | None = None,
) -> float:
    """Average precision in which a late detection counts less.

    At a threshold, a true stretch first flagged d seconds after its beginning is worth
    2^(−d / half_life_s), a missed one 0. With R the mean worth over all stretches and P the
    precision over frames, the value is Σ (R step × P) from the highest threshold down. (Named
    after LaAP, Liu et al. 2025; decay and formula are as stated here.) ``line``: their joined
    curve, where it is known already. Raises MetricUndefined.
    """
    if half_life_s <= 0 or len(fps) != len(videos):
        raise UserError(f"half-life {half_life_s} s, {len(fps)} rates for {len(videos)} videos")
    line = joined_curve(videos) if line is None else line
    at: list[NDArray[np.float64]] = []
    worth: list[NDArray[np.float64]] = []
    stretches = 0
    for video, rate in zip(videos, fps, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], video.truth.astype(np.int8), [0]])))
        for start, end in edges.reshape(-1, 2):
            inside = video.scores[start:end]
            # Only a frame above all before it can be the first at some threshold.
            top = np.maximum.accumulate(inside)
            first = np.flatnonzero(np.append(True, inside[1:] > top[:-1]))
            value = 2.0 ** (-(first / rate) / half_life_s)
            at.append(inside[first])
            worth.append(value - np.append(value[1:], 0.0))
            stretches += 1
    index = np.searchsorted(-line.thresholds, -np.concatenate(at))
    return float(np.sum(np.concatenate(worth) * line.precision[index]) / stretches)
