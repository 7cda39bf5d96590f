"""Frame-level metrics: does the score of an abnormal frame exceed that of a normal one?

Scores of different videos are compared as they are. Scaling each video to its own range first, as
some published code does, tells the metric that every video holds an anomaly and inflates it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import UserError

__all__ = [
    "Estimate",
    "MacroAuroc",
    "MetricUndefined",
    "ScoredVideo",
    "average_precision",
    "bootstrap",
    "frame_truth",
    "macro_auroc",
    "micro_auroc",
]


class MetricUndefined(UserError):
    """The metric has no value for these inputs (one class only, no videos)."""


@dataclass(frozen=True, eq=False)
class ScoredVideo:
    """Scores and truth of one video, both of shape ``(frames,)``.

    Raises UserError where the two differ in length, are empty, or a score is not finite.
    """

    name: str
    scores: NDArray[np.float64]
    truth: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.scores.ndim != 1 or self.scores.shape != self.truth.shape:
            raise UserError(
                f"{self.name}: {self.scores.shape} scores for {self.truth.shape} labelled frames"
            )
        if self.scores.size == 0:
            raise UserError(f"{self.name}: no frames")
        if not np.isfinite(self.scores).all():
            raise UserError(f"{self.name}: a score is not a finite number")


@dataclass(frozen=True)
class MacroAuroc:
    """Mean of the per-video AUROC over the ``videos`` that hold both classes."""

    value: float
    videos: int
    skipped: tuple[str, ...]
    """Videos of one class, for which no AUROC exists."""


@dataclass(frozen=True)
class Estimate:
    """A percentile bootstrap interval of a metric, resampling whole videos."""

    low: float
    high: float
    samples: int
    undefined: int
    """Resamples without both classes, left out."""


def frame_truth(frames: int, intervals: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Labels of shape ``(frames,)`` from half-open frame intervals.

    Raises UserError for an interval that is empty or leaves the video.
    """
    truth = np.zeros(frames, bool)
    for start, end in intervals:
        if not 0 <= start < end <= frames:
            raise UserError(f"the interval [{start}, {end}) does not fit {frames} frames")
        truth[start:end] = True
    return truth


def micro_auroc(videos: Sequence[ScoredVideo]) -> float:
    """Area under the ROC curve over the frames of all videos together.

    Raises MetricUndefined where the frames are all of one class.
    """
    from sklearn.metrics import roc_auc_score

    scores, truth = _joined(videos, "AUROC")
    return float(roc_auc_score(truth, scores))


def average_precision(videos: Sequence[ScoredVideo]) -> float:
    """Average precision (step-wise, without interpolation) over all frames together.

    Raises MetricUndefined where the frames are all of one class.
    """
    from sklearn.metrics import average_precision_score

    scores, truth = _joined(videos, "average precision")
    return float(average_precision_score(truth, scores))


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


def bootstrap(
    videos: Sequence[ScoredVideo],
    metric: Callable[[Sequence[ScoredVideo]], float],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Percentile interval of ``metric`` under resampling of videos with replacement.

    Frames of one video depend on each other, so videos are drawn whole. With a handful of videos
    the interval is wide and itself rough. Raises MetricUndefined where no resample has a value.
    """
    if samples < 1 or not 0 < level < 1:
        raise UserError(f"cannot bootstrap {samples} samples at level {level}")
    rng = np.random.default_rng(seed)
    values: list[float] = []
    for _ in range(samples):
        drawn = rng.integers(len(videos), size=len(videos)) if videos else ()
        try:
            values.append(metric([videos[int(i)] for i in drawn]))
        except MetricUndefined:
            continue
    if not values:
        raise MetricUndefined("no resample of the videos holds both classes")
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return Estimate(float(low), float(high), samples, samples - len(values))


def _joined(videos: Sequence[ScoredVideo], what: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if not videos:
        raise MetricUndefined(f"{what} of no videos")
    scores = np.concatenate([v.scores for v in videos])
    truth = np.concatenate([v.truth for v in videos])
    if truth.all() or not truth.any():
        only = "abnormal" if truth.all() else "normal"
        raise MetricUndefined(f"{what} needs both classes, all {truth.size} frames are {only}")
    return scores, truth
