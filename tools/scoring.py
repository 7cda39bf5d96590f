"""From raw strengths to scores people can act on: calibration, timelines, smoothing, correlation.

A *raw strength* is what a verifier measured, in surprise units (1 = the scene's normal limit).
Calibration compares it with the raw strengths of held-out normal events of the same scene, so that
the alarm threshold is a stated false-alarm rate (split conformal prediction: Vovk et al. 2005;
Laxhammar & Falkman 2010 for anomaly detection). The score is

    score = 1 − 2^(−raw / threshold)

0 for nothing unusual, exactly 0.5 at the alarm threshold, 0.75 at twice it, never quite 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.decision import Label
from tools.types import Frozen, Point

__all__ = [
    "CAUSAL",
    "METHODS",
    "Calibration",
    "Method",
    "Smoothing",
    "Thresholds",
    "correlate",
    "held_within",
    "label_of",
    "score_of",
    "smooth",
    "sustained",
    "thresholds",
]

Smoothing = Literal["causal", "offline", "none"]
Method = Literal["none", "ema", "two_way", "gaussian", "majority"]
"""Methods of smoothing what captions came to, by name: :mod:`tools.deduction.smoothing`."""
METHODS: tuple[Method, ...] = get_args(Method)
CAUSAL = MappingProxyType(
    {"none": True, "ema": True, "two_way": False, "gaussian": True, "majority": True}
)
"""Whether a method can be had from the past alone; ``gaussian`` and ``majority`` can be both."""
Series = Sequence[float] | NDArray[np.float64]

PRIOR_THRESHOLD = 1.0
"""Alarm threshold without calibration: the scene's normal limit itself."""

RISE = 0.25
"""Causal smoothing follows a rise in this share of the time that it takes to follow a fall."""


class Calibration(Frozen):
    """Raw strengths of held-out normal events of a scene, ascending."""

    scores: tuple[float, ...] = ()
    seconds: float = Field(default=0.0, ge=0)
    """Length of the normal footage they come from."""

    @property
    def events(self) -> int:
        return len(self.scores)


class Thresholds(Frozen):
    """Raw strengths at which an event stops being normal and starts being an alarm."""

    normal_below: float
    alarm_at: float
    false_alarm_rate: float
    """Share of normal events expected at or above ``alarm_at``."""
    extrapolated: bool
    """The footage is too short to show this rate: the tail was extended, not observed."""


def thresholds(
    calibration: Calibration, *, false_alarm_rate: float = 0.01, abstain_rate: float = 0.05
) -> Thresholds:
    """Thresholds at which a share of normal events would be flagged, or would be left open.

    Without calibration events the prior threshold 1.0 (the normal limit) stands.
    """
    if not 0 < false_alarm_rate <= abstain_rate < 1:
        raise ValueError("need 0 < false_alarm_rate <= abstain_rate < 1")
    if not calibration.scores:
        return Thresholds(
            normal_below=0.7 * PRIOR_THRESHOLD,
            alarm_at=PRIOR_THRESHOLD,
            false_alarm_rate=false_alarm_rate,
            extrapolated=True,
        )
    scores = np.sort(np.asarray(calibration.scores, dtype=np.float64))
    alarm, extrapolated = _upper_quantile(scores, false_alarm_rate)
    normal, _ = _upper_quantile(scores, abstain_rate)
    # A scene whose normal events measure next to nothing must not alarm at next to nothing:
    # the attribute limits (normal 99.9th percentiles) put a floor under the threshold.
    alarm = max(alarm, PRIOR_THRESHOLD)
    return Thresholds(
        normal_below=min(max(normal, 0.7 * PRIOR_THRESHOLD), alarm),
        alarm_at=alarm,
        false_alarm_rate=false_alarm_rate,
        extrapolated=extrapolated,
    )


def _upper_quantile(ascending: NDArray[np.float64], rate: float) -> tuple[float, bool]:
    """Value exceeded by a share ``rate`` of the population; True where the tail was extended.

    Conformal rank where the sample is large enough, otherwise a tail over the upper quartile u
    (peaks over threshold, Pickands 1975). The k excesses are taken for exponential with an unknown
    mean; what they predict of the next one is then Pareto (Aitchison & Dunsmore 1975, ch. 2):

        u + k · mean · ((share / rate)^(1 / k) − 1)

    which is the exponential tail for many and much further out for a few, as it must be: four
    normal events cannot show what one in a hundred looks like.
    """
    n = len(ascending)
    rank = math.ceil((n + 1) * (1 - rate))
    if rank <= n:
        return float(ascending[rank - 1]), False
    start = float(np.quantile(ascending, 0.75))
    excess = ascending[ascending > start] - start
    if len(excess) == 0:
        return float(ascending[-1]), True
    share = len(excess) / n
    tail = start + float(np.sum(excess)) * ((share / rate) ** (1 / len(excess)) - 1)
    return float(max(tail, ascending[-1])), True


