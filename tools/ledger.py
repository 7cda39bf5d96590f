"""The run's ledger: every tool result of a run, addressable as evidence.

A reference is ``kind:rest``:

    video:ID            a video in scope            frame:VIDEO:INDEX   one frame of it
    event:ID            a node of its event tree    obs:ID              an observation
    caption:ID          a caption                   answer:ID           an answer from the frames
    rule:ID@V           a retrieved rule version    verdict:ID          a verdict
    score:EVENT         an event's final score      scene:NAME@VERSION  profile and calibration
    health:ID           a fault of the camera       normal:ID@V         a kept normal caption

Results are keyed by the hash of the request, so a call that finished before an interruption is
not repeated after it, and doing a thing twice records it once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from pydantic import Field

from tools.decision import Failure, Plan
from tools.errors import VidocqError
from tools.models.spending import ModelCall, Purse, tallied
from tools.packed import find
from tools.types import (
    Answer,
    Description,
    Event,
    EventTree,
    Frozen,
    Interval,
    Level,
    NormalCaption,
    Observation,
    Question,
    Rule,
    RuleHits,
    Verdict,
    VideoInfo,
    content_id,
)

__all__ = [
    "Asked",
    "Asking",
    "FinalScore",
    "Known",
    "Ledger",
    "Look",
    "Recall",
    "Refused",
    "SceneView",
    "Segmentation",
    "clipped",
    "request_hash",
]


class Segmentation(Frozen):
    """Event tree of a video with the cheap reflex per event."""

    tree: EventTree
    novelty: dict[str, float] = Field(default_factory=dict)
    """Mean novelty of each event relative to the video's own median, by event id."""
    samples: int = 0
    detector: str


def clipped(found: Segmentation, window: Interval | None) -> Segmentation:
    """The event tree within a window: events are cut at its ends; None leaves no event."""
    kept: list[Event] = []
    renamed: dict[str, str] = {}
    novelty: dict[str, float] = {}
    for event in found.tree.events:
        part = event.interval.intersection(window) if window is not None else None
        if part is None:
            continue
        cut = part != event.interval
        name = content_id(event.id, part) if cut else event.id
        renamed[event.id] = name
        parent = renamed.get(event.parent) if event.parent else None
        kept.append(event.model_copy(update={"id": name, "interval": part, "parent": parent}))
        novelty[name] = found.novelty.get(event.id, 0.0)
    # A coarse event cut down to one of its own fine events needs no such child.
    spans = {e.interval: e.id for e in kept if e.level is Level.COARSE}
    events = [e for e in kept if e.level is Level.COARSE or e.interval not in spans]
    tree = found.tree.model_copy(update={"events": tuple(events)})
    return found.model_copy(update={"tree": tree, "novelty": novelty})


class Look(Frozen):
    """What one look at one event gave."""

    event: Event
    detail: str
    description: Description


class Known(Frozen):
    """What is known of a scene in words: every active rule and the kept normal captions.

    Captions without measurements are judged by all of it; it is recorded once, not per event.
    """

    id: str
    """Content hash."""
    scene: str
    version: int = Field(ge=1)
    """Of the captions."""
    rules: tuple[Rule, ...]
    captions: tuple[NormalCaption, ...]


class Recall(Frozen):
    """Rules retrieved for an event."""

    event_id: str
    query: str
    k: int
    hits: RuleHits
    known: str = ""
    """Id of the :class:`Known` by which the event's caption is judged; empty where it is measured,
    or the scene has no normal captions."""


class Asking(Frozen):
    """Questions that a verifier wants put to the frames of an event."""

    event_id: str
    questions: tuple[Question, ...]


class Asked(Frozen):
    """Answers from the frames to independent questions about an event."""

    event_id: str
    answers: tuple[Answer, ...]


class SceneView(Frozen):
    """What a run uses of a scene: which profile version, and how it is calibrated."""

    name: str
    profile_version: str
    normal_below: float
    alarm_at: float
    false_alarm_rate: float
    extrapolated: bool
    normal_events: int
    normal_seconds: float
    clips: tuple[str, ...] = ()
    own_rules: int = 0
    """Active rules written or changed by people: the calibration does not know them."""
    timed_rules: int = 0
    """Active rules that hold at some hours or days only."""
    camera_rules: int = 0
    """Active rules that hold for some cameras only."""
    zone_rules: int = 0
    """Active rules that hold in a zone only."""
    captions_version: int = 0
    """Version of the normal captions kept with it; 0: none."""
    normal_captions: int = 0
    """How many these are."""
    in_words: bool = False
    """Whether the captioner gives words only, and the verifier reads them."""

    @property
    def ref(self) -> str:
        return f"scene:{self.name}@{self.profile_version}"


