"""Objects of one frame: whole silhouettes where they stand alone, windows where they merge."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.percepts import Blob, FramePercept
from tools.backends.embedded.perception.windows import WindowGrid

__all__ = ["PERSON_AREA", "Det", "Kind", "detect"]

PERSON_AREA = 0.24
"""Foreground of one upright person, in heights²: about 0.4 wide and six tenths filled."""


class Kind(IntEnum):
    WHOLE = 0
    """A silhouette of about a person's extent, standing alone."""
    PART = 1
    """A person-sized window inside a larger silhouette: its own outline is not known."""
    LARGE = 2
    """A silhouette larger than a person that moves, or stands, as one."""
    SMALL = 3
    """A silhouette too small for a person."""


_BESIDE, _FURTHER, _ABOUT, _GOES_ON = 0.2, 0.6, 0.12, 0.65
"""A silhouette goes on below a window if 0.6 heights further down (give or take 0.12, and 0.2 to
the side) a window is as full to this share: under one's own feet it is mostly empty. Likewise
above: over one's own head, too."""


class Det(IntEnum):
    """Columns of a detection row. Pixels are analysis pixels; flow in heights per second."""

    X0 = 0
    Y0 = 1
    X1 = 2
    Y1 = 3
    TALL = 4
    """Expected height of a person there."""
    U = 5
    V = 6
    SPREAD = 7
    AREA = 8
    """Foreground, in heights²; NaN for parts."""
    STILL = 9
    GHOST = 10
    TONE = 11
    KIND = 12
    CUT = 13
    """1 where the image border may hide part of it."""
    HIDDEN = 14
    """Of a part whose lower end is not seen to be its feet, since people go on below: 0.5 where its
    head is seen, so that its feet are a person's height further down, and 1 where it is not."""
    ALIKE = 15
    """Correlation with the background there or a little beside: near 1 it is the background."""


def detect(geometry: Geometry, grid: WindowGrid, percept: FramePercept) -> NDArray[np.float64]:
    """Detections ``(n, len(Det))`` of one frame."""
    blobs = percept.blobs.astype(np.float64)
    fast = blobs[blobs[:, Blob.FAST] == 1]
    blobs = blobs[blobs[:, Blob.FAST] == 0]
    if not len(blobs):
        return np.zeros((0, len(Det)))
    width, height = geometry.size
    tall = geometry.height(blobs[:, Blob.Y1])
    wide_rel = (blobs[:, Blob.X1] - blobs[:, Blob.X0]) / tall
    tall_rel = (blobs[:, Blob.Y1] - blobs[:, Blob.Y0]) / tall
    area = blobs[:, Blob.AREA] / tall**2
    speed = np.hypot(blobs[:, Blob.U], blobs[:, Blob.V])
    rigid = (blobs[:, Blob.SPREAD] < 0.3 * speed) & (speed > 0.5 * geometry.walk)
    fill = area / np.maximum(wide_rel * tall_rel, 1e-6)
    cut = (
        (blobs[:, Blob.X0] <= 1)
        | (blobs[:, Blob.X1] >= width - 1)
        | (blobs[:, Blob.Y0] <= 0)
        | (blobs[:, Blob.Y1] >= height - 1)
    )
    small = (area < 0.3 * PERSON_AREA) | ((tall_rel < 0.45) & (area < 0.6 * PERSON_AREA))
    single = (tall_rel <= 1.4) & ((wide_rel <= 0.95) | (rigid & (wide_rel <= 1.6)))
    solid = (fill > 0.6) & (
        area > 4 * PERSON_AREA
    )  # people who merge leave gaps, a vehicle does not
    kind = np.full(len(blobs), int(Kind.PART))
    kind[(rigid & (area > 2 * PERSON_AREA)) | solid] = Kind.LARGE
    kind[single] = Kind.WHOLE
    kind[small] = Kind.SMALL
    rows = np.column_stack(
        [
            blobs[:, : Blob.AREA],
            tall,
            blobs[:, Blob.U],
            blobs[:, Blob.V],
            blobs[:, Blob.SPREAD],
            area,
            blobs[:, Blob.STILL],
            blobs[:, Blob.GHOST],
            blobs[:, Blob.TONE],
            kind,
            cut,
            np.zeros(len(blobs)),
            blobs[:, Blob.ALIKE],
        ]
    )
    if not geometry.people:  # without a person's size nothing can be cut into people
        rows[kind == Kind.PART, Det.KIND] = kind[kind == Kind.PART] = Kind.LARGE
    merged = np.flatnonzero(kind == Kind.PART)
    whole = rows[kind != Kind.PART]
    if not len(merged):
        return np.asarray(whole, np.float64)
    return np.concatenate([whole, _split(geometry, grid, percept, rows[merged], fast)])


