"""What normal observations say about a scene, put to the vote, and rules made from the outcome.

Each *batch* of normal footage is asked the same things on its own
(:mod:`tools.induction.statements`): how far does an attribute go, which words does it take. A
statement is kept where at least half of the batches agree with it; the number that agree is its
support. Every statement of what is normal has a counterpart by contrast, with a predicate: what is
beyond it is anomalous.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tools.induction.statements import BOUNDS, VOCABULARIES, Bound, Vocabulary
from tools.rulebook.book import induced_id
from tools.rulebook.predicates import evaluate
from tools.types import (
    Condition,
    Observation,
    Predicate,
    Provenance,
    Rule,
    RuleKind,
    RuleStatus,
)

__all__ = ["Proposal", "Witness", "propose"]

AGREEING = 0.8
"""A bound is set where this share of the batches stays within it; an odd one out does not count."""
SLACK = 1.1
"""Bounds are set this much beyond what was seen, for footage is only a sample."""
USUAL_SHARE = 0.05
"""A word is usual for a batch where it takes at least this share of the observed time."""
RARE_SHARE = 0.01
"""A word is rare for a batch where it takes at most this share of the observed time."""
PEOPLE = frozenset({"person", "person-sized object", "group"})
FRAMES_CITED = 2
"""Key frames cited per clip and rule."""


@dataclass(frozen=True)
class Witness:
    """An observation of normal footage and the clip it comes from."""

    observation: Observation
    video_id: str
    clip: str


@dataclass(frozen=True)
class Proposal:
    """A rule the vote gave, with the bound that may still be relaxed."""

    rule: Rule
    bound: Bound | None = None
    limit: float = math.nan
    numbers: Mapping[str, str] = field(default_factory=dict)
    people: bool = True
    """Whether people were made out in the normal footage; otherwise no rule speaks of them."""

    def relaxed(self, factor: float, seen: float | None = None) -> Proposal:
        """The same rule with its bound moved outwards.

        Args:
            factor: how far to move it, ≥ 1.
            seen: most extreme value of any normal footage: no need to move far beyond it.
        """
        if self.bound is None or factor <= 1.0:
            return self
        raw = self.limit / factor if self.bound.below else self.limit * factor
        if seen is not None and self.bound.below:
            raw = min(max(raw, seen / SLACK), self.limit)
        elif seen is not None:
            raw = max(min(raw, seen * SLACK), self.limit)
        return self.moved_to(_outward(raw, self.bound))

    def moved_to(self, limit: float) -> Proposal:
        """The same rule with another bound."""
        assert self.bound is not None
        numbers = {**self.numbers, "limit": _shown(limit, self.bound)}
        template = (
            self.bound.anomalous if self.rule.kind is RuleKind.ANOMALOUS else self.bound.normal
        )
        assert self.rule.predicate is not None
        first, *rest = self.rule.predicate.all
        predicate = Predicate(all=(first.model_copy(update={"value": limit}), *rest))
        text = _of_whom(template.format(**numbers), self.people)
        update = {"text": text, "predicate": predicate}
        return replace(self, rule=self.rule.model_copy(update=update), limit=limit, numbers=numbers)

    def retired(self) -> Proposal:
        rule = self.rule.model_copy(update={"status": RuleStatus.RETIRED})
        return replace(self, rule=rule)

    def about(self, *, people: bool) -> Proposal:
        """The same rule in words for a scene with people, or without."""
        text = _of_whom(self.rule.text, people)
        return replace(self, rule=self.rule.model_copy(update={"text": text}), people=people)


def _of_whom(text: str, people: bool) -> str:
    """Rules are written for people; where none were made out they are about things."""
    if people:
        return text
    for words, instead in (
        ("People and things of their size", "Things"), ("People", "Things"), ("people", "things"),
        ("Nobody", "Nothing"), ("almost nobody", "almost nothing"),
        ("Someone or something", "Something"),
    ):  # fmt: skip
        text = text.replace(words, instead)
    return text


def propose(
    scene: str,
    batches: Sequence[Sequence[Witness]],
    units: Mapping[str, str],
    *,
    longest_s: float = math.inf,
) -> tuple[Proposal, ...]:
    """The rules on which at least half of the batches agree.

    Args:
        scene: name of the scene.
        batches: what was observed in each batch of normal footage.
        units: attributes that can be measured, name → unit.
        longest_s: length of the longest unbroken stretch of normal footage.
    """
    found: list[Proposal] = []
    for bound in BOUNDS:
        if bound.attribute in units:
            proposals = _bounded(scene, bound, batches, units[bound.attribute])
            found += [p for p in proposals if not (bound.censored and 2 * p.limit > longest_s)]
    for vocabulary in VOCABULARIES:
        found += _worded(scene, vocabulary, batches, units)
    people = any(w.observation.subject in PEOPLE for batch in batches for w in batch)
    return tuple(p.about(people=people) for p in found if 2 * p.rule.support >= p.rule.batches)


# ---------------------------------------------------------------- bounds


def _bounded(
    scene: str, bound: Bound, batches: Sequence[Sequence[Witness]], unit: str
) -> list[Proposal]:
    measured = [
        [(v, w) for w in batch if (v := _measure(bound, w)) is not None] for batch in batches
    ]
    extremes = [_extreme(bound, [v for v, _ in batch]) for batch in measured if batch]
    if not extremes:
        return []
    extremes.sort(reverse=bound.below)
    agreed = extremes[math.ceil(AGREEING * len(extremes)) - 1]
    limit = _outward(agreed / SLACK if bound.below else agreed * SLACK, bound)
    if limit <= 0 and bound.below:
        return []
    values = [v for batch in measured for v, _ in batch]
    numbers = {
        "limit": _shown(limit, bound),
        "usual": _shown(float(np.median(values)), bound),
        "high": _shown(float(np.quantile(values, 0.05 if bound.below else 0.95)), bound),
    }
    support = sum(e >= limit if bound.below else e <= limit for e in extremes)
    within = [w for batch in measured for v, w in sorted(batch, key=lambda m: -m[0])]
    proposals = []
    for kind, text in ((RuleKind.NORMAL, bound.normal), (RuleKind.ANOMALOUS, bound.anomalous)):
        if not text:
            continue
        conditions = [_limit_condition(bound, kind, limit, unit)]
        whose = (bound.people if kind is RuleKind.NORMAL else None) or bound.subjects
        if whose:
            conditions.append(_among("subject", whose))
        prefix = "usual/" if kind is RuleKind.NORMAL else ""
        rule = Rule(
            id=induced_id(scene, prefix + bound.slot),
            scene=scene,
            version=1,
            kind=kind,
            category=bound.category,
            text=text.format(**numbers),
            predicate=Predicate(all=tuple(conditions)),
            support=support,
            batches=len(batches),
            provenance=_provenance(within),
            author="induction",
        )
        proposals.append(Proposal(rule, bound, limit, numbers))
    return proposals


def _limit_condition(bound: Bound, kind: RuleKind, limit: float, unit: str) -> Condition:
    op: Literal[">", ">=", "<", "<="]
    if kind is RuleKind.ANOMALOUS:
        op = "<" if bound.below else ">"
    else:
        op = ">=" if bound.below else "<="
    return Condition(attribute=bound.attribute, op=op, value=limit, unit=unit)


def _measure(bound: Bound, witness: Witness) -> float | None:
    observation = witness.observation
    wanted = bound.subjects or None
    if wanted is None and observation.subject == "scene":
        return None
    if wanted is not None and observation.subject not in wanted:
        return None
    value = observation.value(bound.attribute)
    return float(value) if isinstance(value, int | float) else None


def _extreme(bound: Bound, values: Sequence[float]) -> float:
    return min(values) if bound.below else max(values)


def _outward(value: float, bound: Bound) -> float:
    """Rounded away from what is normal, and never tighter than the stated prior."""
    steps = value / bound.step
    if bound.below:
        return round(min(math.floor(steps + 1e-9) * bound.step, bound.floor), 6)
    return round(max(math.ceil(steps - 1e-9) * bound.step, bound.floor), 6)


def _shown(value: float, bound: Bound) -> str:
    if bound.percent:
        return f"{100 * value:.2g} %"
    return f"{value:.0f}" if bound.step >= 1 else f"{value:.1f}"


# ---------------------------------------------------------------- words


def _worded(
    scene: str,
    vocabulary: Vocabulary,
    batches: Sequence[Sequence[Witness]],
    units: Mapping[str, str],
) -> list[Proposal]:
    if vocabulary.attribute not in {*units, "subject", "activity"}:
        return []
    spoken = [[w for w in batch if _word(vocabulary, w.observation)] for batch in batches]
    spoken = [batch for batch in spoken if batch]
    if not spoken:
        return []
    words = sorted({str(_word(vocabulary, w.observation)) for batch in spoken for w in batch})
    shares = {
        word: [_share(batch, _predicate(vocabulary, [word])) for batch in spoken] for word in words
    }
    votes = {word: sum(s >= USUAL_SHARE for s in shares[word]) for word in words}
    usual = [word for word in words if 2 * votes[word] >= len(batches)]
    usual.sort(key=lambda word: -sum(shares[word]))
    cited = [
        w for word in usual for batch in spoken for w in batch
        if _word(vocabulary, w.observation) == word
    ]  # fmt: skip
    common = {
        "scene": scene,
        "version": 1,
        "category": vocabulary.category,
        "batches": len(batches),
        "provenance": _provenance(cited),
        "author": "induction",
    }
    found: list[Proposal] = []
    if usual:
        shown = [vocabulary.shown.get(word, word) for word in usual]
        rule = Rule(
            id=induced_id(scene, f"usual/{vocabulary.slot}"),
            kind=RuleKind.NORMAL,
            text=vocabulary.normal.format(words=_listed(shown, vocabulary.joint)),
            predicate=_predicate(vocabulary, usual),
            support=min(votes[word] for word in usual),
            **common,
        )
        found.append(Proposal(rule))
    seconds = sum(w.observation.interval.seconds for batch in spoken for w in batch)
    if seconds < vocabulary.min_seconds:
        return found
    for contrast in vocabulary.contrasts:
        predicate = _predicate(vocabulary, [contrast.word], contrast.beyond)
        rare = sum(_share(batch, predicate) <= RARE_SHARE for batch in spoken)
        measured = all(c.attribute in units for c in contrast.beyond)
        if measured and rare >= AGREEING * len(spoken) and contrast.word not in usual:
            rule = Rule(
                id=induced_id(scene, f"new/{vocabulary.slot}/{contrast.word}"),
                kind=RuleKind.ANOMALOUS,
                text=contrast.text,
                predicate=predicate,
                support=rare,
                **common,
            )
            found.append(Proposal(rule))
    return found


def _share(batch: Sequence[Witness], predicate: Predicate) -> float:
    """Share of the observed time in which the predicate holds."""
    held = sum(
        w.observation.interval.seconds for w in batch if evaluate(predicate, w.observation).holds
    )
    return held / sum(w.observation.interval.seconds for w in batch)


def _predicate(
    vocabulary: Vocabulary, words: Sequence[str], beyond: Sequence[Condition] = ()
) -> Predicate:
    return Predicate(all=(_among(vocabulary.attribute, words), *beyond, *vocabulary.given))


def _word(vocabulary: Vocabulary, observation: Observation) -> str | None:
    if observation.subject == "scene":
        return None
    given = vocabulary.given
    if given and not evaluate(Predicate(all=given), observation).holds:
        return None
    value = observation.value(vocabulary.attribute)
    return value if isinstance(value, str) else None


def _among(attribute: str, words: Iterable[str]) -> Condition:
    values = tuple(sorted(words))
    if len(values) == 1:
        return Condition(attribute=attribute, op="==", value=values[0])
    return Condition(attribute=attribute, op="in", value=values)


def _listed(words: Sequence[str], joint: str) -> str:
    if len(words) == 1:
        return words[0]
    return ", ".join(words[:-1]) + f" {joint} {words[-1]}"


# ---------------------------------------------------------------- provenance


def _provenance(witnesses: Iterable[Witness]) -> tuple[Provenance, ...]:
    """Per clip, the key frames of the first few witnesses given."""
    frames: dict[tuple[str, str], list[int]] = {}
    for witness in witnesses:
        cited = frames.setdefault((witness.video_id, witness.clip), [])
        frame = witness.observation.key_frame
        if len(cited) < FRAMES_CITED and frame not in cited:
            cited.append(frame)
    return tuple(
        Provenance(video_id=video, clip=clip, frames=tuple(sorted(cited)))
        for (video, clip), cited in sorted(frames.items(), key=lambda item: item[0][1])
    )
