"""How tall a person is at each image row, from silhouettes of normal footage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Perspective", "fit_perspective", "prior_perspective"]

_TOLERANCE = 0.13
"""Natural spread of standing height with gait and sampling, as a fraction (log scale)."""
_HORIZON = 0.25
"""Prior: the horizon lies a quarter of the image height above the image."""
_TRUST = 0.06
"""Weight of that prior against the vote (which is at most 1)."""
_PRIOR_SHARE = 0.14
"""Prior: a person's share of the image height, at its middle."""


@dataclass(frozen=True)
class Perspective:
    """height = offset + slope × foot row, in pixels; ``support`` silhouettes agree with it."""

    offset: float
    slope: float
    support: int
    agreement: float
    """Share of the silhouettes within the tolerance."""


def prior_perspective(image_height: int) -> Perspective:
    """Without any silhouette: a camera looking down, people a seventh of the image."""
    middle = _PRIOR_SHARE * image_height
    slope = middle / ((0.5 + _HORIZON) * image_height)
    return Perspective(
        offset=slope * _HORIZON * image_height, slope=slope, support=0, agreement=0.0
    )


def _tilt(horizon: float, image_height: int) -> float:
    """How far a horizon, in pixels above the image, is from the prior: 1 is a factor of two.

    Measured from the image's middle, so that horizons inside and far above the image compare.
    """
    reach = max(horizon + 0.5 * image_height, 0.02 * image_height)
    return float(np.log2(reach / ((_HORIZON + 0.5) * image_height)))


def fit_perspective(
    feet: NDArray[np.float64],
    heights: NDArray[np.float64],
    image_height: int,
    weights: NDArray[np.float64] | None = None,
) -> Perspective | None:
    """The line that most silhouettes agree on; None where they agree on none.

    People who merge make silhouettes taller, never shorter, and more so in the crowded rows: least
    squares tilts towards them. So the *mode* is sought (a kernel vote over lines, each band of
    rows counting alike), which single people win as long as they are the largest like-sized group.
    A weak prior on the horizon decides where all feet lie in one narrow band.

    Args:
        feet: lower edges, pixels. heights: pixels, same shape.
        weights: trust in each silhouette, same shape.
    """
    if len(feet) < 8:
        return None
    weight = np.ones_like(feet) if weights is None else weights.copy()
    low, high = np.quantile(feet, [0.05, 0.95])
    bands = np.clip(((feet - low) / max(high - low, 1.0) * 6).astype(int), 0, 5)
    band_weight = np.bincount(bands, weights=weight, minlength=6)
    # A band counts alike however many people walk in it, but a handful is not yet a band.
    weight = weight / (band_weight[bands] + 0.05 * weight.sum())
    weight = weight / weight.sum()
    top, bottom = float(low), float(max(high, low + 0.02 * image_height))
    candidates = np.exp(np.arange(np.log(6.0), np.log(0.9 * image_height), 0.05))
    log_height = np.log(heights)
    best: tuple[float, float, float] | None = None
    for tall_top in candidates:
        for tall_bottom in candidates:
            slope = (tall_bottom - tall_top) / (bottom - top)
            if slope < 0 or slope > 0.6:
                continue
            line = tall_top + slope * (feet - top)
            if line.min() < 4:
                continue
            error = (log_height - np.log(line)) / _TOLERANCE
            vote = float((weight * np.exp(-0.5 * error * error)).sum())
            vote -= _TRUST * _tilt(tall_bottom / max(slope, 1e-6) - bottom, image_height) ** 2
            if best is None or vote > best[0]:
                best = (vote, tall_top, slope)
    if best is None:
        return None
    _, tall, slope = best
    line = tall + slope * (feet - top)
    for _ in range(5):  # refine the level on those that agree; the vote has settled the slope
        agree = np.abs(np.log(heights / line)) < 2 * _TOLERANCE
        if agree.sum() < 8:
            return None
        factor = float(np.exp(np.average(np.log(heights / line), weights=weight * agree)))
        tall, slope = tall * factor, slope * factor
        line = np.maximum(tall + slope * (feet - top), 4.0)
    agree = np.abs(np.log(heights / line)) < 2 * _TOLERANCE
    return Perspective(
        offset=float(tall - slope * top),
        slope=float(slope),
        support=int(agree.sum()),
        agreement=float(agree.mean()),
    )
