"""Rules compared word by word: what agrees on both sides is found, and the vectors are a cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.archive import Archive, SceneRecord
from tools.ports import Meaning, SceneProfile, WordEmbedder
from tools.rulebook.retrieval import Lexicon, agreement, content, crowded, words
from tools.rulebook.wordvectors import WordVectors
from tools.types import Rule, RuleCategory, RuleKind

SAME = {"horses": "stable", "kept": "stable", "address": "speeches", "audience": "speeches"}
"""Words that this test's embedder takes for another."""
DIM = 32


class Worded:
    """Sees words, each by itself; the whole is their mean."""

    name, dim, by_meaning = "worded/1", DIM, True

    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([meaning.whole for meaning in self.embed_words(texts, [()] * len(texts))])

    def embed_words(
        self, texts: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[Meaning, ...]:
        self.seen += texts
        return tuple(
            Meaning(
                _unit(sum((_vector(t[a:z]) for _, a, z in content(t)), np.full(DIM, 1e-3))),
                np.array([_vector(t[a:z]) for a, z in asked], dtype=np.float32).reshape(-1, DIM),
            )
            for t, asked in zip(texts, places, strict=True)
        )


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _vector(word: str) -> NDArray[np.float32]:
    meant = SAME.get(word.casefold(), word.casefold())
    seed = int.from_bytes(blake2b(meant.encode(), digest_size=4).digest(), "big")
    return _unit(np.random.default_rng(seed).normal(size=DIM))


def rules(*texts: str) -> list[Rule]:
    return [
        Rule(
            id=f"r{n}", scene="gate", version=1, kind=RuleKind.ANOMALOUS,
            category=RuleCategory.ACTIVITY, text=text,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip


def compared(query: str, *texts: str) -> list[float]:
    embedder, lexicon = Worded(), Lexicon(rules(*texts))
    every = (query, *texts)
    asked, *said = embedder.embed_words(
        every, [[(w.first, w.end) for w in content(t)] for t in every]
    )
    rarities = [lexicon.rarities(rule) for rule in rules(*texts)]
    return agreement(asked, lexicon.rarity(query), said, rarities).tolist()


# ---------------------------------------------------------------- comparing


def test_content_words_know_where_they_stand() -> None:
    text = "The Horses, 3 of those, are KEPT in Straßen."
    assert [text[w.first : w.end] for w in content(text)] == ["Horses", "KEPT", "Straßen"]
    assert words(text) == ("hors", "kept", "strassen")


def test_what_leaves_nothing_out_on_either_side_is_nearest() -> None:
    query = "Somebody addresses an audience where horses are kept"
    whole, part, more = compared(
        "audience horses",
        "speeches stable",
        "speeches kitchen",
        "speeches stable kitchen fountain barrier helmets",
    )
    assert whole > 0.99
    assert min(more, part) > 0.2
    assert max(part, more) < 0.7
    assert compared(query, "Nobody may give speeches in the stable")[0] > 0.5


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    others = [f"kitchen number{n}" for n in range(20)]
    rare, common = compared("kitchen fountain", "fountain lamps", "kitchen lamps", *others)[:2]
    assert rare > common


def test_texts_without_words_are_compared_as_wholes() -> None:
    (blank,) = compared("horses", "Is it in there?")
    assert blank == pytest.approx(float(_vector("horses") @ _unit(np.full(DIM, 1e-3))), abs=1e-2)
    assert len(compared("Is it in there?", "horses", "stable")) == 2


# ---------------------------------------------------------------- keeping


@pytest.fixture
def texts() -> list[str]:
    return ["Nobody may give speeches in the stable.", "Dogs run about.", "Is it in there?"]


def of(kept: WordVectors, texts: Sequence[str]) -> list[Meaning]:
    return kept.of(texts, [len(words(text)) for text in texts])


def assert_same(some: Sequence[Meaning], others: Sequence[Meaning], within: float = 0.0) -> None:
    for a, b in zip(some, others, strict=True):
        np.testing.assert_allclose(a.whole, b.whole, atol=within)
        np.testing.assert_allclose(a.words, b.words, atol=within)


def test_a_rule_alone_on_its_subject_is_less_crowded_than_one_of_many_alike() -> None:
    texts = [f"Nobody may sing at gate {n}" for n in range(12)] + ["Dogs wear a muzzle"]
    meanings = Worded().embed_words(texts, [()] * len(texts))
    many, alone = crowded(meanings[:-1]), crowded(meanings)[-1]
    assert many.shape == (12,)
    assert many.min() > 0.9 > 0.3 > alone
    assert crowded(meanings[:1]).tolist() == [0.0]


def test_what_is_embedded_is_kept_and_not_made_again(tmp_path: Path, texts: list[str]) -> None:
    embedder = Worded()
    assert isinstance(embedder, WordEmbedder)
    kept = WordVectors(tmp_path / "words", embedder)
    gists = kept.embed(texts)
    assert kept.embed([]).shape == (0, DIM)
    embedder.seen.clear()
    first = of(kept, texts)
    assert embedder.seen == []
    np.testing.assert_allclose(gists, [meaning.gist for meaning in first], atol=0.01)
    exact = embedder.embed_words(texts, [[(w.first, w.end) for w in content(t)] for t in texts])
    assert_same(first, exact, within=0.01)
    assert_same(of(WordVectors(tmp_path / "words", Worded()), texts), first)
    assert_same(of(WordVectors(tmp_path / "other", Worded()), texts), first)  # made now


@pytest.mark.parametrize("damage", ["deleted", "garbage", "truncated", "other rows", "a folder"])
def test_what_cannot_be_read_is_made_again(tmp_path: Path, texts: list[str], damage: str) -> None:
    path = tmp_path / "words"
    kept = WordVectors(path, Worded())
    first = of(kept, texts)
    if damage == "deleted":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"garbage" * 9000)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:20_000])
    elif damage == "other rows":
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE texts SET vectors = x'00'")
    else:
        path.unlink()
        path.mkdir()
    assert_same(of(kept, texts), first)
    assert_same(of(kept, texts), first)


