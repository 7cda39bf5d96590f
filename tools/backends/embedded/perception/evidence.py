"""What an object shows over its whole visible life: a rider is a rider from border to border.

A frame alone says little of something half hidden, entering at the border or slow for a moment.
Its *evidence* is measured where it can be (the windows in its box), smoothed along its path, and
lent to the rest of its life: to all of it (offline), or from then on (causal, where nothing at time
t depends on frames after t).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.medians import median, quantile
from tools.backends.embedded.perception.rests import rests
from tools.backends.embedded.perception.sights import (
    MOVES,
    SUSTAINED_S,
    TOP,
    UPPER,
    Life,
    Shown,
    Sight,
    by_sight,
    measured_s,
    top_means,
)
from tools.backends.embedded.perception.stays import Stay
from tools.backends.embedded.perception.tracks import Track

__all__ = ["lives", "shown", "smoothed"]

_SPAN_S = 0.8
"""What is sustained is averaged over this long: a Gaussian of 0.33 s, or the past alone."""
_SIGMA_S = 0.33
_STRONG = 0.8
_REACH = 0.15
"""Heights around a box within which a window's middle belongs to it."""
_FEWEST = 2
"""Windows in what the border leaves of a box: fewer than ``TOP`` fit into it."""
_EXTEND_S = 3.0
"""An object hidden behind others is followed at its last velocity for at most this long."""
_VELOCITY_S = 0.6
_CLEAR_S, _LEAST_CLEAR = 2.5, 3
"""A velocity is taken clear of the border if there are so many rows within this time."""
_BORDER = 0.3
"""Heights from the border within which nobody is taken for somebody else."""
_FIT = 0.35
"""Heights within which a piece cut by the border must end where the object should."""
_IN_VIEW = 0.5
"""Share of its box down to which something that leaves is still in view."""
_DOUBT_S = 0.35
_USUAL = 0.5
"""Half a step: evidence of t seconds counts by t / (t + this), the rest is what most objects show,
in units of their limit."""
_ALIKE = 0.35
"""Flow that differs from an object's by more of its pace is somebody else's."""
_NEAR = 0.5
"""Heights within which foreground must be for an object to be presumed behind it."""
_APART = 0.5
"""What moves with a velocity that differs by this share from that of the evidence, for
``SUSTAINED_S``, is somebody else: identities switch."""
_FAINT = 1 / 3
"""So is what moves and shows less than this share of the evidence, for twice as long."""


def smoothed(
    values: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    causal: bool,
    sigma_s: float = _SIGMA_S,
) -> NDArray[np.float64]:
    """Average over about 0.8 s, of the past alone where ``causal``; NaN are passed over.

    Offline a Gaussian of ``sigma_s``, causal the plain mean of the last 0.8 s. Shape ``(n,)``.
    """
    return _Smoothing(times, causal=causal, sigma_s=sigma_s)(values)


class _Smoothing:
    """:func:`smoothed` of several series at the same times."""

    def __init__(
        self, times: NDArray[np.float64], *, causal: bool, sigma_s: float = _SIGMA_S
    ) -> None:
        self._causal = causal
        if causal:
            self._start = np.searchsorted(times, times - _SPAN_S + 1e-6)
            return
        low = np.searchsorted(times, times - 3 * sigma_s)
        high = np.searchsorted(times, times + 3 * sigma_s, side="right")
        part = low[:, None] + np.arange(int((high - low).max(initial=0)))
        inside = part < high[:, None]
        self._part = np.minimum(part, len(times) - 1)
        self._weights = np.exp(-0.5 * ((times[self._part] - times[:, None]) / sigma_s) ** 2)
        self._weights *= inside

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.isfinite(values)
        plain = np.where(known, values, 0.0)
        out = np.full(len(values), np.nan)
        if self._causal:
            total = np.concatenate([[0.0], np.cumsum(plain)])
            count = np.concatenate([[0.0], np.cumsum(known)])
            end = np.arange(1, len(values) + 1)
            weight = count[end] - count[self._start]
            np.divide(total[end] - total[self._start], weight, out=out, where=weight > 0)
            return out
        weights = self._weights * known[self._part]
        whole = weights.sum(axis=1)
        weights *= plain[self._part]
        np.divide(weights.sum(axis=1), whole, out=out, where=whole > 1e-3)
        return out


