"""Things that came into being in view and stay: left behind, as far as can be seen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.claims import background
from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.medians import median, quantile
from tools.backends.embedded.perception.tracks import Track

__all__ = ["CLEAR", "UNATTENDED", "alone", "appeared", "came_about", "carrier", "settled"]

UNATTENDED = 1.75
"""Heights (3 m) between a thing and whoever was with it from which on it is left alone: the
definition of PETS 2006 (Thirde, Li & Ferryman)."""
CLEAR = 1 / 3
"""Outline contrast, of background against frame, of what is there for certain: twice as strong an
outline in the frame as in the background."""
_WITH = 0.8
"""Heights within which somebody is with a thing when it comes into being."""
_BEFORE_S, _AFTER_S = 1.5, 1.0
_CONTINUES_S = 3.0
"""What comes into being where something of its kind was lost this shortly before, is that."""
_OPENING_S = 0.5
"""What is there from the beginning did not come into being."""
_LEAST_S = 2.0
_SPREAD = 0.3


def settled(rows: NDArray[np.float64]) -> bool:
    """Whether four fifths of a track's detections lie within 0.3 heights of their middle."""
    x, y = (rows[:, Det.X0] + rows[:, Det.X1]) / 2, rows[:, Det.Y1]
    away = np.hypot(x - median(x), y - median(y)) / rows[:, Det.TALL]
    return quantile(away, 0.8) <= _SPREAD


def came_about(track: Track, start: float) -> bool:
    """Whether a change of the picture began in view and lasts, clear of the borders; ``start``: of
    the stretch of footage, seconds."""
    return track.seconds >= _LEAST_S and _began_in_view(track, start)


def appeared(track: Track, others: Sequence[Track], start: float) -> bool:
    """Whether something came into being in view, away from the borders, and stays where it was.

    Args:
        others: the other tracks of the same stretch of footage.
        start: when that stretch begins, seconds.
    """
    rows = track.array
    if not came_about(track, start):
        return False
    still = median(rows[:, Det.STILL]) > 0.7
    present = median(rows[:, Det.GHOST]) < -CLEAR
    if not (still and present and settled(rows)) or background(rows):
        return False
    return _began_there(track, others, start)


def _began_there(track: Track, others: Sequence[Track], start: float) -> bool:
    """Whether nothing was there before, or only pieces that came into being there, too: of what is
    being put down, hands and knees come and go."""
    earlier = _continued(track, others)
    if earlier is None:
        return True
    if not _is_small(track):  # somebody who was lost and found again
        return appeared(earlier, others, start)
    there = bool(_apart(earlier.array[:3], track.rows[0]).min() < _WITH)
    return there and _began_in_view(earlier, start) and _began_there(earlier, others, start)


def _began_in_view(track: Track, start: float) -> bool:
    return track.times[0] >= start + _OPENING_S and not track.array[:, Det.CUT].any()


def _continued(track: Track, others: Sequence[Track]) -> Track | None:
    """What of its size stood there and was lost just before it came into being, if anything."""
    birth, small = track.times[0], _is_small(track)
    for other in others:
        if other is track or _is_small(other) != small or not other.times[0] < birth:
            continue
        first = bisect_left(other.times, birth - _CONTINUES_S)
        end = bisect_right(other.times, birth)
        if first == end or other.times[-1] > birth + _AFTER_S:
            continue
        last = other.array[max(first, end - 3) : end]
        if _apart(last, track.rows[0]).min() < _WITH and float(last[:, Det.STILL].max()) > 0.5:
            return other
    return None


def carrier(track: Track, others: Sequence[Track]) -> Track | None:
    """Who was nearest to a thing when it came into being; None where nobody was near it."""
    birth = track.times[0]
    best: tuple[float, Track] | None = None
    for other in others:
        if other is track or _is_small(other) or other.times[0] > birth - _BEFORE_S / 3:
            continue
        times = np.array(other.times)
        near = (times >= birth - _BEFORE_S) & (times <= birth + _AFTER_S)
        if not near.any():
            continue
        distance = float(_apart(other.array[near], track.rows[0]).min())
        if distance < _WITH and (best is None or distance < best[0]):
            best = (distance, other)
    return best[1] if best is not None else None


def alone(track: Track, others: Sequence[Track]) -> NDArray[np.float64]:
    """Seconds for which a thing has been left alone by whoever was there when it came into being,
    shape ``(n,)``; since it came into being where nobody was."""
    times = np.array(track.times)
    owner = carrier(track, others)
    since = track.times[0]
    if owner is not None:
        # Identities break where people stand close together: the first time is nearest the truth.
        when = np.array(owner.times)
        gone = when[(when > since) & (_apart(owner.array, track.rows[-1]) > UNATTENDED)]
        since = float(gone[0]) if len(gone) else max(since, owner.times[-1])
    return np.maximum(times - since, 0.0)


def _apart(rows: NDArray[np.float64], row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances between feet, in heights there."""
    x, y = (rows[:, Det.X0] + rows[:, Det.X1]) / 2, rows[:, Det.Y1]
    return np.asarray(
        np.hypot(x - (row[Det.X0] + row[Det.X1]) / 2, y - row[Det.Y1]) / row[Det.TALL], np.float64
    )


def _is_small(track: Track) -> bool:
    return bool((track.array[:, Det.KIND] == Kind.SMALL).mean() > 0.5)
