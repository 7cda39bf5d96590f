"""How new the words of a clause are: one minus its likeness to the nearest normal clause with them.

Likeness is the cosine of the clauses' nodes (lemmas and concepts), each
weighed by its surprise in normal captions (:class:`tools.deduction.matching.Weights`) above a
floor, so that usual words count a little.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tools.deduction.language import Said
from tools.deduction.lexicon import ACTIONS
from tools.deduction.matching import Weights

__all__ = ["BELONGINGS", "New", "Novelty"]

STATES = frozenset("<stand> <sit> <wait> <talk> <look> <walk> face wear".split())
"""How people are rather than what they do: never new. Stated prior."""
BELONGINGS = frozenset({"<bag>", "<umbrella>", "<carry>"})
"""What people carry anywhere: it may be new, and is not unusual as such. Stated prior."""
MANY = 100
"""What so many normal captions do not say is new; fewer captions tell less (by their logarithm)."""
FLOOR = 0.1
"""The least a node counts in a comparison."""


class New(NamedTuple):
    """How new a clause is."""

    far: float = 0.0
    """In [0, 1]."""
    word: str = ""
    """What is new in it."""
    near: str = ""
    """The normal clause nearest to it, one with that word if any has it; empty where none is like
    it at all."""


def _tells(word: str, said: Said) -> bool:
    """Whether a word can make a clause new: what is done, and what rules are about."""
    if said.about == "thing":
        return word.startswith("<") and word[1:-1] not in ACTIONS
    return word in said.actions or word.startswith("<")


class Novelty:
    """Normal clauses, and how unlike all of them another clause is."""

    def __init__(self, normal: Iterable[Said], weigh: Weights) -> None:
        self._weigh = weigh
        self._known = min(1.0, math.log2(1 + weigh.captions) / math.log2(1 + MANY))
        self._near: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._texts: list[str] = []
        seen: set[frozenset[str]] = set()
        for said in normal:
            words = frozenset(said.words)
            if not words or words in seen:
                continue
            seen.add(words)
            vector = self.vector(words)
            for node, value in vector.items():
                self._near[node].append((len(self._texts), value))
            self._texts.append(said.text)

    def vector(self, words: Iterable[str]) -> dict[str, float]:
        """Words by their weights, of unit length."""
        raw = {w: max(FLOOR, self._weigh(w)) for w in words}
        norm = math.sqrt(sum(v * v for v in raw.values()))
        return {w: v / norm for w, v in raw.items()}

    def __call__(self, said: Said) -> New:
        """How new a clause is. One that says nothing is not new; without normal clauses nothing
        can be called new."""
        key = [w for w in said.words if w not in STATES and _tells(w, said)]
        if not key or not self._texts:
            return New()
        likeness: dict[int, float] = defaultdict(float)
        for node, value in self.vector(said.words).items():
            for index, other in self._near.get(node, ()):
                likeness[index] += value * other
        best = New()
        for action in key:
            weight = self._weigh(action) * said.nodes.get(action, 1.0) * self._known
            with_it = [i for i, _ in self._near.get(action, ())]
            nearest = max(with_it, key=lambda i: likeness[i], default=None)
            new = weight * (1.0 if nearest is None else max(0.0, 1.0 - likeness[nearest]))
            if new > best.far:
                near = max(likeness, key=lambda i: likeness[i], default=None)
                near = near if nearest is None else nearest
                best = New(new, action, "" if near is None else self._texts[near])
        return best
