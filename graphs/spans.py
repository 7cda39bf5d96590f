"""Stretches of videos put together, and named in words."""

from __future__ import annotations

from collections.abc import Iterable

from tools.ledger import Ledger
from tools.types import Interval, clock

__all__ = ["SPANS_NAMED", "joined", "named"]

SPANS_NAMED = 6
TOUCH_S = 0.25
"""Stretches this close are told as one."""


def joined(
    spans: Iterable[tuple[float, float]], *, touch_s: float = TOUCH_S
) -> list[tuple[float, float]]:
    """The union of stretches (start and end in seconds), in order."""
    out: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if out and start - out[-1][1] <= touch_s:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def named(stretches: Iterable[tuple[str, Interval]], ledger: Ledger) -> str:
    """The union of stretches, each with the id of its video, video by video."""
    by_video: dict[str, list[tuple[float, float]]] = {}
    for video_id, interval in stretches:
        by_video.setdefault(video_id, []).append((interval.start_s, interval.end_s))
    told = []
    for video_id, spans in by_video.items():
        union = joined(spans)
        texts = [f"{clock(a)}–{clock(b)}" for a, b in union[:SPANS_NAMED]]
        more = " and later" if len(union) > SPANS_NAMED else ""
        told.append(f"{ledger.videos[video_id].name} {', '.join(texts)}{more}")
    return "; ".join(told)
