"""Ranking of rules for a query: lexical overlap, and its fusion with dense similarity.

Fusion is by reciprocal rank (Cormack, Clarke, Büttcher, SIGIR 2009), with a small constant since
the lists are short. Words are weighted by inverse document frequency over the rules at hand.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from tools.predicates import describe, evaluate
from tools.types import Observation, Rule, RuleHit

__all__ = ["rank", "words"]

_RANK_CONSTANT = 10.0
_LISTS = 2
_STOP = frozenset(
    "a about above an and are as at be been by does for from has have here in into is it its more"
    " most no not of off on one or than that the their then there these they this those to up was"
    " were what when where which while who with without".split()
)


def words(text: str) -> tuple[str, ...]:
    """Content words of a text, lower case, common endings cut; numbers are left out."""
    found = re.findall(r"[^\W\d_]+", text.casefold())
    return tuple(_stem(word) for word in found if len(word) > 1 and word not in _STOP)


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def rank(
    rules: Sequence[Rule],
    query: str,
    similarity: Mapping[str, float],
    observations: Sequence[Observation] = (),
) -> tuple[RuleHit, ...]:
    """All rules that bear on the query, best first.

    Args:
        rules: candidates.
        query: words to search with.
        similarity: rule id → cosine similarity of its text to the query, where known.
        observations: a rule whose predicate holds for one of these comes first.

    Returns:
        Hits with a score in [0, 1]: the fused rank, raised above 0.5 where the predicate holds.
    """
    shared = _overlap(rules, query)
    by_words = _ranks({key: weight for key, (weight, _) in shared.items()})
    by_meaning = _ranks({key: value for key, value in similarity.items() if value > 0})
    held = {rule.id: _holds(rule, observations) for rule in rules}
    hits: list[tuple[bool, RuleHit]] = []
    for rule in rules:
        fused = sum(
            1.0 / (_RANK_CONSTANT + ranks[rule.id])
            for ranks in (by_words, by_meaning)
            if rule.id in ranks
        )
        score = fused * (_RANK_CONSTANT + 1.0) / _LISTS
        reasons: list[str] = []
        observation = held[rule.id]
        if rule.predicate is not None and observation is not None:
            score = 0.5 + score / 2
            reasons.append(f"its predicate {describe(rule.predicate)} holds for {observation}")
        if rule.id in shared:
            reasons.append("shares " + ", ".join(f"“{word}”" for word in shared[rule.id][1]))
        if rule.id in by_meaning:
            reasons.append(f"similarity {similarity[rule.id]:.2f}, rank {by_meaning[rule.id]}")
        if reasons:
            hit = RuleHit(rule=rule, score=min(score, 1.0), reason="; ".join(reasons))
            hits.append((held[rule.id] is not None, hit))
    hits.sort(key=lambda each: (not each[0], -each[1].score, each[1].rule.id))
    return tuple(hit for _, hit in hits)


def _holds(rule: Rule, observations: Sequence[Observation]) -> str | None:
    """Id of the observation for which the rule's predicate holds most strongly."""
    if rule.predicate is None:
        return None
    best: tuple[float, str] | None = None
    for observation in observations:
        result = evaluate(rule.predicate, observation)
        if result.holds and (best is None or result.strength > best[0]):
            best = (result.strength, observation.id)
    return best[1] if best else None


def _overlap(rules: Sequence[Rule], query: str) -> dict[str, tuple[float, tuple[str, ...]]]:
    """Rule id → (weight of the shared words, those words as the rule's stems, heaviest first)."""
    documents = {rule.id: frozenset(words(rule.text)) for rule in rules}
    frequency = Counter(word for document in documents.values() for word in document)
    weight = {w: math.log(1 + (len(rules) + 0.5) / (n + 0.5)) for w, n in frequency.items()}
    asked = frozenset(words(query))
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    for key, document in documents.items():
        common = sorted(document & asked, key=lambda w: (-weight[w], w))
        if common:
            norm = math.sqrt(sum(weight[w] for w in document))
            found[key] = (sum(weight[w] for w in common) / norm, tuple(common[:4]))
    return found


def _ranks(values: Mapping[str, float]) -> dict[str, int]:
    """1-based ranks, largest first, ties by id."""
    ordered = sorted(values, key=lambda key: (-values[key], key))
    return {key: place for place, key in enumerate(ordered, start=1)}