def lives(
    tracks: Iterable[Track],
    sights: Sequence[Sight],
    geometry: Geometry,
    *,
    causal: bool,
) -> list[Life]:
    """Evidence of every object that was measured for ``SUSTAINED_S``.

    Args:
        tracks: linked detections; for ``causal`` they must have been linked without looking ahead.
        sights: all analysed frames, in order.
    """
    known = shown(tracks, sights, geometry, causal=causal)
    found = [_life(own, sights, geometry, causal) for own in known]
    if not causal and sights:
        found += rests(known, geometry, (sights[0].seconds, sights[-1].seconds))
    return [life for life in found if life is not None]


def shown(
    tracks: Iterable[Track], sights: Sequence[Sight], geometry: Geometry, *, causal: bool
) -> list[Shown]:
    """What tracks themselves show; those hardly measured are left out."""
    place = {s.frame: n for n, s in enumerate(sights)}
    times, gaps = np.array([(s.seconds, s.gap) for s in sights]).reshape(-1, 2).T
    paths = [_path(t, place, times, gaps, causal) for t in tracks]
    paths = [p for p in paths if len(p.index)]
    if not paths:
        return []
    own = _measured(paths, sights, geometry.walk)
    ends = np.cumsum([len(p.index) for p in paths])[:-1]
    found = (_shown(p, o, causal) for p, o in zip(paths, np.split(own, ends), strict=True))
    return [one for one in found if one is not None]


@dataclass(frozen=True, eq=False)
class _Path:
    """The rows of a track that lie in sights (see :class:`Shown`)."""

    index: NDArray[np.intp]
    rows: NDArray[np.float64]
    velocity: NDArray[np.float64]
    times: NDArray[np.float64]
    gaps: NDArray[np.float64]
    part: Sequence[Stay | None]
    smooth: _Smoothing


def _path(
    track: Track,
    place: Mapping[int, int],
    times: NDArray[np.float64],
    gaps: NDArray[np.float64],
    causal: bool,
) -> _Path:
    seen = [n for n, frame in enumerate(track.frames) if frame in place]
    index = np.array([place[track.frames[n]] for n in seen], np.intp)
    rows, when = track.array[seen], times[index]
    smooth = _Smoothing(when, causal=causal)
    velocity = np.column_stack([smooth(rows[:, column]) for column in (Det.U, Det.V)])
    part = [track.part[n] for n in seen] if track.part else [None] * len(seen)
    return _Path(index, rows, velocity, when, gaps[index], part, smooth)


def _measured(paths: Sequence[_Path], sights: Sequence[Sight], walk: float) -> NDArray[np.float64]:
    """What the windows in each row's box show, all paths in a row; NaN where none is alike."""
    rows = np.concatenate([p.rows for p in paths])
    velocity = np.concatenate([p.velocity for p in paths])
    whole = rows[:, Det.CUT] == 0
    # What the border leaves of a box is no more than it shows.
    reach, least = np.where(whole, _REACH, 0.0), np.where(whole, TOP, _FEWEST)
    own = np.empty(len(rows))
    for i, at in by_sight(np.concatenate([p.index for p in paths])):
        inside = sights[i].alike(rows[at], reach[at], velocity[at], walk, _ALIKE)
        own[at] = top_means(sights[i].strength, inside, least[at])
    return own


