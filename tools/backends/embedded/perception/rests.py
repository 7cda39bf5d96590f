"""Whoever stops is who came: evidence of motion is lent to the stay it ends in, or sets off from.

Identities break where a rider stops among walkers. But nothing comes into being or ceases to be in
the middle of a picture: where strong evidence ends, or begins, at a place where somebody stays from
then on, or until then, that somebody is what showed it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.medians import median, quantile
from tools.backends.embedded.perception.sights import SUSTAINED_S, UPPER, Life, Shown, measured_s
from tools.backends.embedded.perception.stays import REACH, Stay

__all__ = ["rests"]

_ABOUT_S = 1.5
"""A halt is known to within this: it is told from displacement over as long."""
_WINDOW_S = 2.5
"""Evidence is taken from this long before a halt, and looked for this long after it."""
_LATER_S = 0.7
"""What is smoothed over 0.8 s ends late by as much."""
_GONE = 0.5
"""Evidence ends where less than this share of it is left."""
_INSIDE_S = 2.0
"""What would be out of the picture this much later, going on as it did, has left it."""
_PASSES = 3
"""Frames of as strong evidence beyond a place with which something has passed it."""
_LEAST_S = 1.0
"""Shorter stays are steps aside."""
_STANDS = 0.15
"""Heights per second, a fifth of a walk: who came to a halt stands, a slow crowd does not."""


def rests(known: Sequence[Shown], geometry: Geometry, span: tuple[float, float]) -> list[Life]:
    """Lives of those who stay, by the evidence that ends or begins with their stay.

    Args:
        known: what all tracks show.
        span: first and last moment looked at, seconds.
    """
    found: list[Life] = []
    first, last = span
    for stay, members in _members(known):
        # Whose beginning or end was not seen may be anybody's.
        seen = first + _LEAST_S <= stay.start and stay.last <= last - _LEAST_S
        if not seen or stay.last - stay.start < _LEAST_S:
            continue
        index = np.array(sorted(members), np.intp)
        rows = np.array([members[i] for i in index.tolist()])
        if median(np.hypot(rows[:, Det.U], rows[:, Det.V])) > _STANDS:
            continue
        ends = ((stay.start, 1.0), (stay.last, -1.0))
        level = max(_ending(known, stay, at, sign, geometry) for at, sign in ends)
        if level > 0:
            boxes = rows[:, : Det.V + 1]
            found.append(Life(index, np.full(len(index), level), boxes, level))
    return found


def _members(known: Sequence[Shown]) -> list[tuple[Stay, dict[int, NDArray[np.float64]]]]:
    """Stays with their rows, by sight."""
    found: dict[int, tuple[Stay, dict[int, NDArray[np.float64]]]] = {}
    for own in known:
        for i, row, stay in zip(own.index.tolist(), own.rows, own.part, strict=True):
            if stay is not None and not stay.small:
                found.setdefault(id(stay), (stay, {}))[1].setdefault(i, row)
    return list(found.values())


def _ending(
    known: Sequence[Shown], stay: Stay, at: float, sign: float, geometry: Geometry
) -> float:
    """The strongest evidence that ends where and when a stay begins; 0 for none.

    ``sign`` −1 looks at time backwards: evidence that begins where and when a stay ends.
    """
    best = 0.0
    for own in known:
        when = sign * (own.times - at)
        if when[0 if sign > 0 else -1] > _ABOUT_S or when[-1 if sign > 0 else 0] < -_ABOUT_S:
            continue
        x, y = (own.rows[:, Det.X0] + own.rows[:, Det.X1]) / 2, own.rows[:, Det.Y1]
        away = np.hypot(x - stay.x, y - stay.y) / own.rows[:, Det.TALL]
        here = (away <= REACH) & (np.abs(when) <= _ABOUT_S)
        if not here.any():
            continue
        now = float(when[here].max())
        goes = own.goes(geometry.walk)
        before = goes & (when > now - _WINDOW_S) & (when <= now)
        if not before.any() or measured_s(before, own.gaps)[-1] < SUSTAINED_S:
            continue
        level = quantile(own.mean[before], UPPER)
        strong = own.measured & (own.mean >= _GONE * level)
        if not (strong & here).any() or (strong & goes & (when > now)).sum() >= _PASSES:
            continue
        pace = np.median(own.velocity[before], axis=0) * own.rows[here, Det.TALL].mean()
        beyond = stay.x + sign * _INSIDE_S * float(pace[0])
        below = stay.y + sign * _INSIDE_S * float(pace[1])
        if not (0 <= beyond < geometry.size[0] and 0 <= below < geometry.size[1]):
            continue
        if level > best and not _goes_on(known, own, sign, at, now, level, geometry.walk):
            best = level
    return best


def _goes_on(
    known: Sequence[Shown],
    own: Shown,
    sign: float,
    at: float,
    now: float,
    level: float,
    walk: float,
) -> bool:
    """Whether evidence as strong is shown on: by the same track, or by one that takes it up."""
    for other in known:
        when = sign * (other.times - at) - now
        strong = other.goes(walk) & (other.mean >= _GONE * level)
        later = strong & (when > _LATER_S) & (when <= _LATER_S + _WINDOW_S)
        if not later.any() or measured_s(later, other.gaps)[-1] < SUSTAINED_S:
            continue
        if other is own or not (strong & (when <= -_LATER_S)).any():
            return True
    return False
