"""What is true of a rendered clip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from tools.types import Box, Frozen

__all__ = ["SceneTruth", "Track", "runs"]


class Track(Frozen):
    """One figure: its role, its box in every frame that shows enough of it, its set speeds."""

    role: str
    abnormal: bool
    boxes: dict[int, Box]
    facts: dict[str, float | str] = Field(default_factory=dict)


class SceneTruth(Frozen):
    """Ground truth of one clip. Frame intervals are 0-based and half-open."""

    file: str
    kind: str
    scene: str
    seed: int
    width: int
    height: int
    fps: int
    frames: int
    intervals: tuple[tuple[int, int], ...]
    """Stretches in which the abnormal thing is visible."""
    boxes: dict[int, Box]
    """Hull of the abnormal figures, per such frame."""
    tracks: tuple[Track, ...] = ()
    """Every figure, normal ones included."""

    @property
    def intervals_s(self) -> tuple[tuple[float, float], ...]:
        """The intervals in seconds from the first frame."""
        return tuple((start / self.fps, end / self.fps) for start, end in self.intervals)

    def label(self) -> dict[str, Any]:
        """The entry of this clip in a ``labels.json`` laid out like UCSD Ped2's."""
        return {
            "split": "test" if self.file.startswith("Test") else "train",
            "frames": self.frames,
            "fps": self.fps,
            "width": self.width,
            "height": self.height,
            "anomalous": [list(pair) for pair in self.intervals],
            "boxes": {str(i): [b.x0, b.y0, b.x1, b.y1] for i, b in self.boxes.items()},
            "kind": self.kind,
            "seed": self.seed,
        }


def runs(frames: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Half-open stretches of consecutive frame numbers."""
    out: list[tuple[int, int]] = []
    for i in sorted(frames):
        if out and out[-1][1] == i:
            out[-1] = (out[-1][0], i + 1)
        else:
            out.append((i, i + 1))
    return tuple(out)
