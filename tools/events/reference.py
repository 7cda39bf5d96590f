"""The event tree of the describe-and-verify reference system (VADTree), from its description.

Its clusters are those of a seeded k-means rather than the best ones, so the seeded search is
followed here draw by draw: a published tree comes out exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tools.events.peaks import peaks

__all__ = ["ReferenceSpans", "reference_spans", "seeded_threshold"]

Span = tuple[int, int]
Array = NDArray[np.float64]

STARTS = 10
TRIALS = 2
"""Candidates for the second centre: 2 + ⌊ln 2⌋."""
ROUNDS = 300
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ReferenceSpans:
    """Spans ``(first, last)`` of sample indices, both inclusive and shared with the neighbour."""

    coarse: tuple[Span, ...]
    fine: tuple[Span, ...]
    redundant: tuple[Span, ...] = ()
    """Coarse, then fine candidates that contain another of their kind; outer before inner.
    Where clustering is impossible, the leaves once more."""


def reference_spans(
    confidence: Array, gamma: float, *, order: Sequence[int] | None = None
) -> ReferenceSpans:
    """Coarse, fine and redundant spans.

    [0, n−1] is split depth first at the strongest peak inside (ties: the earliest) and every
    internal node is kept with the confidences of its ends (the video's ends count 1.0). Two-means
    over the cuts gives a threshold: nodes with both ends at or above it are coarse, the others
    fine; a node that contains another of its kind is redundant; where fine nodes leave a gap, the
    coarse nodes there fill it. With fewer than two distinct cuts, both are the leaves.

    Args:
        confidence: shape ``(samples,)``.
        gamma: least confidence of a peak.
        order: the peaks in the order of their use, where it is known otherwise.
    """
    last = len(confidence) - 1
    if last < 1:
        return ReferenceSpans(((0, 0),), ((0, 0),), ((0, 0),))
    found = peaks(confidence, gamma)
    if order is None:
        order = sorted(found.tolist(), key=lambda p: (-confidence[p], p))
    nodes = _split(last, order)
    leaves = tuple(pairwise(sorted({end for node in nodes for end in node})))
    threshold = seeded_threshold(confidence[found])
    if threshold is None:
        return ReferenceSpans(leaves, leaves, leaves)
    strong = {0, last, *(p for p in order if confidence[p] >= threshold)}
    candidates = [n for n in nodes if strong.issuperset(n)]
    coarse = _innermost(candidates)
    others = [n for n in nodes if not strong.issuperset(n)]
    fine = _innermost(others)
    gaps = [c for c in coarse if not any(f[0] < c[1] and c[0] < f[1] for f in fine)]
    kept = {*coarse, *fine}
    return ReferenceSpans(
        tuple(coarse),
        tuple(sorted([*fine, *gaps])),
        tuple(n for n in [*candidates, *others] if n not in kept),
    )


def _split(last: int, order: Sequence[int]) -> list[Span]:
    """All nodes, each before its parts and the left part before the right (depth first)."""
    ends, nodes = [0, last], [(0, last)]
    # Splitting the piece a peak lies in, strongest peak first, visits the nodes depth first does.
    for peak in order:
        after = int(np.searchsorted(ends, peak))
        nodes += [(ends[after - 1], peak), (peak, ends[after])]
        ends.insert(after, peak)
    return sorted(nodes, key=lambda n: (n[0], -n[1]))


def _innermost(nodes: Sequence[Span]) -> list[Span]:
    """The nodes that contain no other, in order. Nodes are nested or apart."""
    kept: list[Span] = []
    for node in sorted(set(nodes), key=lambda n: (n[0], -n[1])):
        while kept and kept[-1][0] <= node[0] and node[1] <= kept[-1][1]:
            kept.pop()
        kept.append(node)
    return kept


# ---------------------------------------------------------------- the seeded clusters


def seeded_threshold(values: Array) -> float | None:
    """Least value of the higher of two clusters that k-means finds from ten seeded starts.

    k-means++ (Arthur and Vassilvitskii, 2007) with the better of two candidates for the second
    centre, then Lloyd's rounds; the best of ten starts stays. Numbers are drawn in the order of
    scikit-learn's ``KMeans(2, n_init=10, random_state=0)``, which the reference tree rests on and
    which at times misses the best split. None where there are fewer than two distinct values.
    """
    if len(values) < 2 or np.all(values == values[0]):
        return None
    points = np.asarray(values, dtype=np.float64) - float(np.mean(values))
    dice = np.random.RandomState(0)
    best, labels = np.inf, np.zeros(len(points), dtype=bool)
    for _ in range(STARTS):
        high, error = _lloyd(points, _centres(points, dice))
        if error < best:
            best, labels = error, high
    return float(values[labels].min()) if labels.any() and not labels.all() else None


def _centres(points: Array, dice: np.random.RandomState) -> Array:
    first = points[dice.choice(len(points), p=np.full(len(points), 1 / len(points)))]
    distance = (points - first) ** 2
    total = np.cumsum(distance)
    drawn = np.searchsorted(total, dice.uniform(size=TRIALS) * distance.sum())
    candidates = points[np.minimum(drawn, len(points) - 1)]
    left = np.minimum(distance, (points - candidates[:, None]) ** 2).sum(axis=1)
    return np.array([first, candidates[int(np.argmin(left))]])


def _lloyd(points: Array, centres: Array) -> tuple[NDArray[np.bool_], float]:
    """Which points are in the higher cluster, and the squared error."""
    enough = TOLERANCE * float(points.var())
    before = None
    for _ in range(ROUNDS):
        second = np.abs(points - centres[1]) < np.abs(points - centres[0])
        if second.all() or not second.any():
            break
        moved = np.array([points[~second].mean(), points[second].mean()])
        shift, centres = float(((moved - centres) ** 2).sum()), moved
        if before is not None and np.array_equal(second, before):
            break
        if shift <= enough:
            second = np.abs(points - centres[1]) < np.abs(points - centres[0])
            break
        before = second
    error = float(((points - centres[second.astype(int)]) ** 2).sum())
    return (second if centres[1] > centres[0] else ~second), error
