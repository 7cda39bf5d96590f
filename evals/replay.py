"""Recorded captions and verdicts, replayed through the agent's own state machine.

The graph is the real one: it plans, chooses, zooms in, correlates, decides and explains. Only what
sees and judges is recorded: the event tree, the captions and the verdicts of another system. An
answer is keyed by video and interval; what was not recorded is an error, never made up.

The recorded judge knew no scene and no rules, only what is "suspicious" in general, so a replay
runs scene-free and recalls no rules. No pictures exist; the size of the picture is stated as 1 × 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import build_agent, load_settings, open_stores
from evals.datasets.recorded import Node, Recorded, load_recorded
from evals.injecting import Fault, striking
from tools.decision import Decision, Plan
from tools.errors import MediaError, ToolFailed, UserError
from tools.ledger import Asked, Ledger, Look, Recall, SceneView, Segmentation
from tools.ports import (
    BoundarySignal,
    Clip,
    Detail,
    Frame,
    FrameSource,
    Progress,
    SceneProfile,
)
from tools.toolbox import Toolbox
from tools.types import (
    Answer,
    Caption,
    Claim,
    Description,
    Event,
    EventTree,
    Interval,
    Level,
    Question,
    RuleHit,
    TimeBase,
    Verdict,
    VideoInfo,
    content_id,
)

__all__ = ["Library", "Replay", "video_info"]

PREFIX = "recorded:"
MAX_RAW = 10.0
"""Raw strength of a recorded score of 1, whose inverse on the agent's scale is infinite."""
CLAIM_CHARS = 300


