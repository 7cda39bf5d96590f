"""How many are on the move in a stretch, and whether its picture is calm enough to tell what is
small or stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.backends.embedded.perception.claims import CALM, moving
from tools.backends.embedded.perception.describing import Scene, attribute
from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.wording import on_the_move
from tools.types import Interval, Observation, VideoInfo, content_id

__all__ = ["calm", "count", "walking"]


def calm(inner: Sequence[FramePercept]) -> bool:
    """Whether the picture is mostly like its background, so that what stands in it can be told."""
    share = [float(p.health[Health.FOREGROUND]) for p in inner]
    return not share or float(np.median(share)) <= CALM


def count(
    inner: Sequence[FramePercept],
    interval: Interval,
    info: VideoInfo,
    scene: Scene,
    tracks: Sequence[Track],
) -> Observation | None:
    """How many people, or objects, are on the move: a median over the frames of a stretch.

    Where they are in view for less than half of it, as many as are for a quarter.
    """
    if not inner:
        return None
    numbers = moving(tracks, scene.geometry, [p.frame for p in inner])
    value = round(float(np.median(numbers))) or int(np.quantile(numbers, 0.75, method="higher"))
    found = attribute("count", float(value), scene.normal.objects.get("count"))
    shows = np.flatnonzero(np.abs(numbers - value) == np.abs(numbers - value).min())
    return Observation(
        id=content_id("observation", info.id, interval, "count", value, found),
        video_id=info.id,
        interval=interval,
        subject="scene",
        activity="moves" if value else "stands",
        text=on_the_move(value, bool(numbers.any()), people=scene.geometry.people),
        attributes=(found,),
        surprise=max(0.0, found.surprise or 0.0),
        key_frame=inner[int(shows[len(shows) // 2])].frame,
    )


def walking(told: Sequence[Observation], inner: Sequence[FramePercept]) -> int:
    """How many of those who are told of walk at a time: a median over the frames of a stretch.

    Groups are left out: of how many people they are is not known.
    """
    spans = [
        (o.points[0].frame, o.points[-1].frame)
        for o in told
        if (o.subject, o.activity) == ("person", "walks")
    ]
    at_a_time = [sum(a <= p.frame <= b for a, b in spans) for p in inner]
    return round(float(np.median(at_a_time))) if at_a_time else 0
