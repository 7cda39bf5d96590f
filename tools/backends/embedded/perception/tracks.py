"""Objects over time: detections linked into tracks with an identity, a path and a velocity."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import hypot

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.medians import median
from tools.backends.embedded.perception.stays import Stay, stays

__all__ = ["FrameDetections", "Track", "link"]

_GATE = 1.0
_MAX_GAP_S = 0.7
"""Seconds an object may stay unseen (behind others) and keep its identity."""
_STILL_GAP_S = 2.5
"""… and where it stands still: somebody who passes in front of it hides it for so long."""
_THING_GAP_S = 4.0
"""… and where it is a small thing that stands: several who pass hide it one after the other."""
_SETTLES_S = 2.0
_STILL = 0.3
"""Heights per second under which an object stands, or nearly."""
_STITCH_GAP_S = 1.6
_OUTLINE = np.array([0.2, 0.35, 1.0])
"""One thing's height and width differ by less than this (logarithms), its tone by 16 levels."""
_MEET = 1.0
"""Usual walking speeds by which the ways of two differ who meet."""
_GOES = 0.4
"""Usual walking speeds from which on something goes one way, and does not turn within a frame."""
_LEAST_S = 0.45
"""Shorter tracks are flicker."""


@dataclass(frozen=True, eq=False)
class FrameDetections:
    frame: int
    pts: int
    seconds: float
    rows: NDArray[np.float64]


@dataclass(eq=False)
class Track:
    """One object. ``rows`` are detections ``(n, len(Det))``, one per frame it was seen in."""

    frames: list[int] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    velocity: tuple[float, float] = (0.0, 0.0)
    """Heights per second, smoothed, from displacement."""
    stay: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Seconds for which its place has been stayed at, per row (:mod:`stays`); set by ``link``."""
    part: list[Stay | None] = field(default_factory=list)
    """The stay each row is part of; set by ``link``."""
    _array: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, len(Det))))

    @property
    def array(self) -> NDArray[np.float64]:
        """The rows as one array, not to be written to."""
        if len(self._array) != len(self.rows):
            self._array = np.array(self.rows)
            self._array.setflags(write=False)
        return self._array

    @property
    def seconds(self) -> float:
        return self.times[-1] - self.times[0]

    @property
    def stands(self) -> bool:
        """Whether it has come to a halt, as far as its last measured motion says."""
        return len(self.rows) >= 5 and hypot(*self.velocity) < _STILL

    def add(
        self,
        frame: int,
        pts: int,
        time: float,
        row: NDArray[np.float64],
        *,
        keep_velocity: bool = False,
    ) -> None:
        """Go on as a detection. ``keep_velocity``: its motion is not this object's alone."""
        now = row.tolist()
        u, v = now[Det.U], now[Det.V]
        if keep_velocity and self.rows:
            u, v = self.velocity
        elif self.rows:
            before = self.rows[-1].tolist()
            pace = now[Det.TALL] * max(time - self.times[-1], 1e-3)
            # Outlines breathe with the gait: flow steadies what displacement alone would shake.
            (x, y), (old_x, old_y) = _spot(now), _spot(before)
            # A box cut by the border, or growing out of it, does not move as its object does.
            share = 0.0 if now[Det.CUT] or before[Det.CUT] else 0.5
            # The flow of one that stands alone is its own, so that one who stops is followed.
            alone = now[Det.KIND] != Kind.PART
            share = min(share, 0.25) if alone else share
            weight = min(0.5, max(0.3 if alone else 0.12, 1.0 / (1 + len(self.rows))))
            u = share * ((x - old_x) / pace) + (1 - share) * u
            v = share * ((y - old_y) / pace) + (1 - share) * v
            u = (1 - weight) * self.velocity[0] + weight * u
            v = (1 - weight) * self.velocity[1] + weight * v
        self.velocity = (u, v)
        self.frames.append(frame)
        self.pts.append(pts)
        self.times.append(time)
        self.rows.append(row)

    def extend(self, other: Track) -> None:
        self.frames += other.frames
        self.pts += other.pts
        self.times += other.times
        self.rows += other.rows
        self.velocity = other.velocity


