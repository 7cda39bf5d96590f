"""Induction: from a few normal clips to a profile, voted rules and a calibration.

1. The captioner learns the scene from all clips.
2. Batches of the clips (random parts of them, or of the time of a single one) are observed each on
   its own and vote on candidate rules (:mod:`tools.proposals`), after AnomalyRuler (ECCV 2024).
3. Held-out test: each fold of the clips is judged with a profile and with rules made from the
   others. A rule that fires on held-out normal events is relaxed, or retired where that does not
   help; the strengths that remain calibrate the scene (cross-conformal prediction, Vovk 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, pairwise
from math import ceil, comb
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.archive import SceneRecord, check_scene_name
from tools.boundaries import build_tree
from tools.errors import MediaError, UserError
from tools.heldout import Held, calibrate, tested
from tools.ports import (
    BoundaryDetector,
    Captioner,
    Clip,
    FrameSource,
    Progress,
    SceneProfile,
    Verifier,
)
from tools.proposals import Proposal, Witness, propose
from tools.scoring import Calibration
from tools.sidebyside import side_by_side, waits
from tools.types import (
    Description,
    Event,
    Interval,
    Provenance,
    Rule,
    RuleStatus,
    content_id,
)
from tools.video import OpenedVideo, find_videos, open_video

if TYPE_CHECKING:
    from tools.toolbox import Toolbox

__all__ = ["Induced", "induce", "induce_and_save"]

MAX_FOLDS = 6
MIN_PIECE_S = 1.0
MIN_BLOCK_S = 2.0


@dataclass(frozen=True)
class Induced:
    """The outcome of an induction, ready to be saved."""

    profile: SceneProfile
    rules: tuple[Rule, ...]
    """Active rules, and retired ones that the held-out test refuted."""
    calibration: Calibration
    notes: tuple[str, ...]
    """What a person should know: rules relaxed or refuted, footage left out, what is missing."""
    clips: tuple[Provenance, ...]
    batches: int


@dataclass(frozen=True)
class _Unit:
    """A part of the footage that is kept together in votes and folds."""

    clip: Clip
    events: tuple[Event, ...]


@dataclass(frozen=True)
class _Seen:
    unit: int
    event: Event
    description: Description


def induce(
    scene: str,
    clips: Sequence[FrameSource | Clip],
    captioner: Captioner,
    detector: BoundaryDetector,
    verifier: Verifier,
    *,
    batches: int | None = None,
    seed: int = 0,
    min_event_s: float = 2.0,
    progress: Progress | None = None,
) -> Induced:
    """Induce a scene's profile, rules and calibration from normal clips. Deterministic.

    Args:
        scene: name of the scene.
        clips: normal footage, all from one viewpoint.
        batches: how many batches vote; by default up to five.
        seed: for the random make-up of the batches.
        min_event_s: shortest event, in seconds.

    Raises:
        UserError: no clips, clips of several viewpoints, or nothing to make a rule from.
        MediaError: a clip cannot be decoded.
    """
    tell = progress or _silent
    whole, twice = _distinct(clips)
    if not whole:
        raise UserError(f"no normal clips for scene “{scene}”", remedy="name at least one video")
    profile = captioner.learn(scene, whole, progress=progress)
    units = _units(whole, detector, min_event_s, tell)
    described = _describe(units, range(len(units)), captioner, profile, tell, "watching the clips")
    notes = twice + _problems(units, described)
    groups = _groups(len(units), batches, np.random.default_rng(seed))
    longest = max((_interval(clip).seconds for clip in whole), default=0.0)

    def proposals(members: frozenset[int]) -> tuple[Proposal, ...]:
        """What the batches say when only these units are known."""
        known = [[u for u in group if u in members] for group in groups]
        votes = [_witnesses(units, described, group) for group in known if group]
        return propose(scene, votes, captioner.attributes, longest_s=longest)

    everything = frozenset(range(len(units)))
    final = proposals(everything)
    held = _hold_out(scene, units, captioner, profile, proposals, tell)
    final, factors, said = tested(final, held)
    rules = tuple(p.rule for p in final)
    active = {rule.id for rule in rules if rule.status is RuleStatus.ACTIVE}
    calibration = calibrate(held, active, factors, verifier)
    if not any(r.status is RuleStatus.ACTIVE for r in rules):
        raise UserError(
            f"nothing could be learned of scene “{scene}”: no rule found support in the clips",
            remedy="give longer normal clips in which something moves",
        )
    notes += said + _missing(described, rules, longest)
    if not calibration.scores:
        notes += ("no held-out normal event could be judged: scores are not calibrated",)
    return Induced(
        profile=profile,
        rules=rules,
        calibration=calibration,
        notes=notes,
        clips=tuple(_provenance(clip) for clip in whole),
        batches=len(groups),
    )


def induce_and_save(
    tools: Toolbox,
    paths: Sequence[str | Path],
    scene: str,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> SceneRecord:
    """Induce a scene from files and folders and put it on record, all or nothing.

    Raises:
        UserError: an impossible scene name, no videos, or as :func:`induce`.
        MediaError: no clip can be read; where some can, the others are named in the notes.
        StoreError: the archive cannot be written; it is as it was before.
    """
    check_scene_name(scene)
    with ExitStack() as opened:
        clips, unread = _open_clips(opened, paths)
        induced = induce(
            scene,
            clips,
            tools.captioner,
            tools.detector,
            tools.verifier,
            seed=seed,
            min_event_s=tools.min_event_s,
            progress=progress,
        )
        infos = {clip.info.id: clip.info for clip in clips}.values()
    profile = induced.profile
    record = SceneRecord(
        name=scene,
        captioner=profile.captioner,
        profile_version=profile.version,
        width=profile.width,
        height=profile.height,
        clips=induced.clips,
        seconds=round(sum(info.seconds for info in infos), 3),
        calibration=induced.calibration,
        batches=induced.batches,
        notes=(*unread, *induced.notes),
    )
    tools.archive.save_scene(record, profile, induced.rules)
    for info in infos:
        tools.archive.add_video(info)
    return record


# ---------------------------------------------------------------- footage


def _open_clips(
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


def _units(
    clips: Sequence[Clip], detector: BoundaryDetector, min_event_s: float, tell: Progress
) -> tuple[_Unit, ...]:
    """One unit per clip; a single clip is cut into blocks of time."""
    units: list[_Unit] = []
    for number, clip in enumerate(clips):
        info = clip.source.info
        tell(f"finding events in {info.name}", number, len(clips))
        tree = build_tree(detector.signal(clip.source), info, min_event_s=min_event_s)
        for part in _blocks(clip) if len(clips) == 1 else (clip,):
            units.append(_Unit(part, _events_in(tree.coarse, _interval(part))))
    tell("finding events", len(clips), len(clips))
    return tuple(units)


def _distinct(clips: Sequence[FrameSource | Clip]) -> tuple[list[Clip], tuple[str, ...]]:
    """Each stretch of footage once (a copy must not vote), and what is to be said of copies."""
    kept: dict[tuple[str, Interval], Clip] = {}
    notes: list[str] = []
    for given in clips:
        clip = given if isinstance(given, Clip) else Clip(source=given)
        first = kept.setdefault((clip.source.info.id, _interval(clip)), clip)
        if first is not clip:
            notes.append(f"{clip.source.info.name} is the same as {first.source.info.name}")
    return list(kept.values()), tuple(notes)


def _blocks(clip: Clip) -> tuple[Clip, ...]:
    """A single clip in up to six blocks of time of at least two seconds each."""
    whole = _interval(clip)
    count = min(6, int(whole.seconds / MIN_BLOCK_S))
    if count < 3:
        return (clip,)
    cuts = [whole.start + round(i * (whole.end - whole.start) / count) for i in range(count + 1)]
    return tuple(
        Clip(clip.source, Interval(start=a, end=b, time_base=whole.time_base))
        for a, b in pairwise(cuts)
    )


def _merged(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Neighbouring blocks of one source as one stretch: stays and tracks are not cut there."""
    merged: list[Clip] = []
    for clip in clips:
        last = merged[-1] if merged else None
        if last is not None and last.source is clip.source and _touch(last, clip):
            merged[-1] = Clip(clip.source, _interval(last).hull(_interval(clip)))
        else:
            merged.append(clip)
    return tuple(merged)


