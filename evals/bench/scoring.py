"""What scoring costs: hours of timelines made up for the purpose, scored from memory."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from evals.figures import figures
from evals.model import Found, Outcome, Pair, Sample
from tools.decision import Label
from tools.types import Frozen

__all__ = ["ScoringCost", "made_up", "scoring"]


class ScoringCost(Frozen):
    """Seconds of wall clock, peak memory of the process in MB."""

    seconds: float
    peak_mb: float
    frames: int
    videos: int


def scoring(hours: float = 10.0, *, videos: int = 120, fps: float = 30.0) -> ScoringCost:
    """Score ``hours`` of random timelines with every metric and 1000 resamples."""
    pairs = made_up(hours, videos=videos, fps=fps)
    begun = time.perf_counter()
    figures(pairs)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return ScoringCost(
        seconds=round(seconds, 2),
        peak_mb=round(peak / scale, 1),
        frames=sum(p.sample.frames for p in pairs),
        videos=len(pairs),
    )


def made_up(hours: float, *, videos: int, fps: float) -> list[Pair]:
    """Random timelines with all scores distinct, the worst case; half hold an abnormal stretch."""
    rng = np.random.default_rng(0)
    frames = max(10, round(hours * 3600 * fps / videos))
    pairs = []
    for i in range(videos):
        spans = ((frames // 3, frames // 2),) if i % 2 else ()
        sample = Sample(
            f"v{i}", f"v{i}", frames, fps, truth=(spans,), category="fight" if spans else "normal"
        )
        scores = 0.8 * rng.random(frames) + 0.2 * sample.abnormal
        found = tuple(Found(a, b, 0.9, Label.ANOMALOUS) for a, b in spans)
        label = Label.ANOMALOUS if spans else Label.NORMAL
        pairs.append(
            Pair(
                sample,
                Outcome(
                    sample.id,
                    scores,
                    np.ones(frames, bool),
                    label=label,
                    score=float(scores.max()),
                    events=found,
                ),
            )
        )
    return pairs
