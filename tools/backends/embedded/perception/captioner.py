"""The embedded captioner: classical vision on a CPU, no weights, no downloads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tools.backends.embedded.perception.asking import answered
from tools.backends.embedded.perception.attributes import ATTRIBUTES
from tools.backends.embedded.perception.calibration import (
    FrameLimit,
    FrameValues,
    frame_limits,
    span,
)
from tools.backends.embedded.perception.captions import caption, limited, unjudged
from tools.backends.embedded.perception.counting import calm, count, walking
from tools.backends.embedded.perception.describing import Scene, Sighting, distinct, observe
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.health import (
    Checkup,
    examine,
    size_problem,
    steady,
    unsteady,
)
from tools.backends.embedded.perception.learning import (
    learn_normal,
    prior_normal,
)
from tools.backends.embedded.perception.moments import tell
from tools.backends.embedded.perception.naming import foreign, name_of
from tools.backends.embedded.perception.percepts import FramePercept
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
from tools.backends.embedded.perception.stretches import (
    View,
    around,
    history,
    lasting,
    shown_at,
    widened,
)
from tools.backends.embedded.perception.survey import survey, survey_interval
from tools.backends.embedded.perception.tracks import FrameDetections, Track, link
from tools.backends.embedded.perception.wording import clauses
from tools.errors import UserError
from tools.memory import share_heaps
from tools.ports import (
    Captioner,
    Clip,
    Detail,
    FrameCaptioner,
    FrameSource,
    Listener,
    Progress,
    SceneProfile,
)
from tools.types import Answer, Description, Interval, Point, Question, Timestamp, content_id

__all__ = ["EmbeddedCaptioner"]

_MOST_OBSERVATIONS = 40
_MOST_ROWS = 10_000
"""Sightings in remembered tracks (about half a kilobyte each)."""


class EmbeddedCaptioner(Captioner, FrameCaptioner):
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
            return unjudged(self.name, info, interval, (scene,), profile)
        view = self._view(source, interval, scene, detail, progress)
        inner = [p for p in view.looked if p.frame not in view.checkup.blind]
        sightings = (
            observe(t, interval, info, scene, view.tracks, view.whole.start_s) for t in view.tracks
        )
        found = [s for s in sightings if s is not None]
        clear = calm(inner)
        told = distinct([s for s in found if view.tellable(s, clear)])
        told.sort(key=lambda o: (-o.surprise, -o.interval.seconds, o.id))
        kept = told[:_MOST_OBSERVATIONS]
        ticks = float(info.time_base.fraction)
        frames, motion, others = self._surprise(
            [*view.past, *view.seen], interval, ticks, scene, view.tracks, found
        )
        series = points(frames, interval, motion, others, scene)
        counts = count(inner, interval, info, scene, view.tracks)
        observations = [*kept, *([counts] if counts is not None else [])]
        # Of a picture that changed, "nothing goes" would say more than was seen.
        some = clear or counts is None or counts.value("count")
        parts = limited(
            clauses(kept, counts if some else None, walking(told, inner)), view.checkup, interval,
            clear=clear, known=scene.known,
        )  # fmt: skip
        return Description(
            caption=caption(self.name, info, interval, parts, profile),
            observations=tuple(observations),
            series=series,
            frames_seen=len(view.looked),
            problems=view.checkup.problems,
            health=view.checkup.events,
            smoothing="causal" if self._settings.causal else "offline",
        )

    def describe_frame(
        self,
        source: FrameSource,
        at: Timestamp,
        *,
        profile: SceneProfile | None,
        progress: Progress | None = None,
    ) -> Description:
        info, ahead = source.info, not self._settings.causal
        shown = lasting(source, shown_at(source, at))
        near = around(shown, info, ahead=ahead)
        wide = widened(near, info, ahead=ahead)
        early = history(wide, source)
        scene = self._scene(source, wide if early is None else early.hull(wide), profile)
        if isinstance(scene, str):
            return unjudged(self.name, info, shown, (scene,), profile)
        view = self._view(source, near, scene, "fine", progress)
        percept = view.nearest(shown.start, ahead=ahead)
        shown = lasting(source, percept.frame) if percept is not None else shown
        faults = view.faults(shown)
        if percept is None or faults:
            reasons = faults or ("too few frames to see motion",)
            return unjudged(self.name, info, shown, reasons, profile)
        detections = self.store.detections(scene.geometry, percept)
        told, found = tell(percept, near, shown, info, scene, view, detections)
        events = tuple(e for e in view.checkup.events if e.interval.contains(percept.pts))
        cuts = Checkup(events=events)
        parts = limited(found, cuts, shown, clear=calm([percept]), known=scene.known)
        return Description(
            caption=caption(self.name, info, shown, parts, profile),
            observations=told,
            frames_seen=len(view.looked),
            health=events,
        )

    def _view(
        self,
        source: FrameSource,
        interval: Interval,
        scene: Scene,
        detail: Detail,
        progress: Progress | None,
    ) -> View:
        """Measure an interval, what is around it and, thinly, what was before; follow objects."""
        info = source.info
        wide = widened(interval, info, ahead=not self._settings.causal)
        measured: list[FramePercept] = []
        first, end = np.searchsorted(source.pts, [wide.start, wide.end]).tolist()
        total = max(1, end - first)
        for percept in self.store.percepts(source, scene.geometry, wide, detail):
            measured.append(percept)
            if progress is not None and len(measured) % 16 == 0:
                progress("looking", min(total, percept.frame), total)
        view = scene.normal.view if scene.known else None
        checkup = examine(measured, interval, info, self._settings, view)
        seen = [p for p in measured if p.frame not in checkup.blind]
        early = history(wide, source)
        past = [] if early is None else list(
            self.store.percepts(source, scene.geometry, early, "coarse")
        )  # fmt: skip
        whole = wide if early is None else early.hull(wide)
        followed = [*past, *seen]
        return View(
            looked=tuple(p for p in measured if interval.contains(p.pts)),
            seen=seen,
            past=past,
            whole=whole,
            tracks=self._linked(source, scene.geometry, whole, detail, followed, checkup.blind),
            checkup=checkup,
            lit=unsteady(followed, float(info.time_base.fraction)),
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
        known = question.attribute in ATTRIBUTES  # otherwise nothing need be looked at
        seen = self.describe(source, interval, profile=profile) if known else None
        return answered(seen, question, identity)
