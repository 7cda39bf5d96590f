"""Generic event boundaries: how many true ones were found, and how many found ones are true.

After Shou et al., "Generic Event Boundary Detection: A Benchmark for Event Segmentation" (ICCV
2021): a found boundary is right where its distance to a true one is at most a share (0.05) of the
length of the video, each true one taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.metrics.curves import MetricUndefined
from tools.errors import UserError

__all__ = ["RELATIVE", "BoundaryCounts", "gebd_counts", "gebd_f1"]

RELATIVE = 0.05


@dataclass(frozen=True)
class BoundaryCounts:
    """Boundaries of one video or several: add them up with ``+``."""

    right: int
    found: int
    true: int

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(
            self.right + other.right, self.found + other.found, self.true + other.true
        )

    @property
    def precision(self) -> float:
        """Raises MetricUndefined where none was found."""
        if not self.found:
            raise MetricUndefined("no boundary was found")
        return self.right / self.found

    @property
    def recall(self) -> float:
        """Raises MetricUndefined where there is none to be found."""
        if not self.true:
            raise MetricUndefined("there is no true boundary")
        return self.right / self.true

    @property
    def f1(self) -> float:
        """2 · right / (found + true). Raises MetricUndefined where both are 0."""
        if self.found + self.true == 0:
            raise MetricUndefined("no boundaries, true or found")
        return 2 * self.right / (self.found + self.true)


def gebd_counts(
    found: Sequence[float], true: Sequence[float], seconds: float, *, relative: float = RELATIVE
) -> BoundaryCounts:
    """Boundaries of one video, in seconds; one-to-one, as many pairs as there can be.

    Raises UserError for a length or tolerance that is none.
    """
    if not seconds > 0 or not relative > 0:
        raise UserError(f"no tolerance of {relative} in {seconds} s")
    reach, right, left = relative * seconds + 1e-9, 0, sorted(found)
    # In one dimension, giving each true boundary the earliest free one in reach is the best match.
    for at in sorted(true):
        near = next((i for i, f in enumerate(left) if abs(f - at) <= reach), None)
        if near is not None:
            del left[: near + 1]
            right += 1
    return BoundaryCounts(right, len(found), len(true))


def gebd_f1(
    videos: Sequence[tuple[Sequence[float], Sequence[float], float]],
    *,
    relative: float = RELATIVE,
) -> float:
    """Mean over videos of their F1, as the benchmark does; a video with none on both sides is 1.

    ``videos``: (found, true, length) in seconds. Raises MetricUndefined without videos.
    """
    if not videos:
        raise MetricUndefined("no videos")
    each = []
    for found, true, seconds in videos:
        counts = gebd_counts(found, true, seconds, relative=relative)
        each.append(counts.f1 if counts.found + counts.true else 1.0)
    return float(np.mean(each))
