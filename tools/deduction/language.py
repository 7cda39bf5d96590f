"""Captions and rules taken apart: sentences into clauses, clauses into what they say.

A caption enumerates people with what each does, then lists what else is there. So a clause is about
a *person* or about a *thing*, and things in the list are only present. Words are compared as lemmas
and by the concepts they name (:mod:`tools.deduction.lexicon`), and by what they mean where WordNet
is installed (:mod:`tools.deduction.meanings`). What a clause denies is left out
("no", "not", "without" …, up to its end); what it only suspects ("possibly", "or" …) counts half;
what it calls parked or stopped does not move.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from tools.deduction.lexicon import (
    ACTIONS,
    COMPOUNDS,
    LIFELESS,
    LIGHT,
    MOUNTS,
    RIDDEN,
    STATIC,
    WHEELED,
    ancestors,
    concept_of,
)
from tools.deduction.meanings import compound, meanings_of

__all__ = ["HEDGED", "Said", "clauses_of", "lemma_of", "said_in"]

HEDGED = 0.5
"""What is only suspected counts half: stated prior, an even bet."""

_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_WORD = re.compile(r"[a-z]+(?:[-'’][a-z]+)*")
_LISTS = re.compile(
    r"^(?:(?:other|rather) than|apart from|aside from|besides|except for|as for|in addition to)\b"
    r"|\b(?:other|surrounding|background|remaining) (?:elements?|objects?|things?|items?)\b"
    r"|\bimages? other than\b"
    r"|^(?:the|this) (?:image|scene|picture) (?:primarily |mainly |mostly |also )?"
    r"(?:showcases?|shows?|features?|contains?|consists)",
    re.IGNORECASE,
)
_LIST_HEAD = re.compile(
    r"^.*?\b(?:(?:there(?:'s| is| are| were| was))|includes?|including|consists? of|shows?|"
    r"showcases?|features?|contains?|such as|are|is)\b",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"^there (?:is|are|appears? to be|seems? to be) (?:(?:no|only|about|around|approximately|"
    r"several|many|numerous|multiple|a few|at least) )*(?:[\w-]+ )?"
    r"(?:people|persons?|individuals?|man|men|women|woman|pedestrians?)"
    r"(?: visible| present| seen)?(?: in (?:the|this) (?:image|scene|picture|frame|photo))?\W*$",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"\s*[,:()]\s*|\s+(?:while|whereas|but)\s+"
    r"|\s+and\s+(?=(?:the|a|an|one|another|two|three|four|five|six|some|others?|he|she|they|both)\b)",
    re.IGNORECASE,
)
_ITEMS = re.compile(r"\s*[,:()]\s*|\s+(?:and|as well as|along with|plus)\s+", re.IGNORECASE)
_PERSON = re.compile(
    r"\b(?:persons?|people|m[ae]n|wom[ae]n|child(?:ren)?|boys?|girls?|kids?|individuals?|he|she|they|"
    r"someone|somebody|pedestrians?|cyclists?|bicyclists?|skaters?|skateboarders?|riders?|drivers?|"
    r"workers?|guards?|officers?)\b",
    re.IGNORECASE,
)
_NEGATIONS = frozenset(
    "no not without never none nobody neither nor cannot isn't aren't doesn't don't can't wasn't "
    "absent lacking".split()
)
_HEDGES = frozenset("possibly perhaps maybe might may could likely seemingly probably or".split())
PUSHED = frozenset(f"<{c}>" for c in ("handcart", "luggage", "bag", "light vehicle", "vehicle"))
LEFT = frozenset({"<bag>", "<luggage>"})
_ALONE = re.compile(r"\b(?:alone|by itself|by themselves|on (?:its|their) own)\b")
_STILL = re.compile(
    r"\b(?:stand|sit|keep|remain|stay|hold)\w* (?:completely )?still\b|\bmotionless\b"
)
_GOES = re.compile(r"\b(?:mov|go|com|pass|approach|cross|travel|head|turn)(?:e|es|ing)?\b")
_DOERS = re.compile(
    rf"^(?:{_PERSON.pattern[5:-3]}|who|to|can|may|must|should|will|could|[a-z]+ly)$", re.IGNORECASE
)
"""What stands before a verb."""
_BEFORE_PLACES = frozenset("in through under by near from at with of into on over".split())
_MANY = (
    r"people|persons|men|women|children|boys|girls|kids|individuals|pedestrians|cyclists|skaters|"
    r"riders|drivers|workers|guards|officers|others|they"
)
_DOES = re.compile(
    rf"\b(?:(?P<many>{_MANY})|(?:{_PERSON.pattern[2:-2]}|who))\b"
    r"(?= (?:(?:also|then|still|now|just|both|all|again|[a-z]+ly) )*(?P<verb>[a-z]+))"
    r"|\b(?:appear|seem|begin|start|try|trie|tend|continue)s? to (?P<to>[a-z]+)"
)
"""Who does what in the present: "a man juggles", "two people juggle", "he seems to juggle"."""
_NO_VERBS = frozenset(
    "inside outside along alongside against beside among amongst within throughout opposite apart "
    "together alone visible present close nearby outdoors indoors ahead away back only there here "
    "alike crosswalks crossings".split()
)
"""What may stand after people without being what they do; prepositions of :data:`LIGHT` besides."""
_ON = re.compile(r"\bon (?:(?:a|an|the|his|her|their|top of|some|what) )*(?P<what>[a-z]+)")
"""Riding is said with "on" too: "on a bicycle"."""


@dataclass(frozen=True)
class Said:
    """One clause and what it says.

    ``nodes``: lemmas, ``<concepts>``, the concepts it is a kind of included, and ``~meanings`` →
    how far it is said, 1 or :data:`HEDGED`. ``words``: those nodes that are the words themselves,
    each with its concept where it names one. ``about``: whom or what. ``still``: it says of its
    thing that it does not move.
    """

    text: str
    about: Literal["person", "thing"]
    nodes: Mapping[str, float] = field(hash=False)
    words: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    """Those of ``words`` that say what is done."""
    still: bool = False


@lru_cache(maxsize=65536)
def lemma_of(word: str) -> str:
    """Dictionary form of an English word in lower case: ``rode`` → ``ride``."""
    from simplemma import lemmatize

    lemma = str(lemmatize(word.replace("’", "'"), lang="en")).lower()
    if lemma == word and word.endswith("ing"):  # a noun, too: "sitting", "running"
        stem = word[:-3]
        for verb in (stem, stem + "e", stem[:-1] if stem[-2:-1] == stem[-1:] else stem):
            if concept_of(verb) is not None:
                return verb
    return lemma


def clauses_of(caption: str) -> Iterator[tuple[str, Literal["person", "thing"]]]:
    """The clauses of a caption in order, and whether each is about a person or a thing.

    A sentence that only counts people says nothing of them and is left out.
    """
    for sentence in _SENTENCE.split(caption):
        sentence = sentence.strip().rstrip(".!?;").strip()
        if not sentence or _COUNTS.match(sentence):
            continue
        if _LISTS.search(sentence):
            head = _LIST_HEAD.match(sentence)
            for item in _ITEMS.split(sentence[head.end() :] if head else sentence):
                if item.strip():
                    yield _bare(item.strip()), "person" if _PERSON.search(item) else "thing"
            continue
        person = True
        for part in _BREAK.split(sentence):
            part = part.strip()
            if not part or _COUNTS.match(part):
                continue
            if re.match(r"there(?:'s| is| are)\b", part, re.IGNORECASE):
                person = bool(_PERSON.search(part))
            elif _PERSON.search(part):
                person = True
            yield _bare(part), "person" if person else "thing"


def _bare(part: str) -> str:
    """A clause without the "and" that joins it to the one before."""
    return re.sub(r"^and\s+", "", part, flags=re.IGNORECASE)


@lru_cache(maxsize=65536)
def said_in(clause: str, about: Literal["person", "thing"] = "person") -> Said:
    """What a clause says, see the module docstring."""
    text = clause.lower().replace("’", "'")
    nodes: dict[str, float] = {}
    words: list[str] = []
    actions: list[str] = []
    raw = _joined(_WORD.findall(text))
    done = _done(text) if about == "person" else frozenset()
    meant = _meant(raw)
    alternatives = "or" in raw
    hedged = denied = lifeless = False
    still = _STILL.search(text) is not None
    nobody = _PERSON.search(text) is None
    for place, word in enumerate(raw):
        if word in _NEGATIONS:
            denied = True
            continue
        hedged = hedged or word in _HEDGES
        if denied:
            continue
        far = HEDGED if hedged or alternatives else 1.0
        lemma = lemma_of(word) if "_" not in word else word
        still = still or lemma in STATIC or word in STATIC
        if lemma in LIGHT or word in LIGHT or len(lemma) < 3:
            continue
        concepts = _concepts(word, lemma, raw[place - 1] if place else "")
        doing = word in done or (word.endswith("ing") and lemma != word)
        acts = bool(ACTIONS & {*concepts}) or (not concepts and doing)
        if acts and lifeless:
            continue
        lifeless = lifeless or (
            nobody and bool(LIFELESS & {lemma, word}) and not _placed(raw, place)
        )
        words += [f"<{concept}>" for concept in concepts] or [lemma]
        if acts:
            actions += [f"<{c}>" for c in concepts if c in ACTIONS] or [lemma]
        _note(nodes, lemma, far)
        for concept in concepts:
            for name in (concept, *ancestors(concept)):
                _note(nodes, f"<{name}>", far)
        if not concepts:
            for name in meanings_of(meant.get(place, lemma)):
                _note(nodes, name, far)
    _rides(text, nodes, words, still)
    if nobody:
        _things_do(text, nodes, words, still)
    actions += [f"<{a}>" for a in ("ride", "drive") if f"<{a}>" in words]
    did = tuple(a for a in dict.fromkeys(actions) if a in words)
    return Said(clause, about, nodes, tuple(dict.fromkeys(words)), did, still)


def _done(text: str) -> frozenset[str]:
    """The words of a clause that say what somebody does in the present, where these do not show it
    by their own form as "juggling" does."""
    found = set()
    for match in _DOES.finditer(text):
        verb = match["verb"] or match["to"]
        inflected = verb.endswith("s") and lemma_of(verb) != verb
        plain = lemma_of(verb) == verb and (match["to"] or match["many"])
        if (inflected or plain) and verb not in _NO_VERBS and not verb.endswith("ly"):
            found.add(verb)
    return frozenset(found)


def _concepts(word: str, lemma: str, before: str) -> tuple[str, ...]:
    """What a word names, ``before`` being the one before it.

    Who rides, rides something: the name of something on wheels, with -ing or as what somebody does,
    is the riding of it, as in "skateboarding" or "they bike".
    """
    named = next((w for w in (lemma, word, word.removesuffix("s")) if concept_of(w)), None)
    if named is None:
        return ()
    concept = str(concept_of(named))
    does = word.endswith("ing") or _DOERS.match(before) is not None
    ridden = RIDDEN.get(named)
    if ridden is not None:
        # At the beginning, "cycle on the path" is a doing and "bikes on the path" are things.
        does = does or named not in MOUNTS or (not before and word in {"cycle", "skate"})
    elif WHEELED & {concept, *ancestors(concept)}:
        ridden = concept
    else:
        return (concept,)
    return ("ride", ridden) if does else (ridden,)


def _placed(raw: list[str], place: int) -> bool:
    """Whether a word says where something is: "in the rain"."""
    return bool(_BEFORE_PLACES & {*raw[max(0, place - 2) : place]})


def _things_do(text: str, nodes: dict[str, float], words: list[str], still: bool) -> None:
    """A vehicle that moves is driven; a bag that lies alone is left behind."""
    if "<vehicle>" in nodes and not still and _GOES.search(text) and "<ride>" not in nodes:
        _note(nodes, "<drive>", nodes["<vehicle>"])
        words.append("<drive>")
    left = next((node for node in LEFT if node in nodes), None)
    if left is not None and _ALONE.search(text):
        _note(nodes, "<abandon>", nodes[left])
        words.append("<abandon>")


def _rides(text: str, nodes: dict[str, float], words: list[str], still: bool) -> None:
    """Whoever is on something with wheels rides it, unless it stands; pushing it is no violence."""
    for found in _ON.finditer(text):
        what = lemma_of(found["what"])
        concept = RIDDEN.get(what) or concept_of(what)
        if concept is None or not WHEELED & {concept, *ancestors(concept)}:
            continue
        far = nodes.get(f"<{concept}>")
        if far is not None and "<ride>" not in nodes and not still:
            nodes["<ride>"] = far
            words.append("<ride>")
    if "<push>" in nodes and PUSHED & nodes.keys():
        for pushed in ("push", "pull", "drag", "<push>"):
            nodes.pop(pushed, None)
        words[:] = [w for w in words if w != "<push>"]


def _note(nodes: dict[str, float], node: str, far: float) -> None:
    nodes[node] = max(far, nodes.get(node, 0.0))


def _meant(words: list[str]) -> dict[int, str]:
    """Places of words that mean something else together than each does alone → what."""
    found: dict[int, str] = {}
    for place in range(len(words) - 1):
        pair = compound(words[place], lemma_of(words[place + 1]))
        if pair is not None:
            found |= {place: pair, place + 1: pair}
    return found


def _joined(words: list[str]) -> list[str]:
    """Pairs that name one thing as one word, with an underscore."""
    out: list[str] = []
    i = 0
    while i < len(words):
        if i + 1 < len(words):
            pair = f"{words[i]}_{words[i + 1]}"
            single = f"{words[i]}_{words[i + 1].rstrip('s')}"
            for candidate in (pair, single):
                if candidate in COMPOUNDS:
                    out.append(candidate)
                    i += 2
                    break
            else:
                out.append(words[i])
                i += 1
        else:
            out.append(words[i])
            i += 1
    return out