class Library:
    """Recorded videos by id. Raises UserError for one that is not there."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._by_id = {r.video_id: r for r in recorded}

    def video(self, source: str) -> Recorded:
        """By ``recorded:DATASET/ID`` or id."""
        name = source.removeprefix(PREFIX).rpartition("/")[2]
        if name not in self._by_id:
            raise MediaError(source, "no such recording")
        return self._by_id[name]

    def node(self, video: VideoInfo, interval: Interval, level: Level) -> Node:
        """The node recorded for an event. Raises ToolFailed where there is none."""
        recorded = self.video(video.path)
        for node in recorded.level(level):
            if (node.start, _end(recorded, node)) == (interval.start, interval.end):
                return node
        raise ToolFailed(
            f"nothing was recorded of {recorded.video_id}, {level}, "
            f"frames {interval.start} to {interval.end}"
        )


def video_info(recorded: Recorded) -> VideoInfo:
    """The recording as a video: one tick per frame, no picture."""
    rate = Fraction(recorded.fps).limit_denominator(10_000)
    return VideoInfo(
        id=recorded.video_id,
        path=f"{PREFIX}{recorded.dataset}/{recorded.video_id}",
        sha256=content_id("recording", recorded.dataset, recorded.video_id, length=64),
        kind="frames",
        width=1,
        height=1,
        frames=recorded.frames,
        time_base=TimeBase(num=rate.denominator, den=rate.numerator),
        duration=recorded.frames,
        fps=recorded.fps,
        codec="recorded captions",
        damage="" if recorded.complete else f"recorded up to frame {recorded.covered} only",
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """A video of which no frame exists."""

    info: VideoInfo

    @property
    def pts(self) -> NDArray[np.int64]:
        return np.arange(self.info.frames, dtype=np.int64)

    def frames(
        self,
        interval: Interval | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
    ) -> Iterator[Frame]:
        raise MediaError(self.info.path, "only captions were recorded, no frames")

    def frame(self, index: int) -> Frame:
        raise MediaError(self.info.path, "only captions were recorded, no frames", frame=index)


@dataclass(frozen=True, eq=False)
class RecordedDetector:
    """The recorded boundary confidences."""

    library: Library
    name: str = "recorded-boundaries/1"

    def signal(self, source: FrameSource, progress: Progress | None = None) -> BoundarySignal:
        """Raises ToolFailed where no confidences were recorded."""
        recorded = self.library.video(source.info.path)
        if recorded.confidence is None:
            raise ToolFailed(f"no boundary confidences were recorded of {recorded.video_id}")
        return BoundarySignal(
            video_id=recorded.video_id,
            frames=recorded.samples,
            pts=recorded.samples,
            confidence=recorded.confidence,
            novelty=np.zeros(len(recorded.confidence)),
            detector=self.name,
        )


@dataclass(frozen=True, eq=False)
class RecordedCaptioner:
    """The recorded captions; it measures nothing and can answer no question."""

    library: Library
    level: Level | None = None
    name: str = "recorded-captions/1"
    attributes: Mapping[str, str] = field(default_factory=dict)

    def learn(
        self,
        scene: str,
        clips: Sequence[Clip],
        *,
        base: SceneProfile | None = None,
        progress: Progress | None = None,
    ) -> SceneProfile:
        raise UserError("a recording cannot learn a scene")

    def describe(
        self,
        source: FrameSource,
        interval: Interval,
        *,
        profile: SceneProfile | None,
        detail: Detail = "fine",
        progress: Progress | None = None,
    ) -> Description:
        """The caption of the node at this interval, or, of a fine node without one, that of the
        node around it, and said so. Raises ToolFailed where there is no node."""
        video = source.info
        level = self.level or (Level.COARSE if detail == "coarse" else Level.FINE)
        node = self.library.node(video, interval, level)
        text = node.caption or self._around(video, node)
        return Description(
            caption=Caption(
                id=content_id(video.id, node.id, text),
                video_id=video.id,
                interval=interval,
                text=text,
                captioner=self.name,
            ),
            # The recorder was shown the whole node; how many frames of it is not known.
            frames_seen=interval.end - interval.start,
        )

    def _around(self, video: VideoInfo, node: Node) -> str:
        parents = self.library.video(video.path).nodes if node.parent else ()
        caption = next((n.caption for n in parents if n.id == node.parent), "")
        if not caption:
            return "No caption was recorded."
        return f"Nothing was recorded of this stretch alone; of the longer one around it: {caption}"

    def ask(
        self,
        source: FrameSource,
        interval: Interval,
        question: Question,
        *,
        profile: SceneProfile | None,
    ) -> Answer:
        raise ToolFailed("a recording answers no new questions")


@dataclass(frozen=True, eq=False)
class RecordedVerifier:
    """The recorded verdicts. ``raw`` is their score on the agent's inverse scale."""

    library: Library
    videos: Mapping[str, VideoInfo]
    name: str = "recorded-verdicts/1"

    def questions(
        self, plan: Plan, event: Event, seen: Description, rules: Sequence[RuleHit]
    ) -> tuple[Question, ...]:
        return ()

    def judge(
        self,
        plan: Plan,
        event: Event,
        seen: Description,
        rules: Sequence[RuleHit],
        answers: Sequence[Answer] = (),
    ) -> Verdict:
        """The verdict of the node at the event's interval. Raises ToolFailed where there is none;
        one whose score could not be parsed is *uncertain*."""
        node = self.library.node(self.videos[event.video_id], event.interval, event.level)
        said = " ".join(node.verdict.rpartition("</think>")[0].split())
        score = node.score
        return Verdict(
            id=content_id("recorded", event.video_id, node.id),
            event_id=event.id,
            score=score,
            reason="" if score is not None else "the recorded verdict names no score",
            raw=None if score is None else min(MAX_RAW, -math.log2(1 - min(score, 0.9999))),
            claims=(
                Claim(
                    text=said[-CLAIM_CHARS:] or f"{self.name} gives {score}",
                    evidence=(f"caption:{seen.caption.id}",),
                    checked_by="recorded as said, checked by nothing",
                ),
            ),
            verifier=self.name,
        )


