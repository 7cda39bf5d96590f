"""Findings: what was observed, asked and answered, which rules bear on it, and how it is judged."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer

from tools.packed import named, packed, packed_attributes, packed_records
from tools.types.footage import Box, Frozen, Interval, Score

__all__ = [
    "Answer",
    "Attribute",
    "Caption",
    "Claim",
    "Clause",
    "ClauseVerdict",
    "Condition",
    "Description",
    "HealthEvent",
    "HealthKind",
    "Match",
    "NormalCaption",
    "Observation",
    "Point",
    "Predicate",
    "Provenance",
    "Question",
    "Rule",
    "RuleCategory",
    "RuleHit",
    "RuleHits",
    "RuleKind",
    "RuleStatus",
    "Scope",
    "Verdict",
    "Weekday",
    "Zone",
]

# ---------------------------------------------------------------- observations and captions


class Attribute(Frozen):
    """A measured value with its unit and, where the scene is known, what is normal for it.

    ``surprise`` = (value − usual) / (limit − usual): 0 is the normal median, 1 the normal
    99.9th percentile; None where the scene gives no distribution for it.
    """

    name: str
    value: float | str
    unit: str = ""
    usual: float | None = None
    limit: float | None = None
    surprise: float | None = None


Attributes = Annotated[
    tuple[Attribute, ...],
    AfterValidator(packed_attributes),
    PlainSerializer(tuple, return_type=tuple[Attribute, ...]),
]
"""Attributes, kept packed, which is the same to whoever reads them."""


class Point(Frozen):
    """One frame of an observation or of a score series."""

    frame: int
    """0-based index in presentation order."""
    pts: int
    surprise: float
    box: Box | None = None


Points = Annotated[
    tuple[Point, ...],
    AfterValidator(packed),
    PlainSerializer(tuple, return_type=tuple[Point, ...]),
]
"""Points in time order; kept packed, which is the same to whoever reads them."""


class Observation(Frozen):
    """One seen or measured fact: who or what, doing what, where, when, with numbers."""

    id: str
    video_id: str
    interval: Interval
    subject: str
    activity: str
    text: str
    """The fact in words, made from the fields alone."""
    attributes: Attributes = ()
    surprise: float = 0.0
    """Strongest calibrated surprise, in the units of :class:`Attribute`."""
    key_frame: int
    """Frame that shows it best."""
    box: Box | None = None
    """Where it is in the key frame."""
    points: Points = ()
    """Its path: one point per analysed frame."""

    def value(self, name: str) -> float | str | None:
        """Value of a named attribute; ``subject`` and ``activity`` count as attributes."""
        if name in {"subject", "activity"}:
            return self.subject if name == "subject" else self.activity
        found = self.attribute(name)
        return None if found is None else found.value

    def attribute(self, name: str) -> Attribute | None:
        return named(self.attributes, name)


class Clause(Frozen):
    """One statement of a caption and the observations it rests on."""

    text: str
    observations: tuple[str, ...] = ()


Clauses = Annotated[
    tuple[Clause, ...],
    AfterValidator(packed_records),
    PlainSerializer(tuple, return_type=tuple[Clause, ...]),
]
Observations = Annotated[
    tuple[Observation, ...],
    AfterValidator(packed_records),
    PlainSerializer(tuple, return_type=tuple[Observation, ...]),
]
"""Clauses and observations, kept packed, which is the same to whoever reads them."""


class Caption(Frozen):
    """The text of an event's observations, from whichever captioner."""

    id: str
    video_id: str
    interval: Interval
    text: str
    clauses: Clauses = ()
    captioner: str


class NormalCaption(Frozen):
    """A caption of normal footage, kept with a scene: what is said there when nothing is unusual.

    Never changed: another induction writes another version of all of them, and what cited an
    earlier one still resolves.
    """

    id: str
    scene: str
    version: int = Field(ge=1)
    """Which of the scene's sets of captions it belongs to."""
    video_id: str
    clip: str
    """Name of the video."""
    interval: Interval
    frame: int = Field(ge=0)
    """First frame of the interval."""
    text: str = Field(min_length=1)
    captioner: str = ""

    @property
    def ref(self) -> str:
        return f"normal:{self.id}@{self.version}"


