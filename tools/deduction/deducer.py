"""Deduction over captions: clause by clause, from rules and from what normal captions say.

Each clause is matched to every anomalous rule: by its predicate where the clause's own words decide
that, else by words and concepts (:mod:`tools.deduction.matching`); and its novelty against the
normal clauses is taken: the greater of what its words are (:mod:`tools.deduction.novelty`, *novel*)
and of how unlike every normal clause it is as a whole (:mod:`tools.deduction.unlike`, *unlike*).
Novelty counts 0.49, so that by itself it never reaches 0.5: rules accuse, what is merely new is
reported. With s the strength of the strongest rule,

    score(clause)  = 1 − (1 − s) (1 − 0.49 novelty)
    score(caption) = the greatest of its clauses

A rule that holds only in a part of a normal rule's scope (at night, where that one holds always) is
an exception to it: the normal rule does not make its words usual. A clause that a person's normal
rule with a test bears out breaks no test of another rule but that of an exception.

A rule on what is unusual as such ("unusual objects") names nothing: a word's novelty is then its
match (*semantic*), s = novelty, and is not counted again.

What is there in most of a stream is its scenery: over a series of captions, the score of a
thing is multiplied by 1 − q, q the share of the captions (so far, where causal) that list it,
counting one second without it beforehand.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tools.deduction.facts import decidable, decided_by_words
from tools.deduction.language import Said, clauses_of, said_in
from tools.deduction.matching import PARKED, Phrase, Weights, open_to, phrases_of, strength_of
from tools.deduction.novelty import BELONGINGS, Novelty
from tools.deduction.unlike import Embed, Unlike
from tools.rulebook.precedence import outranks
from tools.rulebook.scoping import narrower
from tools.types import Rule, RuleKind

__all__ = ["ALARM", "NOVEL", "Deduced", "Deducer", "Found", "discounted", "scenery"]

How = Literal["predicate", "lexical", "semantic", "novel", "unlike"]

ALARM = 0.5
"""From here on a caption is called anomalous."""
NOVEL = 0.49
"""What novelty counts: stated prior, so that alone it stays below :data:`ALARM`."""
LISTED = 0.5
"""What is listed beside the people counts half where it is unlike all that is listed normally:
captioners make up scenery. Stated prior."""
KEPT = 65536
"""Distinct clauses remembered."""


@dataclass(frozen=True)
class Found:
    """What a clause was found to be: of a rule's breach, of novelty, or of both."""

    clause: str
    how: How
    """How the rule was matched: ``semantic`` where it asks for what is unusual as such, ``novel``
    or ``unlike`` where no rule was."""
    score: float
    """Of the clause, in [0, 1]."""
    strength: float = 0.0
    """Of the rule's match, in [0, 1]."""
    novelty: float = 0.0
    rule: Rule | None = None
    """The rule it breaks; None where it is only new."""
    phrase: str = ""
    """The words of the rule that were found; of a *semantic* match what is unusual."""
    near: str = ""
    """The nearest normal clause, where it is new or unlike; empty where none is like it at all."""
    things: tuple[str, ...] = ()
    """What it lists as being there; empty for a clause about a person."""


@dataclass(frozen=True)
class Deduced:
    """The verdict on a caption: its score in [0, 1], and what was found, strongest first."""

    score: float = 0.0
    found: tuple[Found, ...] = ()

    @property
    def anomalous(self) -> bool:
        return self.score >= ALARM

    @property
    def top(self) -> Found | None:
        return self.found[0] if self.found else None


