"""What is seen in one frame: how many walk, how many stand, what else moves and how.

A frame alone shows no motion. What somebody does then is told from a second before and after (of a
causal captioner: before), what it is from all that is seen of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.claims import background, within
from tools.backends.embedded.perception.counting import calm, count
from tools.backends.embedded.perception.describing import (
    STILL,
    Scene,
    Sighting,
    distinct,
    full_box,
    observe,
)
from tools.backends.embedded.perception.detections import PERSON_AREA, Det, Kind
from tools.backends.embedded.perception.percepts import FramePercept
from tools.backends.embedded.perception.stretches import View
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.wording import Alike, clauses_of_frame, fact, region
from tools.types import Clause, Interval, Observation, Point, Timestamp, VideoInfo, content_id

__all__ = ["tell"]

_MISSED_S = 0.7
"""Who is not made out in a frame, but is before and after within so long, is taken to be there."""
_LATEST_S = 0.25
"""… where nothing after it is known, who was there so shortly before."""
_SAME, _PACE = 0.6, 0.25
"""Share of a box inside a larger one, and difference of speed, up to which two that go the same way
are taken for one."""
_SLOWER = 0.5
"""Of its highest speed: what the limbs do at less says nothing of riding or running."""
_GOES = 0.5
"""Usual walking speeds from which on somebody goes."""
_ONE = 1.4
"""Persons' areas up to which an outline is one person's."""


@dataclass(frozen=True, eq=False)
class _There:
    """Something that is told of, as it is in the frame."""

    told: Observation
    row: NDArray[np.float64]
    exact: bool
    """Seen in this very frame, not in between."""

    @property
    def odd(self) -> bool:
        """Whether it is told of by itself."""
        return self.told.surprise >= 1.0

    @property
    def certain(self) -> bool:
        """Whether its outline is its own; of who is counted: a person's, and no more than one's."""
        own = self.exact and self.row[Det.KIND] != Kind.PART and not self.row[Det.CUT]
        return bool(own and (self.odd or (self.told.subject == "person" and _one(self.row))))


def tell(
    percept: FramePercept,
    near: Interval,
    shown: Interval,
    info: VideoInfo,
    scene: Scene,
    view: View,
    detections: NDArray[np.float64],
) -> tuple[tuple[Observation, ...], tuple[Clause, ...]]:
    """What is told of a frame: observations in the order in which the clauses cite them.

    Args:
        near: the stretch from which it is told what somebody does.
        shown: the time for which the frame is shown.
        detections: the frame's own.
    """
    found, whole_picture = _there(percept, near, shown, info, scene, view)
    if _people(detections) > sum(t.exact for t in found):
        whole_picture = False  # who has just come is not followed yet
    told = _apart(found)
    groups: dict[tuple[str, str], list[_There]] = {}
    for one in sorted(told, key=lambda t: (t.row[Det.X0], t.told.id)):
        if not one.odd:
            groups.setdefault((one.told.subject, one.told.activity), []).append(one)
    # A number is exact where everybody in the picture is told of, each for certain one of them.
    exact = whole_picture and all(t.certain for t in told)
    alike = [Alike(tuple(t.told for t in g), about=not exact) for g in groups.values()]
    odd = sorted((t.told for t in told if t.odd), key=lambda o: (-o.surprise, o.id))
    counts = count([percept], shown, info, scene, view.tracks) if calm([percept]) else None
    clauses = clauses_of_frame(odd, alike, counts, info=info, scale=scene.scale)
    known = {o.id: o for o in (*(t.told for t in told), *([counts] if counts else []))}
    return tuple(known[i] for c in clauses for i in c.observations), clauses


def _there(
    percept: FramePercept,
    near: Interval,
    shown: Interval,
    info: VideoInfo,
    scene: Scene,
    view: View,
) -> tuple[list[_There], bool]:
    """What can be told of, and whether that is everybody who is followed."""
    clear = calm([percept])
    last = not view.seen or view.seen[-1].frame <= percept.frame
    seen: list[tuple[Sighting, Track, NDArray[np.float64], bool]] = []
    everybody = True
    for track in view.tracks:
        at = _row(track, percept, info, last=last)
        if at is None:
            continue
        sighting = observe(track, near, info, scene, view.tracks, view.whole.start_s)
        if sighting is not None and view.tellable(sighting, clear):
            seen.append((sighting, track, *at))
        elif (track.array[:, Det.KIND] == Kind.SMALL).mean() <= 0.5:
            everybody &= background(track.array)
    whole = {o.id for o in distinct([sighting for sighting, *_ in seen])}
    found = []
    for sighting, track, row, exact in seen:
        if sighting.told.id in whole:
            what = _overall(track, row, sighting, info, scene, view)
            told = _now(sighting.told, what, row, percept, shown, info, scene)
            found.append(_There(told, row, exact))
    return found, everybody


def _people(detections: NDArray[np.float64]) -> int:
    """How many detections may be of people: neither small nor the background."""
    still = (detections[:, Det.STILL] > 0.5) & (detections[:, Det.ALIKE] > 0.5)
    return int(((detections[:, Det.KIND] != Kind.SMALL) & ~still).sum())


def _row(
    track: Track, percept: FramePercept, info: VideoInfo, *, last: bool
) -> tuple[NDArray[np.float64], bool] | None:
    """A track's detection in a frame, and whether it was seen in that very one; in between, its box
    is taken from before and after. None where it is not there.

    ``last``: no later frame is known.
    """
    at = bisect_left(track.frames, percept.frame)
    if at < len(track.frames) and track.frames[at] == percept.frame:
        return track.rows[at], True
    seconds = percept.pts * float(info.time_base.fraction)
    if at == len(track.frames):
        gone = not last or seconds - track.times[-1] > _LATEST_S or track.rows[-1][Det.CUT]
        return None if gone else (track.rows[-1], False)
    if at == 0 or track.times[at] - track.times[at - 1] > _MISSED_S:
        return None
    before, after = track.rows[at - 1], track.rows[at]
    share = (seconds - track.times[at - 1]) / (track.times[at] - track.times[at - 1])
    row = np.array(before if share < 0.5 else after)
    row[: Det.TALL] = (1 - share) * before[: Det.TALL] + share * after[: Det.TALL]
    return row, False


def _overall(
    track: Track,
    row: NDArray[np.float64],
    now: Sighting,
    info: VideoInfo,
    scene: Scene,
    view: View,
) -> tuple[str, str]:
    """What something is and does at a moment, by all that is seen of it.

    Limbs are told better from long than from short, for those of whoever is close mix in; and who
    stands shows none, but may have come walking.
    """
    subject, activity = now.told.subject, now.told.activity
    if activity in STILL:
        came = _on_the_way(track, info, scene) if activity == "stands" else None
        seen = None if came is None else observe(track, came, info, scene, view.tracks)
        person = seen is not None and seen.told.subject == "person" and _one(row)
        return ("person" if person else subject), activity
    if activity != "walks" and now.told.surprise < 1.0:
        return subject, "moves"  # within what is usual here, for which walkers are mistaken
    seen = observe(track, view.whole, info, scene, view.tracks, view.whole.start_s)
    if seen is None or not seen.sure:
        return subject, activity
    fastest, speed = seen.told.value("speed"), now.told.value("speed")
    alike = isinstance(fastest, float) and isinstance(speed, float) and speed >= _SLOWER * fastest
    if seen.told.activity == "glides" and alike and subject != "small object":
        return seen.told.subject, "glides"
    if activity in {"glides", "runs"} and seen.told.activity != activity:
        return subject, "moves"
    return subject, activity


def _on_the_way(track: Track, info: VideoInfo, scene: Scene) -> Interval | None:
    """From where something is seen to go for the first time to the last time that it does."""
    pace = np.hypot(track.array[:, Det.U], track.array[:, Det.V])
    going = np.flatnonzero(pace >= _GOES * scene.geometry.walk)
    if not len(going):
        return None
    first, last = track.pts[int(going[0])], track.pts[int(going[-1])]
    return Interval(start=first, end=last + 1, time_base=info.time_base)


def _now(
    told: Observation,
    what: tuple[str, str],
    row: NDArray[np.float64],
    percept: FramePercept,
    shown: Interval,
    info: VideoInfo,
    scene: Scene,
) -> Observation:
    """An observation as it is in a frame."""
    subject, activity = what
    box = full_box(row, scene.geometry)
    where = region(box, info.width, info.height)
    at = Timestamp(pts=percept.pts, time_base=shown.time_base)
    point = Point(frame=percept.frame, pts=percept.pts, surprise=told.surprise, box=box)
    text = fact(subject, activity, told.attributes, at, (where, where), scale=scene.scale)
    return told.model_copy(
        update={
            "id": content_id("observation", told.id, percept.frame),
            "interval": shown,
            "subject": subject,
            "activity": activity,
            "text": text,
            "key_frame": percept.frame,
            "box": box,
            "points": (point,),
        }
    )


def _apart(found: Sequence[_There]) -> list[_There]:
    """Those that are not mostly inside a larger one that goes the same way as fast."""
    order = sorted(found, key=lambda t: (-_area(t.row), t.told.id))
    kept: list[_There] = []
    for one in order:
        if not any(_within(one, other) for other in kept):
            kept.append(one)
    return kept


def _within(one: _There, other: _There) -> bool:
    if (one.told.activity in STILL) != (other.told.activity in STILL):
        return False
    if one.told.value("direction") != other.told.value("direction"):
        return False
    speeds = [float(o.told.value("speed") or 0.0) for o in (one, other)]
    share = within(one.row[: Det.TALL], other.row[: Det.TALL])
    return bool(abs(speeds[0] - speeds[1]) <= _PACE and share >= _SAME)


def _one(row: NDArray[np.float64]) -> bool:
    """Whether an outline, where it is known, is of no more than one person's size."""
    return bool(row[Det.AREA] <= _ONE * PERSON_AREA)  # not so of parts, whose area is not known


def _area(row: NDArray[np.float64]) -> float:
    return float((row[Det.X1] - row[Det.X0]) * (row[Det.Y1] - row[Det.Y0]))
