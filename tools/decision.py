"""The vocabulary of one run: the plan made from a question and the decision that answers it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from tools.types import Attribute, Box, Frozen, HealthEvent, HealthKind, Interval, Predicate, Score

__all__ = [
    "Action",
    "Budget",
    "Cost",
    "Decision",
    "EventScore",
    "Failure",
    "Intent",
    "Label",
    "Plan",
    "Step",
    "Target",
    "Timeline",
    "Window",
]


class Intent(StrEnum):
    """What a question asks for."""

    ANOMALY = "anomaly"
    """Anything out of the ordinary, by the scene's rules."""
    FIND = "find"
    """When and where something named happened."""
    CHECK = "check"
    """Whether something the user calls an anomaly happened."""
    CAMERA = "camera"
    """Whether the camera or its picture was at fault: covered, moved, frozen, blurred …"""
    WHY = "why"
    """Why a moment of the last decision was flagged."""
    CONFIDENCE = "confidence"
    """How sure the last decision is, and what was not looked at."""
    UNSUPPORTED = "unsupported"
    """Outside what the configured backends can answer."""


class Label(StrEnum):
    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    UNCERTAIN = "uncertain"


class Target(Frozen):
    """What a FIND or CHECK question looks for: the user's words and how they are tested."""

    phrase: str
    concept: str
    predicate: Predicate
    caveat: str = ""
    """What the test cannot tell apart, in words for the answer."""


class Window(Frozen):
    """A time window of every video in scope, in seconds from its first frame."""

    start_s: float = Field(ge=0)
    end_s: float | None = None


class Budget(Frozen):
    """What a run may spend. None means no bound of that kind."""

    max_looks: int | None = Field(default=None, ge=0)
    """Looks (captioned events) per run."""
    max_seconds: float | None = Field(default=None, ge=0)
    """Wall-clock seconds after which no new look is started."""
    max_rounds: int = Field(default=200, ge=1)
    """Rounds of the choose–look–judge–reflect loop."""
    max_model_calls: int | None = Field(default=None, ge=0)
    """Calls of language models per run, also those that failed."""
    max_model_tokens: int | None = Field(default=None, ge=0)
    """Tokens per run, prompts and replies together; calls under way when it is reached end."""


class Plan(Frozen):
    """A question turned into work."""

    query: str
    intent: Intent
    targets: tuple[Target, ...] = ()
    counts: tuple[Target, ...] = ()
    """What counts as unusual for this question alone, besides the scene's rules."""
    ignores: tuple[Target, ...] = ()
    """What this question wants left out, whatever the scene's rules say of it."""
    faults: tuple[HealthKind, ...] = ()
    """Of a CAMERA question: the kinds of fault it asks for; empty for any."""
    unmet: str = ""
    """What the question says for itself that could not be taken into account, in words."""
    negated: bool = False
    """Whether it asks that nothing of the kind was there ("did nobody run?"): what was found is
    then answered by no."""
    window: Window | None = None
    moment_s: float | None = None
    """The instant a WHY question names, in seconds."""
    granularity: Literal["coarse", "fine"] = "fine"
    budget: Budget = Budget()
    planner: str = ""
    note: str = ""
    """What the planner wants said: for UNSUPPORTED, why and what can be asked instead."""


class Action(Frozen):
    """One thing the loop decided to do next."""

    kind: Literal["look", "zoom", "rules", "ask"]
    video_id: str
    event_id: str
    reason: str


class EventScore(Frozen):
    """One entry of an answer: something found, or what of an event was looked at besides.

    *anomalous*: one thing from its first sighting to its last (an episode), or, where nothing can
    be told apart, the event. *uncertain*: an event that stays open, with ``reason``; its ``score``
    may be None. *normal*: an event below the threshold, or the stretches of one that no episode
    covers, scored and summed up without what the episodes tell; it accuses nobody.
    """

    video_id: str
    event_id: str
    interval: Interval
    label: Label
    score: Score | None
    summary: str
    reason: str = ""
    key_frame: int | None = None
    box: Box | None = None
    attributes: tuple[Attribute, ...] = ()
    rules: tuple[str, ...] = ()
    """Rules broken by what ``summary`` tells, strongest first (of events side by side in which
    nothing is told apart: by any of them); none of a normal event. What other sightings break is in
    the explanation, each beside whoever breaks it."""
    observations: tuple[str, ...] = ()
    """Sightings of the culprit, by observation id, in time order."""


class Timeline(Frozen):
    """Score over time of one video; frames not looked at are absent."""

    video_id: str
    frames: tuple[int, ...]
    seconds: tuple[float, ...]
    scores: tuple[float, ...]
    smoothing: Literal["causal", "offline", "none"] = "offline"


class Step(Frozen):
    """One link of the explanation. Every id in ``evidence`` resolves in the run's ledger."""

    kind: Literal["when", "where", "what", "rule", "judgement", "limit"]
    text: str
    evidence: tuple[str, ...]


class Failure(Frozen):
    """A video or an item that could not be worked on, and why."""

    item: str
    reason: str
    remedy: str = ""
    where: str = ""
    """The item in words, where it is an event."""
    again: bool = False
    """Whether it may go another time: a model or its server was at fault, not the item."""


class Cost(Frozen):
    """What the run spent. Seconds are wall clock and vary between runs."""

    looks: int = 0
    questions: int = 0
    rule_queries: int = 0
    verdicts: int = 0
    rounds: int = 0
    frames_decoded: int = 0
    model_calls: int = 0
    tokens: int = 0
    cache_hits: int = 0
    seconds: float = 0.0
    tool_seconds: float = 0.0


class Decision(Frozen):
    """The answer to a query.

    ``score`` is 0.5 exactly at the alarm threshold, which is set so that ``false_alarm_rate``
    of normal events exceed it (see tools.scoring); None when the answer is *uncertain*.
    For FIND and CHECK questions *anomalous* means: what was asked for was found; for CAMERA ones:
    the camera was at fault, which has no score.
    """

    run_id: str
    query: str
    intent: Intent
    label: Label
    score: Score | None
    reason: str = ""
    false_alarm_rate: float | None = None
    events: tuple[EventScore, ...] = ()
    """What was found, what stays open, and what is normal besides; see :class:`EventScore`."""
    timelines: tuple[Timeline, ...] = ()
    explanation: tuple[Step, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    health: tuple[HealthEvent, ...] = ()
    """Where a camera was at fault (blackout, tampering, another view …): not judged."""
    faulty: tuple[str, ...] = ()
    """Of a CAMERA question: the ids of those faults that it asked for."""
    dropped_steps: int = 0
    """Steps the check removed because a citation did not resolve."""
    stop_reason: str = ""
    cost: Cost = Cost()
