"""Parts of a boundary signal that detectors have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.ports import BoundarySignal

__all__ = ["joined", "robust", "with_cuts"]

Values = NDArray[np.float32]


def joined(pieces: list[BoundarySignal]) -> BoundarySignal:
    """Pieces of one signal, in order, as one."""
    if len(pieces) == 1:
        return pieces[0]
    return BoundarySignal(
        pieces[0].video_id,
        np.concatenate([p.frames for p in pieces]),
        np.concatenate([p.pts for p in pieces]),
        np.concatenate([p.confidence for p in pieces]),
        np.concatenate([p.novelty for p in pieces]),
        pieces[0].detector,
        tuple(c for p in pieces for c in p.cuts),
    )


def robust(values: Values, usual: Values | None, floors: float | NDArray[np.float64]) -> Values:
    """(value − median) / (1.4826 MAD) of what is usual, along the first axis, not below 0.

    ``floors`` bound the spread from below; where nothing is known they are all there is.
    """
    if usual is None:
        return np.asarray(values / floors, dtype=np.float32)
    middle = np.median(usual, axis=0)
    spread = 1.4826 * np.median(np.abs(usual - middle), axis=0)
    deviation = (values - middle) / np.maximum(spread, floors)
    return np.asarray(np.maximum(0.0, deviation), dtype=np.float32)


def with_cuts(
    signal: BoundarySignal, cuts: NDArray[np.int64], times: NDArray[np.int64]
) -> BoundarySignal:
    """The signal with a sample of confidence 1 at every cut; ``times`` in ticks."""
    if not len(cuts):
        return signal
    frames, first = np.unique(np.concatenate([signal.frames, cuts]), return_index=True)
    nearest = np.minimum(np.searchsorted(signal.frames, frames), len(signal.frames) - 1)
    confidence = signal.confidence[nearest].copy()
    confidence[np.isin(frames, cuts)] = 1.0
    return BoundarySignal(
        signal.video_id,
        frames,
        np.concatenate([signal.pts, times])[first],
        confidence,
        signal.novelty[nearest],
        signal.detector,
        tuple(int(c) for c in cuts),
    )
