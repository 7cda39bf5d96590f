"""Where WordNet is missed: words of rules that no list of ours has, while it is not installed."""

from __future__ import annotations

from collections.abc import Iterable

from tools.deduction.matching import phrases_of
from tools.types import Rule, RuleKind
from tools.wordnet import wordnet

__all__ = ["missed"]

NAMED = 8


def _missed_words(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Words that anomalous rules are about and captions must say as they stand.

    Words after a preposition, and rules with a test by code, hardly depend on it. None where
    WordNet is installed.
    """
    if wordnet() is not None:
        return ()
    words = (
        word.places[0][0]
        for rule in rules
        if rule.kind is RuleKind.ANOMALOUS and rule.status == "active" and rule.predicate is None
        for phrase in phrases_of(rule)
        for word in phrase.words
        if word.counts == 1.0
    )
    return tuple(dict.fromkeys(w for w in words if not w.startswith("<")))


def missed(rules: Iterable[Rule]) -> str:
    """What to say of it, with the remedy, on one line; empty where nothing is missed."""
    words = _missed_words(rules)
    if not words:
        return ""
    shown = ", ".join(f"“{w}”" for w in words[:NAMED])
    more = f" and {len(words) - NAMED} more words" if len(words) > NAMED else ""
    return (
        f"without WordNet, {shown}{more} {'is' if len(words) == 1 else 'are'} found by no other "
        "word of the same meaning: pip install 'vidocq[wordnet]'"
    )
