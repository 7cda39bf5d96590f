"""Where somebody's feet are, and where that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.medians import median, quantile

__all__ = ["feet", "footed"]

_GLIMPSES, _LEAST_SEEN_S = 0.5, 1.0
"""A head tells the place of what is seen in this share of its life, and for so long."""
_STEADY_S = 1.0
"""A step of a walker takes half of this, and the lower end of an outline goes up and down with
every step, with shadows and with who passes in front."""
_UPRIGHT, _SHORT, _LEAST_WHOLE = 0.75, 0.85, 3
"""One's own height is what a quarter of one's outlines reach; shorter by 15 % than that, where at
least three are not, an outline lacks something."""


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
    foot, known = _standing(rows, times), footed(rows[:, Det.HIDDEN], times)
    if known.sum() >= 3:
        gap = max(median(np.diff(times)), 1e-3)
        width = max(1, round(_STEADY_S / gap))
        foot[known] = median_filter(foot[known], min(width, int(known.sum())), mode="reflect")
    return foot, known


def _standing(rows: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower ends of outlines, ``(n,)``; where one's legs are not seen (behind something low, or of
    the ground's colour), as far below the head as they are when seen.

    An outline lacks the legs if it is much shorter than the track's usually are, and its head is
    where it was, or will be, with legs.
    """
    top, foot = rows[:, Det.Y0], rows[:, Det.Y1].copy()
    outlined = np.isin(rows[:, Det.KIND], (Kind.WHOLE, Kind.SMALL)) & (rows[:, Det.CUT] == 0)
    if not outlined.any():
        return foot
    tall = (foot - top) / rows[:, Det.TALL]
    own = quantile(tall[outlined], _UPRIGHT)
    whole = outlined & (tall >= _SHORT * own)
    if whole.sum() < _LEAST_WHOLE:
        return foot
    usual = [np.interp(times, times[whole], end[whole]) for end in (top, foot)]
    legless = outlined & ~whole & (np.abs(top - usual[0]) < np.abs(foot - usual[1]))
    foot[legless] = (top + own * rows[:, Det.TALL])[legless]
    return foot
