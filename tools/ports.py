"""The seams: what the agent needs from the outside world. Backends implement these, nothing else.

Shapes and units: images are ``uint8 (height, width, 3)`` BGR, upright; times are ticks from the
first frame of the video (see :mod:`tools.types`); embeddings are L2-normalised ``float32 (n, d)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tools.decision import Plan
from tools.types import (
    Answer,
    Attribute,
    Description,
    Event,
    Interval,
    NormalCaption,
    Question,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    Timestamp,
    Verdict,
    VideoInfo,
)

__all__ = [
    "BoundaryDetector",
    "BoundarySignal",
    "Captioner",
    "Clip",
    "Detail",
    "Discerning",
    "Draft",
    "Drafter",
    "Embedder",
    "Frame",
    "FrameCaptioner",
    "FrameSource",
    "Listener",
    "Listening",
    "Meaning",
    "Planner",
    "PlanningContext",
    "Progress",
    "Reading",
    "SceneProfile",
    "Sharing",
    "Told",
    "Verifier",
    "WordEmbedder",
]

Detail = Literal["coarse", "fine"]
"""How densely an interval is looked at: about 5 frames a second, or every useful frame."""

Progress = Callable[[str, int, int], None]
"""``progress(what, done, total)``; called often, must be cheap."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame. ``pts`` counts ticks from the first frame."""

    index: int
    pts: int
    image: NDArray[np.uint8]


class FrameSource(Protocol):
    """An opened video. Frames come in presentation order; indices are 0-based."""

    @property
    def info(self) -> VideoInfo: ...

    @property
    def pts(self) -> NDArray[np.int64]:
        """Ticks of every frame from the first, strictly increasing, shape ``(frames,)``."""

    def frames(
        self,
        interval: Interval | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
    ) -> Iterator[Frame]:
        """Decode the frames whose index is a multiple of ``step`` within ``interval``.

        ``size`` is ``(width, height)`` to scale to. Raises MediaError where decoding fails.
        """

    def frame(self, index: int) -> Frame:
        """One frame, full size. Raises MediaError."""


@dataclass(frozen=True, eq=False)
class BoundarySignal:
    """Confidence in [0, 1] per sampled frame that a generic event boundary lies there."""

    video_id: str
    frames: NDArray[np.int64]
    pts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    novelty: NDArray[np.float64]
    """Cheap reflex per sample: how much is going on, relative to the video's own median (≥ 0)."""
    detector: str
    cuts: tuple[int, ...] = ()
    """Frames at which a hard cut was found."""


class Listener(Protocol):
    """Hears the frames of a decoding pass that somebody else makes. Images must not be written."""

    @property
    def step(self) -> int:
        """It wants the frames whose index is a multiple of this."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height that it wants them at; None: full size."""
        return None

    def feed(self, frame: Frame) -> None:
        """A frame, in presentation order. Raises MediaError."""

    def finish(self) -> None:
        """No more frames come. Raises MediaError."""


@runtime_checkable
class Listening(Protocol):
    """A captioner that can measure while a video is decoded for another purpose."""

    def listener(
        self, source: FrameSource, *, profile: SceneProfile, detail: Detail
    ) -> Listener | None:
        """What to feed the video's frames to; None where nothing is left to measure."""


@runtime_checkable
class Sharing(Protocol):
    """A boundary detector that lets others hear the frames it decodes."""

    def shared_signal(
        self, source: FrameSource, listener: Listener, progress: Progress | None = None
    ) -> BoundarySignal:
        """The same signal as :meth:`BoundaryDetector.signal`, in one pass. Raises MediaError."""


