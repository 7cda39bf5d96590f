"""The little scene of ``make demo``: four normal clips and one with a cyclist."""

from __future__ import annotations

import json
from pathlib import Path

from evals.scenes.render import render
from evals.scenes.truth import SceneTruth

__all__ = ["render_sample"]


def render_sample(folder: str | Path) -> SceneTruth:
    """Write ``normal1..4.mp4`` (15 s), ``walkway.mp4`` (20 s) and ``truth.json``; return the truth.

    In ``walkway.mp4`` a cyclist comes into view about eight seconds in and crosses in about
    three and a half.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for i in range(4):
        render(out / f"normal{i + 1}.mp4", seconds=15.0, seed=101 + i)
    truth = render(
        out / "walkway.mp4", kind="cyclist", seconds=20.0, seed=7, start_s=7.9, speed=3.2
    )
    summary = truth.label() | {
        "split": "test",
        "file": truth.file,
        "intervals_s": [list(pair) for pair in truth.intervals_s],
        "facts": next(t.facts for t in truth.tracks if t.abnormal),
    }
    (out / "truth.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return truth
