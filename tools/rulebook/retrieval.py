"""Ranking of rules for a query: BM25 over their words, fused with dense similarity, diversified.

Sources: BM25 (Robertson, Zaragoza, *The Probabilistic Relevance Framework*, 2009); reciprocal rank
fusion (Cormack, Clarke, Büttcher, SIGIR 2009), with a small constant since the lists are short;
maximal marginal relevance (Carbonell, Goldstein, SIGIR 1998), with likeness as shared words. Where
WordNet is installed, a query's words also stand for their synonyms (:mod:`tools.wordnet`). An
embedder that sees words in their context compares rule and query word by word, too, in both
directions (:func:`agreement`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from tools.ports import Meaning
from tools.rulebook.predicates import describe
from tools.rulebook.scoping import tried
from tools.types import Observation, Rule, RuleHit, RuleKind, RuleStatus
from tools.wordnet import synonyms

__all__ = [
    "Lexicon",
    "Shelf",
    "Word",
    "agreement",
    "content",
    "crowded",
    "diversified",
    "rank",
    "words",
]

_RANK_CONSTANT = 10.0
_MEANING_WEIGHT = 2.0
"""Weight of dense similarity against BM25 where it sees meaning: chosen on rules made up for it."""
_K1, _B = 1.2, 0.75
"""Saturation and length of BM25: the values of its authors."""
_LIST = 32
"""Rules that each way of searching may name before they are fused."""
_RELEVANCE = 0.7
"""Weight of relevance against likeness: Carbonell and Goldstein's."""
_HELD = "its predicate"
_STOP = frozenset(
    "a about above an and are as at be been by does for from has have here in into is it its more"
    " most no not of off on one or than that the their then there these they this those to up was"
    " were what when where which while who with without"
    # how rules forbid and allow: any rule says it, of whatever
    " nobody nothing never anyone someone somebody may must should shall can cannot allowed"
    " permitted forbidden prohibited".split()
)
_SYNONYM = 0.5
"""A synonym counts half: the word may mean something else. Stated prior."""
_WHOLE = 0.1
"""Weight of whole texts' similarity beside that of their words …"""
_LESSER = 2 / 3
"""… and of the lesser of both directions beside the greater: both chosen on paraphrases written for
it."""
_NEIGHBOURS = 10
"""Those that make a crowd: the value of CSLS's authors."""


class Word(NamedTuple):
    """A content word of a text."""

    stem: str
    first: int
    """Its first character."""
    end: int
    """One after its last."""


def content(text: str) -> tuple[Word, ...]:
    """Content words of a text, in order; bare numbers are left out."""
    found = ((m.group().casefold(), m.start(), m.end()) for m in re.finditer(r"[^\W_]+", text))
    return tuple(
        Word(_stem(word), first, end)
        for word, first, end in found
        if len(word) > 1 and word not in _STOP and not word.isdecimal()
    )


def words(text: str) -> tuple[str, ...]:
    """Content words of a text, lower case, common endings cut; bare numbers are left out."""
    return tuple(word.stem for word in content(text))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@lru_cache(maxsize=256)
def _meant(query: str) -> Mapping[str, float]:
    """Stems of a query, and of the synonyms of its words → how much each counts."""
    own = dict.fromkeys(words(query), 1.0)
    said = [w for w in re.findall(r"[^\W_]+", query.casefold()) if words(w)]
    other = (stem for word in said for s in synonyms(word) for stem in words(s))
    return dict.fromkeys(other, _SYNONYM) | own


