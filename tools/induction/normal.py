"""Normal footage as induction uses it: parts that vote, parts that are held out, looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, pairwise
from math import ceil, comb
from pathlib import Path

import numpy as np

from tools.boundaries import build_tree
from tools.errors import MediaError, UserError
from tools.induction.proposals import Witness
from tools.ports import BoundaryDetector, Captioner, Clip, FrameSource, Progress, SceneProfile
from tools.sidebyside import side_by_side, waits
from tools.types import Description, Event, Interval, Provenance, content_id
from tools.video import OpenedVideo, find_videos, open_video

__all__ = [
    "Seen",
    "Unit",
    "batches_of",
    "clip_provenance",
    "described",
    "distinct",
    "folds_of",
    "interval_of",
    "merged",
    "open_clips",
    "units_of",
    "witnesses",
]

MAX_FOLDS = 6
MIN_PIECE_S = 1.0
MIN_BLOCK_S = 2.0


@dataclass(frozen=True)
class Unit:
    """A part of the footage that is kept together in votes and folds."""

    clip: Clip
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Seen:
    unit: int
    event: Event
    description: Description


def open_clips(
    opened: ExitStack, paths: Sequence[str | Path]
) -> tuple[list[OpenedVideo], tuple[str, ...]]:
    """The clips that can be read, and what is wrong with the others."""
    clips: list[OpenedVideo] = []
    errors: list[MediaError] = []
    for path in find_videos(paths):
        try:
            clips.append(opened.enter_context(open_video(path)))
        except MediaError as error:
            errors.append(error)
    if errors and not clips:
        raise errors[0]
    return clips, tuple(f"left out: {error}" for error in errors)


def units_of(
    clips: Sequence[Clip], detector: BoundaryDetector, min_event_s: float, tell: Progress
) -> tuple[Unit, ...]:
    """One unit per clip; a single clip is cut into blocks of time."""
    units: list[Unit] = []
    for number, clip in enumerate(clips):
        info = clip.source.info
        tell(f"finding events in {info.name}", number, len(clips))
        tree = build_tree(detector.signal(clip.source), info, min_event_s=min_event_s)
        for part in _blocks(clip) if len(clips) == 1 else (clip,):
            units.append(Unit(part, _events_in(tree.coarse, interval_of(part))))
    tell("finding events", len(clips), len(clips))
    return tuple(units)


def distinct(clips: Sequence[FrameSource | Clip]) -> tuple[list[Clip], tuple[str, ...]]:
    """Each stretch of footage once (a copy must not vote), and what is to be said of copies."""
    kept: dict[tuple[str, Interval], Clip] = {}
    notes: list[str] = []
    for given in clips:
        clip = given if isinstance(given, Clip) else Clip(source=given)
        first = kept.setdefault((clip.source.info.id, interval_of(clip)), clip)
        if first is not clip:
            notes.append(f"{clip.source.info.name} is the same as {first.source.info.name}")
    return list(kept.values()), tuple(notes)


def _blocks(clip: Clip) -> tuple[Clip, ...]:
    """A single clip in up to six blocks of time of at least two seconds each."""
    whole = interval_of(clip)
    count = min(6, int(whole.seconds / MIN_BLOCK_S))
    if count < 3:
        return (clip,)
    cuts = [whole.start + round(i * (whole.end - whole.start) / count) for i in range(count + 1)]
    return tuple(
        Clip(clip.source, Interval(start=a, end=b, time_base=whole.time_base))
        for a, b in pairwise(cuts)
    )


def merged(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Neighbouring blocks of one source as one stretch: stays and tracks are not cut there."""
    merged: list[Clip] = []
    for clip in clips:
        last = merged[-1] if merged else None
        if last is not None and last.source is clip.source and _touch(last, clip):
            merged[-1] = Clip(clip.source, interval_of(last).hull(interval_of(clip)))
        else:
            merged.append(clip)
    return tuple(merged)


def _touch(first: Clip, second: Clip) -> bool:
    return interval_of(first).end == interval_of(second).start


def _events_in(events: Sequence[Event], interval: Interval) -> tuple[Event, ...]:
    """The events cut to an interval, without scraps shorter than a second."""
    kept: list[Event] = []
    for event in events:
        common = event.interval.intersection(interval)
        if common is None or (common != event.interval and common.seconds < MIN_PIECE_S):
            continue
        if common != event.interval:
            update = {"id": content_id(event.id, common), "interval": common}
            event = event.model_copy(update=update)
        kept.append(event)
    return tuple(kept)


def interval_of(clip: Clip) -> Interval:
    return clip.interval or clip.source.info.interval


def clip_provenance(clip: Clip) -> Provenance:
    return Provenance(video_id=clip.source.info.id, clip=clip.source.info.name)


def batches_of(
    count: int, batches: int | None, rng: np.random.Generator
) -> tuple[tuple[int, ...], ...]:
    """Make-up of the batches: disjoint where there is enough footage, else random halves."""
    wanted = min(5, max(3, count)) if batches is None else batches
    if wanted < 1:
        raise UserError(f"batches must be at least 1, not {wanted}", remedy="leave it out")
    if count >= 2 * wanted:
        order = rng.permutation(count)
        return tuple(tuple(sorted(int(u) for u in order[i::wanted])) for i in range(wanted))
    size = max(1, ceil(count / 2))
    wanted = min(wanted, comb(count, size))
    groups: list[tuple[int, ...]] = []
    while len(groups) < wanted:
        # Start from the units that were chosen least, so that all are heard.
        uses = [sum(unit in group for group in groups) for unit in range(count)]
        least = sorted(range(count), key=lambda u: (uses[u], rng.random()))
        group = tuple(sorted(least[:size]))
        if group in groups:
            group = tuple(sorted(int(u) for u in rng.choice(count, size, replace=False)))
        if group not in groups:
            groups.append(group)
    return tuple(groups)


def folds_of(count: int) -> tuple[tuple[int, ...], ...]:
    """Contiguous folds: neighbouring clips often show the same people."""
    parts = np.array_split(np.arange(count), min(MAX_FOLDS, count))
    return tuple(tuple(int(u) for u in part) for part in parts)


def described(
    units: Sequence[Unit],
    members: Sequence[int],
    captioner: Captioner,
    profile: SceneProfile,
    tell: Progress,
    what: str,
) -> tuple[Seen, ...]:
    events = [(u, event) for u in members for event in units[u].events]
    done = count()

    def look(item: tuple[int, Event]) -> Seen:
        u, event = item
        tell(what, next(done), len(events))
        source = units[u].clip.source
        return Seen(
            u, event, captioner.describe(source, event.interval, profile=profile, detail="fine")
        )

    seen = side_by_side(look, events, waits(captioner))
    tell(what, len(events), len(events))
    return tuple(seen)


def witnesses(units: Sequence[Unit], seen: Sequence[Seen], group: Sequence[int]) -> list[Witness]:
    return [
        Witness(o, units[s.unit].clip.source.info.id, units[s.unit].clip.source.info.name)
        for s in seen
        if s.unit in group and not s.description.problems
        for o in s.description.observations
    ]
