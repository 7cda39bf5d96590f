"""Pictures of what an answer points at: the cited frames of its events, boxes drawn in.

Drawn while the video is at hand and kept beside the saved trace, so that a page made later needs
no video::

    OUT/traces/SECTION/NAME.jsonl
    OUT/traces/SECTION/NAME.pictures/
        index.json              {"key": of the trace, "pictures": [{"event", "frame", "file"}, …]}
        EVENT-FRAME.jpg         260 pixels wide
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.model import Found, Outcome
from evals.provenance import write_json
from evals.saved import Saved
from tools.decision import Decision, EventScore, Label
from tools.errors import MediaError, StoreError, UserError
from tools.types import Box
from tools.video import open_video

__all__ = ["Picture", "draw_pictures", "pictures_of"]

INDEX = "index.json"
WIDTH = 260
QUALITY = 72
PER_EVENT = 3
PER_ITEM = 12
COLOURS = {Label.ANOMALOUS: (194, 65, 45), Label.UNCERTAIN: (183, 121, 31)}
NEAR = 3
"""A box is drawn where the culprit's path has one within so many frames."""


@dataclass(frozen=True)
class Picture:
    """A drawn frame of an event."""

    event: str
    frame: int
    file: Path

    @property
    def uri(self) -> str:
        """The picture itself, as a ``data:`` address. Raises StoreError."""
        try:
            content = self.file.read_bytes()
        except OSError as error:
            raise StoreError(f"{self.file} cannot be read: {error.strerror}") from error
        return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")


def draw_pictures(answers: Sequence[tuple[Saved, Outcome]]) -> int:
    """Draw the pictures of answers about videos that have none yet, and count them.

    A video that cannot be read any more gets none. Raises StoreError where they cannot be written.
    """
    drawn = 0
    for saved, outcome in answers:
        decision = saved.decision
        if decision is None or _index(saved) is not None or not Path(saved.sample.source).exists():
            continue
        wanted = list(_wanted(decision, outcome.events))[:PER_ITEM]
        drawn += _draw(saved, wanted)
    return drawn


def pictures_of(saved: Saved) -> tuple[Picture, ...]:
    """The pictures kept beside a saved trace; none where they are of another answer."""
    return _index(saved) or ()


@dataclass(frozen=True)
class _Wanted:
    event: str
    frame: int
    box: Box | None
    label: Label


def _wanted(decision: Decision, found: Sequence[Found]) -> Iterator[_Wanted]:
    """The frames cited for each event that was flagged or left open, highest score first."""
    pairs = [
        (e, f) for e, f in zip(decision.events, found, strict=True) if e.label is not Label.NORMAL
    ]
    for event, seen in sorted(pairs, key=lambda p: -(p[0].score or 0.0)):
        for frame in _frames(decision, event)[:PER_EVENT]:
            yield _Wanted(event.event_id, frame, _box(event, seen, frame), event.label)


def _frames(decision: Decision, event: EventScore) -> list[int]:
    for step in decision.explanation:
        if f"event:{event.event_id}" in step.evidence:
            cited = [ref.split(":") for ref in step.evidence if ref.startswith("frame:")]
            mine = sorted({int(n) for _, video, n in cited if video == event.video_id})
            if mine:
                return mine
    return [] if event.key_frame is None else [event.key_frame]


def _box(event: EventScore, seen: Found, frame: int) -> Box | None:
    if frame == event.key_frame:
        return event.box
    near = min(seen.boxes, key=lambda n: abs(n - frame), default=None)
    return seen.boxes[near] if near is not None and abs(near - frame) <= NEAR else None


def _folder(saved: Saved) -> Path:
    return saved.path.with_suffix(".pictures")


def _index(saved: Saved) -> tuple[Picture, ...] | None:
    folder = _folder(saved)
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["key"] != saved.key:
            return None
        rows = [Picture(r["event"], int(r["frame"]), folder / r["file"]) for r in index["pictures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tuple(p for p in rows if p.file.parent == folder and p.file.is_file())


def _draw(saved: Saved, wanted: Sequence[_Wanted]) -> int:
    from tools.backends.embedded.drawing import boxed

    folder = _folder(saved)
    rows = []
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if wanted:
            with open_video(saved.sample.source, allow_truncated=True) as video:
                for one in wanted:
                    image = video.frame(one.frame).image
                    colour = COLOURS[one.label]
                    name = f"{one.event}-{one.frame}.jpg"
                    picture = _jpeg(boxed(image, one.box, width=WIDTH, colour=colour))
                    (folder / name).write_bytes(picture)
                    rows.append({"event": one.event, "frame": one.frame, "file": name})
    except (MediaError, UserError):
        # The answer stands without it: the video was moved or damaged since.
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror}") from error
    write_json(folder / INDEX, {"key": saved.key, "pictures": rows})
    return len(rows)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    """RGB ``uint8 (h, w, 3)`` as JPEG."""
    import cv2

    done, packed = cv2.imencode(
        ".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    if not done:
        raise StoreError("a frame cannot be packed as JPEG")
    return bytes(packed)