class Lexicon:
    """BM25 over the texts of rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._ids = [rule.id for rule in rules]
        self._said = {rule.id: words(rule.text) for rule in rules}
        self.words = {key: frozenset(stems) for key, stems in self._said.items() if stems}
        counts = [Counter(self._said[rule.id]) for rule in rules]
        lengths = np.asarray([sum(c.values()) for c in counts], dtype=np.float64)
        mean = float(lengths.mean()) if len(lengths) and lengths.any() else 1.0
        norms = _K1 * (1 - _B + _B * lengths / mean)
        postings: dict[str, list[tuple[int, int]]] = {}
        for place, count in enumerate(counts):
            for word, times in count.items():
                postings.setdefault(word, []).append((place, times))
        self._last: tuple[str, dict[str, float]] = "", {}
        self._rarity: dict[str, float] = {}
        self._weights: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, found in postings.items():
            places, times = np.asarray(found, dtype=np.int64).T
            rarity = self._rarity[word] = _rarity(len(found), len(rules))
            self._weights[word] = places, rarity * times * (_K1 + 1) / (times + norms[places])

    def rarity(self, text: str) -> NDArray[np.float32]:
        """How telling each content word of a text is among the rules: BM25's weight, positive."""
        return self._rare(words(text))

    def rarities(self, rule: Rule) -> NDArray[np.float32]:
        """The same of one of the rules."""
        return self._rare(self._said[rule.id])

    def _rare(self, stems: Sequence[str]) -> NDArray[np.float32]:
        unheard = _rarity(0, len(self._ids))
        return np.array([self._rarity.get(s, unheard) for s in stems], dtype=np.float32)

    def search(self, query: str) -> Mapping[str, float]:
        """Rule id → BM25 score, of the rules that share a word or a synonym with the query."""
        asked, found = self._last
        if asked != query:
            found = self._search(query)
            self._last = query, found
        return found

    def _search(self, query: str) -> dict[str, float]:
        scores = np.zeros(len(self._ids))
        for word, counts in _meant(query).items():
            if word in self._weights:
                places, weights = self._weights[word]
                scores[places] += counts * weights
        return {self._ids[n]: float(scores[n]) for n in np.flatnonzero(scores)}

    def coverage(self, query: str, rule_ids: Iterable[str]) -> Mapping[str, float]:
        """How much of a query each rule says, by rarity of the words, in [0, 1]."""
        meant = _meant(query)
        rare = dict(zip(meant, self._rare(tuple(meant)).tolist(), strict=True))
        whole = sum(rare[word] for word, counts in meant.items() if counts == 1.0)
        found = {
            key: sum(meant[w] * rare[w] for w in self.words.get(key, frozenset()) & meant.keys())
            for key in rule_ids
        }
        return {key: min(1.0, said / whole) if whole else 0.0 for key, said in found.items()}

    def shared(self, rule_id: str, query: str) -> tuple[str, ...]:
        """Stems that a rule shares with the query or its synonyms, the rarest first."""
        common = self.words.get(rule_id, frozenset()) & _meant(query).keys()
        return tuple(sorted(common, key=lambda w: (len(self._weights[w][0]), w)))


def _rarity(having: int, every: int) -> float:
    return math.log(1 + (every - having + 0.5) / (having + 0.5))


