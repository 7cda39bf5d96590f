"""Points of frames packed into arrays: hours of looks stay small in memory.

A :class:`~tools.types.Point` with its box takes over a kilobyte as an object, 56 bytes here. The
sequence gives points when asked and equals the tuple it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tools.types import Point

__all__ = ["PackedPoints", "find", "packed"]

LEAST = 8
"""Fewer points stay as they are."""


class PackedPoints(Sequence["Point"]):
    """An immutable sequence of points. ``whole``: frame, pts and box (all 0: none), ``(n, 6)``."""

    __slots__ = ("_surprise", "_whole")

    def __init__(self, whole: NDArray[np.int64], surprise: NDArray[np.float64]) -> None:
        self._whole = whole
        self._surprise = surprise

    @property
    def frames(self) -> NDArray[np.int64]:
        return self._whole[:, 0]

    def __len__(self) -> int:
        return len(self._whole)

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> PackedPoints: ...
    def __getitem__(self, at: int | slice) -> Point | PackedPoints:
        if isinstance(at, slice):
            return PackedPoints(self._whole[at], self._surprise[at])
        return _point(self._whole[at].tolist(), float(self._surprise[at]))

    def __iter__(self) -> Iterator[Point]:
        for row, surprise in zip(self._whole.tolist(), self._surprise.tolist(), strict=True):
            yield _point(row, surprise)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedPoints):
            return np.array_equal(self._whole, other._whole) and np.array_equal(
                self._surprise, other._surprise
            )
        return tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def packed(points: tuple[Point, ...]) -> Any:
    """The points packed; typed as what it stands for where it is used."""
    if isinstance(points, PackedPoints) or len(points) < LEAST:
        return points
    whole = np.array(
        [
            (p.frame, p.pts, *((b.x0, b.y0, b.x1, b.y1) if (b := p.box) else (0, 0, 0, 0)))
            for p in points
        ],
        np.int64,
    )
    return PackedPoints(whole, np.array([p.surprise for p in points], np.float64))


def find(points: Sequence[Point], frame: int) -> Point | None:
    """The first point of a frame, or None."""
    if isinstance(points, PackedPoints):
        at = np.flatnonzero(points.frames == frame)
        return points[int(at[0])] if len(at) else None
    return next((p for p in points if p.frame == frame), None)


def _point(row: list[int], surprise: float) -> Point:
    from tools.types import Box, Point

    frame, pts, x0, y0, x1, y1 = row
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1) if x1 > x0 else None
    return Point(frame=frame, pts=pts, surprise=surprise, box=box)
