"""Scores over time, smoothed by named methods, causal or with a view of what comes after.

All lengths are in seconds; samples may be irregular in time. ``τ`` is a time constant, ``σ`` a
standard deviation, dt the time since the sample before:

``none``      s_t
``ema``       y_t = y_{t−1} + (1 − e^{−dt/τ}) (s_t − y_{t−1}), y_0 = s_0: causal
``two_way``   mean of ``ema`` forwards and ``ema`` backwards
``gaussian``  Σ_u e^{−(t−u)²/2σ²} s_u / Σ_u e^{−(t−u)²/2σ²}, cut at 3 σ; causal: over u ≤ t
``majority``  share of the samples of the last ``width_s`` (causal), or within ± ``width_s`` / 2,
              whose score is at least ``level``: a vote of yes and no

Anomalies last seconds and a captioner errs frame by frame; half a second was the best of 0.3 to 2 s
on Avenue (docs/measurements.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.scoring import CAUSAL, METHODS, Method

__all__ = ["CAUSAL", "METHODS", "WIDTH_S", "Method", "smoothed"]

WIDTH_S = 0.5
"""Default length."""

SLACK_S = 1e-9
"""Times are floats: what lies on an edge is within it."""

Floats = NDArray[np.float64]


def smoothed(
    seconds: Sequence[float] | Floats,
    scores: Sequence[float] | Floats,
    *,
    method: Method,
    width_s: float = WIDTH_S,
    causal: bool = False,
    level: float = 0.5,
) -> Floats:
    """Scores smoothed in time, same shape; see the module docstring.

    Args:
        seconds: ascending times of the samples.
        causal: nothing at a time may rest on later samples. ``two_way`` refuses.
        level: of ``majority``.

    Raises:
        ValueError: lengths differ, times descend, the width is not positive, or a method that
            looks ahead is asked to be causal.
    """
    t = np.asarray(seconds, np.float64)
    s = np.asarray(scores, np.float64)
    if t.shape != s.shape or t.ndim != 1:
        raise ValueError(f"{t.shape} times for {s.shape} scores")
    if np.any(np.diff(t) < 0):
        raise ValueError("times descend")
    if not width_s > 0:
        raise ValueError(f"a width of {width_s} s")
    if causal and not CAUSAL[method]:
        others = ", ".join(m for m in METHODS if CAUSAL[m])
        raise ValueError(f"{method} looks ahead; causal methods: {others}")
    if method == "none" or len(s) == 0:
        return s.copy()
    if method == "ema":
        return _ema(t, s, width_s)
    if method == "two_way":
        back = _ema(-t[::-1], s[::-1], width_s)[::-1]
        return np.asarray((_ema(t, s, width_s) + back) / 2)
    if method == "majority":
        yes = np.concatenate([[0.0], np.cumsum(s >= level)])
        ends = np.arange(1, len(t) + 1)
        starts = np.searchsorted(t, t - width_s + SLACK_S)
        if not causal:
            ends = np.searchsorted(t, t + width_s / 2 + SLACK_S)
            starts = np.searchsorted(t, t - width_s / 2 - SLACK_S)
        return np.asarray((yes[ends] - yes[starts]) / (ends - starts))
    out = np.empty_like(s)
    reach = 3 * width_s + SLACK_S
    starts, ends = np.searchsorted(t, t - reach), np.searchsorted(t, t + reach)
    if causal:
        ends = np.arange(1, len(t) + 1)
    for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
        weight = np.exp(-0.5 * ((t[a:b] - t[i]) / width_s) ** 2)
        out[i] = float(weight @ s[a:b] / weight.sum())
    return out


def _ema(t: Floats, s: Floats, tau: float) -> Floats:
    out = np.empty_like(s)
    level = out[0] = float(s[0])
    for i in range(1, len(s)):
        level += (1 - math.exp(-(t[i] - t[i - 1]) / tau)) * (float(s[i]) - level)
        out[i] = level
    return out
