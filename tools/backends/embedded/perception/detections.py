"""Objects of one frame: whole silhouettes where they stand alone, windows where they merge."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.percepts import (
    ALONE_TALL,
    ALONE_WIDE,
    Blob,
    FramePercept,
)
from tools.backends.embedded.perception.windows import WindowGrid

__all__ = ["PERSON_AREA", "Det", "Kind", "detect", "hidden"]

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
_HIGHER, _HEADED = 0.3, 0.55
"""A window 0.3 heights above one that begins at a head holds that head and trunk: so full, at
least, over the window itself. With less, the head is lower within the window."""
_FULLER = 1.3
"""Just below a window another is so much fuller, if what the window holds are others' heads."""
_LEG, _SOLE = 0.3, 0.1
"""Heights from the middle of somebody's window to their feet, aside and up or down, at most."""
_FULL, _FRONT = 0.5, 0.5
"""Whoever is in front fills their window at least half as much as the fullest around, where several
overlap; feet that are seen count as much as half a window more."""


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
    narrow = (wide_rel <= ALONE_WIDE) | (rigid & (wide_rel <= 1.6))
    single = (tall_rel <= ALONE_TALL) & narrow
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
    """Cover merged silhouettes with windows, hardly overlapping: the fullest and fastest first, and
    before others about as full those of people in front, whose feet are seen.

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
    fronts = _fronts(percept.feet, merged, owner, np.stack([x, foot, tall, cover]))
    rank[[*fronts]] += _FRONT
    order = np.argsort(-np.where(owner >= 0, rank, -1.0), kind="stable")
    order = order[owner[order] >= 0]
    found: list[NDArray[np.float64]] = []
    while len(order):
        best = order[0]
        row = merged[owner[best]].copy()
        half, low = 0.3 * tall[best], fronts.get(int(best), foot[best])
        row[[Det.X0, Det.Y0, Det.X1, Det.Y1]] = (
            x[best] - half, max(0.0, low - tall[best]), x[best] + half, low,
        )  # fmt: skip
        row[[Det.TALL, Det.U, Det.V, Det.SPREAD]] = (
            tall[best], u[best], v[best], float(seen.spread[best]),
        )  # fmt: skip
        row[Det.AREA] = np.nan
        row[Det.KIND] = Kind.PART
        if int(best) not in fronts:
            away = (foot - foot[best]) / tall[best]
            column = (np.abs(x - x[best]) <= _BESIDE * tall[best]) & (owner >= 0)
            row[Det.HIDDEN] = hidden(away[column], cover[column] / cover[best])
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
        near = _near(x[order] - x[best], foot[order] - foot[best], tall[best])
        held = (
            (x[order] > row[Det.X0]) & (x[order] < row[Det.X1])
            & (middle[order] > row[Det.Y0]) & (middle[order] < row[Det.Y1])
        )  # fmt: skip
        order = order[~near & ~held]
    return np.array(found) if found else np.zeros((0, len(Det)))


def hidden(away: NDArray[np.float64], full: NDArray[np.float64]) -> float:
    """``Det.HIDDEN`` of a window among those of its column, all ``(n,)``.

    Args:
        away: how much further down, in heights.
        full: how full, over the window itself.
    """
    if full[(away > 0) & (away <= _FURTHER / 2)].max(initial=0.0) > _FULLER:
        return 1.0
    below, above, head = (
        full[np.abs(away - shift) <= about].max(initial=0.0)
        for shift, about in ((_FURTHER, _ABOUT), (-_FURTHER, _ABOUT), (-_HIGHER, _ABOUT / 2))
    )
    if below <= _GOES_ON:
        return 0.0
    return 0.5 if above <= _GOES_ON and head >= _HEADED else 1.0


def _fronts(
    feet: NDArray[np.float32],
    merged: NDArray[np.float64],
    owner: NDArray[np.intp],
    windows: NDArray[np.float64],
) -> dict[int, float]:
    """Windows of those whose feet are seen, and the image row of these.

    Args:
        feet: lowest points of silhouettes, ``(m, 2)``.
        merged: the silhouettes that are cut.
        owner: of each window, the silhouette it is in, or −1.
        windows: x, foot, height and cover of each, ``(4, n)``.
    """
    x, foot, tall, cover = windows
    found: dict[int, float] = {}
    for px, py in feet.tolist():
        inside = (
            (merged[:, Det.X0] <= px) & (px <= merged[:, Det.X1])
            & (merged[:, Det.Y0] <= py) & (py <= merged[:, Det.Y1])
        )  # fmt: skip
        mine = inside[owner] & (owner >= 0)
        here = np.flatnonzero(
            mine & (np.abs(x - px) <= _LEG * tall) & (np.abs(foot - py) <= _SOLE * tall)
        )
        if not len(here):
            continue
        best = int(here[np.argmax(cover[here])])
        around = mine & _near(px - x, py - foot, tall)
        if cover[best] >= _FULL * cover[around].max():
            found[best] = py
    return found


def _near(
    x: NDArray[np.float64], y: NDArray[np.float64], tall: NDArray[np.float64] | float
) -> NDArray[np.bool_]:
    """Whether two windows so far apart, in pixels, overlap by much."""
    return np.asarray((np.abs(x) < 0.6 * tall) & (np.abs(y) < 0.7 * tall), np.bool_)


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
