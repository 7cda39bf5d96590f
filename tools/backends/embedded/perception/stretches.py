"""Which frames are looked at to tell of others, and what was measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.backends.embedded.perception.describing import Sighting
from tools.backends.embedded.perception.health import Checkup, said
from tools.backends.embedded.perception.percepts import FramePercept
from tools.backends.embedded.perception.tracks import Track
from tools.ports import FrameSource
from tools.types import Interval, Timestamp, VideoInfo

__all__ = ["View", "around", "history", "lasting", "shown_at", "widened"]

_MARGIN_S = 2.0
"""Seconds looked at on both sides of an interval, so that nothing breaks at its ends."""
_HISTORY_S = 24.0
"""Seconds before an interval from which tracks are followed: who stays may have come before it."""
_AROUND_S = 1.0
"""Seconds before and after a moment from which it is told what somebody does then: two steps."""


def widened(interval: Interval, info: VideoInfo, *, ahead: bool) -> Interval:
    """What is looked at for an interval; ``ahead``: also after its end."""
    margin = round(_MARGIN_S / info.time_base.fraction)
    after = margin if ahead else 0
    return Interval(
        start=max(0, interval.start - margin),
        end=max(interval.start + 1, min(info.duration, interval.end + after)),
        time_base=interval.time_base,
    )


def history(wide: Interval, source: FrameSource) -> Interval | None:
    """What is followed, thinly, before a stretch; None at the beginning of a video."""
    margin = round(_HISTORY_S / wide.time_base.fraction)
    start = max(0, wide.start - margin)
    first = int(source.pts.searchsorted(wide.start))
    if start >= wide.start or first == 0:
        return None
    return Interval(start=start, end=int(source.pts[first]), time_base=wide.time_base)


def shown_at(source: FrameSource, at: Timestamp) -> int:
    """The frame that is shown at a time: the last one that has begun."""
    return max(0, int(source.pts.searchsorted(at.pts, side="right")) - 1)


def lasting(source: FrameSource, frame: int) -> Interval:
    """How long a frame is shown."""
    info, pts = source.info, source.pts
    start = int(pts[frame])
    end = int(pts[frame + 1]) if frame + 1 < len(pts) else info.duration
    return Interval(start=start, end=max(start + 1, end), time_base=info.time_base)


def around(moment: Interval, info: VideoInfo, *, ahead: bool) -> Interval:
    """The stretch from which it is told what goes on in a frame; ``ahead``: also after it."""
    margin = round(_AROUND_S / info.time_base.fraction)
    return Interval(
        start=max(0, moment.start - margin),
        end=max(moment.end, min(info.duration, moment.end + margin)) if ahead else moment.end,
        time_base=moment.time_base,
    )


@dataclass(frozen=True, eq=False)
class View:
    """What was measured of an interval and of what is around it."""

    looked: Sequence[FramePercept]
    """The frames of the interval itself."""
    seen: Sequence[FramePercept]
    """Those of the widened interval that can be judged."""
    past: Sequence[FramePercept]
    """Those of its history, thinly."""
    whole: Interval
    """From the first of them to the last."""
    tracks: Sequence[Track]
    checkup: Checkup
    lit: frozenset[int]
    """Frames around which the light changes."""

    def tellable(self, sighting: Sighting, clear: bool) -> bool:
        """Whether a sighting is said; ``clear``: the picture is mostly like its background."""
        if not sighting.sure:
            return False
        return not sighting.calm or (clear and sighting.born not in self.lit)

    def nearest(self, pts: int, *, ahead: bool) -> FramePercept | None:
        """The measured frame nearest to a time; without ``ahead`` none that is later."""
        able = [p for p in self.looked if ahead or p.pts <= pts]
        return min(able, key=lambda p: (abs(p.pts - pts), p.pts), default=None)

    def faults(self, shown: Interval) -> tuple[str, ...]:
        """Why nothing can be said of a frame; empty where something can."""
        if self.checkup.problems:
            return self.checkup.problems
        if all(p.pts != shown.start or p.frame not in self.checkup.blind for p in self.looked):
            return ()
        events = [e for e in self.checkup.events if e.interval.contains(shown.start)]
        return tuple(said(e, shown) for e in events) or ("the picture cannot be judged",)
