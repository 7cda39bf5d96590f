"""The tools the graph calls, each a plain function of typed arguments over the configured backends.

Every call goes through the run's ledger: it is recorded, keyed by its request, and not repeated
after an interruption. :mod:`tools.registry` offers the same functions to language models.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from tools.ahead import Ahead, Job, segmented
from tools.archive import Archive, SceneRecord
from tools.decision import Intent, Plan
from tools.deduction import words_only
from tools.errors import UserError
from tools.ledger import Asked, Asking, Known, Ledger, Look, Recall, SceneView, Segmentation
from tools.memory import give_back
from tools.ports import (
    BoundaryDetector,
    Captioner,
    Detail,
    Discerning,
    Drafter,
    Embedder,
    Listening,
    Planner,
    PlanningContext,
    Progress,
    Reading,
    SceneProfile,
    Told,
    Verifier,
)
from tools.rulebook.plainwords import tests_of
from tools.rulebook.priors import prior_hits
from tools.rulebook.scoping import Occasion, occasion_of, stamp_in, tried, within
from tools.scoring import Calibration, Thresholds, thresholds
from tools.sidebyside import waits
from tools.types import (
    Answer,
    Description,
    Event,
    Interval,
    Observation,
    Question,
    Rule,
    RuleHit,
    RuleKind,
    Verdict,
    VideoInfo,
    content_id,
)
from tools.verification import calibrated
from tools.video import open_video, probe

__all__ = ["Toolbox"]

ALONE_FROM = 1_500_000
"""Pixels of a frame from which looks do not run side by side: a decoder holds a dozen such frames,
50 MB at 1080 lines, and decodes on several cores anyway."""


@dataclass(frozen=True, eq=False)
class Toolbox:
    """Configured backends and the archive. Made in one place: agent.runtime.

    Args:
        min_event_s: shortest event, in seconds.
        false_alarm_rate: share of normal events allowed to alarm.
        abstain_rate: share of normal events allowed to be left open or alarm.
    """

    archive: Archive
    detector: BoundaryDetector
    captioner: Captioner
    verifier: Verifier
    planner: Planner
    embedder: Embedder
    drafter: Drafter | None = None
    min_event_s: float = 2.0
    false_alarm_rate: float = 0.01
    abstain_rate: float = 0.05
    ahead: Ahead = field(default_factory=Ahead)
    """What is done before it is asked for (see :mod:`tools.ahead`)."""
    _alone: threading.Lock = field(default_factory=threading.Lock)

    # -- what is known -----------------------------------------------------------

    def probe(self, ledger: Ledger, path: str, *, started: str = "", camera: str = "") -> VideoInfo:
        """What is known of a video before it is decoded. Raises MediaError.

        Args:
            started: when its first frame was taken (ISO 8601); else the stamp in its name counts.
            camera: name of the camera.
        """

        def work() -> VideoInfo:
            info = probe(path)
            dated = {"started": started or stamp_in(info.name), "camera": camera}
            return info.model_copy(update=dated)

        request = {"path": path} | ({"started": started} if started else {})
        request |= {"camera": camera} if camera else {}
        info = ledger.call("probe", request, VideoInfo, work)
        self.archive.add_video(info)
        return info

    def scene(self, ledger: Ledger, name: str) -> SceneView:
        """The scene's current profile and calibration, fixed for the whole run.

        Raises UserError where the scene is unknown, was learned by another captioner, has no active
        rule, or was indexed with another embedder; StoreError.
        """

        def view() -> SceneView:
            record = self.archive.scene(name)
            if record.captioner != self.captioner.name:
                raise _foreign(self.captioner, record)
            rules = self.archive.rules.list(name)
            if not rules:
                raise UserError(
                    f"scene {name!r} has no active rules",
                    remedy=f"induce some: vidocq induce NORMAL... --scene {name}",
                )
            self.archive.rules.check_index(name)
            counted = {
                "own_rules": sum(rule.source == "user" for rule in rules),
                "timed_rules": sum(rule.scope.timed for rule in rules),
                "camera_rules": sum(bool(rule.scope.cameras) for rule in rules),
                "zone_rules": sum(bool(rule.scope.zone) for rule in rules),
                "in_words": not self.captioner.attributes and isinstance(self.verifier, Reading),
            }
            return self._view(record).model_copy(update=counted)

        return ledger.call("scene", {"name": name}, SceneView, view)

    def _view(self, record: SceneRecord) -> SceneView:
        limits = thresholds(
            record.calibration,
            false_alarm_rate=self.false_alarm_rate,
            abstain_rate=self.abstain_rate,
        )
        return SceneView(
            name=record.name,
            profile_version=record.profile_version,
            normal_below=limits.normal_below,
            alarm_at=limits.alarm_at,
            false_alarm_rate=limits.false_alarm_rate,
            extrapolated=limits.extrapolated,
            normal_events=record.calibration.events,
            normal_seconds=record.calibration.seconds,
            clips=tuple(c.clip for c in record.clips),
            captions_version=record.captions_version,
            normal_captions=len(self.archive.normal_captions(record.name, record.captions_version)),
        )

    def plan(self, ledger: Ledger, query: str, context: PlanningContext) -> Plan:
        """A plan for the question. Raises UserError, BackendError."""
        request = {
            "planner": self.planner.name,
            "query": query,
            "scene": context.scene,
            "rules": context.rule_texts,
            "follow_up": context.has_decision,
            "names_video": context.names_video,
        }
        return ledger.call("plan", request, Plan, lambda: self.planner.plan(query, context))

    # -- what is seen ------------------------------------------------------------

    def segment(
        self, ledger: Ledger, video: VideoInfo, progress: Progress | None = None
    ) -> Segmentation:
        """The event tree of a video and the reflex per event. Raises MediaError."""

        def work() -> Segmentation:
            ready = self.ahead.segmentation(video, progress)
            if ready is not None:
                return ready
            job = self.ahead.job(video.id) or self._job(video, None)
            give_back()  # what assembling took
            with open_video(video.path) as source:
                found = segmented(job, source, self.ahead.stoppable(progress))
            give_back()
            return found

        return ledger.call("segment", self._segmenting(video), Segmentation, work)

    def prepare(
        self,
        ledger: Ledger,
        videos: Sequence[VideoInfo],
        *,
        scene: SceneView | None,
        detail: Detail,
        zoom: bool = False,
        workers: int = 1,
    ) -> None:
        """Expect looks at all events of these videos: their frames are decoded once for all.

        ``detail`` is that of the first looks; with ``zoom`` all will be looked at finely after it.
        ``workers`` above 1: the videos are worked on side by side, each in a process of its own.
        Results do not depend on it.
        """
        profile = self._profile(scene)
        if profile is None or not isinstance(self.captioner, Listening):
            return
        new = [v for v in videos if not ledger.knows("segment", self._segmenting(v))]
        self.ahead.begin([self._job(v, profile, detail, zoom) for v in new], workers)

    def _job(
        self,
        video: VideoInfo,
        profile: SceneProfile | None,
        detail: Detail = "coarse",
        zoom: bool = False,
    ) -> Job:
        return Job(video, self.detector, self.captioner, profile, detail, zoom, self.min_event_s)

    def _segmenting(self, video: VideoInfo) -> dict[str, object]:
        return {
            "detector": self.detector.name,
            "video": video.sha256,
            "min_event_s": self.min_event_s,
        }

    def look(
        self,
        ledger: Ledger,
        video: VideoInfo,
        event: Event,
        *,
        scene: SceneView | None,
        detail: Detail,
        progress: Progress | None = None,
    ) -> Look:
        """Caption and observe one event. Raises MediaError, BackendError."""

        def work() -> Look:
            version = scene.profile_version if scene is not None else ""
            ready = self.ahead.look(video.id, event.interval, detail, version)
            if ready is not None:
                return Look(event=event, detail=detail, description=ready)
            with self._room(video), open_video(video.path) as source:
                seen: Description = self.captioner.describe(
                    source,
                    event.interval,
                    profile=self._profile(scene),
                    detail=detail,
                    progress=self.ahead.stoppable(progress),
                )
            give_back()
            return Look(event=event, detail=detail, description=seen)

        return ledger.call("look", self._seeing(video, event.interval, scene, detail), Look, work)

    def _room(self, video: VideoInfo) -> AbstractContextManager[object]:
        """Held while a look decodes a video; a captioner that waits for a server is not held up."""
        large = video.width * video.height >= ALONE_FROM and waits(self.captioner) == 1
        return self._alone if large else nullcontext()

    def questions(
        self,
        ledger: Ledger,
        plan: Plan,
        look: Look,
        hits: tuple[RuleHit, ...],
    ) -> tuple[Question, ...]:
        """The verifier's independent questions about an event. Raises BackendError, BudgetSpent."""
        request = {
            "verifier": self.verifier.name,
            "plan": [plan.intent, plan.targets],
            "caption": look.description.caption.id,
            "rules": [h.rule.ref for h in hits],
        }

        def work() -> Asking:
            made = self.verifier.questions(plan, look.event, look.description, hits)
            return Asking(event_id=look.event.id, questions=made)

        return ledger.call("questions", request, Asking, work).questions

    def ask(
        self,
        ledger: Ledger,
        video: VideoInfo,
        event: Event,
        questions: tuple[Question, ...],
        *,
        scene: SceneView | None,
    ) -> Asked:
        """Independent questions to the frames of an event. Raises MediaError, BackendError."""

        def work() -> Asked:
            answers: list[Answer] = []
            with self._room(video), open_video(video.path) as source:
                for question in questions:
                    answers.append(
                        self.captioner.ask(
                            source, event.interval, question, profile=self._profile(scene)
                        )
                    )
            return Asked(event_id=event.id, answers=tuple(answers))

        request = {
            **self._seeing(video, event.interval, scene, "fine"),
            "questions": [q.model_dump(mode="json") for q in questions],
        }
        return ledger.call("ask", request, Asked, work)

    def _seeing(
        self, video: VideoInfo, interval: Interval, scene: SceneView | None, detail: str
    ) -> dict[str, object]:
        return {
            "captioner": self.captioner.name,
            "video": video.sha256,
            "interval": interval,
            "profile": scene.profile_version if scene else None,
            "detail": detail,
        }

    def _profile(self, scene: SceneView | None) -> SceneProfile | None:
        if scene is None:
            return None
        return self.archive.profile(scene.name, scene.profile_version)

    # -- what is known of it, and what follows -----------------------------------

    def recall(
        self,
        ledger: Ledger,
        look: Look,
        query: str,
        *,
        scene: SceneView | None,
        k: int,
        also: tuple[RuleHit, ...] = (),
    ) -> Recall:
        """The rules that bear on what was seen; without a scene, the general priors.

        Rules for other cameras, hours or days are left out; ``also`` is what the question itself
        says. Of a look without measurements all rules and the normal captions are recalled, too,
        where the verifier reads them.

        Raises StoreError.
        """
        seen = look.description.observations
        known = self._known(ledger, look, scene)
        video = ledger.videos.get(look.event.video_id)
        interval = look.event.interval
        occasion = _occasion(ledger, look)

        def work() -> Recall:
            hits = prior_hits()
            if scene is not None:
                rules = [r for r in self.archive.rules.list(scene.name) if occasion.admits(r.scope)]
                hits = self.archive.rules.retrieve(
                    scene.name, query, k=k, observations=seen, occasion=occasion
                )
                hits += _deciding(rules, hits, seen)
                hits = tuple(_timed(hit, video, interval) for hit in hits)
            hits += also
            return Recall(
                event_id=look.event.id, query=query, k=k, hits=hits, known=known.id if known else ""
            )

        request: dict[str, object] = {
            "scene": scene.ref if scene else None,
            "event": look.event.id,
            "observations": [o.id for o in seen],
            "query": query,
            "k": k,
        }
        if also:
            request["also"] = also
        if known is not None:
            request["known"] = known.id
        if video is not None and (video.started or video.camera):
            request["occasion"] = [video.camera, video.started]
        return ledger.call("recall", request, Recall, work)

    def _known(self, ledger: Ledger, look: Look, scene: SceneView | None) -> Known | None:
        """What the scene knows in words, where the look is to be judged by it."""
        if scene is None or not scene.captions_version or not isinstance(self.verifier, Reading):
            return None
        if look.description.problems or not words_only(look.description):
            return None
        name, version = scene.name, scene.captions_version
        rules = self.archive.rules.list(name)
        identity = content_id("known", name, version, [rule.ref for rule in rules])
        if identity not in ledger.known:
            captions = self.archive.normal_captions(name, version)
            ledger.note(
                Known(id=identity, scene=name, version=version, rules=rules, captions=captions)
            )
        return ledger.known[identity]

    def judge(
        self,
        ledger: Ledger,
        plan: Plan,
        look: Look,
        recall: Recall,
        asked: Asked | None,
        *,
        scene: SceneView | None,
    ) -> Verdict:
        """A calibrated verdict on one event. Raises BackendError."""
        answers = asked.answers if asked else ()
        limits = self.limits(scene)
        known = ledger.known.get(recall.known)

        def work() -> Verdict:
            if known is not None and isinstance(self.verifier, Reading):
                told = self._told(ledger, look, recall, known)
                raw = self.verifier.judge_told(plan, look.event, look.description, told)
            else:
                raw = self.verifier.judge(plan, look.event, look.description, recall.hits, answers)
            return calibrated(raw, limits) if plan.intent is Intent.ANOMALY else raw

        request: dict[str, object] = {
            "verifier": self.verifier.name,
            "plan": [plan.intent, plan.targets],
            "event": look.event.id,
            "caption": look.description.caption.id,
            "rules": [h.rule.ref for h in recall.hits],
            "answers": [a.id for a in answers],
            "limits": limits,
        }
        if known is not None:
            request["known"] = [known.id, self.embedder.name if self.embedder.by_meaning else ""]
        return ledger.call("judge", request, Verdict, work)

    def _told(self, ledger: Ledger, look: Look, recall: Recall, known: Known) -> Told:
        """What is known that holds at an event, and what the question itself says."""
        occasion = _occasion(ledger, look)
        # Words do not say where in the picture: what holds in a zone only cannot be applied.
        rules = [r for r in known.rules if occasion.admits(r.scope) and not r.scope.zone]
        there = {rule.ref for rule in known.rules}
        rules += [hit.rule for hit in recall.hits if hit.rule.ref not in there]
        return Told(
            id=known.id,
            rules=tuple(rules),
            captions=known.captions,
            embedder=self.embedder if self.embedder.by_meaning else None,
        )

    def limits(self, scene: SceneView | None) -> Thresholds:
        """The scene's thresholds; the prior ones without a scene."""
        if scene is None:
            return thresholds(
                Calibration(),
                false_alarm_rate=self.false_alarm_rate,
                abstain_rate=self.abstain_rate,
            )
        return Thresholds(
            normal_below=scene.normal_below,
            alarm_at=scene.alarm_at,
            false_alarm_rate=scene.false_alarm_rate,
            extrapolated=scene.extrapolated,
        )