class Deducer:
    """Rules of a scene over captions, weighed by captions of what is normal there.

    Args:
        rules: of either kind; normal ones say what is usual, retired ones nothing.
        normal: captions of normal frames; without any, words weigh by the rules alone, and
            nothing is called new.
        clips: which clip each normal caption is of; without them, or with a single one, nothing
            is called unlike, for nothing tells how unlike the normal is.
        embed: a sentence model's vectors; without it likeness is that of words.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        normal: Sequence[str] = (),
        *,
        clips: Sequence[str] | None = None,
        embed: Embed | None = None,
    ) -> None:
        said = [[said_in(*c) for c in clauses_of(caption)] for caption in normal]
        self.rules = tuple(r for r in rules if r.status == "active")
        self.weigh = Weights(said, self.rules)
        accusing = [r for r in self.rules if r.kind is RuleKind.ANOMALOUS]
        self._tested = tuple(r for r in accusing if r.predicate is not None)
        usual = [r for r in self.rules if r.kind is RuleKind.NORMAL]
        self._allowing = tuple(
            r for r in usual if r.source == "user" and r.predicate and decidable(r.predicate)
        )
        self._weights: dict[str, Weights] = {}
        """Of the words of exceptions, by rule."""
        made: dict[frozenset[str], Weights] = {}
        for rule in accusing:
            wider = frozenset(n.ref for n in usual if narrower(rule.scope, n.scope))
            if wider and wider not in made:
                made[wider] = Weights(said, [r for r in self.rules if r.ref not in wider])
            if wider:
                self._weights[rule.ref] = made[wider]
        self._phrases: dict[str, list[Phrase]] = defaultdict(list)
        for phrase in (p for r in accusing for p in phrases_of(r)):
            for node in {node for word in phrase.words for node, _ in word.places}:
                self._phrases[node].append(phrase)
        self._open = {what: rule for rule in reversed(accusing) for what in open_to(rule)}
        self._novelty = Novelty((s for clauses in said for s in clauses), self.weigh)
        self._unlike = Unlike(
            zip(clips or (), said, strict=clips is not None), self._novelty.vector, embed
        )
        self._clauses: OrderedDict[tuple[str, str], Found | None] = OrderedDict()

    @property
    def remembered(self) -> int:
        """Distinct clauses whose verdicts are at hand."""
        return len(self._clauses)

    def deduce(self, caption: str) -> Deduced:
        """The verdict on a caption. Deterministic; of equals the first counts."""
        return _verdict(f for c in clauses_of(caption) if (f := self._of_clause(*c)) is not None)

    def deduce_series(
        self, captions: Sequence[str], *, rate: float, causal: bool = False
    ) -> list[Deduced]:
        """The verdicts on captions of one stream, its scenery discounted.

        Args:
            captions: in time order.
            rate: captions a second.
            causal: scenery is what was there up to each caption, not in the whole stream.
        """
        self._unlike.read(
            said_in(*c)
            for caption in dict.fromkeys(captions)
            for c in clauses_of(caption)
            if c not in self._clauses
        )
        verdicts = [self.deduce(caption) for caption in captions]
        listed = [{t for f in v.found for t in f.things} for v in verdicts]
        shares = scenery(listed, beforehand=rate, causal=causal)
        return [
            _verdict(replace(f, score=discounted(f.score, f.things, share)) for f in verdict.found)
            for verdict, share in zip(verdicts, shares, strict=True)
        ]

    def _of_clause(self, clause: str, about: Literal["person", "thing"]) -> Found | None:
        key = (clause, about)
        if key in self._clauses:
            self._clauses.move_to_end(key)
            return self._clauses[key]
        found = self._find(said_in(clause, about))
        self._clauses[key] = found
        if len(self._clauses) > KEPT:
            self._clauses.popitem(last=False)
        return found

    def _weights_of(self, rule: Rule | None) -> Weights:
        return self.weigh if rule is None else self._weights.get(rule.ref, self.weigh)

    def _find(self, said: Said) -> Found | None:
        strength, rule, phrase = 0.0, None, ""
        how: How = "novel"
        allowed = [r for r in self._allowing if decided_by_words(r, said)]
        for tested in self._tested:
            told = decided_by_words(tested, said)
            if told > strength and all(_outranks(tested, r) for r in allowed):
                strength, rule, phrase, how = told, tested, said.text, "predicate"
        candidates = {id(p): p for node in said.nodes for p in self._phrases.get(node, ())}
        for candidate in sorted(candidates.values(), key=lambda p: -len(p.words)):
            told = strength_of(candidate, said, self._weights_of(candidate.rule))
            if told > strength:
                strength, rule, phrase, how = told, candidate.rule, candidate.text, "lexical"
        novelty, word, near = self._novelty(said)
        unlike, nearest = self._unlike(said)
        if said.about == "thing":
            unlike *= LISTED
        if said.still and said.about == "thing":
            novelty *= PARKED
            unlike *= PARKED
        opened = self._open.get("doing" if word in said.actions else "thing")
        if opened is not None and novelty > strength and word not in BELONGINGS:
            strength, rule, phrase, how = novelty, opened, word.strip("<>"), "semantic"
        if unlike > novelty or (novelty > 0 and not near):
            near = nearest
        if unlike > novelty:
            how = "unlike" if how == "novel" else how
        new = 0.0 if how == "semantic" else NOVEL * max(unlike, novelty)
        score = 1 - (1 - strength) * (1 - new)
        if score <= 0:
            return None
        things = () if said.about == "person" else _things(said)
        return Found(
            said.text, how, score, strength, max(unlike, novelty), rule, phrase, near, things
        )


def _outranks(tested: Rule, allowing: Rule) -> bool:
    if tested.predicate is None or allowing.predicate is None:
        return False
    return outranks(tested, tested.predicate, allowing, allowing.predicate)


def _verdict(found: Iterable[Found]) -> Deduced:
    ranked = sorted(found, key=lambda f: -f.score)
    return Deduced(ranked[0].score if ranked else 0.0, tuple(ranked))


def _things(said: Said) -> tuple[str, ...]:
    """What a listed thing is: the concepts it names, else its words."""
    return tuple(w for w in said.words if w.startswith("<")) or said.words


def scenery(
    listed: Sequence[Collection[str]], *, beforehand: float, causal: bool
) -> Iterator[Mapping[str, float]]:
    """For each caption of a stream, the share of the captions that list what it lists.

    Args:
        listed: what each caption lists, in time order.
        beforehand: captions without anything that are counted before the first.
        causal: of the captions up to each one, not of the whole stream.
    """
    seen: Counter[str] = Counter()
    if not causal:
        seen.update(thing for things in listed for thing in things)
    for n, things in enumerate(listed, start=1):
        if causal:
            seen.update(things)
        past = beforehand + (n if causal else len(listed))
        yield {thing: seen[thing] / past for thing in things}


def discounted(score: float, things: Sequence[str], shares: Mapping[str, float]) -> float:
    """The score of a clause: a listed thing counts less the more of the stream lists it."""
    return score * (1 - min(shares[thing] for thing in things)) if things else score
