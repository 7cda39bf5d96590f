"""What a frame's surprise is worth: a threshold that stands for a rate of false alarms.

Frames of normal clips are scored by statistics learned without them (cross-conformal; Vovk, *Annals
of Mathematics and Artificial Intelligence* 2015). The series is then given in units of the value
that one frame in a hundred of those exceeds, so that 1 means just that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.statistics import FrameScale, Normal
from tools.ports import Clip
from tools.types import Interval

__all__ = [
    "FALSE_ALARMS",
    "LEAST_MOMENTS",
    "FrameLimit",
    "FrameValues",
    "frame_limit",
    "frame_limits",
    "span",
]

FALSE_ALARMS = FrameScale.RARE
"""Share of normal frames at or above 1."""
_MOMENT_S = 2.0
"""Frames nearer to one another than this show the same people doing the same."""
LEAST_MOMENTS = 50
"""Moments of normal footage from which objects' attributes besides motion count in a frame."""
_TAIL = 0.25
_FOLDS = 5

FrameValues = Mapping[str, NDArray[np.float64]]
"""Surprise of frames by ``motion`` and by other attributes of objects, each shape ``(n,)``."""


@dataclass(frozen=True)
class FrameLimit:
    """The value exceeded by ``FALSE_ALARMS`` of held-out normal frames; ``moments`` of them differ.

    ``extrapolated``: too few to show this rate; the tail was extended, not observed.
    """

    value: float
    moments: int
    extrapolated: bool
    levels: tuple[float, ...] = ()
    """What each of ``FrameScale.SHARES`` of those frames exceeds; empty with few moments."""

    @property
    def scale(self) -> FrameScale:
        return FrameScale(self.value, self.levels)


def frame_limit(values: NDArray[np.float64], seconds: float) -> FrameLimit | None:
    """The limit from held-out frames' surprise over ``seconds`` of footage; None without frames.

    The conformal rank where there are m = 1 / rate moments or more, else an exponential tail over
    the upper quartile (peaks over threshold; Pickands 1975, shape 0), if that is larger, widened by
    1 + (1 − m · rate) / √m: a few moments show a few people.
    """
    if not len(values):
        return None
    ascending = np.sort(values)
    moments = int(seconds / _MOMENT_S)
    rank = min(len(ascending), ceil((len(ascending) + 1) * (1 - FALSE_ALARMS)))
    value = float(ascending[rank - 1])
    at = int(np.searchsorted(ascending, value))
    if len(ascending) - at > max(1, len(ascending) - rank + 1):  # many alike: the next value above
        above = int(np.searchsorted(ascending, value, side="right"))
        value = float(ascending[above]) if above < len(ascending) else 1.01 * value
    short = moments < 1 / FALSE_ALARMS
    if short:
        start = float(np.quantile(ascending, 1 - _TAIL))
        excess = ascending[ascending > start] - start
        if len(excess):
            value = max(value, start + float(excess.mean()) * log(_TAIL / FALSE_ALARMS))
        value *= 1 + (1 - moments * FALSE_ALARMS) / max(moments, 1) ** 0.5
    return FrameLimit(value=max(value, 1e-3), moments=moments, extrapolated=short)


def frame_limits(
    clips: Sequence[Clip],
    learned: Callable[[Sequence[Clip]], Normal],
    scored: Callable[[Clip, Normal], FrameValues],
) -> dict[str, FrameLimit]:
    """Limits of frames' surprise by each attribute, ``motion`` among them.

    All are raised alike so that the largest, each in units of its limit, exceeds 1 in one held-out
    normal frame of a hundred. Those of objects' attributes are at least 1, which is the limit of
    their own values; ``other`` is that of attributes by which nobody stood out. From fewer than
    ``LEAST_MOMENTS`` moments only motion gets a limit: where and how long people stay, which way
    they go and how large they can be was hardly seen. Empty where no footage can be held out.

    Args:
        learned: statistics of normal clips.
        scored: surprise of a clip's frames under statistics.
    """
    parts = [part for clip in clips for part in _cut(clip, -(-_FOLDS // len(clips)))]
    if len(parts) < 2:
        return {}
    found: list[FrameValues] = []
    # Neighbours may show the same people: they are held out together.
    for fold in np.array_split(np.arange(len(parts)), min(_FOLDS, len(parts))):
        out = set(fold.tolist())
        known = learned([p for n, p in enumerate(parts) if n not in out])
        found += [scored(parts[n], known) for n in sorted(out)]
    seconds = sum(span(clip).seconds for clip in clips)
    limits: dict[str, FrameLimit] = {}
    largest = np.zeros(sum(len(f["motion"]) for f in found))
    names = {name for f in found for name in f} | {"other"}
    for name in sorted(names) if seconds >= LEAST_MOMENTS * _MOMENT_S else ["motion"]:
        values = np.concatenate([f.get(name, np.zeros(len(f["motion"]))) for f in found])
        limit = frame_limit(values, seconds)
        if limit is None:
            return {}
        least = limit.value if name == "motion" else 1.0
        levels = np.quantile(values, [1 - share for share in FrameScale.SHARES])
        limits[name] = replace(
            limit, value=max(least, limit.value), levels=tuple(float(v) for v in levels)
        )
        largest = np.fmax(largest, values / limits[name].value)
    whole = frame_limit(largest, seconds)
    factor = max(1.0, whole.value) if whole is not None else 1.0
    return {k: replace(limit, value=factor * limit.value) for k, limit in limits.items()}


def span(clip: Clip) -> Interval:
    """The stretch of its video that a clip is."""
    return clip.interval or clip.source.info.interval


def _cut(clip: Clip, blocks: int) -> list[Clip]:
    """A clip in blocks of time, so that there is something to hold out of a few clips."""
    whole = span(clip)
    count = max(1, min(blocks, int(whole.seconds / _MOMENT_S)))
    ends = [whole.start + round(i * (whole.end - whole.start) / count) for i in range(count + 1)]
    return [
        Clip(clip.source, Interval(start=a, end=b, time_base=whole.time_base))
        for a, b in pairwise(ends)
    ]