def _touch(first: Clip, second: Clip) -> bool:
    return _interval(first).end == _interval(second).start


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


def _interval(clip: Clip) -> Interval:
    return clip.interval or clip.source.info.interval


def _provenance(clip: Clip) -> Provenance:
    return Provenance(video_id=clip.source.info.id, clip=clip.source.info.name)


def _groups(
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


def _folds(count: int) -> tuple[tuple[int, ...], ...]:
    """Contiguous folds: neighbouring clips often show the same people."""
    parts = np.array_split(np.arange(count), min(MAX_FOLDS, count))
    return tuple(tuple(int(u) for u in part) for part in parts)


# ---------------------------------------------------------------- looking


def _describe(
    units: Sequence[_Unit],
    members: Sequence[int],
    captioner: Captioner,
    profile: SceneProfile,
    tell: Progress,
    what: str,
) -> tuple[_Seen, ...]:
    events = [(u, event) for u in members for event in units[u].events]
    done = count()

    def look(item: tuple[int, Event]) -> _Seen:
        u, event = item
        tell(what, next(done), len(events))
        source = units[u].clip.source
        return _Seen(
            u, event, captioner.describe(source, event.interval, profile=profile, detail="fine")
        )

    seen = side_by_side(look, events, waits(captioner))
    tell(what, len(events), len(events))
    return tuple(seen)


def _witnesses(
    units: Sequence[_Unit], seen: Sequence[_Seen], group: Sequence[int]
) -> list[Witness]:
    return [
        Witness(o, units[s.unit].clip.source.info.id, units[s.unit].clip.source.info.name)
        for s in seen
        if s.unit in group and not s.description.problems
        for o in s.description.observations
    ]


# ---------------------------------------------------------------- held-out test


def _hold_out(
    scene: str,
    units: Sequence[_Unit],
    captioner: Captioner,
    profile: SceneProfile,
    proposals: Callable[[frozenset[int]], tuple[Proposal, ...]],
    tell: Progress,
) -> tuple[Held, ...]:
    if len(units) < 2:
        return ()
    held: list[Held] = []
    folds = _folds(len(units))
    for number, fold in enumerate(folds, start=1):
        rest = frozenset(range(len(units))) - set(fold)
        known = captioner.learn(scene, _merged([units[u].clip for u in sorted(rest)]), base=profile)
        rules = proposals(rest)
        what = f"testing on held-out footage, part {number} of {len(folds)}"
        seen = _describe(units, fold, captioner, known, tell, what)
        held += [Held(s.event, s.description, rules) for s in seen if not s.description.problems]
    return tuple(held)


# ---------------------------------------------------------------- notes


def _problems(units: Sequence[_Unit], seen: Sequence[_Seen]) -> tuple[str, ...]:
    return tuple(
        f"{units[s.unit].clip.source.info.name} {s.event.interval} was left out: "
        + "; ".join(s.description.problems)
        for s in seen
        if s.description.problems
    )


def _missing(seen: Sequence[_Seen], rules: Sequence[Rule], longest_s: float) -> tuple[str, ...]:
    measured = {a.name for s in seen for o in s.description.observations for a in o.attributes}
    ruled = {r.predicate.all[0].attribute for r in rules if r.predicate}
    notes: list[str] = []
    if "dwell" in measured and "dwell" not in ruled:
        notes.append(
            f"the longest clip watched lasts {longest_s:.0f} s, too short to say how long people "
            "usually stay: give longer clips for a rule on staying"
        )
    if seen and "place" not in measured:
        notes.append("too little footage to say where people usually are: no rule on places")
    if seen and "way" not in measured:
        notes.append("too little footage to say which way things go at each place: no rule on it")
    return tuple(notes)


def _silent(what: str, done: int, total: int) -> None:
    """Progress nobody asked for."""
