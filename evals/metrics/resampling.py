"""Bootstrap over videos, fast enough for hours of frames.

Frames of one video depend on each other, so videos are drawn whole, with replacement (Efron &
Tibshirani 1993). A draw is a row of counts, one per video. What a metric needs of the frames is
summed up once, per video or per pair of videos; every draw is then a weighting of these sums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from tools.errors import UserError

__all__ = [
    "Estimate",
    "Histograms",
    "PairCounts",
    "ScoredVideo",
    "bootstrap",
    "divided",
    "draws",
    "interval_of",
]

Array = NDArray[np.float64]
LEVELS = 4096
DEFINED = 0.8
"""Share of the draws in which a figure must have a value for it to have an interval."""
KEPT = 8
_KNOWN: dict[bytes, PairCounts] = {}
"""The last counts by content, at most ``KEPT``."""


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
class Estimate:
    """A percentile bootstrap interval of a metric, resampling whole videos."""

    low: float
    high: float
    samples: int
    undefined: int
    """Resamples without both classes, left out."""


def draws(videos: int, *, samples: int, seed: int) -> NDArray[np.int64]:
    """How often each video is drawn, shape ``(samples, videos)``; rows sum to ``videos``."""
    if samples < 1:
        raise UserError(f"cannot bootstrap {samples} samples")
    rng = np.random.default_rng(seed)
    rows = [
        np.bincount(rng.integers(videos, size=videos), minlength=videos) for _ in range(samples)
    ]
    return np.array(rows, np.int64).reshape(samples, videos)


def interval_of(values: NDArray[Any] | Sequence[float], *, level: float = 0.95) -> Estimate:
    """The percentile interval of resampled values; NaN marks a resample without a value.

    Raises MetricUndefined where fewer than four in five have one: what is left would be an
    interval under the condition that the figure exists.
    """
    if not 0 < level < 1:
        raise UserError(f"no interval at level {level}")
    found = np.asarray(values, np.float64)
    kept = found[~np.isnan(found)]
    if kept.size < max(1, DEFINED * found.size):
        raise MetricUndefined(
            f"only {kept.size} of {found.size} resamples of the videos give a value"
        )
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(kept, [tail, 100 - tail])
    return Estimate(float(low), float(high), int(found.size), int(found.size - kept.size))


def bootstrap(
    videos: Sequence[ScoredVideo],
    metric: Callable[[Sequence[ScoredVideo]], float],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The interval of any ``metric`` of videos, worked out anew for each draw (slow for hours).

    With a handful of videos the interval is wide and itself rough. Raises MetricUndefined where no
    resample has a value.
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
            values.append(float("nan"))
    return interval_of(values, level=level)


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Which abnormal frames outscore which normal ones, summed per pair of videos.

    ``wins[i, j]``: pairs (abnormal frame of i, normal frame of j) in the right order, ties half.
    Every method takes counts of shape ``(draws, videos)`` and gives ``(draws,)``, NaN where
    undefined.
    """

    wins: Array
    positives: Array
    negatives: Array

    @classmethod
    def of(cls, videos: Sequence[ScoredVideo]) -> PairCounts:
        """Exact, in memory ``O(videos² + frames)``.

        The last few results are kept: figures and the ranking of videos on a page ask for the
        same.
        """
        digest = hashlib.blake2b(digest_size=16)
        for video in videos:
            digest.update(len(video.scores).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(video.scores).data)
            digest.update(np.ascontiguousarray(video.truth).data)
        key = digest.digest()
        made = _KNOWN.pop(key, None) or cls._count(videos)
        _KNOWN[key] = made
        if len(_KNOWN) > KEPT:
            del _KNOWN[next(iter(_KNOWN))]
        return made

    @classmethod
    def _count(cls, videos: Sequence[ScoredVideo]) -> PairCounts:
        n = len(videos)
        positives = np.array([v.truth.sum() for v in videos], np.float64)
        negatives = np.array([(~v.truth).sum() for v in videos], np.float64)
        if n == 0:
            return cls(np.zeros((0, 0)), positives, negatives)
        truth = np.concatenate([v.truth for v in videos])
        owner = np.repeat(np.arange(n), [v.scores.size for v in videos])
        levels, rank = np.unique(np.concatenate([v.scores for v in videos]), return_inverse=True)
        # Frames of the rarer class are looked up among the other one's, video by video: how many
        # of video k score lower than those of video i, ties half.
        rare = truth if positives.sum() <= negatives.sum() else ~truth
        at, whose = rank[rare], owner[rare]
        edges = np.flatnonzero(np.diff(owner, prepend=-1))
        ends = np.append(edges[1:], owner.size)
        lower = np.zeros((n, n))
        for k, (a, b) in enumerate(zip(edges, ends, strict=True)):
            here = np.bincount(rank[a:b][~rare[a:b]], minlength=len(levels))
            twice = 2 * np.cumsum(here) - here
            lower[:, k] = np.bincount(whose, weights=twice[at], minlength=n) / 2
        if rare is not truth:
            lower = np.outer(positives, negatives) - lower.T
        return cls(lower, positives, negatives)

    def micro(self, counts: NDArray[np.int64]) -> Array:
        """AUROC over the frames of all drawn videos together."""
        c = counts.astype(np.float64)
        return divided(((c @ self.wins) * c).sum(1), (c @ self.positives) * (c @ self.negatives))

    def within(self, counts: NDArray[np.int64]) -> Array:
        """AUROC over pairs of frames of one video."""
        c = counts.astype(np.float64)
        return divided(c @ np.diag(self.wins), c @ (self.positives * self.negatives))

    def cross(self, counts: NDArray[np.int64]) -> Array:
        """AUROC over pairs of frames of two videos."""
        c = counts.astype(np.float64)
        own = self.positives * self.negatives
        wins = ((c @ self.wins) * c).sum(1) - c @ np.diag(self.wins)
        return divided(wins, (c @ self.positives) * (c @ self.negatives) - c @ own)

    def weight(self, counts: NDArray[np.int64]) -> Array:
        """w: share of all pairs that lie within one video, so that
        micro = w · within + (1 − w) · cross."""
        c = counts.astype(np.float64)
        own = self.positives * self.negatives
        return divided(c @ own, (c @ self.positives) * (c @ self.negatives))

    def macro(self, counts: NDArray[np.int64]) -> Array:
        """Mean AUROC of the drawn videos that hold both classes."""
        own = self.positives * self.negatives
        both = own > 0
        c = counts[:, both].astype(np.float64)
        return divided(c @ (np.diag(self.wins)[both] / own[both]), c.sum(1))


