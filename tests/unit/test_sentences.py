"""Sentence vectors from a small BERT made here: our graph computes what its makers' code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tools import backends
from tools.backends.sentences import SentenceEmbedder
from tools.errors import UserError

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
WORDS = "[PAD] [UNK] [CLS] [SEP] nobody may run ride at night near the gate someone cycles".split()
TEXTS = ["Nobody may run near the gate", "Someone cycles", "at night nobody may ride near the gate"]


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, and a tokenizer of a dozen words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    path = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).eval().save_pretrained(path)
    made = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.save(str(path / "tokenizer.json"))
    return path


def test_vectors_are_those_of_the_makers_own_code(folder: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import BertModel

    made = SentenceEmbedder(folder, tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference = BertModel.from_pretrained(folder).eval()
    expected = []
    for text in TEXTS:  # one by one: padding must not matter
        with torch.no_grad():
            hidden = reference(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state
        mean = hidden[0].mean(dim=0).numpy()
        expected.append(mean / np.linalg.norm(mean))
    np.testing.assert_allclose(made.embed(TEXTS), np.array(expected), atol=1e-5)


def test_a_word_is_what_the_model_makes_of_it_in_its_text(folder: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import BertModel

    made = SentenceEmbedder(folder, tmp_path)
    text = TEXTS[2]
    ride, gate = text.index("ride"), text.index("gate")
    places = [(ride, ride + 4), (gate, gate + 4), (ride, gate + 4), (ride - 1, ride)]
    other, meaning = made.embed_words(["Someone cycles", text], [[], places])
    np.testing.assert_allclose([other.whole, meaning.whole], made.embed(TEXTS[1:]), atol=1e-6)
    assert other.words.shape == (0, 16)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    with torch.no_grad():
        reference = BertModel.from_pretrained(folder).eval()
        layers = reference(torch.tensor([ids]), output_hidden_states=True).hidden_states

    def word(*at: int) -> NDArray[np.float32]:
        """Of the last layer and of that at two thirds, each of the same weight."""
        rows = [n + 1 for n in at]  # one token stands before every text
        means = [layer[0].numpy()[rows].mean(axis=0) for layer in (layers[2], layers[1])]
        return unit(sum(unit(mean) for mean in means))

    np.testing.assert_allclose(meaning.words[:3], [word(4), word(7), word(4, 5, 6, 7)], atol=1e-5)
    assert not meaning.words[3].any()  # a blank is no word
    alone = made.embed_words(["ride"], [[(0, 4)]])[0].words[0]
    assert float(alone @ meaning.words[0]) < 0.999


def test_a_gist_is_the_mean_of_the_words(folder: Path, tmp_path: Path) -> None:
    made = SentenceEmbedder(folder, tmp_path)
    meaning, wordless = made.embed_words(TEXTS[:2], [[(11, 14), (24, 28)], []])
    np.testing.assert_allclose(meaning.gist, unit(meaning.words.sum(axis=0)), atol=1e-6)
    np.testing.assert_array_equal(wordless.gist, wordless.whole)


def test_it_says_what_it_is(folder: Path, tmp_path: Path) -> None:
    made = SentenceEmbedder(folder, tmp_path)
    assert made.name.startswith("sentences-")
    assert made.name.endswith("/1")
    assert (made.dim, made.by_meaning) == (16, True)
    vectors = made.embed([*TEXTS, "…?!"])
    assert vectors.shape == (4, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-6)
    assert made.embed([]).shape == (0, 16)
    (kept,) = tmp_path.glob("*.onnx")
    written = kept.stat().st_mtime_ns
    assert SentenceEmbedder(folder, tmp_path).name == made.name
    assert kept.stat().st_mtime_ns == written


def test_a_ready_graph_is_used_as_it_is(folder: Path, tmp_path: Path) -> None:
    SentenceEmbedder(folder, tmp_path)
    (kept,) = tmp_path.glob("*.onnx")
    ready = tmp_path / "ready"
    ready.mkdir()
    kept.rename(ready / "model.onnx")
    (ready / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    made = backends.make("embedder", "sentences", backends.EMBEDDERS, tmp_path, model=ready)
    np.testing.assert_array_equal(made.embed(TEXTS), SentenceEmbedder(ready, tmp_path).embed(TEXTS))
    assert list(tmp_path.glob("*.onnx")) == []


def test_what_is_no_model_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sentence model"):
        SentenceEmbedder(tmp_path, tmp_path)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(UserError, match="not a sentence model"):
        SentenceEmbedder(bad, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (other / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(UserError, match="a roberta is not a BERT"):
        SentenceEmbedder(other, tmp_path / "empty")
