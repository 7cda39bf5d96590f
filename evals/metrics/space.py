"""Was the abnormal thing found where it is? Boxes are half-open pixel rectangles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from tools.types import Box

__all__ = ["Detections", "Located", "Region", "box_iou", "pointed", "rbdc", "tbdc"]

Array = NDArray[np.float64]
OVERLAP = 0.1
"""IoU at which a found region detects a true one (β of Ramachandra & Jones 2020)."""
TRACK_SHARE = 0.1
"""Share of a track's regions to be detected for the track to count (their α)."""


@dataclass(frozen=True)
class Region:
    """A region found in one frame, with its score."""

    frame: int
    box: Box
    score: float


@dataclass(frozen=True)
class Located:
    """Found regions and true tracks of one video."""

    frames: int
    found: Sequence[Region]
    tracks: Sequence[Mapping[int, Box]] = field(default_factory=tuple)
    """One mapping per abnormal thing, frame → box; without tracks each box stands alone."""


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of areas, in [0, 1]."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - shared)


def pointed(box: Box, truth: Sequence[Box]) -> bool:
    """Whether the centre of ``box`` lies in a true box (pointing game, Zhang et al. 2016)."""
    x, y = box.center
    return any(b.x0 <= x < b.x1 and b.y0 <= y < b.y1 for b in truth)


def rbdc(videos: Sequence[Located], *, overlap: float = OVERLAP) -> float:
    """Region-based detection criterion (Ramachandra & Jones 2020, "Street Scene").

    A true region is detected by a found one in the same frame at IoU ≥ ``overlap``; a found region
    without such a partner is false. The value is the area under detected share against false
    regions per frame, from 0 to 1 of the latter. Raises MetricUndefined without true regions.
    """
    return _once(Detections.of_regions(videos, overlap=overlap))


def tbdc(
    videos: Sequence[Located], *, overlap: float = OVERLAP, share: float = TRACK_SHARE
) -> float:
    """Track-based detection criterion: as :func:`rbdc`, for tracks.

    A track is detected at a threshold where at least ``share`` of its regions are.
    """
    return _once(Detections.of_tracks(videos, overlap=overlap, share=share))


@dataclass(frozen=True, eq=False)
class Detections:
    """What each video adds to the curve, per score level from the highest down."""

    false: Array
    """Shape ``(videos, levels)``: found regions without a partner, at this very score."""
    detected: Array
    """Shape ``(videos, levels)``: true regions or tracks first detected here."""
    truths: Array
    """Shape ``(videos,)``, as frames."""
    frames: Array

    @classmethod
    def of_regions(cls, videos: Sequence[Located], *, overlap: float = OVERLAP) -> Detections:
        """Every true box counts."""
        best = [[s for t in v.tracks for s in _scores_of(v, t, overlap)] for v in videos]
        return cls._of(videos, best, overlap)

    @classmethod
    def of_tracks(
        cls, videos: Sequence[Located], *, overlap: float = OVERLAP, share: float = TRACK_SHARE
    ) -> Detections:
        """Every true track counts once."""
        best: list[list[float]] = []
        for video in videos:
            best.append([])
            for track in video.tracks:
                scores = sorted(_scores_of(video, track, overlap), reverse=True)
                if scores:
                    need = max(1, int(np.ceil(share * len(scores) - 1e-9)))
                    best[-1].append(scores[need - 1])
        return cls._of(videos, best, overlap)

    @classmethod
    def _of(
        cls, videos: Sequence[Located], best: Sequence[Sequence[float]], overlap: float
    ) -> Detections:
        false = [[r.score for r in v.found if not _partner(v, r, overlap)] for v in videos]
        hit = [[b for b in scores if b > float("-inf")] for scores in best]
        levels = np.unique([s for side in (false, hit) for scores in side for s in scores])

        def table(side: Sequence[Sequence[float]]) -> Array:
            rows = [
                np.bincount(np.searchsorted(levels, scores), minlength=len(levels))[::-1]
                for scores in side
            ]
            return np.array(rows, np.float64).reshape(len(videos), len(levels))

        return cls(
            false=table(false),
            detected=table(hit),
            truths=np.array([len(b) for b in best], np.float64),
            frames=np.array([v.frames for v in videos], np.float64),
        )

    def area(self, counts: NDArray[np.int64]) -> Array:
        """The criterion per draw of videos, counts ``(draws, videos)``; NaN without truths."""
        out = np.full(len(counts), np.nan)
        for i, row in enumerate(counts.astype(np.float64)):
            truths = float(row @ self.truths)
            if truths:
                rate = np.cumsum(row @ self.false) / float(row @ self.frames)
                out[i] = _below(rate, np.cumsum(row @ self.detected) / truths)
        return out


def _once(counted: Detections) -> float:
    if not counted.truths.sum():
        raise MetricUndefined("no true regions")
    return float(counted.area(np.ones((1, len(counted.truths)), np.int64))[0])


def _scores_of(video: Located, track: Mapping[int, Box], overlap: float) -> list[float]:
    """Highest score of a region that detects each box of the track; −inf where none does."""
    found: dict[int, list[Region]] = {}
    for region in video.found:
        found.setdefault(region.frame, []).append(region)
    return [
        max(
            (r.score for r in found.get(frame, ()) if box_iou(r.box, box) >= overlap),
            default=float("-inf"),
        )
        for frame, box in track.items()
    ]


def _below(rate: Array, share: Array) -> float:
    """Area under share against rate, both rising from 0, up to a rate of 1."""
    x, y = np.concatenate([[0.0], rate]), np.concatenate([[0.0], share])
    # Beyond the last false region nothing more is found: the curve runs on level.
    if x[-1] < 1.0:
        x, y = np.append(x, 1.0), np.append(y, y[-1])
    inside = x <= 1.0
    if not inside.all():
        at_one = float(np.interp(1.0, x, y))
        x, y = np.append(x[inside], 1.0), np.append(y[inside], at_one)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)


def _partner(video: Located, region: Region, overlap: float) -> bool:
    return any(
        region.frame in track and box_iou(region.box, track[region.frame]) >= overlap
        for track in video.tracks
    )
