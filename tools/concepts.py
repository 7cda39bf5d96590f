"""Plain words for things that can be measured: what people ask for, and how it is tested.

A concept never claims more than its predicate measures; its caveat says what cannot be told apart.
The bounds are stated priors in units relative to the scene (usual walking speed, usual height),
not tuned on labelled anomalies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tools.types import Condition, Predicate, RuleCategory

DIRECTIONS = (
    (r"\b(?:to|towards?) the left\b|\bleftwards?\b|\bright to left\b", "left"),
    (r"\b(?:to|towards?) the right\b|\brightwards?\b|\bleft to right\b", "right"),
    (r"\b(?:to|towards?) the camera\b", "toward the camera"),
    (r"\baway from the camera\b", "away from the camera"),
)

__all__ = ["CONCEPTS", "DIRECTIONS", "Concept", "directions_in", "find_concepts"]


@dataclass(frozen=True)
class Concept:
    """Words that mean it, and the test over one observation's attributes."""

    name: str
    words: str
    """Regular expression of whole words, matched without case."""
    predicate: Predicate
    category: RuleCategory
    caveat: str = ""

    def match(self, text: str) -> re.Match[str] | None:
        return re.search(rf"\b(?:{self.words})\b", text, re.IGNORECASE)


def _all(*conditions: Condition) -> Predicate:
    return Predicate(all=conditions)


def _is(attribute: str, *values: str) -> Condition:
    return Condition(attribute=attribute, op="in", value=values)


def _over(attribute: str, bound: float, unit: str) -> Condition:
    return Condition(attribute=attribute, op=">", value=bound, unit=unit)


_LEFT = (
    r"bags?|packages?|parcels?|suitcases?|box(?:es)?|luggage|objects?|something|anything|things?"
)
_BEING = r"that|which|may|must|shall|should|can|is|are|was|were|be|been|being|has|have|not|never"
WALKING_SPEED = "× usual walking speed"

CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="riding",
        words=r"rid(?:e|es|ing|er|ers|den)|rode|bikes?|biking|bicycl\w*|cycl(?:e|es|ing|ist|ists)"
        r"|skat(?:e|es|ing|er|ers)|skateboard\w*|rollerblad\w*|scooters?|mopeds?|glid(?:e|es|ing)",
        predicate=_all(_is("activity", "glides"), _over("speed", 1.5, WALKING_SPEED)),
        category=RuleCategory.ACTIVITY,
        caveat="tested as fast motion without swinging limbs; which vehicle it is was not "
        "measured; riding at walking pace cannot be told from walking",
    ),
    Concept(
        name="running",
        words=r"runs?|running|ran|runners?|jog\w*|sprint\w*|dash(?:es|ed|ing)?",
        predicate=_all(_is("activity", "runs"), _over("speed", 1.8, WALKING_SPEED)),
        category=RuleCategory.ACTIVITY,
        caveat="tested as fast motion with swinging limbs",
    ),
    Concept(
        name="moving fast",
        words=r"fast(?:er|est)?|speeding|rush\w*|quick(?:ly)?|hurr(?:y|ies|ied|ying)",
        predicate=_all(_over("speed", 1.8, WALKING_SPEED)),
        category=RuleCategory.MOTION,
    ),
    Concept(
        name="a large object",
        words=r"(?:large|big|huge|oversized?|bulky) (?:object|thing|item)s?|vehicles?|cars?|trucks?"
        r"|vans?|lorr(?:y|ies)|carts?|golf carts?|wagons?",
        predicate=_all(_is("subject", "large object")),
        category=RuleCategory.OBJECT,
        caveat="tested by size against a person there; what kind of object it is was not measured",
    ),
    Concept(
        name="parking",
        words=r"park(?:ed|ing)(?! (?:lots?|spaces?|areas?|place))"
        r"|(?:may|can|must|should|not|to|(?:any|some|no) ?(?:one|body)) park",
        predicate=_all(_is("activity", "stands"), _is("subject", "large object")),
        category=RuleCategory.OBJECT,
        caveat="tested as something large that stands; what stood there in the normal clips "
        "already is part of the picture",
    ),
    Concept(
        name="leaving something behind",
        words=r"abandon\w*|left behind|leav(?:e|es|ing) (?:\w+ ){0,3}behind|unattended|dropped"
        rf"|(?:left|leaves?|leaving) (?:an? |any |his |her |their |the |your )?(?:\w+ )?(?:{_LEFT})"
        rf"|(?:{_LEFT}) (?:(?:{_BEING}) )*left(?: (?:behind|unattended|unwatched|alone))?"
        r"(?! (?:the|this|that|our|h(?:is|er)|their|through|to|from|of)\b)",  # he left the place
        predicate=_all(_is("activity", "appears and stays")),
        category=RuleCategory.OBJECT,
        caveat="tested as something that appears and does not move away; its kind was not measured",
    ),
    Concept(
        name="something missing",
        words=r"(?:is |are |gone |goes |went )?missing|taken away|takes? away|taking away|stolen"
        r"|disappear\w*|vanish\w*|removed",
        predicate=_all(_is("activity", "is missing")),
        category=RuleCategory.OBJECT,
        caveat="tested as something that stands in the normal clips and is no longer there; "
        "who took it was not measured",
    ),
    Concept(
        name="loitering",
        words=r"loiter\w*|linger\w*|hang(?:s|ing)? (?:around|about)|dwell\w*|wait(?:s|ed|ing)?",
        predicate=_all(_over("dwell", 20.0, "s")),
        category=RuleCategory.ACTIVITY,
    ),
    Concept(
        name="standing",
        words=r"stand(?:s|ing)?|stood|stop(?:s|ped|ping)?|still|motionless",
        predicate=_all(
            _is("activity", "stands"), _is("subject", "person", "person-sized object", "group")
        ),
        category=RuleCategory.ACTIVITY,
    ),
    Concept(
        name="being where people rarely are",
        words=r"(?:on|over|across|onto) (?:the )?(?:grass|lawn|verge|flower ?beds?|tracks|roof)"
        r"|off (?:the )?(?:path|walkway|road|track|pavement|sidewalk)|off-path|unusual places?"
        r"|restricted area|trespass\w*",
        predicate=_all(
            Condition(attribute="place", op="<", value=0.002, unit="share of normal frames")
        ),
        category=RuleCategory.ENVIRONMENT,
        caveat="tested as a place that is almost never used in the scene's normal clips; "
        "what surface it is was not measured",
    ),
    Concept(
        name="going the wrong way",
        words=r"(?:the )?wrong (?:way|direction)|opposite (?:way|direction)|wrong-way"
        r"|against (?:the )?(?:flow|traffic|stream|crowd|usual direction|others)",
        predicate=_all(
            Condition(attribute="way", op="<", value=0.1, unit="share of the normal motion there")
        ),
        category=RuleCategory.MOTION,
        caveat="tested against the directions taken at that place in the scene's normal clips",
    ),
    Concept(
        name="a group",
        words=r"crowds?|crowded|groups?|gather(?:s|ed|ing|ings)?",
        predicate=_all(_is("subject", "group")),
        category=RuleCategory.OBJECT,
        caveat="people close together are seen as one group; they were not counted",
    ),
    Concept(
        name="walking",
        words=r"walk(?:s|ed|ing|ers?)?|stroll\w*|pedestrians?",
        predicate=_all(_is("activity", "walks")),
        category=RuleCategory.ACTIVITY,
    ),
)


@lru_cache(maxsize=4096)
def find_concepts(text: str) -> tuple[tuple[Concept, str], ...]:
    """Concepts named in a sentence, in order of appearance, each with the words that named it.

    A phrase already claimed by an earlier, more specific concept is not used twice.
    """
    found: list[tuple[int, Concept, str]] = []
    rest = text
    for concept in CONCEPTS:
        match = concept.match(rest)
        while match:
            if all(c is not concept for _, c, _ in found):
                found.append((match.start(), concept, match.group(0)))
            rest = rest[: match.start()] + " " * len(match.group(0)) + rest[match.end() :]
            match = concept.match(rest)
    return tuple((concept, phrase) for _, concept, phrase in sorted(found, key=lambda f: f[0]))


def directions_in(text: str) -> tuple[Condition, ...]:
    """The directions a sentence names ("to the left", "towards the camera"), as a condition."""
    found = [way for pattern, way in DIRECTIONS if re.search(pattern, text, re.IGNORECASE)]
    return (_is("direction", *found),) if found else ()