def test_a_file_that_somebody_else_writes_is_done_without(tmp_path: Path, texts: list[str]) -> None:
    kept = WordVectors(tmp_path / "words", Worded(), busy_timeout_s=0.01)
    first = of(kept, texts[:1])
    with sqlite3.connect(tmp_path / "words", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert_same(of(kept, texts[:1]), first)
        connection.execute("ROLLBACK")
    connection.close()


# ---------------------------------------------------------------- finding


DONE = ("give speeches", "wash carpets", "count money", "fold boxes")
PLACES = ("stable", "kitchen", "library", "tunnel")
TEXTS = [f"Nobody may {does} in the {place}." for does in DONE for place in PLACES]
QUERY = "Somebody addresses an audience where horses are kept"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    archive = Archive(tmp_path / "home", Worded())
    profile = SceneProfile(
        scene="gate", captioner="c", width=8, height=8, clips=(), seconds=1.0, version="v1"
    )
    record = SceneRecord(
        name="gate", captioner="c", profile_version="v1", width=8, height=8, seconds=1.0
    )
    archive.save_scene(record, profile, rules(*TEXTS))
    archive.close()
    return tmp_path / "home"


def found(home: Path, query: str = QUERY) -> list[tuple[str, str]]:
    archive = Archive(home, Worded())
    hits = archive.rules.retrieve("gate", query, k=3)
    archive.close()
    return [(hit.rule.text, hit.reason) for hit in hits]


def test_a_rule_in_other_words_is_found_among_those_that_share_its_parts(home: Path) -> None:
    first, *_ = found(home)
    assert first[0] == "Nobody may give speeches in the stable."
    assert first[1].startswith("similarity 0.")


def test_the_same_is_found_without_the_file_and_after_an_edit(home: Path) -> None:
    before = found(home)
    (home / "chroma.words").unlink()
    assert found(home) == before
    archive = Archive(home, Worded())
    archive.rules.edit("r0", text="Nobody may sing in the stable.")
    archive.rules.retrieve("gate", QUERY)
    assert archive.rules.reindex(["gate"]) == {"gate": len(TEXTS)}
    archive.close()
    assert "Nobody may give speeches in the stable." not in {text for text, _ in found(home)}
    assert found(home, "sing")[0][0] == "Nobody may sing in the stable."
