"""The first pass over normal clips: a few frames of each give the scene's geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.background import edges, learn_background
from tools.backends.embedded.perception.flow import grey
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.percepts import Analyser, Blob
from tools.backends.embedded.perception.perspective import fit_perspective, prior_perspective
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.backends.embedded.perception.store import frame_step
from tools.errors import UserError
from tools.ports import Clip, FrameSource, Progress
from tools.types import Interval

__all__ = ["analysis_size", "survey", "survey_interval"]

_SAME_VIEW = 0.65
"""Median edges of two clips of one viewpoint correlate by 0.9 and more, of two similar places by
about a half, of unlike ones by 0."""
_FEW = 5
"""With fewer frames of each clip, clips are compared with the median of all instead."""
_SAME_FEW = 0.55
"""People hide the edges of single frames: those of one viewpoint correlate with the median by 0.63
and more (draws of ten normal frames of Ped2 and of two rendered places), others by under 0.5."""
_LIMBS = 0.2
"""Spread of flow over speed: about 0.35 for walkers, under 0.15 for rigid objects."""
_MOVES = 0.06
"""Heights per second under which a window counts as standing."""
_LEAST_WINDOWS = 200
_LEAST_PEOPLE, _AGREE = 20, 0.3
"""Silhouettes, and the share of the candidates, that must agree on a perspective."""
_LEAST_PX = 64
"""In pictures lower or narrower than this, people are too few pixels tall to see them move."""
_LEAST_S = 1.0
"""Footage to learn from, all clips together: ten pairs of successive frames are twice as much."""
_LONG = 3000
"""Clips with more analysed frames are sampled by seeking instead of in one pass."""


@dataclass(frozen=True, eq=False)
class _Sample:
    before: NDArray[np.uint8]
    image: NDArray[np.uint8]
    seconds: float

    def resized(self, size: tuple[int, int]) -> _Sample:
        def small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

        return _Sample(small(self.before), small(self.image), self.seconds)


def analysis_size(width: int, height: int, most: int) -> tuple[int, int]:
    """Size at which frames are analysed: at most ``most`` pixels wide or high."""
    factor = min(1.0, most / max(width, height))
    return max(2, round(width * factor)), max(2, round(height * factor))


def survey(
    clips: Sequence[Clip], settings: PerceptionSettings, progress: Progress | None = None
) -> Geometry:
    """Geometry of the scene that all clips show.

    Raises UserError where they show several, or where nothing could be measured in them.
    """
    _check_enough(clips, settings)
    first = clips[0].source.info
    for clip in clips[1:]:
        info = clip.source.info
        if (info.width, info.height) != (first.width, first.height):
            raise UserError(
                f"{info.name} is {info.width}×{info.height} pixels, "
                f"{first.name} {first.width}×{first.height}: not one scene",
                remedy="induce rules for each viewpoint as a scene of its own",
            )
    size = analysis_size(first.width, first.height, settings.max_width)
    each = max(6, -(-settings.sample_frames // len(clips)))
    samples: list[list[_Sample]] = []
    for number, clip in enumerate(clips):
        if progress is not None:
            progress("surveying the scene", number, len(clips))
        taken = _samples(
            clip.source, clip.interval or clip.source.info.interval, size, each, settings
        )
        if not taken:
            raise UserError(
                f"{clip.source.info.name} has too few frames to learn from: two successive ones "
                "are needed",
                remedy="leave it out, or give a longer stretch of it",
            )
        samples.append(taken)
    _check_one_view(clips, samples)
    return _geometry(
        (first.width, first.height), size, [s for taken in samples for s in taken], settings
    )


def survey_interval(
    source: FrameSource, interval: Interval, settings: PerceptionSettings, around_s: float = 30.0
) -> Geometry | None:
    """Geometry of a video's own surroundings of an interval (no scene known); None: too short."""
    info = source.info
    wide = Interval.from_seconds(
        max(0.0, interval.start_s - around_s), interval.end_s + around_s, info.time_base
    )
    size = analysis_size(info.width, info.height, settings.max_width)
    common = wide.intersection(info.interval) or interval
    samples = _samples(source, common, size, settings.sample_frames // 2, settings)
    if not samples:
        return None
    return _geometry((info.width, info.height), size, samples, settings)


def _samples(
    source: FrameSource,
    interval: Interval,
    size: tuple[int, int],
    count: int,
    settings: PerceptionSettings,
) -> list[_Sample]:
    """Evenly spaced pairs of neighbouring analysed frames."""
    step = frame_step(source.info.fps, settings)
    pts = source.pts
    first, last = (int(i) for i in pts.searchsorted([interval.start, interval.end]))
    numbers = np.arange(-(-first // step), (last - 1) // step + 1)
    if len(numbers) < 2:
        return []
    wanted = {int(n) for n in numbers[1:][np.linspace(0, len(numbers) - 2, count).astype(int)]}
    spans = (
        [(int(numbers[0]), int(numbers[-1]))]
        if len(numbers) <= _LONG
        else [(n - 1, n) for n in sorted(wanted)]
    )
    base = float(source.info.time_base.fraction)
    samples: list[_Sample] = []
    for low, high in spans:
        stretch = Interval(
            start=int(pts[low * step]),
            end=int(pts[high * step]) + 1,
            time_base=source.info.time_base,
        )
        before = None
        for frame in source.frames(stretch, step=step, size=size):
            if before is not None and frame.index // step in wanted:
                samples.append(
                    _Sample(grey(before.image), frame.image, (frame.pts - before.pts) * base)
                )
            before = frame
    return samples


def _check_enough(clips: Sequence[Clip], settings: PerceptionSettings) -> None:
    """Raises UserError where the pictures are too small, too few a second or too few in all."""
    for clip in clips:
        info = clip.source.info
        if min(info.width, info.height) < _LEAST_PX:
            raise UserError(
                f"the pictures of {info.name} are too small to see anybody move: "
                f"{info.width}×{info.height} pixels",
                remedy=f"give clips of at least {_LEAST_PX}×{_LEAST_PX} pixels, better 360×240",
            )
        gaps = np.diff(clip.source.pts)
        gap = float(np.median(gaps) * info.time_base.fraction) if len(gaps) else 0.0
        if gap > 1.0 / settings.min_fps:
            raise UserError(
                f"{info.name} has {1 / gap:.1f} frames a second, too few to follow motion",
                remedy=f"give clips of at least {settings.min_fps:.0f} frames a second, "
                "better 10 or more",
            )
    seconds = sum((clip.interval or clip.source.info.interval).seconds for clip in clips)
    if seconds < _LEAST_S:
        raise UserError(
            f"there are {seconds:.1f} s of normal footage, too little to learn from",
            remedy=f"give at least {_LEAST_S:.0f} s in all, better a minute and more",
        )


def _check_one_view(clips: Sequence[Clip], samples: Sequence[Sequence[_Sample]]) -> None:
    if len(clips) < 2:
        return
    outlines = [
        edges(grey(np.median(np.stack([s.image for s in taken]), axis=0).astype(np.uint8)))
        for taken in samples
    ]
    agreement = np.array([[float((a * b).sum()) for b in outlines] for a in outlines])
    # The clip most alike to the others stands for the scene.
    centre = int(np.argmax(np.median(agreement, axis=1)))
    few = all(len(taken) < _FEW for taken in samples)
    if few:
        everything = np.stack([s.image for taken in samples for s in taken])
        common = edges(grey(np.median(everything, axis=0).astype(np.uint8)))
        agreement[centre] = [float((common * outline).sum()) for outline in outlines]
    for clip, value in zip(clips, agreement[centre], strict=True):
        if value < (_SAME_FEW if few else _SAME_VIEW):
            raise UserError(
                f"{clip.source.info.name} shows another viewpoint than "
                f"{clips[centre].source.info.name} (edges agree {value:.2f})",
                remedy="induce rules for each viewpoint as a scene of its own",
            )


def _geometry(
    full: tuple[int, int],
    size: tuple[int, int],
    samples: Sequence[_Sample],
    settings: PerceptionSettings,
) -> Geometry:
    background, threshold = learn_background([s.image for s in samples], settings)
    prior = prior_perspective(size[1])
    geometry = Geometry(
        full=full,
        size=size,
        background=background,
        threshold=threshold,
        offset=prior.offset,
        slope=prior.slope,
        walk=settings.walk_prior,
        people=False,
    )
    fitted = _fit(geometry, _silhouettes(geometry, samples, settings))
    if fitted is None:
        return geometry
    geometry, tall = fitted
    factor = settings.person_px[1] / tall
    smaller = (max(32, round(size[0] * factor)), max(32, round(size[1] * factor)))
    if factor < 0.9 and smaller[0] < size[0]:  # people are large: analyse a smaller image
        return _geometry(full, smaller, [s.resized(smaller) for s in samples], settings)
    return replace(geometry, walk=_walk(geometry, samples, settings))


def _silhouettes(
    geometry: Geometry, samples: Sequence[_Sample], settings: PerceptionSettings
) -> NDArray[np.float64]:
    analyse = Analyser(geometry, settings)
    rows = [analyse(0, 0, s.image, s.before, s.seconds).blobs for s in samples]
    found = np.concatenate(rows).astype(np.float64)
    return np.asarray(found[found[:, Blob.FAST] == 0], np.float64)


def _fit(geometry: Geometry, rows: NDArray[np.float64]) -> tuple[Geometry, float] | None:
    """The geometry with measured perspective and the median height; None: no people to measure.

    Silhouettes count that are upright, whole, solid and moving. They are people if, taken
    together, their flow varies inside them as limbs do (a rigid object's hardly varies).
    """
    if not len(rows):
        return None
    width, height = geometry.size
    wide = rows[:, Blob.X1] - rows[:, Blob.X0]
    tall = rows[:, Blob.Y1] - rows[:, Blob.Y0]
    speed = np.hypot(rows[:, Blob.U], rows[:, Blob.V])
    whole = (
        (rows[:, Blob.X0] > 1)
        & (rows[:, Blob.Y0] > 0)
        & (rows[:, Blob.X1] < width - 1)
        & (rows[:, Blob.Y1] < height - 1)
    )
    upright = (tall >= 1.3 * wide) & (tall <= 5 * wide) & (tall >= 8) & (tall <= 0.6 * height)
    solid = rows[:, Blob.AREA] > 0.35 * wide * tall
    moving = (rows[:, Blob.STILL] < 0.9) & (rows[:, Blob.GHOST] < 0.2)
    used = whole & upright & solid & moving
    line = fit_perspective(rows[used, Blob.Y1], tall[used], height)
    if line is None or line.support < _LEAST_PEOPLE or line.agreement < _AGREE:
        return None
    expected = np.maximum(line.offset + line.slope * rows[:, Blob.Y1], 4.0)
    agree = used & (np.abs(np.log(tall / expected)) < 0.26)
    limbs = float(np.median(rows[agree, Blob.SPREAD] / np.maximum(speed[agree], 1e-3)))
    if limbs < _LIMBS:
        return None
    fitted = replace(
        geometry, offset=line.offset, slope=line.slope, people=True, support=line.support
    )
    return fitted, float(np.median(expected[agree]))


def _walk(geometry: Geometry, samples: Sequence[_Sample], settings: PerceptionSettings) -> float:
    """Median speed of the moving windows, heights per second; the prior where nothing moves."""
    analyse = Analyser(geometry, settings)
    speeds: list[NDArray[np.float64]] = []
    for sample in samples:
        seen = analyse(0, 0, sample.image, sample.before, sample.seconds).windows
        speeds.append(np.hypot(seen.u.astype(np.float64), seen.v.astype(np.float64)))
    everything = np.concatenate(speeds)
    moving = everything[everything > _MOVES]
    if len(moving) < _LEAST_WINDOWS:
        return settings.walk_prior
    return float(np.median(moving))
