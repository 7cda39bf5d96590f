"""Meanings of words by WordNet, as nodes that rules and clauses are compared by.

A word that none of our own concepts holds stands for what it means beyond doubt
(:meth:`tools.wordnet.WordNet.meant`), so that synonyms are found, and for the concept that this is
a kind of: a fox is an animal. Kinds of anything else are left alone: that a house is a structure
says nothing of "unusual structures". Two words that WordNet knows as one are one: a tank top is no
tank. Without WordNet no word has a meaning, and lemmas and our own concepts decide alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from tools.deduction.lexicon import SENSES, ancestors, concept_of
from tools.wordnet import Kind, Sense, WordNet, wordnet

__all__ = ["CONCEPT_NODES", "compound", "concept_node", "meanings_of"]

_PEOPLE = frozenset("female male adult adolescent juvenile".split())
"""Said of people in captions; WordNet's usual sense is an animal."""
_KINDS: Mapping[str, Kind] = {"n": "noun", "v": "verb"}


def concept_node(concept: str) -> str:
    """The node of words that are a kind of a concept by WordNet."""
    return f"~{concept}"


CONCEPT_NODES = frozenset(
    concept_node(c) for concept in SENSES for c in (concept, *ancestors(concept))
)
"""All such nodes."""


@lru_cache(maxsize=65536)
def meanings_of(word: str) -> tuple[str, ...]:
    """Nodes of a word's meaning: its own, then those of the concepts it is a kind of."""
    known = wordnet()
    if known is None or word in _PEOPLE or concept_of(word) is not None:
        return ()
    senses = known.meant(word)
    own = [f"~{sense.kind}/{sense.number}" for sense in senses] if len(senses) == 1 else []
    found = {_concept_of(known, sense) for sense in senses}
    concept = found.pop() if len(found) == 1 else None
    kinds = () if concept is None else (concept, *ancestors(concept))
    return (*own, *map(concept_node, kinds))


def _concept_of(known: WordNet, sense: Sense) -> str | None:
    return next((c for s in known.kinds(sense) if (c := _concepts().get(s))), None)


@lru_cache(maxsize=65536)
def compound(first: str, second: str) -> str | None:
    """What two words name together as a noun, in the form WordNet has it; None if nothing."""
    known = wordnet()
    pair = f"{first}_{second}"
    return pair if known is not None and known.senses(pair, "noun") else None


@lru_cache(maxsize=1)
def _concepts() -> Mapping[Sense, str]:
    """Which of WordNet's meanings are our concepts."""
    known = wordnet()
    if known is None:
        return {}
    found: dict[Sense, str] = {}
    for concept, names in SENSES.items():
        for name in names.split():
            word, kind, number = name.split(".")
            found[known.senses(word, _KINDS[kind])[int(number) - 1]] = concept
    return found
