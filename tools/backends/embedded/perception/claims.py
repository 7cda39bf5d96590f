"""What must be measured of an object before a caption says that it is there, moves, or stays.

Foreground is what differs from the background, and much does that is no object: painted lines under
a camera that creeps, whatever the light or the exposure changes, somebody who sits in the
background and turns the head. None of the limits was chosen on labelled footage: they are stated
priors, and things left behind in rendered scenes keep well clear of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.medians import median
from tools.backends.embedded.perception.tracks import Track

__all__ = ["CALM", "at_rest", "background", "goes", "moving", "present", "within"]

CALM = 0.2
"""Share of the picture unlike its background up to which what stands in it can be told: twice what
a crowd covers. Beyond, it is the picture that changed (smoke, light, a scene under repair)."""
_ALIKE = 0.6
"""Correlation with the background from which on a piece of the picture is the background. Things
left behind in rendered scenes have 0.25 to 0.45, painted lines and heads that turn 0.84 to 0.97."""
_LASTS, _LASTS_SHARE = 0.5, 0.3
"""A piece stands in a frame with this share of its pixels still; it is compared with the background
if it does so in this share of its frames."""
_RESTS = 0.75
_PRESENT = 0.1
"""Outline contrast (background against frame): what is there has an outline stronger by a fifth."""
_LEAVES, _LEAVES_SMALL, _PASSES, _COMES = 0.2, 0.8, 1.0, 2.0
"""Of its own size: what moves gets ahead by this, by that if it is small (a piece that is cut out
anew jumps), by the third if it is said to pass quickly (a rider, not somebody who turns); what got
ahead by the last is an object whatever it stops before."""
_SEEN = 0.5
"""What is small, or lasts less than a second, is seen in this share of the frames from its first to
its last: less flickers."""
_SHORT_S = 1.0
_STEADY = 5
"""Frames over which a position is a median."""
_MOVES, _MOVES_S = 0.3, 0.4
"""Usual walking speeds from which on something is on the move, averaged over so long before and
after."""
_CUT = 0.3
"""With the border in this share of its frames a box does not move as its object does."""
_ONE = 0.6
"""Share of the smaller of two boxes inside the other from which on they are one thing."""


def background(rows: NDArray[np.float64]) -> bool:
    """Whether what stands there is the background itself, lit otherwise or a little displaced."""
    still = rows[:, Det.STILL] > _LASTS
    if still.mean() < _LASTS_SHARE or median(rows[still, Det.ALIKE]) < _ALIKE:
        return False
    return (rows[:, Det.CUT] > 0).mean() > _CUT or _ahead(rows) < _COMES


def present(rows: NDArray[np.float64]) -> bool:
    """Whether its outline shows more in the frame than in the background."""
    return median(rows[:, Det.GHOST]) < -_PRESENT


def at_rest(rows: NDArray[np.float64]) -> bool:
    """Whether hardly any of it moves in three quarters of the frames."""
    return bool((rows[:, Det.STILL] > _LASTS).mean() > _RESTS)


def goes(track: Track, *, small: bool = False, passes: bool = False) -> bool:
    """Whether it goes from one place to another, by enough of its own size.

    Args:
        small: for something smaller than a person.
        passes: by its whole size, as what rides or runs past does.
    """
    rows = track.array
    if (small or track.seconds < _SHORT_S) and not _seen(track):
        return False
    if (rows[:, Det.CUT] > 0).mean() > _CUT:
        return True  # of what the border cuts, flow says more than the box
    return _ahead(rows) >= (_PASSES if passes else _LEAVES_SMALL if small else _LEAVES)


def moving(tracks: Sequence[Track], geometry: Geometry, frames: Sequence[int]) -> NDArray[np.int64]:
    """How many people, or objects, are on the move in each of the frames, shape ``(n,)``.

    Small ones do not count, nor, where people were measured, large ones; boxes that mostly cover
    one another are one thing. Whoever stands or sits is not counted: who was there from the first
    frame on is part of the background.

    Args:
        frames: analysed frames, ascending.
    """
    order = np.asarray(frames, np.int64)
    boxes: list[list[NDArray[np.float64]]] = [[] for _ in order]
    for track in tracks:
        first, end = np.searchsorted(order, [track.frames[0], track.frames[-1] + 1]).tolist()
        if first == end:
            continue
        rows = track.array
        other = rows[:, Det.KIND] == Kind.SMALL
        if geometry.people:
            other |= rows[:, Det.KIND] == Kind.LARGE
        if other.mean() > 0.5 or background(rows) or not (present(rows) and goes(track)):
            continue
        moves = _moves(track, _MOVES * geometry.walk)
        at = np.minimum(np.searchsorted(track.frames, order[first:end]), len(rows) - 1)
        for i, n in zip(range(first, end), at.tolist(), strict=True):
            if moves[n]:
                boxes[i].append(rows[n, : Det.TALL])
    return np.array([_apart(found) for found in boxes], np.int64)


def _seen(track: Track) -> bool:
    steps = np.diff(track.frames)
    return bool(len(steps)) and len(track.frames) >= _SEEN * steps.sum() / steps.min()


def _ahead(rows: NDArray[np.float64]) -> float:
    """How far a path reaches, in the object's own size; a jump for a frame or two is none."""
    x, y = (rows[:, Det.X0] + rows[:, Det.X1]) / 2, (rows[:, Det.Y0] + rows[:, Det.Y1]) / 2
    reach = [float(np.ptp(median_filter(v, _STEADY, mode="nearest"))) for v in (x, y)]
    own = np.maximum(rows[:, Det.X1] - rows[:, Det.X0], rows[:, Det.Y1] - rows[:, Det.Y0])
    return hypot(*reach) / max(median(own), 1e-6)


def _moves(track: Track, least: float) -> NDArray[np.bool_]:
    """Whether it is on the move, per row, by its mean flow around each."""
    times = np.array(track.times)
    first, end = (np.searchsorted(times, times + s) for s in (-_MOVES_S, _MOVES_S))
    flow = np.concatenate([np.zeros((1, 2)), np.cumsum(track.array[:, [Det.U, Det.V]], axis=0)])
    mean = (flow[end] - flow[first]) / np.maximum(end - first, 1)[:, None]
    return np.asarray(np.hypot(mean[:, 0], mean[:, 1]) >= least, np.bool_)


def within(inner: NDArray[np.float64], outer: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each inner box ``(…, 4)`` that the outer one covers, ``(…)``."""
    wide = np.minimum(inner[..., 2], outer[..., 2]) - np.maximum(inner[..., 0], outer[..., 0])
    high = np.minimum(inner[..., 3], outer[..., 3]) - np.maximum(inner[..., 1], outer[..., 1])
    area = (inner[..., 2] - inner[..., 0]) * (inner[..., 3] - inner[..., 1])
    return np.asarray(
        np.maximum(wide, 0.0) * np.maximum(high, 0.0) / np.maximum(area, 1e-6), np.float64
    )


def _apart(boxes: Sequence[NDArray[np.float64]]) -> int:
    """How many things boxes are, those mostly inside a larger one left out."""
    if len(boxes) < 2:
        return len(boxes)
    table = np.array(boxes)
    area = (table[:, 2] - table[:, 0]) * (table[:, 3] - table[:, 1])
    table = table[np.argsort(-area, kind="stable")]
    inside_larger = np.tril(within(table[:, None], table[None]) >= _ONE, -1).any(axis=1)
    return int((~inside_larger).sum())
