"""A scene to measure on: induced once, in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evals.scenes import render

__all__ = ["SCENE", "induced"]

SCENE = "bench"


def induced(work: Path, video: Path | None, normal: Sequence[Path]) -> tuple[Path, Path]:
    """An archive with a scene made from ``normal``, and the clip; what is absent is rendered."""
    from agent import induce_scene

    clips = list(normal)
    if not clips:
        for i in range(3):
            clips.append(work / f"normal{i}.mp4")
            render(clips[-1], seconds=15.0, seed=301 + i)
    clip = video
    if clip is None:
        clip = work / "cyclist.mp4"
        render(clip, kind="cyclist", seconds=15.0, seed=310, start_s=6.0)
    home = work / "home"
    induce_scene([str(c) for c in clips], scene=SCENE, home=home)
    return home, clip