def agreement(
    query: Meaning,
    asked: NDArray[np.float32],
    rules: Sequence[Meaning],
    said: Sequence[NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Similarity of a query to each of the rules, by their words and as wholes.

    Each word is as near as the likest word of the other text. The mean over the query's words says
    how much of the query a rule holds, that over the rule's words how much of the rule the query
    holds. The lesser of the two counts more: what says the same leaves out little on either side,
    while a rule on something else in the same place may hold much of the query. Sources: late
    interaction of words in context (Khattab, Zaharia, *ColBERT*, SIGIR 2020), in both directions
    and weighted by rarity (Zhang et al., *BERTScore*, ICLR 2020). Texts without words are compared
    as wholes.

    Args:
        query: with the vectors of its content words.
        asked: weight of each of these words.
        rules: likewise.
        said: likewise.
    """
    whole = _products(np.stack([rule.whole for rule in rules]), query.whole[None])[:, 0]
    worded = [n for n, rule in enumerate(rules) if len(rule.words)]
    if not worded or not len(query.words):
        return whole
    spoken = np.concatenate([rules[n].words for n in worded])
    likeness = _products(spoken, query.words)
    weights = np.concatenate([said[n] for n in worded])
    starts = np.cumsum([0, *(len(rules[n].words) for n in worded[:-1])])
    of_query = np.maximum.reduceat(likeness, starts, axis=0) @ (asked / asked.sum())
    of_rule = np.add.reduceat(likeness.max(axis=1) * weights, starts)
    of_rule /= np.add.reduceat(weights, starts)
    whole[worded] *= _WHOLE
    both = _LESSER * np.minimum(of_query, of_rule) + (1 - _LESSER) * np.maximum(of_query, of_rule)
    whole[worded] += (1 - _WHOLE) * both
    return whole


def crowded(rules: Sequence[Meaning]) -> NDArray[np.float32]:
    """How like each text is to the ten likest of the others, on average: 0 for one alone.

    What lies in a crowd of its like is near to any query that comes near the crowd; a rule on a
    subject of its own is not (hubs; Conneau et al., *CSLS*, ICLR 2018).
    """
    near = min(_NEIGHBOURS, len(rules) - 1)
    if near < 1:
        return np.zeros(len(rules), dtype=np.float32)
    wholes = np.stack([rule.whole for rule in rules])
    likeness = _products(wholes, wholes)
    np.fill_diagonal(likeness, -np.inf)
    most: NDArray[np.float32] = np.partition(likeness, -near, axis=1)[:, -near:].mean(axis=1)
    return most


def _products(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of all rows with all rows, on one thread: more of a BLAS's would spin on for a while
    and slow the next embedding down threefold."""
    with _blas().limit(limits=1):
        return np.asarray(some @ others.T, np.float32)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class Shelf:
    """The rules of one scene, ready for listing and searching.

    Args:
        latest: the latest version of each rule.
    """

    def __init__(self, latest: Sequence[Rule]) -> None:
        self.all = tuple(
            sorted(
                latest,
                key=lambda r: (r.status, r.kind is not RuleKind.NORMAL, r.category, r.id),
            )
        )
        """By status, kind, category and id."""
        self.rules = tuple(r for r in self.all if r.status is RuleStatus.ACTIVE)

    @cached_property
    def lexicon(self) -> Lexicon:
        return Lexicon(self.rules)

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Rule id → what the index calls its version."""
        return {r.id: f"{r.id}@{r.version}" for r in self.rules}

    @cached_property
    def documents(self) -> Mapping[str, str]:
        """What the index holds: version → text."""
        return {self.keys[r.id]: r.text for r in self.rules}


def rank(
    rules: Sequence[Rule],
    query: str,
    similarity: Mapping[str, float],
    observations: Sequence[Observation] = (),
    *,
    lexicon: Lexicon | None = None,
    pool: int = _LIST,
    by_meaning: bool = False,
) -> tuple[RuleHit, ...]:
    """All rules that bear on the query, best first.

    Args:
        rules: candidates.
        query: words to search with.
        similarity: rule id → cosine similarity of its text to the query, where known.
        observations: a rule whose predicate holds for one of these comes first.
        lexicon: of these rules, or of more.
        pool: rules that each way of searching may name.
        by_meaning: whether similarity is of meanings, not of letters. It then counts double, and
            shared words count as far as they cover the query, by rarity: of a sentence that says
            the same in other words, the one word it happens to share with a rule tells little.

    Returns:
        Hits with a score in [0, 1]: the fused rank, raised above 0.5 where the predicate holds.
    """
    lexicon = lexicon or Lexicon(rules)
    ids = {rule.id for rule in rules}
    dense = _MEANING_WEIGHT if by_meaning else 1.0
    by_words = _ranks({key: s for key, s in lexicon.search(query).items() if key in ids}, pool)
    alike = _ranks({key: s for key, s in similarity.items() if s > 0}, pool)
    covered = lexicon.coverage(query, by_words) if by_meaning else dict.fromkeys(by_words, 1.0)
    hits: list[tuple[bool, RuleHit]] = []
    for rule in rules:
        observation = _holds(rule, observations) if observations else None
        if observation is None and rule.id not in by_words and rule.id not in alike:
            continue
        fused = sum(
            weight / (_RANK_CONSTANT + ranks[rule.id])
            for ranks, weight in ((by_words, covered.get(rule.id, 0.0)), (alike, dense))
            if rule.id in ranks
        )
        score = fused * (_RANK_CONSTANT + 1.0) / (1.0 + dense)
        reasons: list[str] = []
        if rule.predicate is not None and observation is not None:
            score = 0.5 + score / 2
            reasons.append(f"{_HELD} {describe(rule.predicate)} holds for {observation}")
        if rule.id in by_words:
            said = {word.stem: rule.text[word.first : word.end] for word in content(rule.text)}
            stems = lexicon.shared(rule.id, query)[:4]
            shared = ", ".join(f"“{said[stem].casefold()}”" for stem in stems)
            reasons.append(f"shares {shared}, rank {by_words[rule.id]}")
        if rule.id in alike:
            reasons.append(f"similarity {similarity[rule.id]:.2f}, rank {alike[rule.id]}")
        hit = RuleHit(rule=rule, score=min(score, 1.0), reason="; ".join(reasons))
        hits.append((observation is not None, hit))
    hits.sort(key=lambda each: (not each[0], -each[1].score, each[1].rule.id))
    return tuple(hit for _, hit in hits)


def diversified(hits: Sequence[RuleHit], k: int, lexicon: Lexicon) -> tuple[RuleHit, ...]:
    """The ``k`` hits of greatest marginal relevance, in their order.

    Each pick weighs its score against its likeness to what was picked before; a rule whose
    predicate holds is picked whatever it is like.
    """
    best = hits[0].score if hits else 1.0
    held = [n for n, hit in enumerate(hits) if hit.reason.startswith(_HELD)][:k]
    chosen = list(held)
    left = [n for n in range(len(hits)) if n not in chosen][: 4 * k + _LIST]
    likest = dict.fromkeys(left, 0.0)
    last = list(held)
    while left and len(chosen) < k:
        for n in left:
            likest[n] = max((likest[n], *(_likeness(hits[n], hits[m], lexicon) for m in last)))
        pick = max(
            left,
            key=lambda n: (_RELEVANCE * hits[n].score / best - (1 - _RELEVANCE) * likest[n], -n),
        )
        left.remove(pick)
        chosen.append(pick)
        last = [pick]
    return tuple(hits[n] for n in sorted(chosen))


def _likeness(a: RuleHit, b: RuleHit, lexicon: Lexicon) -> float:
    """Share of common words of two rules that say the same kind of thing; else 0."""
    mine, other = (lexicon.words.get(h.rule.id, frozenset()) for h in (a, b))
    common = len(mine & other)
    if not common or (a.rule.kind, a.rule.scope) != (b.rule.kind, b.rule.scope):
        return 0.0
    return common / (len(mine) + len(other) - common)


def _holds(rule: Rule, observations: Sequence[Observation]) -> str | None:
    """Id of the observation for which the rule's predicate holds most strongly."""
    if rule.predicate is None:
        return None
    best: tuple[float, str] | None = None
    for observation in observations:
        result = tried(rule, rule.predicate, observation)
        if result.holds and (best is None or result.strength > best[0]):
            best = (result.strength, observation.id)
    return best[1] if best else None


def _ranks(values: Mapping[str, float], pool: int) -> dict[str, int]:
    """1-based ranks of the first few, largest first, ties by id."""
    ordered = sorted(values, key=lambda key: (-values[key], key))
    return {key: place for place, key in enumerate(ordered[:pool], start=1)}