def _shown(path: _Path, own: NDArray[np.float64], causal: bool) -> Shown | None:
    measured = np.isfinite(own)
    age = measured_s(measured, path.gaps)
    if not measured.any() or (not causal and age[-1] < SUSTAINED_S):
        return None
    mean = path.smooth(own)
    # What was seen for an instant may be a chance: it is drawn towards the usual.
    age = age if causal else np.full_like(age, age[-1])
    mean = (mean * age + _USUAL * _DOUBT_S) / (age + _DOUBT_S)
    return Shown(
        path.index, mean, measured, path.velocity, path.rows, path.times, path.gaps, path.part
    )


def _life(own: Shown, sights: Sequence[Sight], geometry: Geometry, causal: bool) -> Life | None:
    index, mean, measured = own.index, own.mean, own.measured
    velocity, rows, times = own.velocity, own.rows, own.times
    # The border cuts limbs off and lets flow in: who moves there cannot be told.
    clear = _clear(rows, geometry) & measured
    if causal:
        level = _held(mean, velocity, measured, clear, times, geometry.walk)
        strength = np.fmax(mean, level)
        whole = float(level[-1])
    else:
        # What stands shows nothing of how it moves: a rider who has stopped is a rider still.
        goes = own.goes(geometry.walk)
        shows = goes if measured_s(goes, own.gaps)[-1] >= SUSTAINED_S else measured
        whole = quantile(mean[shows], UPPER)
        same = _same(mean, velocity, measured, clear, times, whole, geometry.walk)
        strength = np.fmax(mean, np.where(same, whole, -np.inf))
    first, last = (int(v) for v in np.flatnonzero(measured)[[0, -1]])
    bounded = np.flatnonzero(rows[:, Det.CUT])
    cut = dict(zip(index[bounded].tolist(), rows[bounded], strict=True))
    if causal:
        return _forward(index, strength, rows, measured, sights, geometry, cut, whole)
    part = slice(first, last + 1)
    after = _forward(
        index[part], strength[part], rows[part], measured[part], sights, geometry, cut, whole
    )
    before = _extended(index[first], rows[part], times[part], sights, geometry, cut, step=-1)
    if after is None or not before:
        return after
    return Life(
        index=np.concatenate([np.array([i for i, _ in before[::-1]], np.intp), after.index]),
        strength=np.concatenate([np.full(len(before), strength[first]), after.strength]),
        rows=np.concatenate([np.array([r for _, r in before[::-1]]), after.rows]),
        level=whole,
    )


def _forward(
    index: NDArray[np.intp],
    strength: NDArray[np.float64],
    rows: NDArray[np.float64],
    measured: NDArray[np.bool_],
    sights: Sequence[Sight],
    geometry: Geometry,
    cut: Mapping[int, NDArray[np.float64]],
    whole: float,
) -> Life | None:
    """Follow an object through frames that do not measure it, at its last velocity."""
    where: list[int] = []
    values: list[float] = []
    boxes: list[list[float]] = []
    good = np.flatnonzero(measured).tolist()
    numbers, strengths = index.tolist(), strength.tolist()
    own = rows[:, : Det.V + 1].tolist()
    for n, at in enumerate(good):
        if not isfinite(strengths[at]):
            continue
        where.append(numbers[at])
        values.append(strengths[at])
        boxes.append(own[at])
        following = numbers[good[n + 1]] if n + 1 < len(good) else len(sights)
        if following == numbers[at] + 1:
            continue
        known = slice(max(0, at - 40), at + 1)
        when = np.array([sights[i].seconds for i in index[known]])
        beyond = _extended(
            numbers[at], rows[known], when, sights[:following], geometry, cut, step=1
        )
        for i, box in beyond:
            where.append(i)
            values.append(strengths[at])
            boxes.append(box)
    if not where:
        return None
    return Life(np.array(where, np.intp), np.array(values), np.array(boxes), whole)


def _clear(rows: NDArray[np.float64], geometry: Geometry) -> NDArray[np.bool_]:
    """Rows clear of the picture's left and right borders."""
    margin = _BORDER * rows[:, Det.TALL]
    inside = (rows[:, Det.X0] > margin) & (rows[:, Det.X1] < geometry.size[0] - margin)
    return np.asarray(inside, np.bool_)


