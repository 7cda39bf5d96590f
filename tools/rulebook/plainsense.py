"""What a sentence does with what it names: forbid it, allow it, demand it, or leave it open.

"Nobody may run" and "Running is not allowed" forbid; "Running is not unusual" allows; "Everyone
must walk" demands, and is broken by the opposite of what it names. What is excepted ("except on
Sundays", "unless …", "but not …") is split off first. A sentence that can be read both ways is said
to be so, never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["BOTH_WAYS", "MISSING", "Sense", "plain_words", "sense_of", "split_exception"]

Stance = Literal["forbids", "permits", "demands", "frees", "open", "unclear"]


@dataclass(frozen=True)
class Sense:
    """What a sentence does, and with what.

    ``frees``: it says that something need not be, or need not be missing; nothing breaks that.
    """

    stance: Stance
    who: str = ""
    """Of a demand: on whom."""
    demand: str = ""
    """Of a demand: what is to be."""
    within: str = ""
    """Of "only at night": the marks of when it is allowed; it is forbidden at other times."""
    beyond: bool = False
    """What is forbidden is what goes beyond the bound that is named."""
    modal: bool = False
    """Allowed by "may", "allowed" …, which a limit ("at most") turns into a prohibition."""
    why: str = ""
    """Why it is unclear, or cannot be tested."""


_WHOLE = (
    (r"\bca(?:n't|nnot)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bshan't\b", "shall not"),
    (r"n't\b", " not"),
    (r"\b(it|there|that)'s\b", r"\1 is"),
    (r"\bno-?one\b", "no one"),
)
_KEEP_OFF = re.compile(
    r"(?:\b(?:must|should|shall|has to|have to|needs? to|please) )?\b(?:keep|stay|remain)s? "
    r"(off|out of|away from|clear of)\b",
    re.IGNORECASE,
)
_AVOID = re.compile(
    r"(?:\b(?:must|should|shall|has to|have to|please) )?\b(?:refrain from|avoid)\b", re.IGNORECASE
)
_EXCEPTS = (
    r"(?:except(?:ing)?(?: for| if| when)?|unless|apart from|aside from|other than|save for"
    r"|with the exception of|excluding|without"
    r"|but(?: for)?(?! (?:also|only|never|no|nobody|nothing)\b))"
)
_STARTS = re.compile(
    rf"^{_EXCEPTS}\b (?P<what>[^,]+?)(?:,| (?=(?:nobody|no one|no|nothing|never|nowhere|people"
    r"|everyone|everybody|you|only|it is|there)\b)) ?(?P<main>.+)$",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(
    rf"^(?P<main>.+?)(?:,? ?\b{_EXCEPTS}\b|,(?= not\b)) (?P<what>.+?)"
    r"(?P<rest>(?:,|(?<! it)) (?=(?:may|must|should|can|shall|is|are|has to|have to)\b).*)?$",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:nobody|no one|none|nothing|nowhere|never|no|not|neither)\b", re.IGNORECASE
)
_PARTLY = re.compile(
    r"\bnot (?:every\w*|all|always|only|necessarily|both|just)\b|\b(?:rarely|seldom|hardly)\b",
    re.IGNORECASE,
)
_SEQUENCE = (
    r"(?P<verb>(?:(?:is|are|am|was|were|be|been|being|must|should|may|can|shall|will|would|do|does"
    r"|counts?|counted|considered|seen|regarded|called|treated|as|not|never|nothing|to"
    r"|anything|something|perfectly|quite|also|always|absolutely|strictly|entirely|totally|very"
    r"|really|completely|ever|an?|no|longer|generally|usually|normally|only|here|still) )*)"
)
_FREELY = r"allowed|permitted|welcome|expected|tolerated"
_WELL = r"normal|fine|ok|okay|usual|harmless|acceptable|all right|alright|ordinary|common|legal"
_DEMANDED = r"required|mandatory|compulsory|obligatory"
_BADLY = (
    r"forbidden|prohibited|banned|disallowed|illegal|unusual|anomal\w+|abnormal|suspicious"
    r"|unacceptable|unexpected|dangerous|unsafe|discouraged|inappropriate|unwanted|strange|odd"
    r"|violations?|alarm(?:ing)?|wrong(?= (?:with|about))"
)
_CALLED = re.compile(
    rf"{_SEQUENCE}\b(?:(?P<duty>(?:supposed|expected|required|obliged) to)|(?P<freely>{_FREELY})"
    rf"|(?P<well>{_WELL})|(?P<demanded>{_DEMANDED})|(?P<badly>{_BADLY}))\b",
    re.IGNORECASE,
)
_PACE = re.compile(r" (?:walking )?(?:speed|pace|direction|way)\b", re.IGNORECASE)
"""What is usual there is no judgement: "the usual walking speed"."""
_NOBODY_DOING = re.compile(r"\b(?:nobody|no one|nothing)(?: \w+)? \w+ing\b", re.IGNORECASE)
_NAMELESS = re.compile(r"^\W*(?:(?:it|there|this|that|here)\b\W*)*$", re.IGNORECASE)
_ORDERS = re.compile(
    r"^(?:please )?(?P<no>(?:do not|never) )?(?:(?P<good>ignore|allow|disregard|permit|accept"
    r"|tolerate)|(?P<bad>alert|alarm|report|flag|warn|beware|watch (?:out )?for|look out for|notify"
    r"|forbid|prohibit|ban|tell me))\b",
    re.IGNORECASE,
)
_UNNEEDED = re.compile(
    r"\b(?:(?:do|does|need|is|are) not (?:have |need )?to|need not|not (?:obliged|required) to)\b",
    re.IGNORECASE,
)
_UNMINDED = re.compile(
    r"\b(?:do|does) not (?:mind|care|object|matter|bother|worry|disturb)\b", re.IGNORECASE
)
_MODAL = re.compile(
    r"\b(?:(?P<may>may|can|could|might)|(?P<must>must|should|shall|has to|have to|had to|needs? to"
    r"|ought to|is to|are to))\b",
    re.IGNORECASE,
)
_ALL = re.compile(r"\b(?:everyone|everybody|everything|all|each|every|always)\b", re.IGNORECASE)
_SIDE = re.compile(
    r"\b(?:if|when|whenever|while|where|who|that|which|because|as long as|so that)\b", re.IGNORECASE
)
_JOINTS = re.compile(r"[,;]|\b(?:and|or)\b|\b(?=nor\b)", re.IGNORECASE)
_NO_AGAIN = re.compile(r"^ *(?:no|nobody|no one|never|nothing|none)\b", re.IGNORECASE)
_ONLY = re.compile(r"\b(?:only|solely|exclusively|just)\b", re.IGNORECASE)
_ONLY_WHEN = re.compile(
    rf"\bonly(?: (?:{_FREELY}|{_WELL}))?(?: (?:if|when|while))? (?P<after>\|\w+\|(?: \|\w+\|)*)"
    r"|(?P<before>\|\w+\|(?: \|\w+\|)*) only\b",
    re.IGNORECASE,
)
_ONLY_DOING = re.compile(r"\bonly (?P<what>[a-z]+ing\b.*)$", re.IGNORECASE)

BOTH_WAYS = "it can be read in two ways"
MISSING = "it says that something need not be, or is not, and nothing that is seen can break that"
ABSENT = "it says that something is to be there, and that it is missing is not measured"
ONLY_SOME = "it holds for some only, and who or what that is is not told apart by code"


def plain_words(text: str) -> str:
    """The sentence in straight quotes and whole words: "don't" is "do not", and "stay off the
    grass" says "must not be on the grass"."""
    text = " ".join(text.replace("’", "'").split()).rstrip(" .!")
    for pattern, whole in _WHOLE:
        text = re.sub(pattern, whole, text, flags=re.IGNORECASE)
    places = {"off": "on", "out of": "in", "away from": "at", "clear of": "at"}
    text = _KEEP_OFF.sub(lambda m: f"must not be {places[m[1].lower()]}", text)
    return _AVOID.sub("must not", text)


