"""Rules in words against clauses: which phrase of which rule a clause bears out, and how strongly.

A rule names alternatives ("riding a bicycle or scooter, skateboarding"): its *phrases*. Words of a
phrase are found in a clause by lemma, by concept, or by what the concept is a kind of; where
WordNet is installed, by a synonym or a kind of the concept, too. A node
weighs what it would surprise in a normal caption, relative to a word never seen there:

    w(x) = −log2((1 + normal captions with x) / (1 + n)) / log2(1 + n),   n normal captions

so that a walk or a tree weighs next to nothing. A phrase P matches a clause C as far as it is found
there, and as strongly as the rarest word found; f(x) is how far x is found (1 by lemma or
concept, 0.8 for a sibling or by WordNet), times how far the clause says it (1, or ½ if suspected):

    strength(P, C) = Σ_{x∈P∩C} w(x)·f(x) / Σ_{x∈P} w(x) · max_{x∈P∩C} w(x)·f(x)

A thing that the clause calls parked or stopped counts half for a rule about what is there, and not
at all for one about riding or driving.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tools.deduction.facts import decidable
from tools.deduction.language import Said, said_in
from tools.deduction.lexicon import MOVEMENTS, PARENTS, ancestors
from tools.deduction.meanings import CONCEPT_NODES, concept_node, meanings_of
from tools.rulebook.plainwords import demands
from tools.types import Rule, RuleCategory, RuleKind

__all__ = [
    "Phrase",
    "Weights",
    "open_to",
    "parts_of",
    "phrase_of",
    "phrases_of",
    "readable",
    "reading_of",
    "share_of",
    "stated",
    "strength_of",
]

SIBLING = 0.8
"""A skateboard where the rule says bicycle: both are light vehicles. Stated prior."""
MEANT = 0.8
"""A synonym, or a kind of the concept, by WordNet: a word may mean something else. Stated prior."""
PARKED = 0.5
"""A thing that stands is weaker evidence than one that moves. Stated prior."""
LEAST = 0.5
"""A phrase of which no more than half, by weight, stands in the clause is not found."""
CIRCUMSTANCE = 0.5
"""What follows a preposition ("on the ground") counts half in a phrase. Stated prior."""
RARE = 0.01
"""A rule on what is "not commonly seen" does not hold where it is seen in more than this share."""

_ALTERNATIVES = re.compile(
    r"([,;:().]|\b(?:or|and|such as|e\.?g|i\.?e|including|includes?|like)\b)"
)
_PREPOSITION = re.compile(
    r"\b(?:on|onto|in|into|of|off|from|at|with|without|near|to|by|over|under|across|through|along"
    r"|behind|beside|against|away|placed|coming|blocking)\b"
)
_PROHIBITION = re.compile(
    r"^(?:(?:nobody|no ?one|none|never)\b(?: here)?(?: (?:may|should|must|can|is allowed to))?"
    r"|(?:\w+ )?(?:may|must|should|can|shall|do|does|is|are) ?(?:not|never)\b"
    r"(?: be)?(?: allowed to| permitted to)?|(?:don't|mustn't|shouldn't|cannot)\b|no\b"
    r"|it is (?:forbidden|prohibited|not allowed) to\b)\s*",
    re.IGNORECASE,
)
"""How people forbid things: what follows is what breaks the rule."""
_PERMISSION = re.compile(
    r"\b(?:is|are) (?:perfectly |quite |also )?(?:allowed|permitted|normal|fine|ok|okay|usual"
    r"|expected|harmless|welcome)\b(?: here\b)?",
    re.IGNORECASE,
)
"""How people allow things: what is allowed stands beside it."""
_OPEN = re.compile(
    r"\b(?:un(?:usual|expected|familiar|common|identified|recogni[sz]ed)|abnormal|anomalous|strange|"
    r"odd|foreign|out[- ]of[- ](?:place|context))\b.*?\b(?:(objects?|items?|things?|vehicles?)|"
    r"movements?|motions?|activit(?:y|ies)|actions?|behaviou?rs?)\b",
    re.IGNORECASE,
)
_UNCOMMON = re.compile(r"\b(?:not|un|rarely) ?(?:commonly|common|usually|often|normally)\b")
_NON = re.compile(r"\bnon-(\w+)")


class Weights:
    """How much each word surprises in normal captions. Words of normal rules weigh nothing."""

    def __init__(self, normal: Sequence[Iterable[Said]], rules: Iterable[Rule]) -> None:
        """
        Args:
            normal: the clauses of each normal caption.
            rules: all rules; those of kind *normal* say what is usual in words.
        """
        self.captions = len(normal)
        self._count: Counter[str] = Counter()
        for clauses in normal:
            self._count.update({node for said in clauses for node in said.nodes})
        usual = [said for r in rules if r.kind is RuleKind.NORMAL for said in _usual(r)]
        self._usual = {node for said in usual for node in said.words} | {
            # what "walking" or "a dog" is a kind of is not usual by that; a synonym is
            node
            for said in usual
            for node in said.nodes
            if not node.startswith("<") and node not in CONCEPT_NODES
        }
        self._known: dict[str, float] = {}

    def __call__(self, node: str) -> float:
        """0 for what every normal caption or a normal rule says, up to 1 for the unheard-of."""
        known = self._known.get(node)
        if known is None:
            if node in self._usual:
                known = 0.0
            elif not self.captions:
                known = 1.0
            else:
                n = 1 + self.captions
                known = min(1.0, -math.log2(self.share(node)) / math.log2(n))
            self._known[node] = known
        return known

    def share(self, node: str) -> float:
        """Share of normal captions that say it, one beforehand included: in (0, 1]."""
        return min(1.0, (1 + self._count[node]) / (1 + self.captions))


class Word(NamedTuple):
    """A word of a phrase: where it may be found in a clause, and how far it is then found."""

    places: tuple[tuple[str, float], ...]
    counts: float = 1.0


@dataclass(frozen=True)
class Phrase:
    """One alternative of a rule, or any other statement to be found in clauses."""

    text: str
    words: tuple[Word, ...]
    rule: Rule | None = None
    head: tuple[str, ...] = ()
    """Of a thing: the noun that the clause must name, whatever it weighs, or mean."""
    rare: bool = False
    """The rule holds only of what is not common."""
    moves: tuple[str, ...] = ()
    """The ways of getting about it names: nothing that stands breaks it."""


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str, ...]:
    """The alternatives, each said in full: "riding a bicycle or scooter" is also riding a scooter,
    "up/down stairs" is up stairs and down stairs."""
    parts: list[str] = []
    before = ""
    pieces = _ALTERNATIVES.split(text)
    for joint, piece in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        part = _PROHIBITION.sub("", piece.strip())
        if not part:
            continue
        if joint.lower() in {"or", "and"} and _falls_short(part) and " " in before:
            part = f"{before.split()[0]} {part}"
        parts += _spelled(part)
        before = part
    return tuple(parts)


def _usual(rule: Rule) -> list[Said]:
    """What a normal rule names, without the words that allow it."""
    return [said_in(part) for part in _parts(_PERMISSION.sub("", rule.text))]


def _falls_short(part: str) -> bool:
    """Whether a part leans on the one before: a single word that names no doing, or "into …"."""
    if _PREPOSITION.match(part) is not None:
        return True
    said = said_in(_PREPOSITION.split(part, maxsplit=1)[0])
    return len(said.words) == 1 and not said.actions


def _spelled(part: str) -> list[str]:
    found = re.search(r"(\w+)/(\w+)", part)
    if found is None:
        return [part]
    head, tail = part[: found.start()], part[found.end() :]
    return [text for word in found.groups() for text in _spelled(f"{head}{word}{tail}")]


def open_to(rule: Rule) -> frozenset[str]:
    """What a rule calls anomalous for being unusual as such: ``doing``, ``thing``, both or none.

    "Unusual objects" names no object: whatever is new breaks it.
    """
    found = set()
    for part in _parts(rule.text):
        named = _OPEN.search(part)
        if named is not None and not phrase_of(part).words:
            found.add("thing" if named.group(1) else "doing")
    return frozenset(found)


def readable(rule: Rule) -> bool:
    """Whether anything of a rule can be found in a caption."""
    return bool(phrases_of(rule) or open_to(rule) or _test_in_words(rule))


def _test_in_words(rule: Rule) -> bool:
    return rule.predicate is not None and decidable(rule.predicate)


def reading_of(rule: Rule) -> str:
    """How a rule is read against captions, in words for a person."""
    phrases = "; ".join(f"“{p.text}”" for p in phrases_of(rule))
    if rule.kind is RuleKind.NORMAL:
        words = dict.fromkeys(w.strip("<>") for said in _usual(rule) for w in said.words)
        return (
            f"makes usual in captions: {', '.join(words)}" if words else "says nothing in captions"
        )
    new = {"doing": "whatever is newly done", "thing": "whatever thing is new"}
    read = [new[what] for what in sorted(open_to(rule))] + ([phrases] if phrases else [])
    if _test_in_words(rule):
        read.append("what its test says in words")
    return f"read in captions: {' or '.join(read)}" if read else "says nothing in captions"


def phrases_of(rule: Rule) -> tuple[Phrase, ...]:
    """The alternatives a rule names, without those that say nothing.

    None of an anomalous rule that says what is to be ("everyone must walk"): its words keep it.
    """
    if rule.kind is RuleKind.ANOMALOUS and demands(rule.text):
        return ()
    found = (phrase_of(part, rule) for part in _parts(rule.text))
    return tuple(phrase for phrase in found if phrase.words)


def parts_of(text: str) -> tuple[Phrase, ...]:
    """The alternatives that a rule's text names, whoever gave it."""
    found = (phrase_of(part) for part in _parts(text))
    return tuple(phrase for phrase in found if phrase.words)