def _extended(
    start: int,
    rows: NDArray[np.float64],
    times: NDArray[np.float64],
    sights: Sequence[Sight],
    geometry: Geometry,
    cut: Mapping[int, NDArray[np.float64]],
    step: int,
) -> list[tuple[int, list[float]]]:
    """Where an object must have been beyond its last (or first) row: at constant velocity.

    As long as its track sees a piece of it there (``cut``, by sight); else until half of it has
    left the picture, nothing is there to hide it, or ``_EXTEND_S`` are over.
    """
    if not 0 <= start + step < len(sights):
        return []
    now = times[-1] if step > 0 else times[0]
    row = rows[-1] if step > 0 else rows[0]
    near = np.abs(times - now) <= 2 * _VELOCITY_S
    # At the border half of what flows is not seen: a velocity is taken from further in.
    clear = np.abs(times - now) <= _CLEAR_S
    clear &= _clear(rows, geometry)
    used = clear if clear.sum() >= _LEAST_CLEAR else near
    latest = float(times[used].max() if step > 0 else times[used].min())
    used &= np.abs(times - latest) <= 2 * _VELOCITY_S
    velocity = _velocity(rows[used], times[used], latest) * row[Det.TALL]
    whole = np.flatnonzero(near & (rows[:, Det.CUT] == 0))
    if len(whole):  # the middle of a box that the border cuts is not its object's
        at = whole[-1] if step > 0 else whole[0]
        row = rows[at].copy()
        row[: Det.TALL] += np.tile(velocity * (now - times[at]), 2)
    width, height = geometry.size
    right, down = velocity.tolist()
    x0, y0, x1, y1, *rest = row[: Det.V + 1].tolist()
    found: list[tuple[int, list[float]]] = []
    i = start + step
    while 0 <= i < len(sights):
        gap = sights[i].seconds - now
        if abs(gap) > _EXTEND_S:
            break
        dx, dy = right * gap, down * gap
        left, top, end, foot = x0 + dx, y0 + dy, x1 + dx, y1 + dy
        wide = max(min(end, width) - max(left, 0.0), 0.0) / (end - left)
        high = max(min(foot, height) - max(top, 0.0), 0.0) / (foot - top)
        box = [left, top, end, foot, *rest]
        if i in cut and _fits(cut[i], box, width):
            box = cut[i][: Det.V + 1].tolist()
        elif wide * high < _IN_VIEW or not _hidden(box, sights[i], width):
            break
        found.append((i, box))
        i += step
    return found


def _fits(row: NDArray[np.float64], box: Sequence[float], width: float) -> bool:
    """Whether what the border leaves of an object ends where the object should."""
    side = Det.X1 if row[Det.X0] <= 1 else Det.X0
    free = 1 < row[side] < width - 1
    return bool(free and abs(row[side] - box[side]) <= _FIT * row[Det.TALL])


def _velocity(
    rows: NDArray[np.float64], times: NDArray[np.float64], now: float
) -> NDArray[np.float64]:
    """Velocity in heights per second: by flow, or by displacement where that is faster.

    The flow in a box that holds somebody else, too, is a mean of both; outlines breathe with the
    gait. What is lent is lent for the shorter time.
    """
    recent = rows[np.abs(times - now) <= _VELOCITY_S]
    flow = np.array([median(recent[:, column]) for column in (Det.U, Det.V)])
    whole = rows[:, Det.CUT] == 0
    if whole.sum() < 3:
        return np.asarray(flow, np.float64)
    middle = (rows[whole][:, [Det.X0, Det.Y1]] + rows[whole][:, [Det.X1, Det.Y1]]) / 2
    moved = np.polyfit(times[whole], middle / rows[whole][:, [Det.TALL]], 1)[0]
    same = float(moved @ flow) > 0
    faster = same and float(np.linalg.norm(moved)) > float(np.linalg.norm(flow))
    return np.asarray(moved if faster else flow, np.float64)


