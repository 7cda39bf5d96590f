"""How long somebody has stayed at a place, whoever of those there it is taken for.

Identities break where people pass in front of one another; a stay must not. So stays are chained
by place: whatever hardly moves continues the stay that was going on where it is, unless whoever
stayed was seen to leave, or the place to be empty, in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det, Kind

__all__ = ["REACH", "Stay", "stays"]

REACH = 0.75
"""Heights from the middle of a stay within which it goes on."""
_DEPTH = 2.0
"""How much longer a pixel up or down is on the ground than one across: that of a camera that looks
30° down, 1 / sin 30°. Stated prior."""
_BACK_S = 1.5
"""Whether something stays is told from its displacement over this long …"""
_LEAST_BACK_S = 0.7
"""… or, for what has just come into being, over this."""
_SLOW = 0.38
"""… in heights per second: half of a walk."""
_LATELY_S = 0.5
"""Where somebody stays, whatever has hardly moved for this long is that one."""
_STEP_S = 1.0
_GAP_S = 2.75
"""A stay survives being hidden for so long: several people who pass."""
_EMPTY_S = 1.0
"""Where nobody is seen for so long, and nothing that would hide one, the stay has ended."""
_BODY, _BESIDE, _BELOW = 0.4, 0.3, 0.15
"""Heights above the feet at which whatever hides somebody is to be seen, so far to the side (who
paces is not always in the middle) and so far below (not all of a crowd is made out)."""


@dataclass(eq=False)
class Stay:
    """Somebody stays near ``x``, ``y`` (feet, pixels) from ``start`` to ``last``, seconds."""

    start: float
    last: float
    x: float
    y: float
    seen: int
    small: bool
    empty: float = 0.0
    """Seconds for which nothing was seen at its place since it was last seen to go on."""
    by: int = -1
    """The number of the track that was last seen to stay."""

    def away(self, row: list[float]) -> float:
        """Heights from the middle of the stay to a detection. Towards the camera pixels are longer
        on the ground, as far as the feet are seen."""
        depth = _DEPTH if row[Det.HIDDEN] == 0 else 1.0
        across = (row[Det.X0] + row[Det.X1]) / 2 - self.x
        return hypot(across, depth * (row[Det.Y1] - self.y)) / row[Det.TALL]


def stays(
    paths: Sequence[tuple[Sequence[float], NDArray[np.float64]]],
) -> list[tuple[NDArray[np.float64], list[Stay | None]]]:
    """Seconds for which the place of each detection has been stayed at, 0 for what moves on, and
    the stay it is part of.

    Looks back only, over a second and a half, so a stay is known to about a second. Small things
    and people do not continue one another's stays; the traces of what has gone (lasting, its
    outline missing) continue none.

    Args:
        paths: per track its times in seconds and its rows ``(n, len(Det))``.
    Returns: per track an array ``(n,)`` and a list as long.
    """
    found = [np.zeros(len(times)) for times, _ in paths]
    part: list[list[Stay | None]] = [[None] * len(times) for times, _ in paths]
    events: dict[float, list[tuple[int, int]]] = defaultdict(list)
    walkers: list[_Walker] = []
    for times, rows in paths:
        ghost = (rows[:, Det.GHOST] > 0.0) & (rows[:, Det.STILL] > 0.9)
        for i in np.flatnonzero(~ghost).tolist():
            events[times[i]].append((len(walkers), i))
        walkers.append(_Walker(len(walkers), times, rows, _pace(np.asarray(times), rows)))
    going = _Going()
    for time in sorted(events):
        there = []
        for number, i in events[time]:
            row = paths[number][1][i].tolist()
            there.append(row)
            stay = going.of(walkers[number], i, row)
            if stay is not None:
                found[number][i] = time - stay.start
                part[number][i] = stay
        going.look(time, there)
    return list(zip(found, part, strict=True))


@dataclass(eq=False)
class _Walker:
    """A track, the stay it was last part of, and the row in which it last stood."""

    number: int
    times: Sequence[float]
    rows: NDArray[np.float64]
    pace: _Pace
    own: Stay | None = None
    stood: int = 0


class _Going:
    """The stays that go on, in time order of what is seen."""

    def __init__(self) -> None:
        self._stays: list[Stay] = []
        self._then: float | None = None

    def of(self, walker: _Walker, i: int, row: list[float]) -> Stay | None:
        """The stay that a detection is part of."""
        stay: Stay | None
        if isfinite(walker.pace.halt[i]):
            stay = walker.own = self._halted(walker, i, row)
            walker.stood = i
        else:
            stay = self._moving(walker, i, row)
        if stay is not None:
            stay.empty = 0.0
        return stay

    def look(self, time: float, there: Sequence[list[float]]) -> None:
        """All that is seen at a time: stays whose place is empty end."""
        for stay in self._stays:
            if self._then is not None and not any(_covers(row, stay) for row in there):
                stay.empty += time - self._then
        self._stays = [
            s for s in self._stays if s.empty < _EMPTY_S and time - s.last <= _GAP_S + _BACK_S
        ]
        self._then = time

    def _halted(self, walker: _Walker, i: int, row: list[float]) -> Stay:
        time, back = walker.times[i], float(walker.pace.back[i])
        x, y, small = (row[Det.X0] + row[Det.X1]) / 2, row[Det.Y1], row[Det.KIND] == Kind.SMALL
        near = [
            s
            for s in self._stays
            if s.small == small and back - s.last <= _GAP_S and s.away(row) <= REACH
        ]
        if not near:
            stay = Stay(float(walker.pace.halt[i]), time, x, y, 1, small, by=walker.number)
            self._stays.append(stay)
            return stay
        stay = min(near, key=lambda s: s.away(row))
        stay.last, stay.by = time, walker.number
        stay.seen += 1
        weight = max(1.0 / stay.seen, 0.02)
        stay.x += weight * (x - stay.x)
        stay.y += weight * (y - stay.y)
        return stay

    def _moving(self, walker: _Walker, i: int, row: list[float]) -> Stay | None:
        own, time = walker.own, walker.times[i]
        before = walker.times[i - 1] if i else time
        if own is not None and own.away(row) > REACH:
            # Who is seen to leave, standing alone all the while, has left.
            alone = (walker.rows[walker.stood : i + 1, Det.KIND] != Kind.PART).all()
            if alone and own.by == walker.number and own in self._stays:
                self._stays.remove(own)
            walker.own = own = None
        if own is not None and before - own.last <= _STEP_S:
            if time - before > _LATELY_S:  # a step aside does not end a stay, nor does hiding
                own.last, own.by = time, walker.number
                if own not in self._stays:
                    self._stays.append(own)
            return own
        if not walker.pace.lately[i]:
            return None
        # Taken for one who walked here: what hardly moves where one stays is that one.
        small = row[Det.KIND] == Kind.SMALL
        for stay in self._stays:
            if stay.small == small and time - stay.last <= _GAP_S and stay.away(row) <= REACH:
                stay.last, stay.by = time, walker.number
                return stay
        return None


def _covers(row: list[float], stay: Stay) -> bool:
    """Whether somebody who stays would be behind, or be, a detection."""
    tall = row[Det.TALL]
    body, beside = stay.y - _BODY * tall, _BESIDE * tall
    across = row[Det.X0] - beside <= stay.x <= row[Det.X1] + beside
    return across and row[Det.Y0] <= body <= row[Det.Y1] + _BELOW * tall


@dataclass(frozen=True, eq=False)
class _Pace:
    """How a track moves, looked back at from each of its rows; all ``(n,)``."""

    back: NDArray[np.float64]
    """Since when it is looked back at, seconds."""
    halt: NDArray[np.float64]
    """About when it came to a halt, seconds; NaN where it moves on."""
    lately: NDArray[np.bool_]
    """Whether it has hardly moved for the last half second."""


def _pace(times: NDArray[np.float64], rows: NDArray[np.float64]) -> _Pace:
    """One who walks at 0.76 heights a second and stops is found slow when half of the time looked
    back over is spent standing: that half counts.
    """
    before, span, moved, flow = _back(times, rows, _BACK_S)
    slow = (span >= _LEAST_BACK_S) & (moved < _SLOW)
    # The middle of a box that the border cuts lags behind its object: there flow must be slow, too.
    cuts = np.concatenate([[0], np.cumsum(rows[:, Det.CUT] > 0)])
    slow &= (cuts[1:] == cuts[before]) | (flow < _SLOW)
    halt = np.where(before > 0, times - span / 2, times[0])  # what has come into being stands
    _, short, step, drift = _back(times, rows, _LATELY_S)
    lately = (short >= 0.8 * _LATELY_S) & (step < _SLOW) & (drift < _SLOW)
    return _Pace(times[before], np.where(slow, halt, np.nan), lately)


def _back(
    times: NDArray[np.float64], rows: NDArray[np.float64], seconds: float
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The row looked back at, the seconds since, and pace by displacement and by mean flow over
    those, heights per second."""
    x, y = (rows[:, Det.X0] + rows[:, Det.X1]) / 2, rows[:, Det.Y1]
    before = np.searchsorted(times, times - seconds - 1e-6)
    span = times - times[before]
    # Windows of a crowd lie on a grid, so their feet are not known to a tenth of a height.
    whole = (rows[:, Det.KIND] != Kind.PART) & (rows[before, Det.KIND] != Kind.PART)
    down = np.where(whole, _DEPTH, 1.0) * (y - y[before])
    moved = np.hypot(x - x[before], down) / rows[:, Det.TALL]
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(rows[:, [Det.U, Det.V]], axis=0)])
    upto = np.arange(1, len(times) + 1)
    flow = (total[upto] - total[before]) / (upto - before)[:, None]
    pace = moved / np.maximum(span, 1e-6)
    return before, span, pace, np.linalg.norm(flow, axis=1)
