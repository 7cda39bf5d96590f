"""BoundaryDetector that gives back what was written by ``vidocq events --export X.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import UserError
from tools.ports import BoundarySignal, FrameSource, Progress

__all__ = ["RecordedDetector"]

SCHEMA = "vidocq-events/1"

Frames = NDArray[np.int64]
Values = NDArray[np.float64]


class RecordedDetector:
    """Signals by video id, from the ``.json`` files of a folder.

    Raises UserError where the folder cannot be read or a file is none of these.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder", remedy="correct recorded_signals")
        self._files: dict[str, Path] = {}
        for path in sorted(folder.glob("*.json")):
            self._files[_id(path, self._read(path))] = path

    @property
    def name(self) -> str:
        return f"recorded/1 ({self._folder.name})"

    def signal(self, source: FrameSource, progress: Progress | None = None) -> BoundarySignal:
        """The recorded signal. Raises UserError for a video that has none."""
        info = source.info
        path = self._files.get(info.id)
        if path is None:
            raise UserError(
                f"{info.path}: no recorded signal of it in {self._folder}",
                remedy="vidocq events VIDEO --export FOLDER/NAME.json",
            )
        told = self._read(path)
        frames, confidence, novelty, cuts = _series(path, told)
        if frames[0] < 0 or frames[-1] >= len(source.pts):
            raise UserError(
                f"{path}: its frames are not those of {info.path}", remedy="export it again"
            )
        if progress is not None:
            progress("finding events", len(source.pts), len(source.pts))
        return BoundarySignal(
            info.id,
            frames,
            source.pts[frames],
            np.clip(confidence, 0.0, 1.0),
            novelty,
            self.name,
            cuts,
        )

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: {error}", remedy="write it again or take it away") from None
        if not isinstance(told, dict) or told.get("schema") != SCHEMA:
            raise UserError(
                f"{path}: not written by vidocq events --export", remedy="take it out of the folder"
            )
        return told


def _id(path: Path, told: dict[str, Any]) -> str:
    try:
        return str(told["video"]["id"])
    except (KeyError, TypeError):
        raise _damaged(path, "it does not say of which video it is") from None


def _series(path: Path, told: dict[str, Any]) -> tuple[Frames, Values, Values, tuple[int, ...]]:
    """Frames, confidence and novelty of the samples, all of one length, and the cuts."""
    try:
        signal, cuts = told["signal"], tuple(int(c) for c in told["cuts"])
        frames = np.array(signal["frames"], dtype=np.int64)
        confidence, novelty = (
            np.array(signal[name], dtype=np.float64) for name in ("confidence", "novelty")
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _damaged(path, "its signal cannot be read") from None
    if not (frames.ndim == 1 and len(frames) and frames.shape == confidence.shape == novelty.shape):
        raise _damaged(path, "its series differ in length")
    if not (np.all(np.diff(frames) > 0) and np.all(np.isfinite([confidence, novelty]))):
        raise _damaged(path, "its frames do not increase, or its values are not finite")
    return frames, confidence, novelty, cuts


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path}: {what}", remedy="export it again or take it away")