@dataclass(frozen=True, eq=False)
class ReplayToolbox(Toolbox):
    """The agent's tools over recordings: no file is opened."""

    library: Library = field(default_factory=lambda: Library(()))
    videos: dict[str, VideoInfo] = field(default_factory=dict)

    def probe(self, ledger: Ledger, path: str, *, started: str = "", camera: str = "") -> VideoInfo:
        """Raises MediaError for a recording that is not there."""
        info = ledger.call(
            "probe", {"path": path}, VideoInfo, lambda: video_info(self.library.video(path))
        )
        self.videos[info.id] = info
        return info

    def segment(
        self, ledger: Ledger, video: VideoInfo, progress: Progress | None = None
    ) -> Segmentation:
        """The recorded tree, made half-open."""

        def work() -> Segmentation:
            recorded = self.library.video(video.path)
            return Segmentation(
                tree=_tree(recorded, video),
                samples=0 if recorded.confidence is None else len(recorded.confidence),
                detector=self.detector.name,
            )

        request = {"detector": self.detector.name, "video": video.sha256}
        return ledger.call("segment", request, Segmentation, work)

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
        """The recorded caption. Raises ToolFailed where there is none."""

        def work() -> Look:
            captioner = RecordedCaptioner(self.library, event.level)
            seen = captioner.describe(_Source(video), event.interval, profile=None, detail=detail)
            return Look(event=event, detail=detail, description=seen)

        request = {
            **self._seeing(video, event.interval, scene, detail),
            "level": event.level,
        }
        return ledger.call("look", request, Look, work)

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
        """No rules: the recorded judge had none."""
        request = {"event": look.event.id, "query": query, "k": k}
        return ledger.call(
            "recall",
            request,
            Recall,
            lambda: Recall(event_id=look.event.id, query=query, k=k, hits=()),
        )

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
        """The recorded verdict as it was given. Raises ToolFailed where there is none."""

        def work() -> Verdict:
            return self.verifier.judge(plan, look.event, look.description, ())

        request = {
            "verifier": self.verifier.name,
            "event": look.event.id,
            "caption": look.description.caption.id,
        }
        return ledger.call("judge", request, Verdict, work)


class Replay:
    """An agent over the recordings of a folder, its runs kept in ``home``.

    Args:
        fault: a tool failure to put into every run.

    Use as a context manager, or call :meth:`close`. Raises UserError naming a damaged file.
    """

    def __init__(
        self, folder: Path, home: Path, *, fault: Fault | None = None, **settings: Any
    ) -> None:
        self.recorded = load_recorded(folder)
        library = Library(self.recorded)
        videos: dict[str, VideoInfo] = {}
        made = open_stores(load_settings({"home": home, **settings}))
        tools = ReplayToolbox(
            archive=made.archive,
            detector=RecordedDetector(library),
            captioner=RecordedCaptioner(library),
            verifier=RecordedVerifier(library, videos),
            planner=made.tools.planner,
            embedder=made.tools.embedder,
            library=library,
            videos=videos,
        )
        self._fault = fault
        used = tools if fault is None else striking(tools, fault)
        self._stores = replace(made, tools=used)
        self._agent = build_agent(self._stores, checkpoints=False)

    def ask(
        self,
        source: str,
        question: str,
        *,
        budget: Mapping[str, float | int | None] | None = None,
    ) -> tuple[Decision, Path]:
        """The decision about ``recorded:DATASET/ID`` and the run's trace. Raises VidocqError."""
        if self._fault is not None:
            self._fault.arm()
        state = self._agent.invoke(
            {
                "query": question,
                "videos": [source],
                "scene_free": True,
                "budget": dict(budget) if budget else None,
            }
        )
        decision: Decision = state["decision"]
        return decision, self._stores.runs.path(decision.run_id) / "trace.jsonl"

    def close(self) -> None:
        self._agent.close()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(recorded: Recorded, node: Node) -> int:
    """Exclusive end: the last node of a level keeps its last frame, the others hand it on."""
    last = recorded.level(node.level)[-1]
    return min(node.end + 1, recorded.frames) if node.end == last.end else node.end


def _tree(recorded: Recorded, video: VideoInfo) -> EventTree:
    names = {n.id: content_id(recorded.video_id, n.id) for n in recorded.nodes}
    return EventTree(
        video_id=video.id,
        events=tuple(
            Event(
                id=names[n.id],
                video_id=video.id,
                level=Level(n.level),
                interval=Interval(start=n.start, end=_end(recorded, n), time_base=video.time_base),
                parent=names.get(n.parent) if n.parent else None,
            )
            for n in sorted(recorded.nodes, key=lambda n: (n.level, n.start))
        ),
    )
