"""The evidence of a decision as picture files: of every told event its key frame, with a box around
what it is about, and a crop of that.

Files are named by the event's number in the decision, video and time, so that they sort; an index
says what each shows. What an earlier index in the same folder lists is removed first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tools.contactsheet import key_frame_of, told_events
from tools.decision import Decision, EventScore, Label
from tools.errors import MediaError
from tools.figures import COLOURS
from tools.ports import FrameSource
from tools.types import Box, Frozen, clock

__all__ = ["INDEX", "Exhibit", "save_exhibits", "told_of"]

INDEX = "pictures.json"
FRAMES, CROPS = "frames", "crops"
MOST_NORMAL = 12
"""Where nothing was flagged, only the highest-scoring events have pictures."""
LEAST_PX = 640
"""Width of a key frame at least: smaller ones are enlarged, so that the box does not hide much."""


class Exhibit(Frozen):
    """What one event is shown by. Paths are relative to the report's folder."""

    event: int
    """Its number in the decision, from 1; of a question about the camera that of the fault."""
    event_id: str
    video: str
    video_id: str
    time: str
    frame: int
    label: Label
    score: float | None
    caption: str
    box: Box | None = None
    """Pixels of the full-size frame."""
    frame_file: str | None = None
    crop_file: str | None = None
    """None where the event has no box, such as what was told in words alone."""
    problem: str = ""
    """Why there is no picture."""


_EXHIBITS = TypeAdapter(list[Exhibit])


def save_exhibits(
    decision: Decision, sources: Mapping[str, FrameSource], folder: Path
) -> tuple[Exhibit, ...]:
    """Write key frames, crops and their index into a report's folder.

    Args:
        sources: opened videos by video id.

    Raises:
        OSError: a file cannot be written.
    """
    _forget(folder)
    flagged = any(e.label is not Label.NORMAL for e in decision.events)
    told = told_events(decision, sources, None if flagged else MOST_NORMAL)
    digits = max(2, len(str(max((number for number, _ in told), default=0))))
    shown = []
    # In the order of the footage: a reader that goes back has to decode anew.
    for number, event in sorted(told, key=lambda t: (t[1].video_id, t[1].key_frame or 0)):
        shown.append(_exhibit(number, event, sources[event.video_id], folder, digits))
    shown.sort(key=lambda e: e.event)
    data = json.dumps([e.model_dump(mode="json") for e in shown], indent=2, ensure_ascii=False)
    (folder / INDEX).write_text(data + "\n", encoding="utf-8")
    return tuple(shown)


def told_of(exhibits: Sequence[Exhibit]) -> str:
    """Which files show what, in lines to follow an answer; empty where there are none."""
    lines = []
    for one in exhibits:
        files = ", ".join(f for f in (one.frame_file, one.crop_file) if f)
        lines.append(f"{one.video} {one.time} (frame {one.frame}): {files or one.problem}")
    return "\n".join(["Pictures:", *lines]) if lines else ""


def _exhibit(
    number: int, event: EventScore, source: FrameSource, folder: Path, digits: int
) -> Exhibit:
    from tools.backends.embedded.drawing import boxed, close_up, encoded

    frame = key_frame_of(event, source)
    time = clock(int(source.pts[frame]) * float(source.info.time_base.fraction))
    made = Exhibit(
        event=number,
        event_id=event.event_id,
        video=source.info.name,
        video_id=event.video_id,
        time=time,
        frame=frame,
        label=event.label,
        score=event.score,
        caption=event.summary or event.reason,
        box=event.box,
    )
    try:
        image = source.frame(frame).image
    except MediaError as error:
        return made.model_copy(update={"problem": str(error)})
    stem = re.sub(r"[^\w.-]+", "-", Path(source.info.name).stem)[:60]
    name = f"{number:0{digits}d}_{stem}_{time.replace(':', '-')}.jpg"
    colour = _rgb(COLOURS[event.label])
    whole = boxed(image, event.box, width=max(LEAST_PX, image.shape[1]), colour=colour)
    files = {"frame_file": (FRAMES, whole)}
    if event.box is not None:
        files["crop_file"] = (CROPS, close_up(image, event.box, colour=colour))
    for part, picture in files.values():
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / name).write_bytes(encoded(picture))
    return made.model_copy(update={key: f"{part}/{name}" for key, (part, _) in files.items()})


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _forget(folder: Path) -> None:
    """Remove what an earlier report left here, by its index alone."""
    index = folder / INDEX
    try:
        known = _EXHIBITS.validate_json(index.read_bytes())
    except (OSError, ValidationError):
        return
    index.unlink()
    for one in known:
        for file, part in ((one.frame_file, FRAMES), (one.crop_file, CROPS)):
            if file is not None and Path(file).parent == Path(part):
                with suppress(OSError):
                    (folder / file).unlink()