@dataclass(frozen=True, eq=False)
class Histograms:
    """Abnormal and normal frames per video and score level, for precision–recall figures.

    More than ``LEVELS`` distinct scores are put into so many levels of equal frequency; the
    interval's ends are then approximate (the figure itself never is).
    """

    positive: Array
    """Shape ``(videos, levels)``, highest level first."""
    negative: Array

    @classmethod
    def of(cls, videos: Sequence[ScoredVideo]) -> Histograms:
        scores = np.concatenate([v.scores for v in videos]) if videos else np.zeros(1)
        levels = np.unique(scores)
        if len(levels) > LEVELS:
            levels = np.unique(np.quantile(scores, np.linspace(0, 1, LEVELS), method="lower"))
        pos, neg = [], []
        for video in videos:
            at = len(levels) - np.searchsorted(levels, video.scores, side="right")
            pos.append(np.bincount(at[video.truth], minlength=len(levels)))
            neg.append(np.bincount(at[~video.truth], minlength=len(levels)))
        shape = (len(videos), len(levels))
        return cls(
            np.array(pos, np.float64).reshape(shape), np.array(neg, np.float64).reshape(shape)
        )

    def average_precision(self, counts: NDArray[np.int64]) -> Array:
        """Average precision per draw, NaN where a class is missing."""
        return self.areas(counts)[0]

    def areas(self, counts: NDArray[np.int64]) -> tuple[Array, Array]:
        """Average precision and trapezoidal area per draw, NaN where a class is missing."""
        steps, lines = [], []
        for rows in np.array_split(counts.astype(np.float64), max(1, len(counts) // 50)):
            step = rows @ self.positive
            tp, fp = np.cumsum(step, axis=1), np.cumsum(rows @ self.negative, axis=1)
            found = np.where(fp[:, -1] > 0, tp[:, -1], 0.0)
            # Before the first drawn frame the curve stands at (0, 1).
            fp += tp
            precision = np.divide(tp, fp, out=np.ones_like(tp), where=fp > 0)
            after = np.einsum("ij,ij->i", step, precision)
            before = step[:, 0] + np.einsum("ij,ij->i", step[:, 1:], precision[:, :-1])
            steps.append(divided(after, found))
            lines.append(divided((after + before) / 2, found))
        return np.concatenate(steps), np.concatenate(lines)


def divided(above: Array, below: Array) -> Array:
    """Elementwise ``above / below``, NaN where ``below`` is 0."""
    empty = np.full(below.shape, np.nan)
    return np.asarray(np.divide(above, below, out=empty, where=below > 0), np.float64)
