"""Does a score mean what it says, and is abstaining worth it?

The agent's score is 0.5 at the alarm threshold by construction and not fitted to be a
probability; these figures say how far it may be read as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from tools.errors import UserError

__all__ = ["Bin", "RiskCoverage", "brier", "ece", "reliability", "risk_coverage"]

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Scores in ``[low, high)``; the last bin holds its upper end too."""

    low: float
    high: float
    count: int
    mean_score: float | None
    share_true: float | None


@dataclass(frozen=True)
class RiskCoverage:
    """Error among what is answered, as ever less sure answers are given."""

    points: tuple[tuple[float, float], ...]
    """(coverage, risk), one per distinct confidence, from the surest on."""
    area: float
    """AURC: risk integrated over coverage, up to the coverage reached (Geifman & El-Yaniv 2017)."""
    reached: float
    """Share of items with an answer at all."""

    def coverage_at(self, risk: float) -> float:
        """The largest coverage at which the risk does not exceed ``risk``; 0 where none."""
        return max((c for c, r in self.points if r <= risk + 1e-12), default=0.0)


def reliability(scores: Sequence[float], truth: Sequence[bool], *, bins: int = BINS) -> list[Bin]:
    """Mean score and true share in ``bins`` bins of equal width.

    Raises UserError for scores outside [0, 1] or NaN, MetricUndefined for none.
    """
    p, y = _checked(scores, truth)
    place = np.minimum((p * bins).astype(int), bins - 1)
    table = []
    for i in range(bins):
        inside = place == i
        count = int(inside.sum())
        table.append(
            Bin(
                low=i / bins,
                high=(i + 1) / bins,
                count=count,
                mean_score=float(p[inside].mean()) if count else None,
                share_true=float(y[inside].mean()) if count else None,
            )
        )
    return table


def ece(scores: Sequence[float], truth: Sequence[bool], *, bins: int = BINS) -> float:
    """Expected calibration error: mean |mean score − true share| over bins, weighted by count
    (Naeini et al. 2015, Guo et al. 2017)."""
    table = reliability(scores, truth, bins=bins)
    total = sum(b.count for b in table)
    return (
        sum(
            b.count * abs(b.mean_score - b.share_true)
            for b in table
            if b.mean_score is not None and b.share_true is not None
        )
        / total
    )


def brier(scores: Sequence[float], truth: Sequence[bool]) -> float:
    """Mean squared difference of score and truth (Brier 1950)."""
    p, y = _checked(scores, truth)
    return float(np.mean((p - y) ** 2))


def risk_coverage(
    confidence: Sequence[float], wrong: Sequence[bool], *, total: int
) -> RiskCoverage:
    """The risk–coverage curve of the answered items.

    Args:
        confidence: how sure each answer is; equal ones are accepted together, and within such a
            group the risk is taken to change evenly (the mean over their orders).
        wrong: whether the answer is wrong.
        total: all items, those that abstained or failed included: they are never covered.

    Raises MetricUndefined where nothing was answered.
    """
    if len(confidence) != len(wrong) or total < len(wrong):
        raise UserError(f"{len(confidence)} confidences, {len(wrong)} answers, {total} items")
    if not wrong:
        raise MetricUndefined("nothing was answered")
    sure, errors = np.asarray(confidence, float), np.asarray(wrong, float)
    if not np.isfinite(sure).all():
        raise UserError("a confidence is not a finite number")
    points = []
    area, before, errors_before = 0.0, 0, 0.0
    for level in np.unique(sure)[::-1]:
        inside = sure == level
        count, wrongs = int(inside.sum()), float(errors[inside].sum())
        share = wrongs / count
        steps = np.arange(1, count + 1)
        area += float(np.sum((errors_before + share * steps) / (before + steps)))
        before, errors_before = before + count, errors_before + wrongs
        points.append((before / total, errors_before / before))
    return RiskCoverage(tuple(points), area / total, before / total)


def _checked(
    scores: Sequence[float], truth: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    p, y = np.asarray(scores, np.float64), np.asarray(truth, np.float64)
    if p.shape != y.shape:
        raise UserError(f"{p.shape} scores for {y.shape} truths")
    if p.size == 0:
        raise MetricUndefined("no scores to compare with the truth")
    if not ((p >= 0) & (p <= 1)).all():
        raise UserError("a score is not a number in [0, 1]")
    return p, y