def _split(
    geometry: Geometry,
    grid: WindowGrid,
    percept: FramePercept,
    merged: NDArray[np.float64],
    fast: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cover merged silhouettes with windows, fullest and fastest first, hardly overlapping.

    A fast region among them is taken as one thing with the windows it holds: a rider or a cart is
    wider than a walker.
    """
    seen = percept.windows
    index = seen.index.astype(np.intp)
    x, foot, tall = grid.x[index], grid.foot[index], grid.height[index]
    middle = foot - 0.5 * tall
    owner = np.full(len(index), -1)
    for number, row in enumerate(merged):
        inside = (
            (x >= row[Det.X0]) & (x <= row[Det.X1])
            & (middle >= row[Det.Y0]) & (middle <= row[Det.Y1])
            & (foot <= row[Det.Y1] + 0.15 * tall)
        )  # fmt: skip
        owner[inside] = number
    u, v = seen.u.astype(np.float64), seen.v.astype(np.float64)
    speed = np.hypot(u, v)
    cover = seen.cover.astype(np.float64)
    rank = cover + 0.25 * np.minimum(speed / geometry.walk, 4.0)
    order = np.argsort(-np.where(owner >= 0, rank, -1.0), kind="stable")
    order = order[owner[order] >= 0]
    found: list[NDArray[np.float64]] = []
    while len(order):
        best = order[0]
        row = merged[owner[best]].copy()
        half = 0.3 * tall[best]
        row[[Det.X0, Det.Y0, Det.X1, Det.Y1]] = (
            x[best] - half, max(0.0, foot[best] - tall[best]), x[best] + half, foot[best],
        )  # fmt: skip
        row[[Det.TALL, Det.U, Det.V, Det.SPREAD]] = (
            tall[best], u[best], v[best], float(seen.spread[best]),
        )  # fmt: skip
        row[Det.AREA] = np.nan
        row[Det.KIND] = Kind.PART
        beside = np.abs(x - x[best]) <= _BESIDE * tall[best]
        away = (foot - foot[best]) / tall[best]
        below, above = (
            cover[beside & (np.abs(away - side * _FURTHER) <= _ABOUT) & (owner >= 0)]
            for side in (1, -1)
        )
        least = _GOES_ON * cover[best]
        if below.max(initial=0.0) > least:
            row[Det.HIDDEN] = 1.0 if above.max(initial=0.0) > least else 0.5
        region = _region(row, fast) if speed[best] > 1.6 * geometry.walk else None
        if region is not None:
            row[Det.X0] = min(row[Det.X0], region[Blob.X0])
            row[Det.X1] = max(row[Det.X1], region[Blob.X1])
            row[Det.Y0] = min(row[Det.Y0], region[Blob.Y0])
            row[Det.Y1] = max(row[Det.Y1], region[Blob.Y1])
            area = region[Blob.AREA] / tall[best] ** 2
            if area > 2 * PERSON_AREA:
                row[Det.AREA], row[Det.KIND] = area, Kind.LARGE
        found.append(row)
        near = (np.abs(x[order] - x[best]) < 0.6 * tall[best]) & (
            np.abs(foot[order] - foot[best]) < 0.7 * tall[best]
        )
        held = (
            (x[order] > row[Det.X0]) & (x[order] < row[Det.X1])
            & (middle[order] > row[Det.Y0]) & (middle[order] < row[Det.Y1])
        )  # fmt: skip
        order = order[~near & ~held]
    return np.array(found) if found else np.zeros((0, len(Det)))


def _region(row: NDArray[np.float64], fast: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The largest fast region centred in a window, or that the window is centred in."""
    if not len(fast):
        return None
    x, y = (fast[:, Blob.X0] + fast[:, Blob.X1]) / 2, (fast[:, Blob.Y0] + fast[:, Blob.Y1]) / 2
    own_x, own_y = (row[Det.X0] + row[Det.X1]) / 2, (row[Det.Y0] + row[Det.Y1]) / 2
    inside = (x > row[Det.X0]) & (x < row[Det.X1]) & (y > row[Det.Y0]) & (y < row[Det.Y1])
    around = (
        (own_x > fast[:, Blob.X0]) & (own_x < fast[:, Blob.X1])
        & (own_y > fast[:, Blob.Y0]) & (own_y < fast[:, Blob.Y1])
    )  # fmt: skip
    held = inside | around
    if not held.any():
        return None
    return np.asarray(fast[held][np.argmax(fast[held][:, Blob.AREA])], np.float64)
