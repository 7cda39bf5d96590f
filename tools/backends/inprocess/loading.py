"""Find and load a model: a folder or a name on the hub, with or without eyes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import UserError

if TYPE_CHECKING:
    import torch

__all__ = ["DTYPES", "Loaded", "identity", "load", "located"]

DTYPES = ("auto", "float32", "bfloat16", "float16")
WHOLE_BYTES = 64 << 20
"""Weight files up to this size are hashed whole, of larger ones three pieces of a megabyte."""
PIECE = 1 << 20


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with what turns words and pictures into its tokens."""

    model: Any
    processor: Any
    """Makes inputs of texts and pictures; for a model without eyes its tokenizer."""
    tokenizer: Any
    sees: bool
    vocabulary: int
    context: int | None
    device: torch.device


def located(reference: str) -> Path | None:
    """The folder a reference names; None for a name on the hub.

    Raises UserError for a folder that is not there and one without a model.
    """
    if not reference.strip():
        raise UserError(
            "the backend transformers needs a model",
            remedy="write it like transformers:models/Qwen2.5-7B-Instruct, a folder",
        )
    folder = Path(reference).expanduser()
    if not folder.is_dir():
        name = reference.split("/")
        if (
            folder.is_absolute()
            or reference.startswith((".", "~"))
            or len(name) > 2
            or not all(name)
        ):
            raise UserError(
                f"{reference}: no such folder",
                remedy="name a folder with config.json and weights, or a model of the hub",
            )
        return None
    if not (folder / "config.json").is_file():
        raise UserError(f"{reference}: there is no config.json", remedy="name a model's folder")
    if not _weights(folder):
        raise UserError(
            f"{reference}: there are no weights (*.safetensors)",
            remedy="put the model's weights beside its config.json",
        )
    return folder


def identity(folder: Path) -> str:
    """Content hash of a model's folder: small files whole, weights by pieces and size."""
    digest = hashlib.sha256()
    files = [p for p in folder.iterdir() if p.suffix in (".json", ".jinja", ".model", ".txt")]
    for path in sorted([*files, *_weights(folder)]):
        size = path.stat().st_size
        digest.update(json.dumps([path.name, size]).encode())
        with path.open("rb") as file:
            if size <= WHOLE_BYTES:
                digest.update(file.read())
                continue
            for at in (0, size // 2, size - PIECE):
                file.seek(at)
                digest.update(file.read(PIECE))
    return digest.hexdigest()


def load(reference: str, *, dtype: str, device: str) -> Loaded:
    """Load a model and its processor. Nothing is downloaded for a folder; no code of it is run.

    Args:
        reference: a folder, or a name on the hub.
        dtype: one of :data:`DTYPES`; ``auto``: as the weights are kept, on a CPU float32.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` …

    Raises UserError: it cannot be loaded from there, it is no chat model, no such device.
    """
    import torch

    folder = located(reference)
    chosen = device
    if device == "auto":
        chosen = "cuda" if torch.cuda.is_available() else "cpu"
    kind: Any = "float32" if dtype == "auto" and chosen == "cpu" else dtype
    where: dict[str, Any] = {"local_files_only": folder is not None, "trust_remote_code": False}
    named = str(folder) if folder is not None else reference
    try:
        with _quiet():
            model, sees = _model(named, kind, where)
        processor = _processor(named, sees, where)
    except ImportError as error:
        raise UserError(
            f"{reference} needs a package that is not installed: {_first_line(error)}",
            remedy="pip install 'vidocq[models]', and what the message names",
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{reference}: no model can be loaded from there: {_first_line(error)}",
            remedy="name a folder with config.json, weights and tokenizer, or a model of the hub",
        ) from None
    try:
        model = model.to(torch.device(chosen)).eval()
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"{reference} cannot run on {chosen}: {_first_line(error)}",
            remedy="set model_device = cpu, or model_dtype = bfloat16",
        ) from None
    tokenizer = getattr(processor, "tokenizer", processor)
    if not (getattr(processor, "chat_template", None) or getattr(tokenizer, "chat_template", None)):
        raise UserError(
            f"{reference} has no chat template, so it was not made to be asked",
            remedy="name an instruct model, or put its chat_template.jinja into the folder",
        )
    tokenizer.padding_side = "left"
    tokenizer.model_max_length = 1 << 40  # what fits is checked before each request
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    told = model.config.get_text_config()
    return Loaded(
        model=model,
        processor=processor,
        tokenizer=tokenizer,
        sees=sees,
        vocabulary=int(told.vocab_size),
        context=getattr(told, "max_position_embeddings", None),
        device=torch.device(chosen),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No bar of progress where nobody watches."""
    from transformers.utils import logging as told

    logging: Any = told
    shown = logging.is_progress_bar_enabled()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _model(named: str, dtype: Any, where: dict[str, Any]) -> tuple[Any, bool]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    config = AutoConfig.from_pretrained(named, **where)
    sees = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    auto = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    return auto.from_pretrained(named, dtype=dtype, **where), sees


def _processor(named: str, sees: bool, where: dict[str, Any]) -> Any:
    from transformers import AutoProcessor, AutoTokenizer

    return (AutoProcessor if sees else AutoTokenizer).from_pretrained(named, **where)


def _weights(folder: Path) -> list[Path]:
    return [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