class BoundaryDetector(Protocol):
    @property
    def name(self) -> str:
        """Backend name, version and the settings that change its output."""

    def signal(self, source: FrameSource, progress: Progress | None = None) -> BoundarySignal: ...


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of a video, used as an example of what is normal. None: the whole video."""

    source: FrameSource
    interval: Interval | None = None


@dataclass(frozen=True, eq=False)
class SceneProfile:
    """What a captioner has learned of a scene from normal clips: its geometry and its statistics.

    ``summary`` holds for each attribute its usual value and its limit (normal 99.9th percentile),
    for people and for rules; ``arrays`` and ``meta`` are the captioner's own, saved as ``.npz``.
    """

    scene: str
    captioner: str
    width: int
    height: int
    clips: tuple[str, ...]
    seconds: float
    summary: Mapping[str, Attribute] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    """Content hash."""


class Captioner(Protocol):
    """Looks at frames and says what is there, in words and in numbers."""

    @property
    def name(self) -> str:
        """Backend name, version and the settings that change its output."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """Attributes this captioner can measure, name → unit. Empty: words only."""

    def learn(
        self,
        scene: str,
        clips: Sequence[Clip],
        *,
        base: SceneProfile | None = None,
        progress: Progress | None = None,
    ) -> SceneProfile:
        """Learn a scene from normal clips.

        With ``base``, its geometry (perspective, background) is kept and only the statistics are
        learned again, so that held-out clips can be described cheaply.
        Raises UserError where the clips do not show one scene.
        """

    def describe(
        self,
        source: FrameSource,
        interval: Interval,
        *,
        profile: SceneProfile | None,
        detail: Detail = "fine",
        progress: Progress | None = None,
    ) -> Description:
        """Look at an interval. ``profile`` None: scene-free priors are used and said so.

        Raises MediaError, BackendError.
        """

    def ask(
        self,
        source: FrameSource,
        interval: Interval,
        question: Question,
        *,
        profile: SceneProfile | None,
    ) -> Answer:
        """Answer an independent question from the frames alone. Raises MediaError, BackendError."""


@runtime_checkable
class FrameCaptioner(Protocol):
    """A captioner that can say what is seen in one frame, by what is around it."""

    def describe_frame(
        self,
        source: FrameSource,
        at: Timestamp,
        *,
        profile: SceneProfile | None,
        progress: Progress | None = None,
    ) -> Description:
        """Caption the frame that is shown at a time.

        Observations come in the order in which the clauses cite them, with their boxes in that
        frame; the caption's interval is the time for which the frame is shown. Of a causal
        captioner nothing rests on later frames.

        Raises MediaError, BackendError.
        """


@runtime_checkable
class Discerning(Protocol):
    """A captioner that knows why scenes that were learned under another name are not for it."""

    def foreign(self, learned: str, scene: str) -> tuple[str, str] | None:
        """The cause and what to do about a scene learned under that name; None: not known."""


class Embedder(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def by_meaning(self) -> bool:
        """Whether other words for the same thing are near each other; else shared wording is."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Meaning:
    """A text as an embedder sees it."""

    whole: NDArray[np.float32]
    """Of shape ``(d,)``: the row that :meth:`Embedder.embed` gives."""
    words: NDArray[np.float32]
    """Of shape ``(n, d)``: the words asked for, each as it is meant in this text, L2-normalised;
    zeros for a word that was not read."""

    @property
    def gist(self) -> NDArray[np.float32]:
        """Of shape ``(d,)``: the normalised mean of its words; without any, the whole."""
        total = self.words.sum(axis=0)
        size = float(np.linalg.norm(total))
        return np.asarray(total / size, np.float32) if size > 0 else self.whole


@runtime_checkable
class WordEmbedder(Embedder, Protocol):
    """An embedder that sees the words of a text as well as the whole."""

    def embed_words(
        self, texts: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[Meaning, ...]:
        """Texts, and of each the words that start and end at these characters."""


@dataclass(frozen=True)
class Draft:
    """A rule that a language model proposes: words only."""

    kind: RuleKind
    category: RuleCategory
    text: str


class Drafter(Protocol):
    """A language model that proposes rules of a scene. What it says is voted on and tested."""

    @property
    def name(self) -> str: ...

    def draft(self, captions: Sequence[str]) -> tuple[Draft, ...]:
        """Rules from captions of a batch of normal footage. Raises BackendError, BudgetSpent."""

    def group(self, drafts: Sequence[Draft]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Drafts that say the same: (one sentence for all of them, their places from 0).

        Raises BackendError, BudgetSpent.
        """


class Verifier(Protocol):
    """Judges an event from its description and the rules retrieved for it."""

    @property
    def name(self) -> str: ...

    def questions(
        self, plan: Plan, event: Event, seen: Description, rules: Sequence[RuleHit]
    ) -> tuple[Question, ...]:
        """Independent questions worth asking the frames before judging; may be empty."""

    def judge(
        self,
        plan: Plan,
        event: Event,
        seen: Description,
        rules: Sequence[RuleHit],
        answers: Sequence[Answer] = (),
    ) -> Verdict:
        """An uncalibrated verdict (``raw`` set, ``score`` None or final). Raises BackendError."""


@dataclass(frozen=True, eq=False)
class Told:
    """What is known in words of a scene, for a caption of it to be judged by."""

    id: str
    """Content hash of the scene's rules and captions."""
    rules: tuple[Rule, ...]
    """Those that hold at the time and for the camera, and what the question itself says."""
    captions: tuple[NormalCaption, ...]
    """Of the scene's normal footage."""
    embedder: Embedder | None = None
    """A sentence model, where one is set: likeness is then that of meanings, not of words."""


@runtime_checkable
class Reading(Protocol):
    """A verifier that judges captions without measurements by what normal footage was said to be.

    One that is not is asked like any other, by the rules retrieved alone.
    """

    def judge_told(self, plan: Plan, event: Event, seen: Description, told: Told) -> Verdict:
        """A verdict whose clauses cite rules and the nearest normal captions.

        Raises BackendError.
        """


@dataclass(frozen=True)
class PlanningContext:
    """What a planner may know besides the sentence."""

    scene: str | None
    rule_texts: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    has_decision: bool = False
    """Whether this thread already holds a decision to follow up on."""
    names_video: bool = False
    """Whether a video was named with this question, so that it is not about the last one."""


class Planner(Protocol):
    @property
    def name(self) -> str: ...

    def plan(self, query: str, context: PlanningContext) -> Plan:
        """Turn a sentence into a plan. Raises UserError for a blank one, BackendError."""
