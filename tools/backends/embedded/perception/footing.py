"""Where somebody's feet are, and where that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from tools.backends.embedded.perception.detections import Det
from tools.backends.embedded.perception.medians import median

__all__ = ["feet", "footed"]

_GLIMPSES, _LEAST_SEEN_S = 0.5, 1.0
"""A head tells the place of what is seen in this share of its life, and for so long."""
_STEADY_S = 1.0
"""A step of a walker takes half of this, and the lower end of an outline goes up and down with
every step, with shadows and with who passes in front."""


def footed(hidden: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where it is known which place is somebody's: where the feet are seen, else by the head.

    Where people merge, a window may sit on the upper half of somebody nearer: its feet are no
    one's. So may its head be where what is seen hardly, or briefly, is made of glimpses of several.

    Args:
        hidden: ``Det.HIDDEN`` per row of a track, ``(n,)``.
        times: seconds, ascending.
    """
    seen = np.asarray(hidden == 0, np.bool_)
    if len(times) < 2:
        return seen
    step = max(float(np.diff(times).min()), 1e-3)
    life = float(times[-1] - times[0]) + step
    lasting = len(times) * step >= max(_GLIMPSES * life, _LEAST_SEEN_S)
    return np.asarray(hidden < 1, np.bool_) if lasting else seen


def feet(
    rows: NDArray[np.float64], times: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows of the image where somebody's feet are, a running median over a second of those that
    are known, and which are; both ``(n,)``.

    Args:
        rows: detections of a track, ``(n, len(Det))``.
        times: seconds, ascending.
    """
    foot, known = rows[:, Det.Y1].copy(), footed(rows[:, Det.HIDDEN], times)
    if known.sum() >= 3:
        gap = max(median(np.diff(times)), 1e-3)
        width = max(1, round(_STEADY_S / gap))
        foot[known] = median_filter(foot[known], min(width, int(known.sum())), mode="reflect")
    return foot, known
