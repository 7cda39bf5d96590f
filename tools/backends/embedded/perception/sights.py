"""What is known of objects' motion, sight by sight: the material that evidence is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import hypot

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det
from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.stays import Stay
from tools.backends.embedded.perception.windows import WindowGrid

__all__ = [
    "MOVES",
    "SUSTAINED_S",
    "TOP",
    "UPPER",
    "Life",
    "Shown",
    "Sight",
    "by_sight",
    "measured_s",
    "top_mean",
    "top_means",
]

TOP = 5
"""Surprise of a place is the mean over its this many strongest windows."""
SUSTAINED_S = 0.7
"""Evidence shorter than this, about a step of a walker, is a chance."""
UPPER = 0.65
"""Quantile of an object's evidence that stands for it: hidden moments count little against it, and
so do moments in which another passes for it."""
MOVES = 0.5
"""Share of the usual walking speed from which on something moves."""
_AROUND, _UNLIKE = 0.4, 0.5
"""Heights around it within which what windows show is explained by it."""
_STEP_S = 0.4
"""Longer than this between two measurements is a gap."""


@dataclass(frozen=True, eq=False)
class Sight:
    """One analysed frame as evidence needs it: windows with their surprise, shape ``(n,)``."""

    frame: int
    seconds: float
    gap: float
    """Seconds since the analysed frame before."""
    x: NDArray[np.float64]
    foot: NDArray[np.float64]
    tall: NDArray[np.float64]
    strength: NDArray[np.float64]
    flow: NDArray[np.float64]
    """Mean flow of each window, ``(n, 2)``, heights per second."""

    @classmethod
    def of(
        cls, percept: FramePercept, seconds: float, grid: WindowGrid, strength: NDArray[np.float64]
    ) -> Sight:
        """``strength``: surprise of the percept's windows; empty where they mean nothing."""
        n = len(strength)
        seen = percept.windows
        index = seen.index.astype(np.intp)[:n]
        return cls(
            frame=percept.frame,
            seconds=seconds,
            gap=float(percept.health[Health.GAP]),
            x=grid.x[index],
            foot=grid.foot[index],
            tall=grid.height[index],
            strength=strength,
            flow=np.column_stack([seen.u, seen.v]).astype(np.float64)[:n],
        )

    def alike(
        self,
        rows: NDArray[np.float64],
        reach: NDArray[np.float64] | float,
        flow: NDArray[np.float64],
        walk: float,
        share: float,
    ) -> NDArray[np.bool_]:
        """Which windows have their middle in each of ``k`` detections' boxes, widened by ``reach``
        heights, and move by its ``flow``, heights per second, to a share of its pace: ``(k, n)``.
        """
        margin = reach * rows[:, Det.TALL]
        x0, x1 = rows[:, Det.X0] - margin, rows[:, Det.X1] + margin
        y0, y1 = rows[:, Det.Y0] - margin, rows[:, Det.Y1] + margin
        near = (self.x >= x0[:, None]) & (self.x <= x1[:, None])
        near &= (self._middle >= y0[:, None]) & (self._middle <= y1[:, None])
        right, down = self.flow[:, 0] - flow[:, :1], self.flow[:, 1] - flow[:, 1:]
        limit = np.array([share * max(hypot(u, v), walk) for u, v in flow.tolist()])
        near &= np.sqrt(right * right + down * down) <= limit[:, None]
        return np.asarray(near, np.bool_)

    def explained(self, rows: NDArray[np.float64], walk: float) -> NDArray[np.bool_]:
        """Which windows objects account for: near one, and not moving quite otherwise."""
        alike = self.alike(rows, _AROUND, rows[:, Det.U : Det.V + 1], walk, _UNLIKE)
        return np.asarray(alike.any(axis=0), np.bool_)

    @cached_property
    def _middle(self) -> NDArray[np.float64]:
        return self.foot - 0.5 * self.tall


@dataclass(frozen=True, eq=False)
class Shown:
    """What one track itself shows at the sights ``index (n,)``, before anything is lent.

    ``mean`` its smoothed evidence (NaN where not measured), ``velocity (n, 2)`` in heights per
    second, ``rows (n, len(Det))``, ``times`` and ``gaps`` in seconds, ``part`` the stay each row is
    part of.
    """

    index: NDArray[np.intp]
    mean: NDArray[np.float64]
    measured: NDArray[np.bool_]
    velocity: NDArray[np.float64]
    rows: NDArray[np.float64]
    times: NDArray[np.float64]
    gaps: NDArray[np.float64]
    part: Sequence[Stay | None]

    def goes(self, walk: float) -> NDArray[np.bool_]:
        """Where it is measured and moves."""
        fast = np.linalg.norm(self.velocity, axis=1) >= MOVES * walk
        return np.asarray(self.measured & fast, np.bool_)


@dataclass(frozen=True, eq=False)
class Life:
    """An object's evidence: ``strength (n,)`` at the sights ``index (n,)``.

    ``rows (n, 7)``: its boxes there, the height of a person and its flow.
    """

    index: NDArray[np.intp]
    strength: NDArray[np.float64]
    rows: NDArray[np.float64]
    level: float
    """Its evidence as a whole."""


def by_sight(index: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """The sights in ``index (n,)``, and where in it each occurs."""
    order = np.argsort(index, kind="stable")
    found, first = np.unique(index[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, first[1:]), strict=True)


def top_mean(strength: NDArray[np.float64], least: int = TOP) -> float:
    """Mean of the strongest windows, fewer than ``least`` counting as 0: a fleck is no event."""
    strongest = np.sort(strength)[-TOP:]
    return float(strongest.sum() / max(least, len(strongest)))


def top_means(
    strength: NDArray[np.float64], inside: NDArray[np.bool_], least: NDArray[np.intp]
) -> NDArray[np.float64]:
    """:func:`top_mean` of each row's windows ``inside (k, n)``; NaN where there are none."""
    number = inside.sum(axis=1)
    strongest = np.sort(np.where(inside, strength, 0.0), axis=1)[:, -TOP:].sum(axis=1)
    divisor = np.maximum(least, np.minimum(number, TOP))
    return np.where(number > 0, strongest / divisor, np.nan)


def measured_s(measured: NDArray[np.bool_], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds during which an object has been measured so far; gaps do not count."""
    return np.asarray(np.cumsum(np.where(measured, np.minimum(gaps, _STEP_S), 0.0)), np.float64)
