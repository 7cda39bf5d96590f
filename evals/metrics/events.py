"""Event-level metrics: were the abnormal stretches found, and was anything else flagged?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from tools.decision import Label
from tools.errors import UserError
from tools.types import Box

__all__ = ["Hits", "LabelCounts", "boxes_overlap", "count_labels", "interval_hits", "interval_iou"]

Span = tuple[float, float]
"""Half-open, in one unit throughout (frames or seconds)."""


@dataclass(frozen=True)
class Hits:
    """Counts of one or more videos; they add up with ``+``."""

    truths: int
    """Abnormal stretches in truth."""
    hit: int
    """Of these, touched by a flagged stretch."""
    flagged: int
    false: int
    """Flagged stretches that touch no true one."""

    def __add__(self, other: Hits) -> Hits:
        return Hits(
            self.truths + other.truths,
            self.hit + other.hit,
            self.flagged + other.flagged,
            self.false + other.false,
        )

    @property
    def recall(self) -> float | None:
        """Share of true stretches found; None where there are none."""
        return self.hit / self.truths if self.truths else None

    @property
    def precision(self) -> float | None:
        """Share of flagged stretches that are true; None where nothing was flagged."""
        return 1 - self.false / self.flagged if self.flagged else None


@dataclass(frozen=True)
class LabelCounts:
    """How many decisions carry which label; a failed item is none of them."""

    normal: int = 0
    anomalous: int = 0
    uncertain: int = 0
    failed: int = 0


def interval_hits(flagged: Sequence[Span], truth: Sequence[Span]) -> Hits:
    """Match flagged stretches with true ones: any overlap is a hit, touching ends are not.

    Raises UserError for an empty or reversed stretch.
    """
    for start, end in (*flagged, *truth):
        if not end > start:
            raise UserError(f"an empty interval [{start}, {end})")
    return Hits(
        truths=len(truth),
        hit=sum(any(_meet(t, f) for f in flagged) for t in truth),
        flagged=len(flagged),
        false=sum(not any(_meet(f, t) for t in truth) for f in flagged),
    )


def interval_iou(flagged: Sequence[Span], truth: Sequence[Span]) -> float:
    """Intersection over union of the two sets of instants, in [0, 1].

    Overlapping stretches of one side count once. Raises UserError where both are empty.
    """
    edges = sorted({edge for span in (*flagged, *truth) for edge in span})
    if not edges:
        raise UserError("the overlap of nothing with nothing is undefined")
    common = union = 0.0
    for start, end in itertools.pairwise(edges):
        inside = [any(s <= start and end <= e for s, e in side) for side in (flagged, truth)]
        common += (end - start) * all(inside)
        union += (end - start) * any(inside)
    return common / union


def count_labels(labels: Sequence[Label | None]) -> LabelCounts:
    """Count decisions by label; None stands for a failed item."""
    return LabelCounts(
        normal=sum(x is Label.NORMAL for x in labels),
        anomalous=sum(x is Label.ANOMALOUS for x in labels),
        uncertain=sum(x is Label.UNCERTAIN for x in labels),
        failed=sum(x is None for x in labels),
    )


def boxes_overlap(a: Box, b: Box) -> bool:
    """Whether two half-open boxes share a pixel."""
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


def _meet(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]
