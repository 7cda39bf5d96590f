"""A sheet of the frames that show a decision.

Matplotlib is imported at the first call and used without pyplot, so that nothing global changes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tools.decision import Decision, EventScore, Intent, Label
from tools.errors import MediaError
from tools.figures import COLOURS, PALE, heading, save_figure, score_of
from tools.ports import FrameSource
from tools.types import Box, HealthEvent, Observation, clock
from tools.wrapping import wrapped

__all__ = ["contact_sheet", "key_frame_of", "told_events"]

MAX_TILES = 12
TILE_PX = 480
TILE_IN = 4.2
CAPTION_WIDTH, CAPTION_LINES, LINE_IN = 68, 5, 0.14
"""Characters of a line beneath a tile, its lines at most, and the height of each in inches."""
AROUND_S = 1.0
"""How long before an event starts and after it ends it is shown on a sheet."""


@dataclass(frozen=True)
class _Tile:
    source: FrameSource
    frame: int
    caption: str
    colour: str
    box: Box | None = None
    heading: str = ""


def contact_sheet(
    decision: Decision,
    sources: Mapping[str, FrameSource],
    path: Path,
    *,
    observations: Mapping[str, Observation] | None = None,
) -> Path:
    """Draw the frames that show a decision, at most 12, as PNG; gives the path.

    Up to four events are shown before, at and after their key frame, more by the key frame alone.
    Where nothing was flagged, the highest-scoring events or moments are shown.

    Args:
        sources: opened videos by video id.
        observations: by observation id; their paths give the boxes away from the key frame.

    Raises:
        StoreError: the file cannot be written.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    from tools.backends.embedded.drawing import boxed

    tiles = _tiles(decision, sources, observations or {})
    columns = 3 if len(tiles) >= 3 else max(1, len(tiles))
    rows = max(1, -(-len(tiles) // columns))
    info = [t.source.info for t in tiles]
    tall = max((i.height / i.width for i in info), default=0.6)
    picture, upper = min(TILE_IN * tall, 5.0), 0.8
    captions = [wrapped(t.caption, CAPTION_WIDTH, CAPTION_LINES) for t in tiles]
    rooms = [
        0.52 + LINE_IN * max(2, *(c.count("\n") + 1 for c in captions[n : n + columns]), 0)
        for n in range(0, rows * columns, columns)
    ]
    width = max(7.0, columns * (TILE_IN + 0.15) + 0.3)
    height = upper + sum(picture + room for room in rooms)
    figure = Figure(figsize=(width, height), facecolor="white", dpi=110)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left = 0.2 + column * (TILE_IN + 0.15)
        top = upper + row * picture + sum(rooms[:row]) + 0.32
        axes = figure.add_axes(
            (left / width, 1 - (top + picture) / height, TILE_IN / width, picture / height)
        )
        red, green, blue = (round(255 * v) for v in to_rgb(tile.colour))
        try:
            image = tile.source.frame(tile.frame).image
        except MediaError as error:
            axes.text(0.5, 0.5, textwrap.fill(str(error), 40), ha="center", parse_math=False)
        else:
            axes.imshow(boxed(image, tile.box, width=TILE_PX, colour=(red, green, blue)))
        axes.set_axis_off()
        axes.set_anchor("N")
        if tile.heading:
            axes.text(
                0,
                1.06 if tall > 0.5 else 1.09,
                tile.heading,
                transform=axes.transAxes,
                fontsize=9,
                fontweight="bold",
                color=tile.colour,
                parse_math=False,
            )
        figure.text(
            left / width,
            1 - (top + picture + 0.05) / height,
            captions[number],
            fontsize=8,
            va="top",
            color="#2c3e50",
            parse_math=False,
        )
    plain = decision.model_copy(update={"false_alarm_rate": None})
    heading(figure, plain, height, left=0.2 / width)
    if not tiles:
        figure.text(0.06, 0.4, "No frame was looked at.", fontsize=10, color=PALE)
    return save_figure(figure, path)


def told_events(
    decision: Decision, videos: Collection[str], most: int | None = None
) -> list[tuple[int, EventScore]]:
    """The events that pictures show, numbered as in the decision: those that were flagged or are
    uncertain; where there are none, all. Of more than ``most`` the highest-scoring.

    Of a question about the camera, which has no events: the faults it asked for, else any others.

    Args:
        videos: ids of those whose frames are at hand.
    """
    events = decision.events or _faults(decision)
    numbered = [(n, e) for n, e in enumerate(events, 1) if e.video_id in videos]
    chosen = [(n, e) for n, e in numbered if e.label is not Label.NORMAL] or numbered
    chosen.sort(key=lambda item: -(item[1].score or 0.0))
    return sorted(chosen[:most], key=lambda item: item[0])


def _faults(decision: Decision) -> list[EventScore]:
    """Each stretch of a fault that an answer about the camera cites, once: looks side by side tell
    parts of one."""
    if decision.intent is not Intent.CAMERA:
        return []
    asked = [f for f in decision.health if f.id in decision.faulty]
    told = asked or [f for f in decision.health if f.kind != "cut"]
    stretches: list[HealthEvent] = []
    for fault in sorted(told, key=lambda f: (f.video_id, f.kind, f.interval.start)):
        last = stretches[-1] if stretches else fault
        same = (last.video_id, last.kind) == (fault.video_id, fault.kind)
        if stretches and same and fault.interval.start <= last.interval.end:
            hull = last.interval.hull(fault.interval)
            stretches[-1] = last.model_copy(update={"interval": hull})
        else:
            stretches.append(fault)
    return [
        EventScore(
            video_id=f.video_id,
            event_id=f.id,
            interval=f.interval,
            label=Label.ANOMALOUS if asked else Label.UNCERTAIN,
            score=None,
            summary=f.text,
        )
        for f in sorted(stretches, key=lambda f: (f.video_id, f.interval.start))
    ]


def key_frame_of(event: EventScore, source: FrameSource) -> int:
    """The frame that stands for an event: its key frame, or the one in its middle."""
    middle = (event.interval.start + event.interval.end) / 2
    key = event.key_frame if event.key_frame is not None else _nearest(source, middle)
    return min(max(key, 0), len(source.pts) - 1)


def _nearest(source: FrameSource, pts: float) -> int:
    """The frame that is shown at a time, in ticks."""
    return max(0, int(np.searchsorted(source.pts, round(pts), side="right")) - 1)


def _tiles(
    decision: Decision,
    sources: Mapping[str, FrameSource],
    observations: Mapping[str, Observation],
) -> list[_Tile]:
    chosen = told_events(decision, sources, MAX_TILES)
    if not chosen:
        return _peak_tiles(decision, sources)
    if len(chosen) > MAX_TILES // 3:
        middle = [_event_tiles(n, e, sources[e.video_id], observations)[1] for n, e in chosen]
        return [
            replace(tile, heading=f"{n} · {tile.source.info.name} · {e.interval} · {score_of(e)}")
            for tile, (n, e) in zip(middle, chosen, strict=True)
        ]
    return [
        tile for n, e in chosen for tile in _event_tiles(n, e, sources[e.video_id], observations)
    ]


def _event_tiles(
    number: int, event: EventScore, source: FrameSource, observations: Mapping[str, Observation]
) -> list[_Tile]:
    """The event before, at and after its key frame."""
    info, pts = source.info, source.pts
    tick = float(info.time_base.fraction)

    start, end = event.interval.start_s, event.interval.end_s
    key = key_frame_of(event, source)
    before = _nearest(source, max(0.0, start - AROUND_S) / tick)
    after = _nearest(source, min(info.seconds, end + AROUND_S) / tick)
    paths = [observations[o].points for o in event.observations if o in observations]
    close = max(1, round(0.25 * info.fps))

    def box_at(frame: int) -> Box | None:
        near = [p for points in paths for p in points if p.box and abs(p.frame - frame) <= close]
        return min(near, key=lambda p: abs(p.frame - frame)).box if near else None

    def tile(frame: int, word: str, caption: str, heading: str = "") -> _Tile:
        box = event.box if word == "at" else box_at(frame)
        text = f"{word} · {clock(int(pts[frame]) * tick)} · frame {frame}{caption}"
        return _Tile(source, frame, text, COLOURS[event.label], box, heading)

    title = f"{number} · {info.name} · {event.interval} · {event.label.value}"
    title += f" · {event.score:.2f}" if event.score is not None else ""
    return [
        tile(before, "before" if start > AROUND_S / 2 else "start", "", title),
        tile(key, "at", f" · {event.summary or event.reason}"),
        tile(after, "after" if end < info.seconds - AROUND_S / 2 else "end", ""),
    ]


def _peak_tiles(decision: Decision, sources: Mapping[str, FrameSource]) -> list[_Tile]:
    """The highest-scoring moment of every video."""
    tiles = []
    for line in decision.timelines:
        if line.video_id in sources and line.frames:
            best = int(np.argmax(line.scores))
            caption = f"highest score {line.scores[best]:.2f} · {clock(line.seconds[best])}"
            source = sources[line.video_id]
            colour = COLOURS[Label.NORMAL]
            tiles.append(
                (
                    line.scores[best],
                    _Tile(source, line.frames[best], caption, colour, None, source.info.name),
                )
            )
    return [tile for _, tile in sorted(tiles, key=lambda t: -t[0])[:MAX_TILES]]
