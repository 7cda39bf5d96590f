"""Things that stand in a scene's normal footage and go missing in view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det
from tools.backends.embedded.perception.leaving import CLEAR, came_about, settled
from tools.backends.embedded.perception.medians import median
from tools.backends.embedded.perception.tracks import Track

__all__ = ["went_missing"]

_SETS_OFF_S = 2.5
"""A parked car is seen to move about when its place begins to be empty, …"""
_BESIDE = 0.5
"""… first within so much of its size of that place …"""
_ALIKE = 2.0
"""… and its area is that of the place, to this factor."""


def went_missing(track: Track, others: Sequence[Track], start: float) -> NDArray[np.float64] | None:
    """Seconds for which something of the background has been missing, shape ``(n,)``; None where
    nothing went missing.

    Its place differs from the background and keeps still, and it is the background that has an
    outline there (twice as strong a gradient along the border of the difference as the frame). What
    was seen to move off by itself, as a parked car does, is not missing.

    Args:
        others: the other tracks of the same stretch of footage.
        start: when that stretch begins, seconds.
    """
    rows = track.array
    if not came_about(track, start):
        return None
    empty = median(rows[:, Det.GHOST]) > CLEAR and median(rows[:, Det.STILL]) > 0.7
    if not (empty and settled(rows)) or any(_moves_off(track, other) for other in others):
        return None
    return np.array(track.times) - track.times[0]


def _moves_off(track: Track, other: Track) -> bool:
    """Whether another track is first seen at a track's place, about when that begins, and is of its
    size: what stood there set off by itself."""
    if other is track or abs(other.times[0] - track.times[0]) > _SETS_OFF_S:
        return False
    if median(other.array[:, Det.STILL]) > 0.5:
        return False
    low, high = np.median(track.array[:, : Det.TALL], axis=0).reshape(2, 2)
    first = other.array[0, : Det.TALL].reshape(2, 2).mean(axis=0)
    size = high - low
    beside = (first >= low - _BESIDE * size) & (first <= high + _BESIDE * size)
    theirs = np.median(other.array[:, Det.X1 : Det.TALL] - other.array[:, : Det.X1], axis=0)
    factor = float(theirs.prod() / max(size.prod(), 1e-6))
    return bool(beside.all() and 1 / _ALIKE <= factor <= _ALIKE)