class FinalScore(Frozen):
    """An event's score after correlation with its neighbours; the verdict it started from."""

    event_id: str
    verdict_id: str
    score: float | None


class Refused(Frozen):
    """A call that a model made with arguments no tool takes; nothing was done."""

    tool: str
    reason: str
    number: int = Field(ge=1)
    """Which refusal of the run it is: the same wrong call made twice is two."""


class Called(Frozen):
    """A finished tool call as recorded: what was asked, how long it took, whether it was reused."""

    tool: str
    request: str
    seconds: float


RECORDS: dict[str, type[Frozen]] = {
    cls.__name__: cls
    for cls in (
        VideoInfo,
        Plan,
        Failure,
        Refused,
        Segmentation,
        Look,
        Known,
        Recall,
        Asking,
        Asked,
        SceneView,
        Verdict,
        FinalScore,
    )
}
"""What a ledger can hold, by the name written into traces."""

R = TypeVar("R", bound=Frozen)
_Place: TypeAlias = tuple[Sequence[Frozen], int]
"""A record and where it is in a sequence, which is unpacked when the record is asked for."""


def request_hash(tool: str, request: Mapping[str, Any]) -> str:
    """Content hash of a tool call: same tool, same request, same backend versions → same hash."""
    return content_id(tool, dict(request), length=24)


