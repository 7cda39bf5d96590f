"""How unlike everything normal a clause is: one minus its likeness to the nearest normal clause.

Without a sentence model, likeness is the cosine of the clauses' nodes (lemmas and concepts), each
weighed by its surprise in normal captions (:class:`tools.deduction.matching.Weights`) above a
floor, so that usual words count a little.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from tools.deduction.language import Said
from tools.deduction.lexicon import ACTIONS
from tools.deduction.matching import Weights

__all__ = ["Novelty"]

FLOOR = 0.1
"""The least a node counts in a comparison."""


class Novelty:
    """Normal clauses, and how unlike all of them another clause is."""

    def __init__(self, normal: Iterable[Said], weigh: Weights) -> None:
        self._weigh = weigh
        self._near: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._texts: list[str] = []
        seen: set[frozenset[str]] = set()
        for said in normal:
            words = frozenset(said.words)
            if not words or words in seen:
                continue
            seen.add(words)
            vector = self._vector(words)
            for node, value in vector.items():
                self._near[node].append((len(self._texts), value))
            self._texts.append(said.text)

    def _vector(self, words: Iterable[str]) -> dict[str, float]:
        raw = {w: max(FLOOR, self._weigh(w)) for w in words}
        norm = math.sqrt(sum(v * v for v in raw.values()))
        return {w: v / norm for w, v in raw.items()}

    def __call__(self, said: Said) -> tuple[float, str]:
        """Novelty in [0, 1], and the normal clause that is nearest (empty where none is near).

        A clause that says nothing is not new; without normal clauses nothing can be called new.
        """
        thing = said.about == "thing"
        key = [
            w
            for w in said.words
            if (not thing and w in said.actions)
            or (w.startswith("<") and not (thing and w[1:-1] in ACTIONS))
        ]
        if not key or not self._texts:
            return 0.0, ""
        likeness: dict[int, float] = defaultdict(float)
        for node, value in self._vector(said.words).items():
            for index, other in self._near.get(node, ()):
                likeness[index] += value * other
        best, text = 0.0, ""
        for action in key:
            weight = self._weigh(action) * said.nodes.get(action, 1.0)
            with_it = [i for i, _ in self._near.get(action, ())]
            nearest = max(with_it, key=lambda i: likeness[i], default=None)
            new = weight * (1.0 if nearest is None else max(0.0, 1.0 - likeness[nearest]))
            if new > best:
                best, text = new, "" if nearest is None else self._texts[nearest]
        return best, text