def stated(text: str) -> Said:
    """All that a rule names, as one clause: none of its alternatives is a mere suspicion."""
    parts = [said_in(part) for part in _parts(text)]
    nodes = dict.fromkeys((node for said in parts for node in said.nodes), 1.0)
    words = dict.fromkeys(word for said in parts for word in said.words)
    return Said(text, "person", nodes, tuple(words))


def phrase_of(text: str, rule: Rule | None = None) -> Phrase:
    """Words to be found in a clause, of a rule or of any other statement."""
    thing = rule is not None and rule.category is RuleCategory.OBJECT
    rare = rule is not None and _UNCOMMON.search(rule.text) is not None
    words, head = _read(text, thing)
    moves = tuple(w.places[0][0] for w in words if w.places[0][0].strip("<>") in MOVEMENTS)
    return Phrase(text, words, rule, head, rare, moves)


@lru_cache(maxsize=4096)
def _read(text: str, thing: bool) -> tuple[tuple[Word, ...], tuple[str, ...]]:
    """The words of a phrase and, of a thing, its head. A scene's rules are read for every event."""
    before = _PREPOSITION.split(text, maxsplit=1)[0]
    core = set(said_in(before).words)
    words = [
        Word(_places(word), 1.0 if word in core or not core else CIRCUMSTANCE)
        for word in said_in(text).words
        if not word.startswith("non-")
    ]
    for word in _NON.findall(text.lower()):
        left_out = {w.strip("<>") for w in said_in(word).words} & MOVEMENTS
        if left_out:
            words.append(Word(tuple((f"<{m}>", 1.0) for m in sorted(MOVEMENTS - left_out))))
    return tuple(words), _head(before) if thing else ()


