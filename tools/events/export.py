"""The event tree as files that other programs read: CSV, JSON, EDL, OTIO, WebVTT."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.events.keyframes import KeyFrame
from tools.ports import BoundarySignal
from tools.types import Event, EventTree, VideoInfo

__all__ = ["FORMATS", "as_csv", "as_dict", "as_edl", "as_otio", "as_vtt"]

COLUMNS = (
    *("id", "level", "leaf", "parent", "start_s", "end_s", "first_frame", "end_frame"),
    *("start_strength", "end_strength"),
)
Keys = Mapping[str, tuple[KeyFrame, ...]]


def as_dict(
    info: VideoInfo, tree: EventTree, signal: BoundarySignal, keys: Keys | None = None
) -> dict[str, Any]:
    """The video, its tree and its signal in plain values; seconds from the first frame."""
    tick = float(info.time_base.fraction)
    leaves = {e.id for e in tree.leaves}
    return {
        "schema": "vidocq-events/1",
        "video": {
            "id": info.id,
            "path": info.path,
            "seconds": round(info.seconds, 6),
            "frames": info.frames,
            "fps": info.fps,
            "time_base": [info.time_base.num, info.time_base.den],
            "duration": info.duration,
        },
        "detector": signal.detector,
        "cuts": list(signal.cuts),
        "events": [
            {
                "id": e.id,
                "level": e.level.value,
                "leaf": e.id in leaves,
                "parent": e.parent,
                "start_s": round(e.interval.start_s, 6),
                "end_s": round(e.interval.end_s, 6),
                "start_pts": e.interval.start,
                "end_pts": e.interval.end,
                "start_strength": round(e.start_strength, 4),
                "end_strength": round(e.end_strength, 4),
                "key_frames": [
                    {"frame": k.index, "seconds": round(k.pts * tick, 6), "why": k.why}
                    for k in (keys or {}).get(e.id, ())
                ],
            }
            for e in tree.events
        ],
        "signal": {
            "frames": signal.frames.tolist(),
            "pts": signal.pts.tolist(),
            "confidence": np.round(signal.confidence, 4).tolist(),
            "novelty": np.round(signal.novelty, 4).tolist(),
        },
    }


def as_json(
    info: VideoInfo, tree: EventTree, signal: BoundarySignal, pts: NDArray[np.int64]
) -> str:
    """:func:`as_dict` as text."""
    return json.dumps(as_dict(info, tree, signal), indent=1) + "\n"


def as_csv(info: VideoInfo, tree: EventTree, signal: BoundarySignal, pts: NDArray[np.int64]) -> str:
    """One line per event: level, seconds, frames (half-open), strengths of the ends."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    leaves = {e.id for e in tree.leaves}
    for e in tree.events:
        first, last = _frames(e, pts)
        lines.writerow(
            [
                e.id,
                e.level.value,
                int(e.id in leaves),
                e.parent or "",
                f"{e.interval.start_s:.3f}",
                f"{e.interval.end_s:.3f}",
                first,
                last,
                f"{e.start_strength:.3f}",
                f"{e.end_strength:.3f}",
            ]
        )
    return text.getvalue()


def as_edl(info: VideoInfo, tree: EventTree, signal: BoundarySignal, pts: NDArray[np.int64]) -> str:
    """A cut list of the leaves in the CMX 3600 form, which OpenTimelineIO and editors read.

    Time codes count frames at the nearest whole rate, without dropping.
    """
    rate = _rate(info)
    lines = [f"TITLE: {_plain(info.name)}", "FCM: NON-DROP FRAME", ""]
    for n, e in enumerate(tree.leaves, 1):
        first, last = (_timecode(f, rate) for f in _frames(e, pts))
        lines += [
            f"{n % 1000:03d}  AX       V     C        {first} {last} {first} {last}",
            f"* FROM CLIP NAME: {_plain(info.name)}",
            f"* COMMENT: EVENT {e.id} STRENGTH {e.start_strength:.2f}",
        ]
    return "\n".join(lines) + "\n"