class Ledger:
    """In memory; :class:`agent.trace.Trace` adds the JSONL file. Safe to use from several threads.

    Args:
        run_id: name of the run.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.results: dict[str, Frozen] = {}
        self.calls: list[Called] = []
        self.reused = 0
        self.purse = Purse()
        """What the run has spent on models, failed calls included."""
        self._lock = threading.RLock()
        self._begun = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        self._used: dict[str, set[str]] = {}
        self.videos: dict[str, VideoInfo] = {}
        self.segmentations: dict[str, Segmentation] = {}
        self.looks: dict[str, Look] = {}
        self.known: dict[str, Known] = {}
        self.recalls: dict[str, Recall] = {}
        self.asked: dict[str, Asked] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.scene: SceneView | None = None
        self.failures: dict[str, Failure] = {}
        self.refused: list[Refused] = []
        self.scores: dict[str, FinalScore] = {}
        self._evidence: dict[str, Frozen | _Place] = {}

    def restart(self) -> None:
        """Begin the run's work anew: recorded results stay at hand, but nothing counts as done."""
        with self._lock:
            self._forget()

    @property
    def elapsed(self) -> float:
        """Seconds worked on the run, without the pause between interruption and resumption."""
        return time.monotonic() - self._begun

    # -- recording ---------------------------------------------------------------

    def call(
        self, tool: str, request: Mapping[str, Any], kind: type[R], work: Callable[[], R]
    ) -> R:
        """The result of a tool call: recorded if it finished before, else worked out and recorded.

        ``work`` runs outside the lock, so calls of one step run side by side.
        """
        key = request_hash(tool, request)
        with self._lock:
            known = self.results.get(key)
        if isinstance(known, kind):
            with self._lock:
                self.reused += 1
                self._use(tool, key)
                self._index(known)
            return known
        self._called(tool, key, request)
        started = time.perf_counter()
        with tallied(self.purse) as tally:
            try:
                result = work()
            except VidocqError as error:
                self._failed(tool, key, error, tally.calls)
                raise
        seconds = time.perf_counter() - started
        with self._lock:
            self.results[key] = result
            self.calls.append(Called(tool=tool, request=key, seconds=seconds))
            self._use(tool, key)
            self._index(result)
        self._finished(tool, key, result, seconds, tally.calls)
        return result

    def knows(self, tool: str, request: Mapping[str, Any]) -> bool:
        """Whether the result of a call is recorded."""
        with self._lock:
            return request_hash(tool, request) in self.results

    def note(self, record: Frozen) -> None:
        """Record something that is not the result of a tool call."""
        key = request_hash("note", {"kind": type(record).__name__, "record": record})
        with self._lock:
            if key in self.results:
                self._index(record)
                return
            self.results[key] = record
            self._index(record)
        self._noted(key, record)

    def refuse(self, tool: str, reason: str) -> None:
        """Record that a call was refused for its arguments."""
        with self._lock:
            self.note(Refused(tool=tool, reason=reason, number=len(self.refused) + 1))

    def _use(self, tool: str, key: str) -> None:
        self._used.setdefault(tool, set()).add(key)

    def _index(self, record: Frozen) -> None:
        match record:
            case VideoInfo():
                self.videos[record.id] = record
                self._evidence[f"video:{record.id}"] = record
            case Segmentation():
                self.segmentations[record.tree.video_id] = record
                for event in record.tree.events:
                    self._evidence[f"event:{event.id}"] = event
            case Look():
                self.looks[record.event.id] = record
                caption = record.description.caption
                self._evidence[f"caption:{caption.id}"] = caption
                observations = record.description.observations
                for at, seen in enumerate(observations):
                    self._evidence[f"obs:{seen.id}"] = (observations, at)
                for fault in record.description.health:
                    self._evidence[f"health:{fault.id}"] = fault
            case Known():
                self.known[record.id] = record
                self._evidence |= {rule.ref: rule for rule in record.rules}
                self._evidence |= {caption.ref: caption for caption in record.captions}
            case Recall():
                self.recalls[record.event_id] = record
                for hit in record.hits:
                    self._evidence[hit.rule.ref] = hit.rule
            case Asked():
                self.asked[record.event_id] = record
                for answer in record.answers:
                    self._evidence[f"answer:{answer.id}"] = answer
            case Verdict():
                self.verdicts[record.event_id] = record
                self._evidence[f"verdict:{record.id}"] = record
            case FinalScore():
                self.scores[record.event_id] = record
                self._evidence[f"score:{record.event_id}"] = record
            case Failure():
                self.failures[record.item] = record
            case Refused():
                self.refused.append(record)
            case SceneView():
                self.scene = record
                self._evidence[record.ref] = record
            case _:
                pass

    # -- hooks for a ledger that is written down ---------------------------------

    def _called(self, tool: str, key: str, request: Mapping[str, Any]) -> None:
        """A call is about to start."""

    def _finished(
        self, tool: str, key: str, result: Frozen, seconds: float, models: Sequence[ModelCall]
    ) -> None:
        """A call has finished; ``models`` are the model calls it made."""

    def _failed(self, tool: str, key: str, error: VidocqError, models: Sequence[ModelCall]) -> None:
        """A call has failed; what its model calls cost was spent all the same."""

    def _noted(self, key: str, record: Frozen) -> None:
        """Something was noted."""

    def sync(self) -> None:
        """A step has ended: what was recorded is safe from here on."""

    # -- looking things up -------------------------------------------------------

    def evidence(self, ref: str) -> Frozen | None:
        """What a reference stands for, or None where it does not resolve.

        A frame resolves to its video if the video has a frame of that index.
        """
        if ref.startswith("frame:"):
            video_id, _, index = ref.removeprefix("frame:").rpartition(":")
            video = self.videos.get(video_id)
            inside = index.isdigit() and video is not None and int(index) < video.frames
            return video if inside else None
        found = self._evidence.get(ref)
        return found[0][found[1]] if isinstance(found, tuple) else found

    def observation(self, obs_id: str) -> Observation | None:
        found = self.evidence(f"obs:{obs_id}")
        return found if isinstance(found, Observation) else None

    def event(self, event_id: str) -> Event | None:
        found = self.evidence(f"event:{event_id}")
        return found if isinstance(found, Event) else None

    def frame_seconds(self, video_id: str, frame: int) -> float | None:
        """When a frame of a video is, if any look saw it."""
        for look in self.looks.values():
            if look.event.video_id != video_id:
                continue
            seen = look.description
            for points in (seen.series, *(o.points for o in seen.observations)):
                point = find(points, frame)
                if point is not None:
                    return float(point.pts * look.event.interval.time_base.fraction)
        return None

    @property
    def tool_seconds(self) -> float:
        return sum(call.seconds for call in self.calls)

    def count(self, tool: str) -> int:
        """Different calls of a tool that the run has made use of, also before a resume."""
        return len(self._used.get(tool, ()))
