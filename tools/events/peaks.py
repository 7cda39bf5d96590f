"""Peaks of a boundary signal, and the two strengths they fall into."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["peaks", "plateaus", "two_means_threshold"]


def peaks(confidence: NDArray[np.float64], gamma: float) -> NDArray[np.int64]:
    """Interior samples with confidence ≥ ``gamma`` and ≥ both neighbours; shape ``(k,)``."""
    if len(confidence) < 3:
        return np.zeros(0, dtype=np.int64)
    middle = confidence[1:-1]
    keep = (middle >= gamma) & (middle >= confidence[:-2]) & (middle >= confidence[2:])
    return np.flatnonzero(keep) + 1


def plateaus(confidence: NDArray[np.float64], gamma: float) -> NDArray[np.int64]:
    """Runs of equal confidence ≥ ``gamma`` with lower ones on both sides: one peak each.

    First and last sample of each, shape ``(k, 2)``. A run that reaches an end of the signal is
    no peak.
    """
    if len(confidence) < 3:
        return np.zeros((0, 2), dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(confidence) != 0]))
    ends = np.concatenate([starts[1:], [len(confidence)]]) - 1
    level = confidence[starts]
    keep = np.zeros(len(starts), dtype=bool)
    keep[1:-1] = (level[1:-1] > level[:-2]) & (level[1:-1] > level[2:]) & (level[1:-1] >= gamma)
    return np.stack([starts[keep], ends[keep]], axis=1)


def two_means_threshold(values: Iterable[float]) -> float | None:
    """Least value of the higher of two clusters with the least squared error (exact, 1-D).

    None where there are fewer than two distinct values.
    """
    ordered = np.sort(np.asarray(list(values), dtype=np.float64))
    count = len(ordered)
    if count < 2 or ordered[0] == ordered[-1]:
        return None
    total, squares = np.cumsum(ordered), np.cumsum(ordered**2)
    low = np.arange(1, count)
    error_low = squares[:-1] - total[:-1] ** 2 / low
    error_high = squares[-1] - squares[:-1] - (total[-1] - total[:-1]) ** 2 / (count - low)
    error = np.where(ordered[1:] > ordered[:-1], error_low + error_high, np.inf)
    return float(ordered[int(np.argmin(error)) + 1])