HealthKind = Literal[
    "black", "blank", "frozen", "title", "covered", "defocused", "moved", "light", "view", "other",
    "changed", "cut",
]  # fmt: skip
"""What may be wrong with a camera or its picture; the texts say each in words."""


class HealthEvent(Frozen):
    """A stretch in which the camera or its picture was at fault; it was not judged.

    (A ``cut`` only marks the frame at which the picture jumps.)
    """

    id: str
    video_id: str
    kind: HealthKind
    interval: Interval
    text: str
    """What was wrong, in words."""
    frames: tuple[int, int]
    """First and last analysed frame of it."""


class Description(Frozen):
    """What a look at an interval gave: a caption, its observations, surprise frame by frame."""

    caption: Caption
    observations: Observations = ()
    series: Points = ()
    """Scene surprise per analysed frame, in presentation order; empty where not measured."""
    smoothing: Literal["causal", "offline", "none"] = "none"
    """How ``series`` is smoothed in time already: causal rests on the past alone."""
    frames_seen: int = 0
    problems: tuple[str, ...] = ()
    """Reasons why nothing of this stretch can be judged (camera moved, black frames …)."""
    health: tuple[HealthEvent, ...] = ()
    """Where the camera was at fault, in time order; the rest is judged if ``problems`` is empty."""


class Question(Frozen):
    """An independent question to the frames of an interval; it never names the hypothesis."""

    id: str
    text: str
    attribute: str | None = None
    """The attribute it asks for, where one is meant."""
    box: Box | None = None


class Answer(Frozen):
    """A captioner's answer to a question. ``value`` None means: cannot be told from the frames."""

    id: str
    question: Question
    text: str
    value: float | str | None = None
    unit: str = ""
    frames: tuple[int, ...] = ()


# ---------------------------------------------------------------- rules


class RuleKind(StrEnum):
    NORMAL = "normal"
    ANOMALOUS = "anomalous"


class RuleCategory(StrEnum):
    ACTIVITY = "activity"
    OBJECT = "object"
    ENVIRONMENT = "environment"
    MOTION = "motion"


