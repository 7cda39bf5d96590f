"""How many distinct captions a second deduction judges on one core, without a sentence model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from evals.datasets.captions import load_captions, load_normal_captions, load_rules
from tools.deduction import Deducer
from tools.types import Frozen

__all__ = ["DeductionCost", "deduction"]


class DeductionCost(Frozen):
    """Distinct captions a second of processor time; ``load_s`` seconds to make the deducer."""

    captions: int
    clauses: int
    load_s: float
    first: float
    """Read for the first time: lemmas and clauses are new."""
    warm: float
    """Read again: the best of the later rounds."""


def deduction(folder: Path, dataset: str = "shanghaitech", *, rounds: int = 5) -> DeductionCost:
    """Judge every distinct caption of a data set, ``rounds`` times and once before.

    Raises:
        UserError: the data are not in ``folder``.
    """
    rules = load_rules(folder, dataset)
    known = load_normal_captions(folder, dataset)
    normal, clips = [c.caption for c in known], [c.video for c in known]
    captions = list(
        dict.fromkeys(c for video in load_captions(folder, dataset) for c in video.captions)
    )
    begun = time.process_time()
    deducer = Deducer(rules, normal, clips=clips)
    loaded = time.process_time() - begun
    first = _seconds(deducer, captions)
    warm = min(_seconds(deducer, captions) for _ in range(rounds))
    return DeductionCost(
        captions=len(captions),
        clauses=deducer.remembered,
        load_s=round(loaded, 3),
        first=round(len(captions) / first, 1),
        warm=round(len(captions) / warm, 1),
    )


def _seconds(deducer: Deducer, captions: Sequence[str]) -> float:
    begun = time.process_time()
    for caption in captions:
        deducer.deduce(caption)
    return time.process_time() - begun