def _hidden(box: Sequence[float], sight: Sight, width: float) -> bool:
    """Whether foreground is there that the object may be part of; the border is not measured."""
    x, foot, tall = (box[0] + box[2]) / 2, box[3], box[4]
    if x < 0.5 * tall or x > width - 0.5 * tall:
        return True
    return bool(
        ((np.abs(sight.x - x) < _NEAR * tall) & (np.abs(sight.foot - foot) < _NEAR * tall)).any()
    )


def _same(
    mean: NDArray[np.float64],
    velocity: NDArray[np.float64],
    measured: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    times: NDArray[np.float64],
    whole: float,
    walk: float,
) -> NDArray[np.bool_]:
    """Rows around the strongest that are of the same object, as far as velocities tell."""
    strong = measured & (mean >= _STRONG * whole)
    own = np.array([median(velocity[strong, axis]) for axis in (0, 1)])
    breaks = _lasting(_differs(velocity, own, walk) & clear, times, SUSTAINED_S)
    moves = np.linalg.norm(velocity, axis=1) >= MOVES * walk
    breaks |= _lasting(moves & clear & (mean < _FAINT * whole), times, 2 * SUSTAINED_S)
    out = np.zeros(len(mean), np.bool_)
    for n in np.flatnonzero(strong & ~breaks):
        if not out[n]:
            before, after = np.flatnonzero(breaks[:n]), np.flatnonzero(breaks[n:])
            low = int(before[-1]) + 1 if len(before) else 0
            out[low : n + int(after[0]) if len(after) else len(out)] = True
    return out


def _held(
    mean: NDArray[np.float64],
    velocity: NDArray[np.float64],
    measured: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    times: NDArray[np.float64],
    walk: float,
) -> NDArray[np.float64]:
    """Upper quantile of the evidence so far, forgotten when identities switch; NaN before any."""
    ordered: list[float] = []
    own = np.zeros(2)
    strongest, since, faint = -np.inf, np.inf, np.inf
    moves = np.linalg.norm(velocity, axis=1) >= MOVES * walk
    out = np.full(len(mean), np.nan)
    for n in range(len(mean)):
        if measured[n]:
            now = float(times[n])
            told = bool(ordered) and bool(clear[n])
            away = hypot(velocity[n, 0] - own[0], velocity[n, 1] - own[1])
            other = told and bool(moves[n]) and away > _APART * max(hypot(*own), walk)
            weak = told and bool(moves[n]) and mean[n] < _FAINT * out[n - 1]
            since = min(since, now) if other else np.inf
            faint = min(faint, now) if weak else np.inf
            if now - since >= SUSTAINED_S or now - faint >= 2 * SUSTAINED_S:
                ordered.clear()
                strongest, since, faint = -np.inf, np.inf, np.inf
            if moves[n] or not ordered:
                insort(ordered, float(mean[n]))
            if mean[n] > strongest:
                strongest, own = float(mean[n]), velocity[n]
        if ordered:
            out[n] = ordered[min(len(ordered) - 1, int(UPPER * len(ordered)))]
    return out


def _differs(
    velocity: NDArray[np.float64], own: NDArray[np.float64], walk: float
) -> NDArray[np.bool_]:
    """Rows that move, and otherwise than ``own``, heights per second."""
    moves = np.linalg.norm(velocity, axis=1) >= MOVES * walk
    away = np.linalg.norm(velocity - own, axis=1)
    return np.asarray(moves & (away > _APART * max(float(np.linalg.norm(own)), walk)), np.bool_)


def _lasting(
    mask: NDArray[np.bool_], times: NDArray[np.float64], seconds: float
) -> NDArray[np.bool_]:
    """The runs of True that last so long."""
    out = np.zeros_like(mask)
    start = 0
    for n in range(1, len(mask) + 1):
        if n == len(mask) or mask[n] != mask[start]:
            if mask[start] and times[n - 1] - times[start] >= seconds:
                out[start:n] = True
            start = n
    return out
