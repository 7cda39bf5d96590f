"""Attributes of tracked objects, measured: what each is stands in :mod:`attributes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, grey_opening

from tools.backends.embedded.perception.detections import PERSON_AREA, Det, Kind
from tools.backends.embedded.perception.footing import feet
from tools.backends.embedded.perception.medians import median
from tools.backends.embedded.perception.statistics import Distribution, Normal, PlaceMap
from tools.backends.embedded.perception.stays import Stay
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.ways import WayMap

__all__ = [
    "MANY_AREA",
    "MANY_TALL",
    "MEASURED",
    "Measured",
    "foreseen",
    "held",
    "measure",
    "surprises",
]

MEASURED = ("speed", "limb_motion", "glide", "size", "area", "shape", "dwell")
"""Numeric attributes of objects whose distributions are learned from normal tracks."""

_SIGMA_S = 0.33
"""Temporal smoothing: a Gaussian of this width averages over about 0.8 s, a step of a walker."""
_HELD_S, _PLACED_S = 0.6, 2.0
"""A surprise counts from this long on; one of place or way, which rests on where the feet are seen,
from the longer."""
_WHEREABOUTS = frozenset({"place", "astray", "way"})
_TOLD = 0.3
"""What can be told in this share of its frames is taken to hold in the others, too."""
_PAST_HALF = 0.5
"""Surprise from which on a stay is judged by what becomes of it."""
_WAY_SIGMA_S, _GOES = 0.5, 0.4
"""A way is taken over a second, and only from 0.4 × the usual walking speed on."""
_SMALL = 0.5
"""Heights under which something is no person, not even one half hidden."""
PERSON_ASPECT = 0.41
"""Width per height of pedestrians (Dollár, Wojek, Schiele & Perona, "Pedestrian Detection: An
Evaluation of the State of the Art", TPAMI 2012)."""
MANY_TALL, MANY_AREA = 1.45, 2.6
"""Larger than this, in persons, is more than one person or something else; a rider is smaller."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A track with its attributes per frame; arrays of shape ``(n,)``, NaN where not measurable."""

    track: Track
    rows: NDArray[np.float64]
    speed: NDArray[np.float64]
    limb_motion: NDArray[np.float64]
    glide: NDArray[np.float64]
    size: NDArray[np.float64]
    area: NDArray[np.float64]
    shape: NDArray[np.float64]
    placed: NDArray[np.bool_]
    """Where it is known which place it is at."""
    way: NDArray[np.float64]
    place: NDArray[np.float64]
    astray: NDArray[np.float64]
    dwell: NDArray[np.float64]
    """Seconds for which its place has been stayed at so far, 0 while it moves on."""
    unattended: NDArray[np.float64]
    """Seconds for which it has been left alone so far; NaN for what did not come into being."""
    missing: NDArray[np.float64]
    """Seconds for which it has been gone so far; NaN for what did not go missing."""
    group: bool
    """Larger than a person, neither solid nor rigid: people close together."""
    direction: str | None
    velocity: tuple[float, float]
    """Mean flow of the track, usual walking speeds, (right, down)."""

    def merged(self, part: slice) -> bool:
        """Whether it is a group in a part of its track: people come together and part again."""
        return _is_group(
            self.rows[part],
            self.size[part],
            self.area[part],
            self.limb_motion[part],
            self.speed[part],
        )

    def series(self, name: str) -> NDArray[np.float64]:
        """An attribute frame by frame."""
        return np.asarray(getattr(self, name), np.float64)

    @cached_property
    def small(self) -> bool:
        """Mostly seen as something much smaller than a person."""
        outlined = self.rows[:, Det.KIND] != Kind.PART
        sizes = self.size[np.isfinite(self.size)]
        low = len(sizes) > 0 and outlined.mean() > 0.5 and median(sizes) < _SMALL
        return bool((self.rows[:, Det.KIND] == Kind.SMALL).mean() > 0.5 or low)


def measure(
    track: Track,
    walk: PlaceMap,
    place: PlaceMap | None = None,
    ways: WayMap | None = None,
    astray: PlaceMap | None = None,
    unattended: NDArray[np.float64] | None = None,
    missing: NDArray[np.float64] | None = None,
) -> Measured:
    """Attributes of one track under a scene's walking speeds, places and ways.

    ``unattended``, ``missing``: per row, where the track is of something that came into being, or
    of the place of something that is gone.
    """
    rows = track.array
    times = np.array(track.times)
    x = (rows[:, Det.X0] + rows[:, Det.X1]) / 2
    usual = walk.at(x, rows[:, Det.Y1])
    tall = (rows[:, Det.Y1] - rows[:, Det.Y0]) / rows[:, Det.TALL]
    extent = rows[:, Det.AREA] / PERSON_AREA
    # What the border cuts is only a lower bound: of use where that is already large.
    whole = (rows[:, Det.CUT] == 0) | (tall > MANY_TALL) | (extent > MANY_AREA)
    outline = (rows[:, Det.KIND] != Kind.PART) & whole
    flow = (rows[:, Det.U] / usual, rows[:, Det.V] / usual, rows[:, Det.SPREAD] / usual)
    box = rows[:, Det.X0 : Det.TALL]
    slender = (box[:, 2] - box[:, 0]) / np.maximum(box[:, 3] - box[:, 1], 1e-6) / PERSON_ASPECT
    seen = (tall, extent, np.where(rows[:, Det.CUT] == 0, slender, np.nan))
    outlines = [_where(outline, values) for values in seen]
    u, v, limbs, size, area, shape = _smooth(np.stack([*flow, *outlines]), times)
    speed = np.hypot(u, v)
    mean = (float(u.mean()), float(v.mean()))
    nowhere = np.full(len(rows), np.nan)
    foot, placed = feet(rows, times)
    return Measured(
        track=track,
        rows=rows,
        speed=speed,
        limb_motion=limbs,
        glide=speed - 2.0 * limbs,
        size=size,
        area=area,
        shape=shape,
        placed=placed,
        way=nowhere if ways is None else _way(ways, rows, usual, times, placed),
        place=nowhere if place is None else _smooth(_where(placed, place.at(x, foot)), times),
        astray=nowhere if astray is None else _smooth(_where(placed, astray.at(x, foot)), times),
        dwell=track.stay if len(track.stay) == len(rows) else np.zeros(len(rows)),
        unattended=nowhere if unattended is None else unattended,
        missing=nowhere if missing is None else missing,
        group=_is_group(rows, size, area, limbs, speed),
        direction=_direction(mean),
        velocity=mean,
    )


def _where(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mask, values, np.nan)


def _way(
    ways: WayMap,
    rows: NDArray[np.float64],
    usual: NDArray[np.float64],
    times: NDArray[np.float64],
    placed: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Share of the normal motion that goes the way of a track, which is steadied over a second;
    NaN where it hardly moves."""
    flow = np.stack([rows[:, Det.U] / usual, rows[:, Det.V] / usual])
    u, v = np.nan_to_num(_smooth(_where(placed, flow), times, _WAY_SIGMA_S))
    share = ways.at((rows[:, Det.X0] + rows[:, Det.X1]) / 2, rows[:, Det.Y1], u, v)
    share = _where(placed, share)
    return np.where(np.hypot(u, v) > _GOES, _smooth(share, times), np.nan)


def _smooth(
    values: NDArray[np.float64], times: NDArray[np.float64], width_s: float = _SIGMA_S
) -> NDArray[np.float64]:
    """Gaussian mean in time, along the last axis, that passes over NaN; NaN where nothing within
    two widths is known."""
    if len(times) < 2:
        return values
    gap = median(np.diff(times))
    sigma = max(width_s / max(gap, 1e-3), 0.3)
    known = np.isfinite(values)
    weight = gaussian_filter1d(known.astype(np.float64), sigma, mode="nearest", truncate=2.0)
    total = gaussian_filter1d(np.where(known, values, 0.0), sigma, mode="nearest", truncate=2.0)
    return np.where(weight > 0.05, total / np.maximum(weight, 1e-9), np.nan)


def _is_group(
    rows: NDArray[np.float64],
    size: NDArray[np.float64],
    area: NDArray[np.float64],
    limbs: NDArray[np.float64],
    speed: NDArray[np.float64],
) -> bool:
    outlined = rows[:, Det.KIND] != Kind.PART
    known = np.isfinite(size) & np.isfinite(area)
    if outlined.mean() <= 0.3 or not known.any():
        return False
    if median(size[known]) <= MANY_TALL and median(area[known]) <= MANY_AREA:
        return False
    box = (rows[:, Det.X1] - rows[:, Det.X0]) * (rows[:, Det.Y1] - rows[:, Det.Y0])
    fill = rows[outlined, Det.AREA] * rows[outlined, Det.TALL] ** 2 / box[outlined]
    solid = median(fill) > 0.55 and median(area[known]) > 4
    pace = median(speed)
    rigid = pace > 1.5 and median(limbs) < 0.25 * pace
    return not solid and not rigid


def _direction(velocity: tuple[float, float]) -> str | None:
    """Dominant axis of the mean motion; None under a quarter of walking speed."""
    u, v = velocity
    if np.hypot(u, v) < 0.25:
        return None
    if abs(u) >= abs(v):
        return "right" if u > 0 else "left"
    return "toward the camera" if v > 0 else "away from the camera"


def surprises(
    measured: Measured, normal: Normal, names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Per-frame surprise of a track by each of the named attributes that has a distribution,
    shape ``(n,)``; 0, as usual, where it is not measurable.
    """
    found: dict[str, NDArray[np.float64]] = {}
    fleeting: dict[str, NDArray[np.float64]] = {}
    times = np.array(measured.track.times)
    for name in names:
        distribution = normal.of(name, small=measured.small)
        if distribution is not None:
            values = distribution.surprise(measured.series(name))
            if name == "dwell":
                values = _foreseen(values, measured.track.part, distribution)
            if name in _WHEREABOUTS:
                found[name] = np.maximum(_whereabouts(values, times), 0.0)
            else:
                fleeting[name] = np.where(np.isfinite(values), values, 0.0)
    if fleeting:
        lasting = np.maximum(_lasting(np.stack([*fleeting.values()]), times, _HELD_S), 0.0)
        found.update(zip(fleeting, lasting, strict=True))
    return {name: found[name] for name in names if name in found}


def held(measured: Measured, name: str) -> NDArray[np.float64]:
    """Values of an attribute as far as they are known; of where, or which way, something goes only
    as strange as they are for ``_PLACED_S``, since no less counts as a surprise."""
    values = measured.series(name)
    known = np.isfinite(values)
    if name not in _WHEREABOUTS:
        return values[known]
    far = 1.0 if name == "astray" else -1.0
    times = np.array(measured.track.times)[known]
    return far * _lasting(far * values[known], times, _PLACED_S)


def _whereabouts(values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Surprise of where, or which way, something goes, as far as it is held for ``_PLACED_S`` of
    the moments that tell; in between, half hidden or merged with others, linear in time.

    0 elsewhere if it could be told for less than ``_TOLD`` of the time.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    held = _lasting(values[known], times[known], _PLACED_S)
    if known.mean() >= _TOLD:
        return np.interp(times, times[known], held)
    sparse = np.zeros(len(values))
    sparse[known] = held
    return sparse


def _foreseen(
    values: NDArray[np.float64], part: Sequence[Stay | None], distribution: Distribution
) -> NDArray[np.float64]:
    """Surprise of a stay by how long it turns out to be, once it is past half of what is normal."""
    if len(part) != len(values):
        return values
    ends = [0.0 if s is None else distribution.surprise_of(s.last - s.start) for s in part]
    return foreseen(values, np.array(ends))


def foreseen(values: NDArray[np.float64], ends: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Surprise of a stay so far, and from half of what is normal on as it ends."""
    return np.where(values >= _PAST_HALF, np.fmax(values, ends), values)


def _lasting(
    values: NDArray[np.float64], times: NDArray[np.float64], seconds: float
) -> NDArray[np.float64]:
    """What is held for so long: a morphological opening along the last axis, so that a slip of the
    outline for a frame or two leaves no peak (Serra 1982)."""
    if len(times) < 3:
        return values
    gap = max(median(np.diff(times)), 1e-3)
    width = min(len(times), max(1, round(seconds / gap)))
    size = (1,) * (values.ndim - 1) + (width,)
    return np.asarray(grey_opening(values, size=size, mode="nearest"), np.float64)
