"""The embedded captioner: classical vision on a CPU, no weights, no downloads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tools.backends.embedded.perception.asking import asked_about
from tools.backends.embedded.perception.attributes import ATTRIBUTES
from tools.backends.embedded.perception.calibration import (
    FrameLimit,
    FrameValues,
    frame_limits,
    span,
)
from tools.backends.embedded.perception.claims import CALM, moving
from tools.backends.embedded.perception.describing import (
    Scene,
    Sighting,
    attribute,
    distinct,
    observe,
)
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.health import (
    Checkup,
    examine,
    said,
    size_problem,
    steady,
    unsteady,
)
from tools.backends.embedded.perception.learning import (
    learn_normal,
    prior_normal,
)
from tools.backends.embedded.perception.naming import foreign, name_of
from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.profiles import geometry_of, make_profile
from tools.backends.embedded.perception.series import (
    FrameSeries,
    beyond_motion,
    frame_series,
    points,
)
from tools.backends.embedded.perception.settings import DEFAULTS, PerceptionSettings
from tools.backends.embedded.perception.statistics import Normal
from tools.backends.embedded.perception.store import PerceptStore
from tools.backends.embedded.perception.survey import survey, survey_interval
from tools.backends.embedded.perception.tracks import FrameDetections, Track, link
from tools.backends.embedded.perception.wording import PRIORS_NOTE, UNLIKE, clauses, on_the_move
from tools.errors import UserError
from tools.memory import share_heaps
from tools.ports import Captioner, Clip, Detail, FrameSource, Listener, Progress, SceneProfile
from tools.types import (
    Answer,
    Caption,
    Clause,
    Description,
    Interval,
    Observation,
    Point,
    Question,
    VideoInfo,
    content_id,
)

__all__ = ["EmbeddedCaptioner"]

_MARGIN_S = 2.0
"""Seconds looked at on both sides of an interval, so that nothing breaks at its ends."""
_HISTORY_S = 24.0
"""Seconds before an interval from which tracks are followed: who stays may have come before it."""
_MOST_OBSERVATIONS = 40
_MOST_ROWS = 10_000
"""Sightings in remembered tracks (about half a kilobyte each)."""
_FRAME_SPAN = 24


class EmbeddedCaptioner(Captioner):
    """See the package docstring of :mod:`tools.backends.embedded.perception`.

    Args:
        cache_dir: folder for percepts, so that nothing is measured twice; None: memory only.
        settings: tunable numbers of the measuring.
    """

    def __init__(
        self, cache_dir: Path | None = None, settings: PerceptionSettings = DEFAULTS
    ) -> None:
        self._settings = settings
        self._cache_dir = cache_dir
        folder = None if cache_dir is None else Path(cache_dir) / "percepts"
        self.store = PerceptStore(settings, folder)
        self._tracks: OrderedDict[tuple[Any, ...], list[Track]] = OrderedDict()
        self._rows = 0
        self._geometries: OrderedDict[str, Geometry] = OrderedDict()
        self._lock = threading.RLock()  # looks may run side by side
        share_heaps()

    @property
    def name(self) -> str:
        return name_of(self._settings)

    def foreign(self, learned: str, scene: str) -> tuple[str, str] | None:
        return foreign(self._settings, learned, scene)

    @property
    def attributes(self) -> Mapping[str, str]:
        return ATTRIBUTES

    # ---------------------------------------------------------------- learning

    def learn(
        self,
        scene: str,
        clips: Sequence[Clip],
        *,
        base: SceneProfile | None = None,
        progress: Progress | None = None,
    ) -> SceneProfile:
        if not clips:
            raise UserError(
                f"no normal clips to learn the scene {scene} from", remedy="give at least one"
            )
        if base is None:
            geometry = survey(clips, self._settings, progress)
        else:
            geometry = geometry_of(base)
            for clip in clips:
                trouble = size_problem(clip.source.info, geometry.full)
                if trouble is not None:
                    raise UserError(trouble)
        for number, clip in enumerate(clips):
            if progress is not None:
                progress("learning what is normal", number, len(clips))
            self._linked(clip.source, geometry, span(clip), "fine")
        normal = self._normal(geometry, clips)
        seconds = sum(span(clip).seconds for clip in clips)
        limits: dict[str, FrameLimit] | None = None
        if base is not None:
            frames = Normal.from_store(base.arrays, base.meta["normal"]).frames
        else:
            limits = frame_limits(
                clips,
                lambda known: self._normal(geometry, known),
                lambda held, known: self._held(geometry, held, known),
            )
            frames = {name: limit.scale for name, limit in limits.items()}
        if progress is not None:
            progress("learning what is normal", len(clips), len(clips))
        normal = replace(normal, frames=frames)
        return make_profile(scene, self.name, geometry, normal, clips, seconds, limits)

    def _normal(self, geometry: Geometry, clips: Sequence[Clip]) -> Normal:
        """Statistics of normal clips under a geometry."""

        def stretch(clip: Clip) -> Iterator[FramePercept]:
            return self.store.percepts(clip.source, geometry, span(clip), "fine")

        return learn_normal(
            geometry,
            self.store.analyser(geometry).grid,
            [lambda c=clip: stretch(c) for clip in clips],  # type: ignore[misc]
            [self._linked(c.source, geometry, span(c), "fine") for c in clips],
            sum(span(clip).seconds for clip in clips),
        )

    def _held(self, geometry: Geometry, clip: Clip, known: Normal) -> FrameValues:
        """Frames of a clip by statistics that were learned without it."""
        info, interval, scene = clip.source.info, span(clip), Scene(geometry, known, True)
        seen = list(self.store.percepts(clip.source, geometry, interval, "fine"))
        tracks = self._linked(clip.source, geometry, interval, "fine")
        sightings = (observe(t, interval, info, scene, tracks, interval.start_s) for t in tracks)
        found = [s for s in sightings if s is not None]
        base = float(info.time_base.fraction)
        frames, motion, others = self._surprise(seen, interval, base, scene, tracks, found)
        values = {"motion": motion.values}
        for name, marked in others.items():
            values[name] = np.array(
                [marked[p.frame].surprise if p.frame in marked else 0.0 for p in frames]
            )
        return values

    # ---------------------------------------------------------------- describing

    def __reduce__(self) -> tuple[Any, ...]:
        return EmbeddedCaptioner, (self._cache_dir, self._settings)  # for processes of their own

    def listener(
        self, source: FrameSource, *, profile: SceneProfile, detail: Detail
    ) -> Listener | None:
        """Measures a whole video for later looks, from frames that somebody else decodes."""
        geometry = geometry_of(profile)
        if size_problem(source.info, geometry.full) is not None:
            return None
        return self.store.listener(source, geometry, detail)

    def describe(
        self,
        source: FrameSource,
        interval: Interval,
        *,
        profile: SceneProfile | None,
        detail: Detail = "fine",
        progress: Progress | None = None,
    ) -> Description:
        info = source.info
        scene = self._scene(source, interval, profile)
        if isinstance(scene, str):
            return self._unjudged(info, interval, (scene,), profile)
        wide = _widened(interval, info, ahead=not self._settings.causal)
        seen: list[FramePercept] = []
        total = max(
            1, int(np.searchsorted(source.pts, wide.end) - np.searchsorted(source.pts, wide.start))
        )
        for percept in self.store.percepts(source, scene.geometry, wide, detail):
            seen.append(percept)
            if progress is not None and len(seen) % 16 == 0:
                progress("looking", min(total, percept.frame), total)
        view = scene.normal.view if scene.known else None
        checkup = examine(seen, interval, info, self._settings, view)
        looked = sum(interval.contains(p.pts) for p in seen)
        seen = [p for p in seen if p.frame not in checkup.blind]
        inner = [p for p in seen if interval.contains(p.pts)]
        early = _history(wide, source)
        past = [] if early is None else list(
            self.store.percepts(source, scene.geometry, early, "coarse")
        )  # fmt: skip
        whole = wide if early is None else early.hull(wide)
        tracks = self._linked(source, scene.geometry, whole, detail, [*past, *seen], checkup.blind)
        sightings = (observe(t, interval, info, scene, tracks, whole.start_s) for t in tracks)
        found = [s for s in sightings if s is not None]
        calm = _calm(inner)
        lit = unsteady([*past, *seen], float(info.time_base.fraction))
        told = distinct(
            [s for s in found if s.sure and (not s.calm or (calm and s.born not in lit))]
        )
        told.sort(key=lambda o: (-o.surprise, -o.interval.seconds, o.id))
        kept = told[:_MOST_OBSERVATIONS]
        ticks = float(info.time_base.fraction)
        frames, motion, others = self._surprise(
            [*past, *seen], interval, ticks, scene, tracks, found
        )
        series = points(frames, interval, motion, others, scene)
        counts = _count(inner, interval, info, scene, tracks)
        observations = [*kept, *([counts] if counts is not None else [])]
        caption = self._caption(info, interval, kept, counts, checkup, scene, profile, calm)
        return Description(
            caption=caption,
            observations=tuple(observations),
            series=series,
            frames_seen=looked,
            problems=checkup.problems,
            health=checkup.events,
            smoothing="causal" if self._settings.causal else "offline",
        )

    def _scene(
        self, source: FrameSource, interval: Interval, profile: SceneProfile | None
    ) -> Scene | str:
        """Geometry and statistics to judge by, or the reason why there are none."""
        if profile is not None:
            geometry = geometry_of(profile)
            trouble = size_problem(source.info, geometry.full)
            if trouble is not None:
                return trouble
            return Scene(geometry, Normal.from_store(profile.arrays, profile.meta["normal"]), True)
        key = content_id("scene-free", source.info.sha256, interval)
        own = self._geometry(key, lambda: survey_interval(source, interval, self._settings))
        if own is None:
            return "too few frames to see motion"
        return Scene(own, prior_normal(own), False)

    def _geometry(self, key: str, make: Callable[[], Geometry | None]) -> Geometry | None:
        """A geometry by key, made once and remembered."""
        with self._lock:
            found = self._geometries.get(key)
            if found is None:
                found = make()
                if found is not None:
                    self._geometries[key] = found
                    if len(self._geometries) > 8:
                        self._geometries.popitem(last=False)
            return found

    def _linked(
        self,
        source: FrameSource,
        geometry: Geometry,
        interval: Interval,
        detail: Detail,
        percepts: Sequence[FramePercept] | None = None,
        blind: frozenset[int] = frozenset(),
    ) -> list[Track]:
        """Tracks of a stretch; they depend on the frames, the geometry and what is blind alone."""
        key = (source.info.sha256, geometry.key, interval.start, interval.end, detail, blind)
        with self._lock:
            known = self._tracks.get(key)
            if known is not None:
                self._tracks.move_to_end(key)
                return known
        base = float(source.info.time_base.fraction)
        stream = percepts if percepts is not None else self.store.percepts(
            source, geometry, interval, detail
        )  # fmt: skip
        tracks = link(
            (
                FrameDetections(p.frame, p.pts, p.pts * base, self.store.detections(geometry, p))
                for p in stream
                if steady(p)
            ),
            geometry.walk,
        )
        with self._lock:
            self._tracks[key] = tracks
            self._rows += sum(len(t.rows) for t in tracks)
            while self._rows > _MOST_ROWS and len(self._tracks) > 1:
                _, old = self._tracks.popitem(last=False)
                self._rows -= sum(len(t.rows) for t in old)
        return tracks

    def _surprise(
        self,
        seen: Sequence[FramePercept],
        interval: Interval,
        base: float,
        scene: Scene,
        tracks: Sequence[Track],
        found: Sequence[Sighting],
    ) -> tuple[Sequence[FramePercept], FrameSeries, dict[str, dict[int, Point]]]:
        """The frames that count, and how surprising each is by motion and by what else objects
        show (see :mod:`series`); ``base`` seconds per tick."""
        causal = self._settings.causal
        if causal:  # the first frame of a video is measured against the next
            seen = [p for p in seen if p.frame > 0 and p.pts < interval.end]
            tracks = self._following(seen, scene.geometry, base)
        motion = frame_series(
            seen, tracks, [p.pts * base for p in seen], scene.geometry,
            self.store.analyser(scene.geometry).grid, scene.normal, causal=causal,
        )  # fmt: skip
        # Other attributes of an object are judged over all that is seen of it.
        if causal:
            return seen, motion, {}
        return seen, motion, beyond_motion(found, seen, scene.normal, base)

    def _following(
        self, seen: Sequence[FramePercept], geometry: Geometry, base: float
    ) -> list[Track]:
        """Tracks linked frame by frame, without looking ahead."""
        frames = (
            FrameDetections(p.frame, p.pts, p.pts * base, self.store.detections(geometry, p))
            for p in seen
            if steady(p)
        )
        return link(frames, geometry.walk, causal=True)

    def _caption(
        self,
        info: VideoInfo,
        interval: Interval,
        observations: Sequence[Observation],
        counts: Observation | None,
        checkup: Checkup,
        scene: Scene,
        profile: SceneProfile | None,
        calm: bool,
    ) -> Caption:
        lost = checkup.problems or [said(e, interval) for e in checkup.events if e.kind != "cut"]
        parts = tuple(Clause(text=f"cannot be judged: {t}") for t in lost)
        if not checkup.problems:
            cuts = [said(e, interval) for e in checkup.events if e.kind == "cut"]
            # Of a picture that changed, "nothing goes" would say more than was seen.
            some = calm or counts is None or counts.value("count")
            unlike = () if calm else (Clause(text=UNLIKE),)
            found = clauses(observations, counts if some else None)
            parts = (*found, *unlike, *(Clause(text=t) for t in cuts), *parts)
        if not scene.known:
            parts = (*parts, Clause(text=PRIORS_NOTE))
        text = "; ".join(p.text for p in parts)
        version = profile.version if profile is not None else "priors"
        return Caption(
            id=content_id("caption", self.name, info.id, interval, version, text),
            video_id=info.id,
            interval=interval,
            text=text,
            clauses=parts,
            captioner=self.name,
        )

    def _unjudged(
        self,
        info: VideoInfo,
        interval: Interval,
        troubles: tuple[str, ...],
        profile: SceneProfile | None,
    ) -> Description:
        parts = tuple(Clause(text=f"cannot be judged: {t}") for t in troubles)
        text = "; ".join(p.text for p in parts)
        version = profile.version if profile is not None else "priors"
        caption = Caption(
            id=content_id("caption", self.name, info.id, interval, version, text),
            video_id=info.id,
            interval=interval,
            text=text,
            clauses=parts,
            captioner=self.name,
        )
        return Description(caption=caption, problems=troubles)

    # ---------------------------------------------------------------- asking

    def ask(
        self,
        source: FrameSource,
        interval: Interval,
        question: Question,
        *,
        profile: SceneProfile | None,
    ) -> Answer:
        identity = content_id("answer", self.name, source.info.id, interval, question)
        name = question.attribute
        if name is None or name not in ATTRIBUTES:
            return Answer(
                id=identity,
                question=question,
                text="cannot be told: this captioner only measures "
                + ", ".join(sorted(ATTRIBUTES)),
            )
        seen = self.describe(source, interval, profile=profile)
        if seen.problems:
            return Answer(
                id=identity, question=question, text=f"cannot be told: {'; '.join(seen.problems)}"
            )
        asked = asked_about(seen.observations, name, question.box)
        found = asked.attribute(name) if asked is not None else None
        if asked is None or found is None:
            where = " in that box" if question.box is not None else ""
            return Answer(
                id=identity,
                question=question,
                text=f"cannot be told: {name} was not measured{where}",
            )
        shown = found.value if isinstance(found.value, str) else f"{found.value:g}"
        frames = tuple(p.frame for p in asked.points) or (asked.key_frame,)
        picked = frames[:: max(1, len(frames) // _FRAME_SPAN)]
        return Answer(
            id=identity,
            question=question,
            text=f"{name} {shown} {found.unit}".strip() + f" ({asked.text})",
            value=found.value,
            unit=found.unit,
            frames=picked,
        )


def _widened(interval: Interval, info: VideoInfo, *, ahead: bool) -> Interval:
    margin = round(_MARGIN_S / info.time_base.fraction)
    after = margin if ahead else 0
    return Interval(
        start=max(0, interval.start - margin),
        end=max(interval.start + 1, min(info.duration, interval.end + after)),
        time_base=interval.time_base,
    )


def _history(wide: Interval, source: FrameSource) -> Interval | None:
    """What is followed, thinly, before a stretch; None at the beginning of a video."""
    margin = round(_HISTORY_S / wide.time_base.fraction)
    start = max(0, wide.start - margin)
    first = int(source.pts.searchsorted(wide.start))
    if start >= wide.start or first == 0:
        return None
    return Interval(start=start, end=int(source.pts[first]), time_base=wide.time_base)


def _calm(inner: Sequence[FramePercept]) -> bool:
    """Whether the picture is mostly like its background, so that what stands in it can be told."""
    share = [float(p.health[Health.FOREGROUND]) for p in inner]
    return not share or float(np.median(share)) <= CALM


def _count(
    inner: Sequence[FramePercept],
    interval: Interval,
    info: VideoInfo,
    scene: Scene,
    tracks: Sequence[Track],
) -> Observation | None:
    """How many people, or objects, are on the move: a median over the stretch.

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
