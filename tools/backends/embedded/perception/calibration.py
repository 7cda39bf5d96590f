"""What a frame's surprise is worth: a threshold that stands for a rate of false alarms.

Frames of normal clips are scored by statistics learned without them (cross-conformal; Vovk, *Annals
of Mathematics and Artificial Intelligence* 2015). The series is then given in units of the value
that one frame in a hundred of those exceeds, so that 1 means just that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from tools.ports import Clip
from tools.types import Interval

__all__ = ["FALSE_ALARMS", "FrameLimit", "crossed", "frame_limit", "stretches"]

FALSE_ALARMS = 0.01
"""Share of normal frames at or above 1."""
_MOMENT_S = 2.0
"""Frames nearer to one another than this show the same people doing the same."""
_TAIL = 0.25
_FOLDS = 5


@dataclass(frozen=True)
class FrameLimit:
    """The value exceeded by ``FALSE_ALARMS`` of held-out normal frames; ``moments`` of them differ.

    ``extrapolated``: too few to show this rate; the tail was extended, not observed.
    """

    value: float
    moments: int
    extrapolated: bool


def frame_limit(values: NDArray[np.float64], seconds: float) -> FrameLimit | None:
    """The limit from held-out frames' surprise over ``seconds`` of footage; None without frames.

    The conformal rank where there are moments enough, else an exponential tail over the upper
    quartile (peaks over threshold; Pickands 1975, shape 0), if that is larger.
    """
    if not len(values):
        return None
    ascending = np.sort(values)
    moments = int(seconds / _MOMENT_S)
    rank = min(len(ascending), ceil((len(ascending) + 1) * (1 - FALSE_ALARMS)))
    value = float(ascending[rank - 1])
    short = moments < 1 / FALSE_ALARMS
    if short:
        start = float(np.quantile(ascending, 1 - _TAIL))
        excess = ascending[ascending > start] - start
        if len(excess):
            value = max(value, start + float(excess.mean()) * log(_TAIL / FALSE_ALARMS))
    return FrameLimit(value=max(value, 1e-3), moments=moments, extrapolated=short)


def stretches(clips: Sequence[Clip]) -> list[Clip]:
    """The clips, cut into blocks of time where there are fewer than five: something to hold out."""
    blocks = -(-_FOLDS // len(clips)) if clips else 1
    return [part for clip in clips for part in _cut(clip, blocks)]


def _cut(clip: Clip, blocks: int) -> list[Clip]:
    whole = clip.interval or clip.source.info.interval
    count = max(1, min(blocks, int(whole.seconds / _MOMENT_S)))
    ends = [whole.start + round(i * (whole.end - whole.start) / count) for i in range(count + 1)]
    return [
        Clip(clip.source, Interval(start=a, end=b, time_base=whole.time_base))
        for a, b in pairwise(ends)
    ]


def crossed(
    count: int, scored: Callable[[Sequence[int], Sequence[int]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Values of all of ``count`` stretches, each scored by what was learned from others.

    ``scored(rest, held)`` gives the values of the stretches ``held``; neighbours, which may show
    the same people, are held out together.
    """
    if count < 2:
        return np.zeros(0)
    parts = np.array_split(np.arange(count), min(_FOLDS, count))
    found = [
        scored([i for i in range(count) if i not in set(part.tolist())], part.tolist())
        for part in parts
    ]
    return np.concatenate(found)
