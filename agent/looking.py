"""``vidocq look``: what is seen in one frame, with the observations behind each clause."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path

from rich.text import Text

from agent.console import out, progress, remark
from agent.files import write_whole
from agent.options import print_json
from agent.runtime import Stores, open_stores
from tools.errors import UserError
from tools.ports import FrameCaptioner, FrameSource, Progress
from tools.types import Description, Interval, Timestamp, clock, parse_clock
from tools.video import open_video

__all__ = ["look"]

SUFFIXES = (".jpg", ".jpeg", ".png")
LEAST_PX = 1080
"""Width of a saved picture at least: smaller frames are enlarged, so that numbers fit."""
CALM, ODD = (30, 132, 73), (192, 57, 43)


def look(video: str, at: str, *, scene: str | None, as_json: bool, save: Path | None) -> None:
    """Caption the frame shown at a time. Raises UserError, MediaError, StoreError, BackendError."""
    if save is not None and save.suffix.lower() not in SUFFIXES:
        raise UserError(f"{save}: pictures are written as JPEG or PNG", remedy="name it .jpg")
    seconds = _seconds(at)
    with (
        closing(open_stores()) as stores,
        open_video(video) as source,
        progress("look") as report,
    ):
        info = source.info
        if seconds >= info.seconds:
            raise UserError(
                f"{info.name} is {clock(info.seconds)} long: there is no frame at {clock(seconds)}",
                remedy="name an earlier moment",
            )
        name = scene or stores.settings.scene
        seen = _described(stores, source, seconds, name, report)
        frame = int(source.pts.searchsorted(seen.caption.interval.start))
        if save is not None:
            _save(save, source, frame, seen)
    if as_json:
        print_json(_as_dict(seen, info.name, frame, name, save))
    else:
        _show(seen, info.name, frame)
        if save is not None:
            remark(f"wrote {save}")


def _seconds(at: str) -> float:
    try:
        seconds = parse_clock(at)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(f"not a moment: {at!r}", remedy="say it as 00:08.7 or as seconds")
    return seconds


def _described(
    stores: Stores, source: FrameSource, seconds: float, scene: str | None, report: Progress
) -> Description:
    captioner, base = stores.tools.captioner, source.info.time_base
    profile = None
    if scene is not None:
        stores.archive.scene(scene, captioner=captioner.name)
        profile = stores.archive.profile(scene)
    at = Timestamp(pts=round(seconds / base.fraction), time_base=base)
    if isinstance(captioner, FrameCaptioner):
        return captioner.describe_frame(source, at, profile=profile, progress=report)
    frame = max(0, int(source.pts.searchsorted(at.pts, side="right")) - 1)
    start = int(source.pts[frame])
    shown = Interval(start=start, end=start + 1, time_base=base)
    return captioner.describe(source, shown, profile=profile, progress=report)


def _numbers(seen: Description) -> Mapping[str, int]:
    """Numbers of what has a place in the frame, by observation id, as the clauses cite it."""
    placed = [o.id for o in seen.observations if o.box is not None]
    return {identity: n for n, identity in enumerate(placed, 1)}


def _show(seen: Description, name: str, frame: int) -> None:
    numbers = _numbers(seen)
    out.print(Text(f"{name}, {clock(seen.caption.interval.start_s)}, frame {frame}", style="bold"))
    for clause in seen.caption.clauses:
        cited = [numbers[i] for i in clause.observations if i in numbers]
        line = Text(clause.text)
        if cited:
            line.append(f" [{_ranges(cited)}]", style="dim")
        out.print(line)


def _ranges(numbers: list[int]) -> str:
    """“1, 3–6”."""
    runs = [
        [n for _, n in run]
        for _, run in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)


def _as_dict(
    seen: Description, name: str, frame: int, scene: str | None, save: Path | None
) -> dict[str, object]:
    numbers = _numbers(seen)
    caption = seen.caption
    return {
        "video": name,
        "video_id": caption.video_id,
        "time": clock(caption.interval.start_s),
        "seconds": caption.interval.start_s,
        "frame": frame,
        "scene": scene,
        "captioner": caption.captioner,
        "caption": caption.text,
        "clauses": [
            {
                "text": c.text,
                "observations": list(c.observations),
                "numbers": [numbers[i] for i in c.observations if i in numbers],
            }
            for c in caption.clauses
        ],
        "observations": [
            {"number": numbers.get(o.id), **o.model_dump(mode="json")} for o in seen.observations
        ],
        "health": [e.model_dump(mode="json") for e in seen.health],
        "problems": list(seen.problems),
        "picture": None if save is None else str(save),
    }


def _save(path: Path, source: FrameSource, frame: int, seen: Description) -> None:
    from tools.backends.embedded.drawing import encoded, numbered

    numbers = _numbers(seen)
    boxes = [
        (numbers[o.id], o.box, ODD if o.surprise >= 1.0 else CALM)
        for o in seen.observations
        if o.box is not None
    ]
    image = source.frame(frame).image
    picture = numbered(image, boxes, width=max(LEAST_PX, image.shape[1]))
    write_whole(path, encoded(picture, path.suffix))
