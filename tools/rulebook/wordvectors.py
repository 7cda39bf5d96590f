"""The vectors of every rule's words, kept beside the rule index and made again where absent.

A cache, never a record: one SQLite file, a row for each text, found by the text and the embedder.
Vectors are kept as bytes with a scale each (some 400 bytes a word, within 0.4 % of the largest
component); what is read back is the same whether it was kept or has just been made. Whatever cannot
be read is made again, a file that is no database is replaced, and one that cannot be written is
done without.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tools.ports import Meaning, WordEmbedder
from tools.rulebook.retrieval import content

__all__ = ["WordVectors"]

T = TypeVar("T")

MADE_AS = 2
"""Part of each row's key: another number makes all of them again, as another choice of words must.
"""
_LARGEST = 127
_AT_ONCE = 500
"""Rows asked for in one statement."""


class WordVectors:
    """An embedder that keeps the words of what it embeds, for the index, whose vectors are the
    means of these: how a rule forbids or demands, which any does, is not in them.

    Args:
        path: the file; made where absent.
        embedder: sees words as well as texts.
        busy_timeout_s: how long to wait for another process's transaction.
    """

    def __init__(self, path: Path, embedder: WordEmbedder, *, busy_timeout_s: float = 5.0) -> None:
        self._path = path
        self._embedder = embedder
        self._timeout_s = busy_timeout_s

    @property
    def name(self) -> str:
        return f"{self._embedder.name}+words"

    @property
    def dim(self) -> int:
        return self._embedder.dim

    @property
    def by_meaning(self) -> bool:
        return self._embedder.by_meaning

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The gists of texts, in rows; the vectors of their words are kept."""
        made = self._made(texts)
        if not made:
            return np.zeros((0, self.dim), dtype=np.float32)
        self._keep({text: _packed(meaning) for text, meaning in zip(texts, made, strict=True)})
        return np.stack([meaning.gist for meaning in made])

    def query(self, text: str) -> Meaning:
        """What a text means that is not worth keeping."""
        return self._made([text])[0]

    def of(self, texts: Sequence[str], counts: Sequence[int]) -> list[Meaning]:
        """What the texts mean, each with its content words in order; kept, if they were not.

        Args:
            texts: what to look up.
            counts: how many content words each has.
        """
        sizes = {
            text: (1 + count) * (4 + self.dim) for text, count in zip(texts, counts, strict=True)
        }
        found = {t: v for t, v in self._kept(list(sizes)).items() if len(v) == sizes[t]}
        missing = [text for text in sizes if text not in found]
        if missing:
            made = dict(zip(missing, map(_packed, self._made(missing)), strict=True))
            self._keep(made)
            found |= made
        return _unpacked([found[text] for text in texts], self.dim)

    def _made(self, texts: Sequence[str]) -> tuple[Meaning, ...]:
        places = [[(w.first, w.end) for w in content(text)] for text in texts]
        return self._embedder.embed_words(texts, places)

    def _kept(self, texts: Sequence[str]) -> dict[str, bytes]:
        keys = {self._key(text): text for text in texts}
        every = list(keys)

        def read(connection: sqlite3.Connection) -> dict[str, bytes]:
            rows: list[tuple[bytes, bytes]] = []
            for start in range(0, len(every), _AT_ONCE):
                some = every[start : start + _AT_ONCE]
                asked = ",".join("?" * len(some))
                rows += connection.execute(
                    f"SELECT key, vectors FROM texts WHERE key IN ({asked})", some
                )
            return {keys[key]: vectors for key, vectors in rows}

        return self._tried(read) or {}

    def _keep(self, made: Mapping[str, bytes]) -> None:
        rows = [(self._key(text), vectors) for text, vectors in made.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?)", rows)
            connection.execute("COMMIT")

        self._tried(write)

    def _key(self, text: str) -> bytes:
        said = f"{MADE_AS}\0{self._embedder.name}\0{text}".encode("utf-8", "surrogatepass")
        return blake2b(said, digest_size=16).digest()

    def _tried(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What the work gives, done on the file; None where it fails. What is no database goes."""
        for _ in range(2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with closing(self._connected()) as connection:
                    return work(_prepared(connection))
            except (sqlite3.OperationalError, OSError):
                return None  # locked, full, read-only
            except sqlite3.DatabaseError:
                self._discard()
        return None

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)

    def _discard(self) -> None:
        for ending in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + ending).unlink()


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        connection.execute("PRAGMA page_size = 16384")  # of small pages, half would stay empty
        connection.execute(
            "CREATE TABLE IF NOT EXISTS texts (key BLOB PRIMARY KEY, vectors BLOB NOT NULL) STRICT"
        )
        connection.execute("PRAGMA user_version = 1")
    return connection


def _packed(meaning: Meaning) -> bytes:
    """A scale for each row, the whole text's first, then the rows in bytes."""
    rows = np.vstack([meaning.whole[None], meaning.words])
    scales = (np.abs(rows).max(axis=1) / _LARGEST).astype("<f4")
    steps = rows / np.where(scales > 0, scales, 1)[:, None]
    return bytes(scales.tobytes() + np.rint(steps).astype(np.int8).tobytes())


def _unpacked(kept: Sequence[bytes], dim: int) -> list[Meaning]:
    counts = [len(each) // (4 + dim) for each in kept]
    scales = b"".join(k[: 4 * n] for k, n in zip(kept, counts, strict=True))
    steps = b"".join(k[4 * n :] for k, n in zip(kept, counts, strict=True))
    rows = np.frombuffer(steps, dtype=np.int8).reshape(-1, dim).astype(np.float32)
    rows *= np.frombuffer(scales, dtype="<f4")[:, None]
    ends = np.cumsum(counts).tolist()
    return [
        Meaning(rows[end - count], rows[end - count + 1 : end])
        for count, end in zip(counts, ends, strict=True)
    ]