class RuleStatus(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"


class Condition(Frozen):
    """One comparison of an observation's attribute, e.g. ``glide > 1.4``."""

    attribute: str
    op: Literal[">", ">=", "<", "<=", "==", "in"]
    value: float | str | tuple[str, ...]
    unit: str = ""


class Predicate(Frozen):
    """A conjunction of conditions over one observation, checked by code."""

    all: tuple[Condition, ...] = Field(min_length=1)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Corner = tuple[float, float]
"""x and y in pixels of the upright frame."""


class Zone(Frozen):
    """A named part of a scene's picture, one version of it."""

    scene: str
    name: str
    version: int = Field(ge=1)
    polygon: tuple[Corner, ...] = Field(min_length=3)
    author: str = ""
    status: RuleStatus = RuleStatus.ACTIVE
    created: str = ""
    """UTC, ISO 8601."""


class Scope(Frozen):
    """Where and when a rule applies. What is empty does not limit it."""

    cameras: tuple[str, ...] = ()
    hours: tuple[str, str] | None = None
    """``("22:00", "06:00")``: half-open, on the camera's clock; may reach over midnight."""
    weekdays: tuple[Weekday, ...] = ()
    """Days on which its hours begin: Friday from 22:00 to 06:00 ends on Saturday."""
    zone: str = ""
    """Name of the zone, for people; ``polygon`` is what counts."""
    polygon: tuple[Corner, ...] = ()
    """The zone as it was when this version was written."""

    @property
    def timed(self) -> bool:
        return self.hours is not None or bool(self.weekdays)


class Provenance(Frozen):
    """Where a rule was seen: a clip and frames of it that support the rule."""

    video_id: str
    clip: str
    frames: tuple[int, ...] = ()


class Rule(Frozen):
    """One version of one statement about a scene."""

    id: str
    scene: str
    version: int = Field(ge=1)
    kind: RuleKind
    category: RuleCategory
    text: str = Field(min_length=1)
    predicate: Predicate | None = None
    scope: Scope = Scope()
    support: int = Field(default=0, ge=0)
    """Votes: batches of normal footage that agree."""
    batches: int = Field(default=0, ge=0)
    """Batches that were asked."""
    provenance: tuple[Provenance, ...] = ()
    source: Literal["induced", "user"] = "induced"
    author: str = ""
    status: RuleStatus = RuleStatus.ACTIVE
    created: str = ""
    """UTC, ISO 8601."""

    @property
    def ref(self) -> str:
        return f"rule:{self.id}@{self.version}"


class RuleHit(Frozen):
    """A retrieved rule, with the reason why it was retrieved."""

    rule: Rule
    score: Score
    reason: str
    within: tuple[Interval, ...] | None = None
    """The parts of the event in which the rule's hours and days apply; None: all of it."""


RuleHits = Annotated[
    tuple[RuleHit, ...],
    AfterValidator(packed_records),
    PlainSerializer(tuple, return_type=tuple[RuleHit, ...]),
]
"""Hits, kept packed: every event has some, and their rules are nearly the same."""


class Match(Frozen):
    """A rule version that applies to an observation, with its strength."""

    rule: str
    """``rule:ID@V``"""
    kind: RuleKind
    """Anomalous: it speaks against what was seen. A broken rule of what is normal does, too."""
    observation: str
    strength: Score
    how: Literal["predicate", "lexical", "semantic"]
    raw: float | None = None
    """Uncalibrated strength of what was measured; None where ``strength`` itself counts."""


# ---------------------------------------------------------------- verdicts


class Claim(Frozen):
    """One statement of a verdict, the evidence it cites and how it was checked."""

    text: str
    evidence: tuple[str, ...]
    checked_by: str


class ClauseVerdict(Frozen):
    """What deduction found of one clause of a caption (:mod:`tools.deduction`)."""

    clause: str
    how: Literal["predicate", "lexical", "semantic", "novel", "unlike"]
    """How it matched the rule; ``novel`` or ``unlike`` where it matched none."""
    score: Score
    strength: Score = 0.0
    """Of the match."""
    novelty: Score = 0.0
    """How new it is against the normal captions."""
    rule: str = ""
    """``rule:ID@V`` that it breaks; empty where it is only new."""
    phrase: str = ""
    """The words of the rule that were found; of a *semantic* match what is unusual."""
    near: str = ""
    """The nearest normal clause; empty where none is like it, or it is not new."""
    normal: str = ""
    """``normal:ID@V``: the caption that has that clause."""
    things: tuple[str, ...] = ()
    """What it lists as being there; empty for a clause about a person."""


class Verdict(Frozen):
    """The verifier's judgement of one event. ``score`` None means *uncertain*, with ``reason``.

    ``score`` is on the calibrated scale of :mod:`tools.scoring`: 0.5 is the alarm threshold.
    """

    id: str
    event_id: str
    score: Score | None
    reason: str = ""
    raw: float | None = None
    """Uncalibrated strength (surprise units for the embedded verifier)."""
    covered: float | None = None
    """The part of ``raw`` that matched rules account for; None where that was not told apart."""
    claims: tuple[Claim, ...] = ()
    matches: tuple[Match, ...] = ()
    clauses: tuple[ClauseVerdict, ...] = ()
    """Where the caption's words were judged: its clauses of which anything was found, strongest
    first."""
    verifier: str
    doubt: str = ""
    """What answers from the frames could still settle; empty where they cannot, or were asked."""

    @property
    def uncertain(self) -> bool:
        return self.score is None
