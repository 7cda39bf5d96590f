"""From the scores an agent gives at the frames it analysed to one score per frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.errors import UserError

__all__ = ["NEUTRAL", "Dense", "densify"]

NEUTRAL = 0.5
"""Score of a frame without an answer: exactly the alarm threshold, neither flagged nor cleared."""


@dataclass(frozen=True, eq=False)
class Dense:
    """One score per frame, and where each came from."""

    scores: NDArray[np.float64]
    answered: NDArray[np.bool_]
    """False where no analysed frame is near and the neutral score stands."""

    @property
    def coverage(self) -> float:
        return float(self.answered.mean())


def densify(frames: int, at: Sequence[int], scores: Sequence[float], *, max_gap: int) -> Dense:
    """Scores of shape ``(frames,)``, linear between analysed frames, held at the two ends.

    A gap of more than ``max_gap`` frames between analysed frames, or between one and the end of
    the video, is not bridged: its frames keep the neutral score and count as unanswered.
    Later entries win where a frame comes twice. Raises UserError for frames outside the video.
    """
    if len(at) != len(scores):
        raise UserError(f"{len(scores)} scores for {len(at)} frames")
    known = dict(zip(at, scores, strict=True))
    if known and not (min(known) >= 0 and max(known) < frames):
        raise UserError(f"scored frames {min(known)}…{max(known)} lie outside 0…{frames - 1}")
    out, answered = np.full(frames, NEUTRAL), np.zeros(frames, bool)
    if not known:
        return Dense(out, answered)
    keys = np.array(sorted(known))
    values = np.array([known[int(k)] for k in keys], float)
    line = np.interp(np.arange(frames), keys, values)
    spans = [(0, int(keys[0]))] if keys[0] <= max_gap else []
    spans += [(int(a), int(b)) for a, b in itertools.pairwise(keys) if b - a <= max_gap]
    if frames - 1 - keys[-1] <= max_gap:
        spans.append((int(keys[-1]), frames - 1))
    answered[keys] = True
    for start, end in spans:
        answered[start : end + 1] = True
    out[answered] = line[answered]
    return Dense(out, answered)