def _occasion(ledger: Ledger, look: Look) -> Occasion:
    video = ledger.videos.get(look.event.video_id)
    return occasion_of(video, look.event.interval) if video is not None else Occasion()


def _timed(hit: RuleHit, video: VideoInfo | None, interval: Interval) -> RuleHit:
    """The hit with the parts of the event in which its rule's hours and days apply."""
    parts = within(hit.rule.scope, video, interval)
    return hit if parts is None else hit.model_copy(update={"within": parts})


def _deciding(
    rules: Sequence[Rule], hits: Sequence[RuleHit], seen: Sequence[Observation]
) -> tuple[RuleHit, ...]:
    """Rules that decide about what was seen: likeness of words must not lose them.

    Anomalous rules whose test holds, and a person's rules of either kind.
    """
    known = {hit.rule.id for hit in hits}
    found = []
    for rule in rules:
        if rule.id in known or (rule.source == "induced" and rule.kind is RuleKind.NORMAL):
            continue
        tests = tests_of(rule)
        witness = next((o.id for o in seen for test in tests if tried(rule, test, o).holds), None)
        if witness is not None:
            found.append(RuleHit(rule=rule, score=0.0, reason=f"its test holds for {witness}"))
    return tuple(found)


def _foreign(captioner: Captioner, record: SceneRecord) -> UserError:
    """Why the captioner cannot use a scene, and what to do without losing what was learned."""
    known = None
    if isinstance(captioner, Discerning):
        known = captioner.foreign(record.captioner, record.name)
    cause, remedy = known or (
        "",
        f"set the captioner as it was, or learn the scene with this one under another name: "
        f"vidocq induce NORMAL... --scene {record.name}-2",
    )
    return UserError(
        f"scene {record.name!r} was learned with {record.captioner}, but the captioner now is "
        f"{captioner.name}{f': {cause}' if cause else ''}",
        remedy=remedy,
    )
