"""Figures that are no ranking, under a bootstrap over items: every draw a weighting of sums.

A *spread* takes counts of shape ``(draws, items)`` (:func:`evals.metrics.resampling.draws`) and
gives ``(draws,)``, NaN where the figure has no value in a draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.metrics.calibration import BINS
from evals.metrics.resampling import divided

__all__ = [
    "Spread",
    "calibration_error",
    "percentile",
    "ratio",
    "risk_area",
    "risk_coverage_at",
]

Array = NDArray[np.float64]
Spread = Callable[[NDArray[np.int64]], Array]


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Σ above / Σ below over the drawn items: shares, means, F1, Brier."""
    top, bottom = np.asarray(above, np.float64), np.asarray(below, np.float64)

    def of(counts: NDArray[np.int64]) -> Array:
        c = counts.astype(np.float64)
        return divided(c @ top, c @ bottom)

    return of


def calibration_error(
    scores: Sequence[NDArray[np.float64]], truth: Sequence[NDArray[np.bool_]], *, bins: int = BINS
) -> Spread:
    """:func:`evals.metrics.calibration.ece` of the scores of the drawn items, in [0, 1] each."""
    shape = (len(scores), bins)
    count, gap = np.zeros(shape), np.zeros(shape)
    for row, (p, y) in enumerate(zip(scores, truth, strict=True)):
        place = np.minimum((p * bins).astype(int), bins - 1)
        count[row] = np.bincount(place, minlength=bins)
        gap[row] = np.bincount(place, weights=p - y, minlength=bins)

    def of(counts: NDArray[np.int64]) -> Array:
        c = counts.astype(np.float64)
        return divided(np.abs(c @ gap).sum(1), (c @ count).sum(1))

    return of


def percentile(values: Sequence[Sequence[float]], percent: float) -> Spread:
    """A percentile of all values of the drawn items, linear between them."""
    flat = np.array([v for item in values for v in item], np.float64)
    owner = np.repeat(np.arange(len(values)), [len(item) for item in values])

    def of(counts: NDArray[np.int64]) -> Array:
        out = np.full(len(counts), np.nan)
        for i, row in enumerate(counts):
            drawn = np.repeat(flat, row[owner])
            if drawn.size:
                out[i] = np.percentile(drawn, percent)
        return out

    return of


def risk_area(confidence: Sequence[float | None], wrong: Sequence[bool]) -> Spread:
    """Area under the risk–coverage curve; ``confidence`` None: the item was not answered.

    Within a group of n equal confidences after B answers with E errors, of which w are wrong,
    Σ_j (E + j·w/n) / (B + j) is written with harmonic numbers.
    """

    def of(counts: NDArray[np.int64]) -> Array:
        n, w, total = _groups(confidence, wrong, counts)
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, counts.sum(1).max() + 1))])
        upto, errors = np.cumsum(n, 1), np.cumsum(w, 1)
        before, errors_before = upto - n, errors - w
        share = np.divide(w, n, out=np.zeros_like(w), where=n > 0)
        step = harmonic[upto.astype(int)] - harmonic[before.astype(int)]
        area = share * n + (errors_before - share * before) * step
        return np.where(n.sum(1) > 0, divided(area.sum(1), total), np.nan)

    return of


def risk_coverage_at(
    risk: float, confidence: Sequence[float | None], wrong: Sequence[bool]
) -> Spread:
    """The largest coverage at which the risk does not exceed ``risk``."""

    def of(counts: NDArray[np.int64]) -> Array:
        n, w, total = _groups(confidence, wrong, counts)
        upto, errors = np.cumsum(n, 1), np.cumsum(w, 1)
        fine = (errors <= (risk + 1e-12) * upto) & (upto > 0)
        best = np.where(fine, upto, 0.0).max(1, initial=0.0)
        return np.where(n.sum(1) > 0, divided(best, total), np.nan)

    return of


def _groups(
    confidence: Sequence[float | None], wrong: Sequence[bool], counts: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Answers and errors per distinct confidence, surest first, and all items, per draw."""
    answered = [i for i, c in enumerate(confidence) if c is not None]
    levels, place = np.unique([-float(confidence[i] or 0.0) for i in answered], return_inverse=True)
    one = np.zeros((len(confidence), len(levels)))
    one[answered, place] = 1.0
    bad = one * np.asarray(wrong, np.float64)[:, None]
    c = counts.astype(np.float64)
    return c @ one, c @ bad, c.sum(1)