def _spots(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where an object is: its centre, weighted towards the feet, steadier than either."""
    spots = np.empty((len(rows), 2))
    spots[:, 0] = (rows[:, Det.X0] + rows[:, Det.X1]) / 2
    spots[:, 1] = 0.3 * rows[:, Det.Y0] + 0.7 * rows[:, Det.Y1]
    return spots


def _spot(row: Sequence[float]) -> tuple[float, float]:
    return (row[Det.X0] + row[Det.X1]) / 2, 0.3 * row[Det.Y0] + 0.7 * row[Det.Y1]


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of vectors ``(…, 2)``."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(np.sqrt(x * x + y * y), np.float64)


def link(frames: Iterable[FrameDetections], walk: float, *, causal: bool = False) -> list[Track]:
    """Tracks of a stretch of frames, in order of their start. ``walk``: heights per second.

    Detections go to the predicted position nearest in space and in velocity (Hungarian method;
    Kuhn 1955); objects lost for a moment are taken up again; pieces that continue one another are
    stitched. ``causal``: without stitching or dropping anything, for which later frames are needed.
    """
    open_: list[Track] = []
    done: list[Track] = []
    for seen in frames:
        still: list[Track] = []
        for track in open_:
            gap = _MAX_GAP_S
            # What the border cut has left the picture: who comes in there later is another.
            if track.stands and not track.rows[-1][Det.CUT]:
                gap = _THING_GAP_S if track.rows[-1][Det.KIND] == Kind.SMALL else _STILL_GAP_S
            target = still if seen.seconds - track.times[-1] <= gap else done
            target.append(track)
        open_ = still
        rows = seen.rows
        taken: set[int] = set()
        if open_ and len(rows):
            cost, near = _cost(open_, seen, walk)
            left, right = linear_sum_assignment(np.minimum(cost, 10.0))
            pairs = [p for p in zip(left.tolist(), right.tolist(), strict=True) if cost[p] < _GATE]
            shared = _shared(open_, near, pairs, walk)
            for i, j in pairs:
                held = j in shared
                open_[i].add(seen.frame, seen.pts, seen.seconds, rows[j], keep_velocity=held)
                taken.add(j)
        for number, row in enumerate(rows):
            if number not in taken:
                track = Track()
                track.add(seen.frame, seen.pts, seen.seconds, row)
                open_.append(track)
    if causal:
        return done + open_
    tracks = [t for t in done + open_ if len(t.rows) >= 3]
    tracks = [part for t in _absorb(_stitch(tracks, walk)) for part in _settled(t)]
    kept = [t for t in tracks if t.seconds >= _LEAST_S]
    for track, stay in zip(kept, stays([(t.times, t.array) for t in kept]), strict=True):
        track.stay, track.part = stay
    return sorted(kept, key=lambda t: (t.frames[0], t.rows[0][Det.X0], t.rows[0][Det.Y0]))


def _shared(
    tracks: Sequence[Track],
    near: NDArray[np.float64],
    pairs: Sequence[tuple[int, int]],
    walk: float,
) -> set[int]:
    """Detections where two meet and pass as one outline: another track, which found none of its
    own, is expected there, too, and goes another way.

    The flow of such an outline is a mixture and says nothing of where either goes on.
    """
    found = {i for i, _ in pairs}
    lost = [i for i in range(len(tracks)) if i not in found]
    return {
        j
        for i, j in pairs
        for k in lost
        if near[k, j] < 1.0 and _apart(tracks[i], tracks[k]) > _MEET * walk
    }


def _apart(a: Track, b: Track) -> float:
    """Heights per second by which two velocities differ."""
    return hypot(a.velocity[0] - b.velocity[0], a.velocity[1] - b.velocity[1])


def _cost(
    tracks: list[Track], seen: FrameDetections, walk: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What it costs to go on as each detection, and how far that is off in units of what one may
    be off, both ``(tracks, n)``."""
    rows = seen.rows
    tall = rows[:, Det.TALL]
    last = np.array([t.rows[-1] for t in tracks])
    velocity = np.array([t.velocity for t in tracks])
    gap = np.array([seen.seconds - t.times[-1] for t in tracks])
    shift = velocity * last[:, Det.TALL, None] * gap[:, None]
    distance = _length((_spots(last) + shift)[:, None] - _spots(rows)[None]) / tall[None]
    flow = rows[:, Det.U : Det.V + 1]
    change = _length(velocity[:, None] - flow[None])
    speed = _length(velocity)
    scale = 0.7 * walk + 0.5 * speed[:, None]
    # Nobody halves or doubles a rider's pace within a frame: that is somebody else.
    # (The flow of a part among others is mixed with theirs, so it may differ more.)
    part = (rows[:, Det.KIND] == Kind.PART)[None]
    pace = speed[:, None]
    leap = np.maximum(np.where(part, 1.6, 1.3) * walk, np.where(part, 0.7, 0.6) * pace)
    # Nor turns round on the way, however mixed the flow.
    goes = np.minimum(pace, _length(flow)[None]) > _GOES * walk
    turned = part & goes & (velocity @ flow.T < 0)
    reach = 0.45 + 0.4 * speed * gap + 0.3 * walk * gap
    size = np.abs(
        np.log((rows[:, Det.Y1] - rows[:, Det.Y0]) / tall)[None]
        - np.log((last[:, Det.Y1] - last[:, Det.Y0]) / last[:, Det.TALL])[:, None]
    )
    kinds = (last[:, Det.KIND][:, None] == Kind.SMALL) != (rows[:, Det.KIND][None] == Kind.SMALL)
    # Whoever passes in front of something that stands does not take its place.
    stands = np.array([t.stands for t in tracks])[:, None]
    thing = stands & (last[:, Det.KIND][:, None] == Kind.SMALL)
    overlap = _overlaps(last, shift, rows)
    near = np.minimum(distance / reach[:, None], 2.0 * (1.0 - overlap))  # large things: by overlap
    cost = np.asarray(
        0.6 * near + np.where(thing, 0.5, 0.25) * change / scale + 0.15 * size
        + np.where(thing, 1.0, 0.3) * kinds
        + np.where((near > 1.5) | (change > leap) | turned, 10.0, 0.0),
        np.float64,
    )  # fmt: skip
    return cost, near


def _overlaps(
    last: NDArray[np.float64], shift: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Intersection over union of boxes moved by ``shift`` with new boxes, ``(tracks, n)``."""
    a = last[:, : Det.TALL] + np.concatenate([shift, shift], axis=1)
    b = rows[:, : Det.TALL]
    wide = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    own = ((a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]))[:, None]
    other = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]))[None]
    return np.asarray(shared / np.maximum(own + other - shared, 1e-6), np.float64)


def _stitch(tracks: list[Track], walk: float) -> list[Track]:
    """Join a track to the one that begins where it would be, moving as it did."""
    tracks = sorted(tracks, key=lambda t: t.frames[0])
    ends = [_Ends(t) for t in tracks]
    offers: list[tuple[float, int, int]] = []
    for i, a in enumerate(ends):
        for j, b in enumerate(ends):
            gap = b.start - a.end
            if i == j or not 0 < gap <= _STITCH_GAP_S:
                continue
            velocity = (a.out + b.into) / 2
            error = np.linalg.norm(a.last + velocity * a.tall * gap - b.first) / a.tall
            change = np.linalg.norm(a.out - b.into)
            pace = max(float(np.linalg.norm(velocity)), walk)
            if error < 0.5 + 0.3 * pace * gap and change < 0.5 * pace:
                offers.append((float(error + change / pace + 0.5 * gap), i, j))
                continue
            halted = _halted(a, b, gap)
            if halted is not None:
                offers.append((float(halted + change / pace + 0.5 * gap), i, j))
    followers: dict[int, int] = {}
    led: set[int] = set()
    for _, i, j in sorted(offers):
        if i not in followers and j not in led:
            followers[i] = j
            led.add(j)
    joined: list[Track] = []
    for i, track in enumerate(tracks):
        if i in led:
            continue
        follower = followers.get(i)
        while follower is not None:
            track.extend(tracks[follower])
            follower = followers.get(follower)
        joined.append(track)
    return joined


def _halted(a: _Ends, b: _Ends, gap: float) -> float | None:
    """Distance, in heights, by which one thing may have come to a halt, or set off, in a gap.

    None where it did not: where neither stands, where the one lies off the other's way or beyond
    its reach, or where their outlines (height, width, tone) differ.
    """
    out, into = (float(np.linalg.norm(v)) for v in (a.out, b.into))
    if min(out, into) > 0.5 * max(out, into) or max(out, into) < _STILL:
        return None
    way = (a.out if out > into else b.into) / max(out, into)
    step = (b.first - a.last) / a.tall
    along = float(step @ way)
    across = float(np.linalg.norm(step - along * way))
    if not -0.3 <= along <= 0.4 + max(out, into) * gap or across > 0.35:
        return None
    unlike = np.abs(a.outline - b.outline) > _OUTLINE
    if unlike.any() or (np.isnan(a.outline - b.outline).any() and gap > _MAX_GAP_S):
        return None
    return across + max(-along, 0.0)


def _settled(track: Track) -> list[Track]:
    """A small thing that stands at the end of its track, apart from what moved before.

    Something small that moves is mostly a piece of somebody; where it seems to stop, it was taken
    for what that somebody left there.
    """
    rows = track.array
    spots = _spots(rows)
    times = np.array(track.times)
    place = np.median(spots[times >= times[-1] - _SETTLES_S], axis=0)
    away = np.linalg.norm(spots - place, axis=1) / rows[:, Det.TALL] > 0.3
    first = int(np.flatnonzero(away)[-1]) + 1 if away.any() else 0
    rest = rows[first:]
    if (
        first < 3
        or times[-1] - times[min(first, len(times) - 1)] < _SETTLES_S
        or (rest[:, Det.KIND] == Kind.SMALL).mean() < 0.8
        or median(rest[:, Det.STILL]) < 0.7
    ):
        return [track]
    parts = []
    for part in (slice(0, first), slice(first, None)):
        parts.append(
            Track(
                track.frames[part], track.pts[part], track.times[part], track.rows[part],
                velocity=track.velocity,
            )
        )  # fmt: skip
    return parts


def _absorb(tracks: list[Track]) -> list[Track]:
    """Drop a track that runs within a longer one, moving with it: a piece of the same object."""
    order = sorted(tracks, key=lambda t: (-t.seconds, t.frames[0]))
    kept: list[Track] = []
    for track in order:
        if not any(_within(track, other) for other in kept):
            kept.append(track)
    return kept


def _within(track: Track, other: Track) -> bool:
    first = bisect_left(track.times, other.times[0])
    end = bisect_right(track.times, other.times[-1])
    if (end - first) / len(track.times) < 0.7:
        return False
    inside = slice(first, end)
    mine, times = track.array[inside], np.array(track.times[inside])
    theirs, when = other.array, np.array(other.times)

    def at(column: Det) -> NDArray[np.float64]:
        return np.asarray(np.interp(times, when, theirs[:, column]), np.float64)

    margin = 0.15 * at(Det.TALL)
    covered = np.ones(len(mine), np.bool_)
    for low, high in ((Det.X0, Det.X1), (Det.Y0, Det.Y1)):
        middle = (mine[:, low] + mine[:, high]) / 2
        covered &= (middle > at(low) - margin) & (middle < at(high) + margin)
        if covered.mean() <= 0.7:
            return False
    velocity = mine[:, [Det.U, Det.V]].mean(axis=0)
    theirs_velocity = np.array([at(Det.U).mean(), at(Det.V).mean()])
    change = float(np.linalg.norm(velocity - theirs_velocity))
    return change < 0.5 * max(float(np.linalg.norm(theirs_velocity)), 0.15)


def _outline(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of height and width against a person there, and a sixteenth of the grey level;
    NaN where it was hardly seen alone."""
    alone = rows[(rows[:, Det.KIND] != Kind.PART) & (rows[:, Det.CUT] == 0)]
    if len(alone) < 3:
        return np.full(3, np.nan)
    high = (alone[:, Det.Y1] - alone[:, Det.Y0]) / alone[:, Det.TALL]
    wide = (alone[:, Det.X1] - alone[:, Det.X0]) / alone[:, Det.TALL]
    shape = [float(np.log(median(high))), float(np.log(median(wide)))]
    return np.array([*shape, median(alone[:, Det.TONE]) / 16.0])


class _Ends:
    """Where and how a track begins and ends; velocities over up to half a second."""

    def __init__(self, track: Track) -> None:
        rows = track.array
        spots = _spots(rows)
        times = np.array(track.times)
        self.start, self.end = track.times[0], track.times[-1]
        self.first, self.last = spots[0], spots[-1]
        self.tall = float(rows[-1, Det.TALL])
        head = times <= times[0] + 0.6
        tail = times >= times[-1] - 0.6
        self.into = rows[head][:, [Det.U, Det.V]].mean(axis=0)
        self.out = rows[tail][:, [Det.U, Det.V]].mean(axis=0)
        self.outline = _outline(rows)
