"""The questions put to each batch of normal footage, and how the outcome is worded.

A :class:`Bound` asks how far a numeric attribute goes, a :class:`Vocabulary` which words an
attribute takes. Floors and margins are stated priors, the same for every scene; everything else
is filled in from the scene's own footage (:mod:`tools.induction.proposals`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.types import Condition, RuleCategory

__all__ = ["BOUNDS", "VOCABULARIES", "Bound", "Contrast", "Vocabulary"]


@dataclass(frozen=True)
class Bound:
    """How far a numeric attribute goes in normal footage.

    Texts are filled with ``limit``, ``usual`` and ``high`` (median and 95th percentile of what
    was seen) in the attribute's unit.
    """

    attribute: str
    slot: str
    category: RuleCategory
    normal: str
    anomalous: str
    below: bool = False
    """The unusual lies below the bound, not above it."""
    floor: float = 0.0
    """Stated prior: a bound is never set tighter than this."""
    step: float = 0.1
    """Bounds are rounded outwards to multiples of this."""
    subjects: frozenset[str] = frozenset()
    """Subjects it is measured on; empty: all but the scene as a whole."""
    people: frozenset[str] = frozenset()
    """Those of them that the rule on what is normal speaks of; empty: all of them."""
    percent: bool = False
    """Texts give the numbers in percent."""
    censored: bool = False
    """It cannot exceed the length of a clip, so clips must be twice as long as the bound."""


@dataclass(frozen=True)
class Vocabulary:
    """Which words an attribute takes in normal footage, and which of ``contrasts`` it does not."""

    attribute: str
    slot: str
    category: RuleCategory
    normal: str
    contrasts: tuple[Contrast, ...]
    shown: Mapping[str, str] = field(default_factory=dict)
    """How a word reads in ``normal``, where not as it is."""
    joint: str = "or"
    """Between the last two words."""
    given: tuple[Condition, ...] = ()
    """Only observations of which this holds count, in the vote and under the rule."""
    min_seconds: float = 20.0
    """Observed time without which nothing is said to be rare."""


@dataclass(frozen=True)
class Contrast:
    """A word that may turn out to be rare or absent, and the rule that then holds against it.

    ``beyond`` are stated priors that give the rule a margin: words alone have none.
    """

    word: str
    text: str
    beyond: tuple[Condition, ...] = ()


OBJECTS = frozenset({"person", "person-sized object", "large object", "small object"})
"""What is measured as one thing: a group is as tall and wide as it happens to be."""
MOVERS = frozenset({"person", "person-sized object", "large object", "group"})
"""What is big enough for its limbs to show: a lone foot glides, too."""

ALONE = MOVERS - {"group"}
"""Movers that are one thing: the flow of several is mixed."""

BOUNDS: tuple[Bound, ...] = (
    Bound(
        attribute="glide",
        slot="glide/limit",
        category=RuleCategory.MOTION,
        normal="",
        anomalous="Something glides: it moves fast as one rigid piece, without swinging limbs, by "
        "more than {limit}× the usual walking speed (normal footage: mostly under {high}×).",
        floor=0.5,
        subjects=MOVERS,
    ),
    Bound(
        attribute="speed",
        slot="speed/limit",
        category=RuleCategory.MOTION,
        normal="People move at about the usual walking speed, mostly under {high}× of it and not "
        "faster than {limit}×.",
        anomalous="Something moves faster than {limit}× the usual walking speed "
        "(normal footage: mostly under {high}×).",
        floor=1.5,
        subjects=MOVERS,
    ),
    Bound(
        attribute="speed",
        slot="speed/small",
        category=RuleCategory.MOTION,
        normal="",
        anomalous="Something small moves faster than {limit}× the usual walking speed "
        "(normal footage: mostly under {high}×).",
        floor=1.5,
        subjects=frozenset({"small object"}),
    ),
    Bound(
        attribute="size",
        slot="size/limit",
        category=RuleCategory.OBJECT,
        normal="People and things of their size are mostly under {high}× the usual height of a "
        "person at their place and not taller than {limit}×.",
        anomalous="Something is taller than {limit}× the usual height of a person at its place "
        "(normal footage: mostly under {high}×).",
        floor=1.3,
        subjects=OBJECTS,
        people=OBJECTS - {"large object"},
    ),
    Bound(
        attribute="area",
        slot="area/limit",
        category=RuleCategory.OBJECT,
        normal="",
        anomalous="Something takes up more than {limit}× the usual area of a person at its place "
        "(normal footage: mostly under {high}×).",
        floor=1.5,
        subjects=OBJECTS,
    ),
    Bound(
        attribute="count",
        slot="count/limit",
        category=RuleCategory.ENVIRONMENT,
        normal="About {usual} people are usually on the move, mostly under {high}, and not more "
        "than {limit}.",
        anomalous="More than about {limit} people are on the move (normal footage: usually "
        "{usual}).",
        floor=2.0,
        step=1.0,
        subjects=frozenset({"scene"}),
    ),
    Bound(
        attribute="way",
        slot="way/limit",
        category=RuleCategory.MOTION,
        normal="People keep to the directions usual at each place: those that at least {limit} of "
        "the normal motion there takes.",
        anomalous="Someone or something goes the wrong way: a direction that less than {limit} of "
        "the normal motion at that place takes.",
        below=True,
        floor=0.25,
        step=0.01,
        subjects=ALONE,
        percent=True,
    ),
    Bound(
        attribute="astray",
        slot="astray/limit",
        category=RuleCategory.ENVIRONMENT,
        normal="People keep to within {limit}× a person's height of where others go.",
        anomalous="Someone or something is more than {limit}× a person's height away from where "
        "people go.",
        floor=0.3,
        subjects=MOVERS,
    ),
    Bound(
        attribute="place",
        slot="place/limit",
        category=RuleCategory.ENVIRONMENT,
        normal="People keep to places that are in use in at least {limit} of the normal frames.",
        anomalous="Someone or something is where almost nobody goes: a place in use in less than "
        "{limit} of the normal frames.",
        below=True,
        floor=0.002,
        step=0.0001,
        subjects=MOVERS,
        percent=True,
    ),
    Bound(
        attribute="dwell",
        slot="dwell/limit",
        category=RuleCategory.ACTIVITY,
        normal="Nobody stays in one place for longer than {limit} s.",
        anomalous="Someone or something stays in one place for longer than {limit} s.",
        floor=5.0,
        step=1.0,
        censored=True,
    ),
)

WALKING = "× usual walking speed"
HEIGHT = "× usual height here"
MOVING = (
    Condition(attribute="speed", op=">", value=0.5, unit=WALKING),
    Condition(attribute="subject", op="in", value=tuple(sorted(MOVERS))),
)

VOCABULARIES: tuple[Vocabulary, ...] = (
    Vocabulary(
        attribute="activity",
        slot="activity",
        category=RuleCategory.ACTIVITY,
        normal="People here usually {words}.",
        shown={
            "walks": "walk",
            "runs": "run",
            "stands": "stand",
            "moves": "move in ways that cannot be told apart",
            "glides": "glide",
            "appears and stays": "appear and stay",
            "is missing": "go missing",
        },
        contrasts=(
            Contrast(
                "runs",
                "Someone runs, at more than 1.5× the usual walking speed; nobody runs in the "
                "normal footage.",
                (Condition(attribute="speed", op=">", value=1.5, unit=WALKING),),
            ),
            Contrast(
                "appears and stays",
                "Something at least 0.2× as tall as a person appears and is left alone for more "
                "than 3 s; that does not occur in the normal footage.",
                (
                    Condition(attribute="unattended", op=">", value=3.0, unit="s"),
                    Condition(attribute="size", op=">", value=0.2, unit=HEIGHT),
                ),
            ),
            Contrast(
                "is missing",
                "Something at least 0.2× as tall as a person that stands in the normal footage is "
                "gone for more than 3 s.",
                (
                    Condition(attribute="missing", op=">", value=3.0, unit="s"),
                    Condition(attribute="size", op=">", value=0.2, unit=HEIGHT),
                ),
            ),
        ),
    ),
    Vocabulary(
        attribute="direction",
        slot="direction",
        category=RuleCategory.MOTION,
        normal="People move {words}.",
        contrasts=tuple(
            Contrast(
                word,
                f"Someone or something moves {word}, a direction that hardly occurs in the normal "
                "footage.",
            )
            for word in ("left", "right", "toward the camera", "away from the camera")
        ),
        given=MOVING,
        min_seconds=60.0,
    ),
    Vocabulary(
        attribute="subject",
        slot="subject",
        category=RuleCategory.OBJECT,
        normal="Mostly seen here: {words}.",
        joint="and",
        shown={
            "person": "people",
            "group": "groups of people",
            "person-sized object": "person-sized objects",
            "large object": "large objects",
            "small object": "small objects",
        },
        contrasts=(
            Contrast(
                "large object",
                "A large object, more than 1.3× as tall as a person there, is present; there is "
                "none in the normal footage.",
                (Condition(attribute="size", op=">", value=1.3, unit=HEIGHT),),
            ),
        ),
    ),
)