def as_otio(
    info: VideoInfo, tree: EventTree, signal: BoundarySignal, pts: NDArray[np.int64]
) -> str:
    """An OpenTimelineIO timeline: one track, one clip per leaf, coarse events as markers."""
    rate = float(_rate(info))

    def time(frame: int) -> dict[str, Any]:
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": float(frame)}

    def span(e: Event) -> dict[str, Any]:
        first, last = _frames(e, pts)
        return {
            "OTIO_SCHEMA": "TimeRange.1",
            "start_time": time(first),
            "duration": time(last - first),
        }

    whole = {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": time(0),
        "duration": time(len(pts)),
    }
    clips = [
        {
            "OTIO_SCHEMA": "Clip.1",
            "name": f"{info.name} {e.interval}",
            "source_range": span(e),
            "media_reference": {
                "OTIO_SCHEMA": "ExternalReference.1",
                "target_url": info.path,
                "available_range": whole,
                "metadata": {},
            },
            "metadata": {"vidocq": {"event": e.id, "strength": e.start_strength}},
            "effects": [],
            "markers": [],
        }
        for e in tree.leaves
    ]
    markers = [
        {
            "OTIO_SCHEMA": "Marker.2",
            "name": f"coarse {n}",
            "color": "RED",
            "marked_range": span(e),
            "metadata": {"vidocq": {"event": e.id}},
        }
        for n, e in enumerate(tree.coarse, 1)
    ]
    track: dict[str, Any] = {
        "OTIO_SCHEMA": "Track.1",
        "name": "events",
        "kind": "Video",
        "children": clips,
        "source_range": None,
        "effects": [],
        "markers": markers,
        "metadata": {},
    }
    stack: dict[str, Any] = {
        "OTIO_SCHEMA": "Stack.1",
        "name": "tracks",
        "children": [track],
        "source_range": None,
        "effects": [],
        "markers": [],
        "metadata": {},
    }
    timeline = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": info.name,
        "global_start_time": None,
        "tracks": stack,
        "metadata": {"vidocq": {"detector": signal.detector}},
    }
    return json.dumps(timeline, indent=1) + "\n"


def as_vtt(info: VideoInfo, tree: EventTree, signal: BoundarySignal, pts: NDArray[np.int64]) -> str:
    """Chapters as WebVTT: one cue per coarse event."""
    lines = ["WEBVTT", ""]
    for n, e in enumerate(tree.coarse, 1):
        parts = len(tree.children(e.id))
        lines += [
            f"{n}",
            f"{_clock(e.interval.start_s)} --> {_clock(e.interval.end_s)}",
            f"Event {n}" + (f" ({parts} parts)" if parts else ""),
            "",
        ]
    return "\n".join(lines)


Writer = Callable[[VideoInfo, EventTree, BoundarySignal, NDArray[np.int64]], str]
FORMATS: Mapping[str, Writer] = {
    "csv": as_csv,
    "json": as_json,
    "edl": as_edl,
    "otio": as_otio,
    "vtt": as_vtt,
}
"""What writes a kind of file: ``writer(info, tree, signal, pts)``, ``pts`` of every frame."""


def _frames(event: Event, pts: NDArray[np.int64]) -> tuple[int, int]:
    """First frame of an event and the one after its last."""
    first, last = np.searchsorted(pts, [event.interval.start, event.interval.end])
    return int(first), int(last)


def _rate(info: VideoInfo) -> int:
    return max(1, round(info.fps))


def _timecode(frame: int, rate: int) -> str:
    seconds, frames = divmod(frame, rate)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}"


def _clock(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{thousandths // 1000:02d}.{thousandths % 1000:03d}"


def _plain(name: str) -> str:
    """A name without line breaks, which would begin another entry."""
    return " ".join(name.split())
