"""How unlike every normal clause a clause is, calibrated on the normal clauses themselves.

Likeness is the cosine of the clauses' sentence vectors where there is a sentence model, else that
of their lemmas and concepts, weighed by surprise (:class:`tools.deduction.matching.Weights`).
A clause's distance is one minus its likeness to the nearest normal clause.

Each normal clip in turn is left out: the greatest distance among a caption's clauses to the clauses
of the other clips is what a normal caption comes to, a_1 … a_n. A clause at distance d then has

    p = (1 + #{i: a_i ≥ d}) / (1 + n)

(Vovk, Gammerman, Shafer, *Algorithmic Learning in a Random World*, 2005), for clauses about people
and about things each on its own; two tests of a caption share its chance of error, so p is doubled
(Bonferroni). It is unlike the normal ones where 2 p < 0.05, with strength 1 − 2 p / 0.05, so that
normal captions hardly gain suspicion: one in twenty does, by half on average.
Fewer than forty normal captions cannot tell. The words' weights know the clip that is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tools.deduction.language import Said

__all__ = ["Embed", "Unlike", "Unlikeness"]

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts → L2-normalised rows, shape ``(texts, dimensions)``."""
About = Literal["person", "thing"]
ABOUTS: tuple[About, ...] = ("person", "thing")
LEVEL = 0.05
"""The chance from which on a clause is unlike the normal ones: the usual level of tests."""
_SLACK = 1e-6
"""Cosines are sums of floats: nearer than this is equally far."""


class Unlikeness(NamedTuple):
    """How unlike all normal clauses a clause is."""

    strength: float = 0.0
    """In [0, 1]."""
    near: str = ""
    """The nearest normal clause; empty where none is like it at all."""


class Unlike:
    """Normal clauses by clip, and how unlike all of them another clause is.

    Args:
        captions: of normal frames: the clip of each, and its clauses.
        vector: the words of a clause → their weights, of unit length.
        embed: a sentence model's, instead of words.
    """

    def __init__(
        self,
        captions: Iterable[tuple[str, Sequence[Said]]],
        vector: Callable[[Iterable[str]], dict[str, float]],
        embed: Embed | None = None,
    ) -> None:
        read = [(clip, [s for s in clauses if s.words]) for clip, clauses in captions]
        self._vector = vector
        self._embed = embed
        self._rows: dict[str, NDArray[np.float32]] = {}
        self._places: dict[str, int] = {}
        said = {s.text: s for _, clauses in read for s in clauses}
        self._texts = list(said)
        for s in said.values():
            for word in s.words:
                self._places.setdefault(word, len(self._places))
        self._known = self._matrix(list(said.values()))
        self._usual = {about: self._left_out(read, about) for about in ABOUTS}
        self._rows.clear()

    def read(self, clauses: Iterable[Said]) -> None:
        """Have a sentence model read clauses together, which is faster than one by one."""
        if self._embed is None or not self._texts:
            return
        new = list(dict.fromkeys(s.text for s in clauses if s.text not in self._rows))
        if new:
            self._rows.update(zip(new, self._embed(new), strict=True))

    def __call__(self, said: Said) -> Unlikeness:
        """How unlike a clause is. One that says nothing is not, and without two clips of normal
        captions nothing is."""
        usual = self._usual[said.about]
        if not said.words or not usual:
            return Unlikeness()
        likeness = self._known @ self._vector_of(said)
        self._rows.pop(said.text, None)  # asked for once: the deducer remembers its verdict
        nearest = int(likeness.argmax())
        far = 1.0 - float(likeness[nearest])
        as_far = len(usual) - bisect_left(usual, far - _SLACK)
        chance = len(ABOUTS) * (1 + as_far) / (1 + len(usual))
        strength = max(0.0, 1.0 - chance / LEVEL)
        return Unlikeness(strength, self._texts[nearest] if likeness[nearest] > 0 else "")

    def _matrix(self, clauses: Sequence[Said]) -> Any:
        """A row a clause; of words, most of it is nothing."""
        self.read(clauses)
        if self._embed is not None:
            return np.array([self._vector_of(said) for said in clauses])
        vectors = [self._vector(said.words) for said in clauses]
        values = [value for vector in vectors for value in vector.values()]
        columns = [self._places[word] for vector in vectors for word in vector]
        starts = np.cumsum([0, *map(len, vectors)])
        shape = (len(clauses), len(self._places))
        return csr_array((np.array(values, np.float32), columns, starts), shape=shape)

    def _vector_of(self, said: Said) -> NDArray[np.float32]:
        """Of the sentence model, or a column a word of the normal clauses."""
        if self._embed is not None:
            self.read([said])
            return self._rows[said.text]
        made = np.zeros(len(self._places), np.float32)
        for word, value in self._vector(said.words).items():
            if word in self._places:
                made[self._places[word]] = value
        return made

    def _left_out(self, read: Sequence[tuple[str, Sequence[Said]]], about: About) -> list[float]:
        """The greatest distance of each caption's clauses to those of other clips, in order."""
        place = {text: n for n, text in enumerate(self._texts)}
        clips: list[set[str]] = [set() for _ in self._texts]
        for clip, clauses in read:
            for said in clauses:
                clips[place[said.text]].add(clip)
        found: list[float] = []
        for clip in dict.fromkeys(clip for clip, _ in read):
            others = np.array([bool(c - {clip}) for c in clips])
            if not others.any():
                continue
            far: dict[str, float] = {}
            for clauses in (clauses for c, clauses in read if c == clip):
                mine = [said for said in clauses if said.about == about]
                for said in mine:
                    if said.text not in far:
                        likeness = self._known @ self._vector_of(said)
                        far[said.text] = 1.0 - float(likeness[others].max())
                if mine:
                    found.append(max(far[said.text] for said in mine))
        return sorted(found)
