"""What is measured: a sample with its truth, and the outcome the agent had on it.

Frames are 0-based; intervals half-open ``(start, end)`` frame pairs; boxes half-open pixel
rectangles. Metrics (``evals.metrics``) are pure functions of sequences of ``Pair``; they never
read a video, a trace or a model. Readers (``evals.datasets``, ``evals.importers``) make samples,
``evals.outcomes`` makes outcomes of saved traces, ``evals.figures`` makes figures of pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.decision import Cost, Label
from tools.errors import UserError
from tools.types import Box

__all__ = [
    "TOOLS",
    "Choice",
    "Found",
    "Outcome",
    "Pair",
    "Sample",
    "Span",
    "Told",
    "ToolCall",
    "expectation",
    "frame_runs",
    "frame_truth",
]

Span = tuple[int, int]
"""Half-open frame interval ``[start, end)``."""


TOOLS = ("plan", "segment", "look", "recall", "judge", "ask")
"""Tools whose calls make up a trajectory, as a trace names them; the others (probe, scene) open
what is worked on."""


def expectation(tools: Sequence[str]) -> tuple[str, ...]:
    """Expected tool calls as given, checked: ``look`` is one call, ``look+`` one or more in a row,
    ``look*`` any number.

    Raises UserError for an empty list and for a name that no trace holds.
    """
    if isinstance(tools, str) or not tools:
        raise UserError("expected tool calls are a list of at least one")
    for name in tools:
        if not isinstance(name, str) or name.removesuffix("+").removesuffix("*") not in TOOLS:
            raise UserError(f"no tool is called {name!r}; tools: {', '.join(TOOLS)}")
    return tuple(tools)


@dataclass(frozen=True)
class Choice:
    """A four-choice "verdict, since reason" question (the doubly-right test)."""

    options: Mapping[str, str]
    """Letter → text, such as ``A`` → ``Anomaly, since …``."""
    right: str
    """The letter whose verdict and reason are both right."""
    verdicts: Mapping[str, Label] = field(default_factory=dict)
    """Letter → the verdict that option states."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One thing to ask about, with all that is known to be true of it.

    Raises UserError naming the sample where a stretch is empty, reversed or leaves the video.
    """

    id: str
    source: str
    """Path of the video, or id of the recorded trace."""
    frames: int
    fps: float
    scene: str = ""
    truth: tuple[tuple[Span, ...], ...] = ()
    """Abnormal stretches, per annotator. ``()``: nobody labelled it; ``((),)``: one annotator
    found nothing. Stretches of one annotator may overlap: their union counts."""
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict)
    """Frame → boxes of what is abnormal there."""
    tracks: Mapping[str, Mapping[int, Box]] = field(default_factory=dict)
    """Abnormal thing → its box per frame, where the data says which box is whose."""
    category: str = ""
    """Category of the anomaly (a data set's word), for figures per category."""
    kind: str | None = None
    """Kind of a generated scene; ``normal`` for its normal clips."""
    split: Literal["train", "test"] = "test"
    question: str = ""
    references: tuple[str, ...] = ()
    """Reference answers in words."""
    choice: Choice | None = None
    expected: tuple[str, ...] | None = None
    """The tools a good run calls, in order; ``look+``: one call or more (:func:`expectation`)."""
    complete: bool = True
    """False where the recording behind it is truncated: reported apart."""

    def __post_init__(self) -> None:
        if self.frames < 1 or not self.fps > 0:
            raise UserError(f"{self.id}: {self.frames} frames at {self.fps} per second")
        for spans in self.truth:
            for start, end in spans:
                if not 0 <= start < end <= self.frames:
                    raise UserError(
                        f"{self.id}: the interval [{start}, {end}) does not fit "
                        f"{self.frames} frames"
                    )

    @property
    def labelled(self) -> bool:
        return bool(self.truth)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Disjoint stretches that a strict majority of annotators call abnormal, in order."""
        return frame_runs(self.abnormal)

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Shape ``(frames,)``: more than half of the annotators call the frame abnormal."""
        return self.votes > 0.5

    @property
    def votes(self) -> NDArray[np.float64]:
        """Shape ``(frames,)``: share of annotators who call the frame abnormal, in [0, 1]."""
        if not self.truth:
            return np.zeros(self.frames)
        marks = np.stack([frame_truth(self.frames, spans) for spans in self.truth])
        return np.asarray(marks.mean(axis=0), np.float64)


@dataclass(frozen=True)
class Found:
    """An event of the outcome. ``score`` None: uncertain."""

    start: int
    end: int
    score: float | None
    label: Label
    box: Box | None = None
    """Where it is in ``key_frame``."""
    key_frame: int | None = None
    boxes: Mapping[int, Box] = field(default_factory=dict)
    """Its box per frame where its path is known."""
    first_flag: int | None = None
    """The frame at whose time an online run would have raised it; None: not known."""
    summary: str = ""
    rules: tuple[str, ...] = ()
    """``rule:ID@V``"""


@dataclass(frozen=True)
class Told:
    """One step of the explanation, with the evidence it cites, looked up in the run's ledger."""

    kind: str
    text: str
    evidence: tuple[str, ...]
    unresolved: tuple[str, ...] = ()
    """Of these, those the ledger does not hold."""
    spans: tuple[Span, ...] = ()
    """The stretches of the video its evidence stands for (a frame is one frame long)."""
    rules: tuple[str, ...] = ()
    """The rule versions among its evidence, ``rule:ID@V``."""


@dataclass(frozen=True)
class ToolCall:
    """One tool call of the run, in the order in which they began."""

    tool: str
    request: str
    """Hash of the tool and its arguments: equal for the same call made twice."""
    ok: bool = True
    """False where it raised or never came back."""
    error: str = ""
    invalid: bool = False
    """The arguments were refused (ToolRetry, schema), not the work."""
    seconds: float = 0.0
    cached: bool = False
    injected: bool = False
    """The failure was put there by the harness, to see whether the run recovers."""
    new_evidence: int | None = None
    """Records that this call added to the ledger; None: not known."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one run made of one sample. Raises UserError where the arrays do not fit each other.

    Exactly one of these holds: ``label`` is a decision; ``failure`` says why there is none.
    """

    sample: str
    """Id of the sample."""
    scores: NDArray[np.float64]
    """Shape ``(frames,)``: one score per frame, in [0, 1] unless the system has another scale."""
    answered: NDArray[np.bool_]
    """Shape ``(frames,)``: False where nothing near was looked at and the neutral score stands."""
    label: Label | None = None
    score: float | None = None
    events: tuple[Found, ...] = ()
    steps: tuple[Told, ...] = ()
    answer: str = ""
    """The explanation as one text, for comparison with references."""
    chosen: str | None = None
    """Letter chosen in a four-choice question; None: no answer."""
    rules_known: frozenset[str] = frozenset()
    """Every rule version that existed in the scene at the run, ``rule:ID@V``."""
    rules_retrieved: frozenset[str] = frozenset()
    """Every rule version the run retrieved."""
    trajectory: tuple[ToolCall, ...] = ()
    rounds: tuple[NDArray[np.float64], ...] = ()
    """What the verdicts alone said after each round, each of shape ``(frames,)``."""
    stop_reason: str = ""
    cost: Cost = field(default_factory=Cost)
    seconds: float = 0.0
    """Wall clock of the whole call."""
    failure: str = ""
    uncertain: str = ""
    """Why the answer is *uncertain*, where it is."""

    def __post_init__(self) -> None:
        if self.scores.ndim != 1 or self.scores.shape != self.answered.shape:
            raise UserError(
                f"{self.sample}: {self.scores.shape} scores, {self.answered.shape} answered marks"
            )
        for i, scores in enumerate(self.rounds):
            if scores.shape != self.scores.shape:
                raise UserError(f"{self.sample}: round {i + 1} has {scores.shape} scores")
        if not all(np.isfinite(s).all() for s in (self.scores, *self.rounds)):
            raise UserError(f"{self.sample}: a score is not a finite number")
        if (self.label is None) != bool(self.failure):
            raise UserError(f"{self.sample}: an outcome is either a label or a failure")

    @property
    def flagged(self) -> tuple[Found, ...]:
        return tuple(e for e in self.events if e.label is Label.ANOMALOUS)


class Pair(NamedTuple):
    """A sample and its outcome; their frame counts agree (``evals.metrics.scored`` checks)."""

    sample: Sample
    outcome: Outcome


def frame_truth(frames: int, intervals: Sequence[Span]) -> NDArray[np.bool_]:
    """Labels of shape ``(frames,)`` from half-open frame intervals; overlaps count once.

    Raises UserError for an interval that is empty or leaves the video.
    """
    truth = np.zeros(frames, bool)
    for start, end in intervals:
        if not 0 <= start < end <= frames:
            raise UserError(f"the interval [{start}, {end}) does not fit {frames} frames")
        truth[start:end] = True
    return truth


def frame_runs(mask: NDArray[np.bool_] | Sequence[bool]) -> tuple[Span, ...]:
    """The stretches of true values, half-open, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, np.int8), [0]])))
    return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2))