def split_exception(text: str) -> tuple[str, str]:
    """A sentence without what it excepts, and that."""
    if re.match(rf"{_EXCEPTS}\b", text, re.IGNORECASE):
        first = _STARTS.match(text)
        return (first["main"], first["what"]) if first else ("", text)
    match = _FOLLOWS.match(text)
    if match is None:
        return text, ""
    rest = (match["rest"] or "").lstrip(" ,")
    return f"{match['main']} {rest}".strip(" ,"), match["what"].strip(" .,;")


def sense_of(text: str) -> Sense:
    """What a sentence does, as :func:`plain_words` gives it and without what it excepts."""
    if _PARTLY.search(text):
        return Sense("unclear", why=BOTH_WAYS)
    when = _ONLY_WHEN.search(text)
    some = None if when else _ONLY.search(text)
    bare = " ".join(_ONLY.sub(" ", text).split())
    sense = _called(bare) or _ordered(bare) or _said(bare)
    if when is None and some is None:
        return sense
    if sense.stance == "forbids":
        return sense if not when or not _NEGATION.search(text) else Sense("unclear", why=BOTH_WAYS)
    if sense.stance not in {"permits", "open"}:
        return Sense("unclear", why=BOTH_WAYS)
    if when is not None:
        return Sense("forbids", within=when["after"] or when["before"])
    return _only(text, sense)