def score_of(raw: float, limits: Thresholds) -> float:
    """Calibrated score in [0, 1]: 0.5 at the alarm threshold."""
    return float(1.0 - 2.0 ** (-max(raw, 0.0) / limits.alarm_at))


def label_of(score: float, limits: Thresholds) -> Label:
    """Normal under the lower threshold, anomalous from 0.5 on, uncertain between."""
    if score >= 0.5:
        return Label.ANOMALOUS
    return Label.NORMAL if score <= score_of(limits.normal_below, limits) else Label.UNCERTAIN


def held_within(score: float, low: float, high: float) -> float:
    """The score, squeezed so that it lies strictly between two bounds; order is kept.

    Only what lies outside, or within 0.02 (at most a tenth of the width) of a bound, is moved.
    0 and 1 as bounds are no bounds.
    """
    edge = min(0.02, (high - low) / 10)
    if low > 0 and score < low + edge:
        return low + edge * (0.01 + 0.99 * score / (low + edge))
    if high < 1 and score > high - edge:
        return high - edge * (1 - 0.99 * (score - high + edge) / (1 - high + edge))
    return score


def smooth(
    seconds: Series, values: Series, *, how: Smoothing, width_s: float
) -> NDArray[np.float64]:
    """Smooth a series sampled at ``seconds`` (ascending, may be irregular).

    ``offline``: Gaussian of standard deviation ``width_s``. ``causal``: exponential average of the
    past, which follows a rise with a time constant of ``width_s / 4``, so that an alarm sounds
    soon, and a fall with ``width_s``, so that it does not flicker. ``none``: as it is.
    """
    t = np.asarray(seconds, dtype=np.float64)
    v = np.asarray(values, dtype=np.float64)
    if how == "none" or len(v) < 2:
        return v
    out = np.empty_like(v)
    if how == "causal":
        level = v[0]
        out[0] = level
        for i in range(1, len(v)):
            lasting = width_s * (RISE if v[i] > level else 1.0)
            keep = math.exp(-(t[i] - t[i - 1]) / lasting)
            level = keep * level + (1 - keep) * v[i]
            out[i] = level
        return out
    for i in range(len(v)):
        lo, hi = np.searchsorted(t, [t[i] - 3 * width_s, t[i] + 3 * width_s])
        weight = np.exp(-0.5 * ((t[lo : hi + 1] - t[i]) / width_s) ** 2)
        out[i] = float(np.sum(weight * v[lo : hi + 1]) / np.sum(weight))
    return out


def sustained(points: Sequence[Point], seconds: Sequence[float], hold_s: float = 0.5) -> float:
    """Strongest mean surprise over any stretch of ``hold_s``: a single odd frame does not count.

    ``points`` and ``seconds`` run in parallel, in time order. A series shorter than ``hold_s``
    gives its mean. 0.0 for an empty one.
    """
    if not points:
        return 0.0
    t = np.asarray(seconds, dtype=np.float64)
    v = np.asarray([p.surprise for p in points], dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(v)])
    ends = np.searchsorted(t, t + hold_s - 1e-9)
    starts = np.arange(len(v))
    tick = float(np.median(np.diff(t))) if len(t) > 1 else 0.0  # the last frame lasts, too
    full = t + hold_s <= t[-1] + tick + 1e-9
    if not full.any():
        return float(v.mean())
    means = (total[ends] - total[starts]) / np.maximum(ends - starts, 1)
    return float(means[full].max())


def correlate(
    raw: Series, similarity: NDArray[np.float64], *, weight: float = 0.2
) -> NDArray[np.float64]:
    """Let alike events inform each other (after VADTree's inter-node correlation).

    Each strength moves by ``weight`` towards the mean of the others, weighted by ``similarity``
    (square, in [0, 1]; the diagonal is ignored). It never loses more than the share ``weight`` of
    its own measurement, and one without alike neighbours stays as it is.
    """
    values = np.asarray(raw, dtype=np.float64)
    weights = np.clip(np.asarray(similarity, dtype=np.float64), 0.0, 1.0).copy()
    np.fill_diagonal(weights, 0.0)
    total = weights.sum(axis=1)
    mean = np.divide(weights @ values, total, out=values.copy(), where=total > 0)
    pull = weight * np.minimum(total, 1.0)
    return np.asarray((1 - pull) * values + pull * mean)
