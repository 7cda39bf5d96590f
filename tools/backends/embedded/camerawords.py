"""Questions about the camera itself, in words: which faults of the picture they ask for."""

from __future__ import annotations

import re
from itertools import chain

from tools.types import HealthKind

__all__ = ["CAUSE", "asks_whether_well", "camera_asked"]

CAUSE = "what is wrong with the picture is measured, not who or what caused it"

_HIDDEN: tuple[HealthKind, ...] = ("covered", "black", "blank", "changed", "view", "other")
_FAULTS: tuple[tuple[str, tuple[HealthKind, ...]], ...] = (
    (r"cover\w*|blind\w*|block\w*|obstruct\w*|obscur\w*|spray\w*|painted|masked|taped", _HIDDEN),
    (r"mov(?:e|ed|ing)|turn(?:ed|ing)?|shak(?:e|en|ing|y)|shook|shift(?:ed)?|rotat(?:ed|ing)"
     r"|displaced|knocked|nudged|tilted|re-?positioned", ("moved", "view")),
    (r"fr(?:o|ee)z(?:e|en)|froze|stuck|stand(?:s|ing)? still|stood still", ("frozen",)),
    (r"blur\w*|(?:out of |un)focus(?:ed)?|defocus\w*|unsharp|fuzzy", ("defocused",)),
    (r"dark\w*|black\w*|dim(?:med)?", ("black", "light")),
    (r"blank|one colou?r", ("blank", "covered", "black")),
    (r"overexposed|too bright|dazzled", ("light", "blank")),
)  # fmt: skip
"""Words, and the kinds of fault that they may be measured as."""
_ANY = (
    r"tamper\w*|sabotag\w*|vandal\w*|manipulat\w*|interfer\w*|disturb\w*|fault\w*|fail(?:s|ed|ing"
    r"|ures?)?|broken|defect\w*|problems?|trouble|health\w*|working|ok(?:ay)?|all right|fine"
)
_WELL = re.compile(
    r"(?<!not )(?<!stop )(?<!stopped )\b(?:working|ok(?:ay)?|all right|fine|healthy)\b",
    re.IGNORECASE,
)
_ALL = "|".join([_ANY, *(words for words, _ in _FAULTS)])
_CAMERA = r"(?:camera|lens|cctv)"
_PICTURE = rf"(?:{_CAMERA}|picture|image|video|footage|feed|screen|view)"
_BETWEEN = (
    r"(?:(?:'s|is|are|was|were|been|being|be|get|gets|got|has|have|had|go|goes|went|gone|become"
    r"|became|turn|turned|ever|at|any|some|all|time|point|moment|temporarily|also|and|or|not|the"
    r"|picture|image|video|view|by|somebody|someone|anybody|anyone|with) )*"
)
_ARTICLE = r"(?:(?:the|this|that|a|our|its) )?"
_BESIDE = re.compile(
    r"\b(?:in front of|in|on|at|by|before|past|near|to|towards?|from|into|across|behind|around"
    rf"|under) {_ARTICLE}{_PICTURE}\b"
)
"""Somebody who moves *before* the camera moves no camera."""
_VIEW = re.compile(rf"\b(?:view|picture|image|lens|feed) of {_ARTICLE}{_CAMERA}\b")
_ASKED = (
    re.compile(rf"\b{_PICTURE} {_BETWEEN}(?:{_ALL})\b"),
    re.compile(rf"\b(?:{_FAULTS[0][0]}|{_ANY}) (?:with )?{_ARTICLE}{_CAMERA}\b"),
    re.compile(rf"\b(?:{_FAULTS[1][0]}) (?:the|this|that|our) {_CAMERA}\b"),
    re.compile(
        rf"\b(?:wrong|fault|problem|trouble) with {_ARTICLE}(?:{_CAMERA}|picture|image|feed)\b"
    ),
    re.compile(r"\bblackouts?\b|\bit (?:get|go|got|went|become|became) (?:dark|black)\b"),
)


def camera_asked(text: str) -> tuple[HealthKind, ...] | None:
    """Kinds of fault that a question about the camera asks for, empty for any; None: it is none."""
    words = " ".join(re.sub(r"[^\w'-]+", " ", text.lower()).split())
    said = _BESIDE.sub("there", _VIEW.sub("camera", words))
    if not any(pattern.search(said) for pattern in _ASKED):
        return None
    if re.search(rf"\b(?:{_ANY}|wrong)\b", said):
        return ()
    named = (kinds for words, kinds in _FAULTS if re.search(rf"\b(?:{words})\b", said))
    return tuple(dict.fromkeys(chain.from_iterable(named)))


def asks_whether_well(text: str) -> bool:
    """Whether a question about the camera asks that it was in order: then a fault is a no."""
    return _WELL.search(text) is not None