def _only(text: str, sense: Sense) -> Sense:
    """ "Only walking is allowed", "people may only walk" demand; of others it is said who may."""
    modal = _MODAL.search(text)
    late = re.search(r"\bonly (?P<what>.+)$", text[modal.end() :]) if modal else None
    if late and modal:
        if re.search(r"\|(?:hours|days|zone)\|", late["what"]):
            return Sense("unclear", why=BOTH_WAYS)
        return Sense("demands", who=text[: modal.start()], demand=late["what"])
    if re.search(rf"\bonly (?:{_FREELY}|{_WELL})\b", text, re.IGNORECASE):
        return Sense("unclear", why=BOTH_WAYS)
    doing = _ONLY_DOING.search(text)
    if doing is not None:
        called = _CALLED.search(doing["what"])
        return Sense("demands", demand=doing["what"][: called.start() if called else None])
    return Sense("demands", who=text, why=ONLY_SOME)


def _called(text: str) -> Sense | None:
    """By what it is called: "… is not allowed", "it is normal that …"."""
    match = next((m for m in _CALLED.finditer(text) if not _PACE.match(text[m.end() :])), None)
    if match is None:
        return None
    before, after = text[: match.start()], text[match.end() :]
    denied = len(_NEGATION.findall(match["verb"]))
    nameless = _NAMELESS.match(before) is not None and bool(before.strip(" ,") or match["verb"])
    if not before.strip(" ,") and not nameless:  # "Suspicious: …" calls what follows so
        before, after = after, ""
    if match["duty"]:
        return _duty(match["duty"].lower(), before, after, denied)
    what = after if nameless else before
    inner = list(_NEGATION.finditer(what))
    if len(inner) > 1 or (not nameless and _NEGATION.search(after)):
        return Sense("unclear", why=BOTH_WAYS)
    if inner and not nameless:
        side = _SIDE.search(what)
        if side is None or side.start() > inner[0].start():
            if denied or not match["freely"] or _NOBODY_DOING.search(what):
                return Sense("unclear", why=BOTH_WAYS)
            denied, inner = 1, []  # nobody is allowed
    bad = bool(match["badly"]) != (denied % 2 == 1)
    if match["demanded"]:
        if denied:
            return Sense("frees", why=MISSING)
        return Sense("forbids") if inner else Sense("demands", demand=what)
    if inner:
        return _not_without(what) if bad else Sense("frees", why=MISSING)
    return Sense("forbids") if bad else Sense("permits", modal=bool(match["freely"]))


def _duty(word: str, who: str, demand: str, denied: int) -> Sense:
    """By what somebody is supposed, expected, required to do."""
    denied += len(_NEGATION.findall(who))
    if denied > 1 or _NEGATION.search(demand) or (denied and word.startswith("expected")):
        return Sense("unclear", why=BOTH_WAYS)
    if denied:
        return Sense("forbids") if word.startswith("supposed") else Sense("frees", why=MISSING)
    return Sense("demands", who=who, demand=demand)


def _not_without(text: str) -> Sense:
    """What is forbidden not to be: "not to walk" is broken by not walking, "nobody walks" by what
    is missing."""
    if re.search(r"\b(?:not|never)\b", text, re.IGNORECASE):
        return Sense("demands", demand=_NEGATION.sub(" ", text))
    return Sense("demands", demand=text, why=ABSENT)


def _ordered(text: str) -> Sense | None:
    """By an order: "ignore …", "report …"."""
    match = _ORDERS.match(text)
    if match is None:
        return None
    rest = text[match.end() :]
    if _NEGATION.search(rest):
        if match["no"] or match["good"]:
            return Sense("unclear", why=BOTH_WAYS)
        return _not_without(rest)
    bad = bool(match["bad"]) != bool(match["no"])
    return Sense("forbids") if bad else Sense("permits")


def _said(text: str) -> Sense:
    """By "may", "must", "nobody" …, or by none of them."""
    denials = list(_NEGATION.finditer(text))
    modal = _MODAL.search(text)
    if _UNNEEDED.search(text):
        return Sense("frees", why=MISSING)
    if _UNMINDED.search(text):
        return Sense("permits" if len(denials) == 1 else "unclear", why=BOTH_WAYS)
    side = _SIDE.search(text)
    if denials and side and denials[0].start() > side.start():
        return Sense("unclear", why=BOTH_WAYS)
    if len(denials) > 1 and not _again(text):
        return Sense("unclear", why=BOTH_WAYS)
    if denials:
        return Sense("forbids")
    if modal and modal["may"]:
        return Sense("permits", modal=True)
    if modal:
        return Sense("demands", who=text[: modal.start()], demand=text[modal.end() :])
    everyone = _ALL.search(text)
    if everyone:
        return Sense("demands", demand=text[: everyone.start()] + text[everyone.end() :])
    return Sense("open")


def _again(text: str) -> bool:
    """Whether each denial begins a part of its own: "no running and no riding"."""
    first, *others = _JOINTS.split(text)
    return len(_NEGATION.findall(first)) == 1 and all(
        not (n := len(_NEGATION.findall(part))) or (n == 1 and _NO_AGAIN.match(part))
        for part in others
    )
