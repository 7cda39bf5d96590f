"""Ranking curves: what a threshold on the scores would find, for every threshold at once.

Frames with equal scores fall together, so ties give one point of the curve. Labels may be soft:
a frame that half of the annotators call abnormal counts half on either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import UserError

__all__ = ["Curve", "MetricUndefined", "curve"]

Array = NDArray[np.float64]


class MetricUndefined(UserError):
    """The metric has no value for these inputs (one class only, no videos)."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Weight found at each distinct score, from the highest down; all of shape ``(levels,)``."""

    thresholds: Array
    tp: Array
    """Abnormal weight scoring at least this much."""
    fp: Array
    """Normal weight scoring at least this much."""

    @property
    def positives(self) -> float:
        return float(self.tp[-1])

    @property
    def negatives(self) -> float:
        return float(self.fp[-1])

    @property
    def auroc(self) -> float:
        """Area under the ROC curve: the chance that an abnormal frame outscores a normal one,
        ties counting half (Hanley & McNeil 1982)."""
        below = np.concatenate([[0.0], self.tp[:-1]])
        area = np.sum(np.diff(self.fp, prepend=0.0) * (self.tp + below)) / 2
        return float(area / (self.positives * self.negatives))

    @property
    def average_precision(self) -> float:
        """Σ (recall step × precision there), without interpolation (scikit-learn's AP)."""
        steps = np.diff(self.tp, prepend=0.0)
        return float(np.sum(steps * self.precision) / self.positives)

    @property
    def pr_trapezoid(self) -> float:
        """Area under straight lines between the precision–recall points, from (0, 1) on.

        Some papers print it as AP. It is not: lines between points are too optimistic
        (Davis & Goadrich 2006), most of all where scores take few values.
        """
        recall = np.concatenate([[0.0], self.recall])
        precision = np.concatenate([[1.0], self.precision])
        return float(np.sum(np.diff(recall) * (precision[1:] + precision[:-1])) / 2)

    @property
    def recall(self) -> Array:
        return self.tp / self.positives

    @property
    def precision(self) -> Array:
        return self.tp / (self.tp + self.fp)

    @property
    def false_rate(self) -> Array:
        """Share of normal weight flagged."""
        return self.fp / self.negatives

    def roc_points(self, most: int = 400) -> list[tuple[float, float]]:
        """(false rate, recall) from (0, 0) to (1, 1), thinned evenly to at most ``most``."""
        return [(0.0, 0.0), *_thin(self.false_rate, self.recall, most)]

    def pr_points(self, most: int = 400) -> list[tuple[float, float]]:
        """(recall, precision) from (0, 1) on, thinned evenly to at most ``most``."""
        return [(0.0, 1.0), *_thin(self.recall, self.precision, most)]


def curve(
    scores: NDArray[Any], positive: NDArray[Any], negative: NDArray[Any] | None = None
) -> Curve:
    """The curve of ``scores`` against truth, both of shape ``(frames,)``.

    Args:
        positive: truth, or the weight of a frame among the abnormal ones.
        negative: its weight among the normal ones; by default ``1 − positive``.

    Raises UserError for arrays that do not fit or a score that is not finite, MetricUndefined where
    either side weighs nothing.
    """
    pos = np.asarray(positive, np.float64)
    neg = 1.0 - pos if negative is None else np.asarray(negative, np.float64)
    if scores.ndim != 1 or not scores.shape == pos.shape == neg.shape:
        raise UserError(f"{scores.shape} scores for {pos.shape} labelled frames")
    if scores.size == 0:
        raise MetricUndefined("no frames")
    if not np.isfinite(scores).all():
        raise UserError("a score is not a finite number")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    tp, fp = np.cumsum(pos[order])[last], np.cumsum(neg[order])[last]
    if tp[-1] <= 0 or fp[-1] <= 0:
        only = "abnormal" if tp[-1] > 0 else "normal"
        raise MetricUndefined(f"needs both classes, all {scores.size} frames are {only}")
    return Curve(np.asarray(ranked[last], np.float64), tp, fp)


def _thin(x: Array, y: Array, most: int) -> list[tuple[float, float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(most, len(x))).round().astype(int))
    return [(float(x[i]), float(y[i])) for i in kept]
