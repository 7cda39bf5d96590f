"""What was seen, packed: hours of looks stay small in memory.

A :class:`~tools.types.Point` with its box takes over a kilobyte as an object, some 15 bytes here:
frames follow one another and boxes move little, so differences compress well. The sequence gives
points when asked and equals the tuple it was made of. An :class:`~tools.types.Attribute` takes one
and a half kilobytes as an object, some 60 bytes here. What a look lists besides (its observations,
the clauses of its caption, the rules recalled for it) are compressed blocks; of those read last the
records are at hand.
"""

from __future__ import annotations

import marshal
import pickle
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tools.types import Attribute, Point

__all__ = [
    "PackedAttributes",
    "PackedPoints",
    "PackedRecords",
    "find",
    "named",
    "packed",
    "packed_attributes",
    "packed_records",
]

T = TypeVar("T")

LEAST = 3
"""Fewer points stay as they are."""
OPEN = 16
"""Blocks of records that stay unpacked, some tens of kilobytes each."""


class _Packed(Sequence[T]):
    """An immutable sequence kept as bytes, which equals the tuple it was made of."""

    __slots__ = ("_data",)
    _data: bytes

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            return self._data == other._data or tuple(self) == tuple(other)
        return tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


class PackedPoints(_Packed["Point"]):
    """An immutable sequence of points. ``whole``: frame, pts and box (all 0: none), ``(n, 6)``."""

    __slots__ = ("_length",)

    def __init__(self, whole: NDArray[np.int64], surprise: NDArray[np.float64]) -> None:
        steps = np.diff(whole, axis=0, prepend=np.zeros((1, 6), np.int64))
        plain = steps.T.tobytes() + surprise.astype(np.float64).tobytes()
        self._data = zlib.compress(plain, 6)
        self._length = len(whole)

    @property
    def frames(self) -> NDArray[np.int64]:
        return self._unpacked()[0][:, 0]

    def _unpacked(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        plain, n = zlib.decompress(self._data), self._length
        steps = np.frombuffer(plain, np.int64, 6 * n).reshape(6, n)
        return np.cumsum(steps, axis=1).T, np.frombuffer(plain, np.float64, n, offset=48 * n)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> PackedPoints: ...
    def __getitem__(self, at: int | slice) -> Point | PackedPoints:
        whole, surprise = self._unpacked()
        if isinstance(at, slice):
            return PackedPoints(whole[at], surprise[at])
        return _point(whole[at].tolist(), float(surprise[at]))

    def __iter__(self) -> Iterator[Point]:
        whole, surprise = self._unpacked()
        for row, value in zip(whole.tolist(), surprise.tolist(), strict=True):
            yield _point(row, value)


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


class PackedAttributes(_Packed["Attribute"]):
    """An immutable sequence of attributes."""

    __slots__ = ()

    def __init__(self, rows: Sequence[tuple[object, ...]]) -> None:
        self._data = marshal.dumps(list(rows))

    def rows(self) -> list[tuple[Any, ...]]:
        """Name, value, unit, usual value, limit and surprise of each."""
        rows: list[tuple[Any, ...]] = marshal.loads(self._data)
        return rows

    def __len__(self) -> int:
        return len(self.rows())

    @overload
    def __getitem__(self, at: int) -> Attribute: ...
    @overload
    def __getitem__(self, at: slice) -> PackedAttributes: ...
    def __getitem__(self, at: int | slice) -> Attribute | PackedAttributes:
        rows = self.rows()
        return PackedAttributes(rows[at]) if isinstance(at, slice) else _attribute(rows[at])

    def __iter__(self) -> Iterator[Attribute]:
        return map(_attribute, self.rows())


def packed_attributes(attributes: tuple[Attribute, ...]) -> Any:
    """The attributes packed; typed as what it stands for where it is used."""
    if isinstance(attributes, PackedAttributes) or not attributes:
        return attributes
    return PackedAttributes(
        [(a.name, a.value, a.unit, a.usual, a.limit, a.surprise) for a in attributes]
    )


class PackedRecords(_Packed[T]):
    """An immutable sequence of frozen records."""

    __slots__ = ("_length",)

    def __init__(self, records: tuple[T, ...]) -> None:
        self._data = zlib.compress(pickle.dumps(records, pickle.HIGHEST_PROTOCOL), 6)
        self._length = len(records)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        records: tuple[T, ...] = _opened(self._data)
        return records[at]

    def __iter__(self) -> Iterator[T]:
        records: tuple[T, ...] = _opened(self._data)
        return iter(records)


@lru_cache(maxsize=OPEN)
def _opened(data: bytes) -> Any:
    return pickle.loads(zlib.decompress(data))


def packed_records(records: tuple[T, ...]) -> Any:
    """The records packed; typed as what it stands for where it is used."""
    if isinstance(records, PackedRecords) or not records:
        return records
    return PackedRecords(records)


def find(points: Sequence[Point], frame: int) -> Point | None:
    """The first point of a frame, or None."""
    if isinstance(points, PackedPoints):
        at = np.flatnonzero(points.frames == frame)
        return points[int(at[0])] if len(at) else None
    return next((p for p in points if p.frame == frame), None)


def named(attributes: Sequence[Attribute], name: str) -> Attribute | None:
    """The first attribute of a name, or None."""
    if isinstance(attributes, PackedAttributes):  # the others are not made for it
        return next((_attribute(row) for row in attributes.rows() if row[0] == name), None)
    return next((a for a in attributes if a.name == name), None)


def _point(row: list[int], surprise: float) -> Point:
    from tools.types import Box, Point

    frame, pts, x0, y0, x1, y1 = row
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1) if x1 > x0 else None
    return Point(frame=frame, pts=pts, surprise=surprise, box=box)


def _attribute(row: tuple[Any, ...]) -> Attribute:
    from tools.types import Attribute

    name, value, unit, usual, limit, surprise = row
    return Attribute(name=name, value=value, unit=unit, usual=usual, limit=limit, surprise=surprise)