def _head(part: str) -> tuple[str, ...]:
    """The noun a phrase is about, and its meaning: its last word; empty where there is no other."""
    words = said_in(part).words
    if len(words) < 2:
        return ()
    return (words[-1], *(n for n, _ in _places(words[-1]) if n.startswith("~")))


def _places(word: str) -> tuple[tuple[str, float], ...]:
    """Where a word of a rule may be found in a clause: itself, a sibling's kind, its meaning."""
    if not word.startswith("<"):
        own = [m for m in meanings_of(word) if m not in CONCEPT_NODES]
        return ((word, 1.0), *((meaning, MEANT) for meaning in own))
    concept = word.strip("<>")
    siblings = ((f"<{PARENTS[concept]}>", SIBLING),) if concept in PARENTS else ()
    return ((word, 1.0), *siblings, (concept_node(concept), MEANT))


def strength_of(phrase: Phrase, said: Said, weigh: Weights) -> float:
    """How strongly a clause bears a rule's phrase out, in [0, 1]; see the module docstring."""
    rule = phrase.rule
    if rule is not None and said.about == "thing" and rule.category is RuleCategory.ACTIVITY:
        return 0.0
    if phrase.head and said.nodes.keys().isdisjoint(phrase.head):
        return 0.0
    if said.still and phrase.moves and said.nodes.keys().isdisjoint(phrase.moves):
        return 0.0
    if phrase.rare and any(weigh.share(w.places[0][0]) > RARE for w in phrase.words):
        return 0.0
    share, most = share_of(phrase, said, weigh)
    if share <= LEAST:
        return 0.0
    return share * most * (PARKED if said.still and said.about == "thing" else 1.0)


def _allowed(node: str, said: Said, weigh: Weights) -> bool:
    """Whether all of a clause that is of a kind is usual: where cars may park, a car is no vehicle
    that may not, and where bicycles may be ridden, none is taken for a scooter."""
    kind = node.strip("<>")
    named = [w for w in said.words if kind in ancestors(w.strip("<>"))]
    return bool(named) and node not in said.words and not any(map(weigh, named))


def share_of(phrase: Phrase, said: Said, weigh: Weights) -> tuple[float, float]:
    """The share of a phrase, by weight, that a clause says, and its rarest word said: in [0, 1]."""
    whole = found = most = 0.0
    for word in phrase.words:
        best, weight = 0.0, weigh(word.places[0][0])
        for node, far in word.places:
            told = said.nodes.get(node)
            if told is not None and not _allowed(node, said, weigh):
                of_it = weigh(node) if far == 1.0 else weigh(word.places[0][0])
                if node.startswith("~"):  # usual by its meaning or by the rule's own word
                    of_it = min(of_it, weigh(node))
                if of_it * far * told > best:
                    best, weight = of_it * far * told, of_it
        whole += weight * word.counts
        found += best * word.counts
        most = max(most, best)
    return (found / whole if whole > 0 else 0.0), most
