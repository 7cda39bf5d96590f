"""Backends by name. A factory checks that its packages are there, says how to install them, then
imports. Importing this module loads no heavy library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tools.errors import UserError
from tools.ports import BoundaryDetector, Captioner, Embedder, Planner, Verifier

__all__ = ["CAPTIONERS", "DETECTORS", "EMBEDDERS", "PLANNERS", "VERIFIERS", "make"]

T = TypeVar("T")


def _captioner(cache: Path, *, causal: bool = False) -> Captioner:
    from tools.captioning import embedded_captioner

    return embedded_captioner(cache, causal=causal)


def _detector(cache: Path) -> BoundaryDetector:
    from tools.boundaries import embedded_detector

    return embedded_detector()


def _verifier(cache: Path) -> Verifier:
    from tools.verification import embedded_verifier

    return embedded_verifier()


def _planner(cache: Path) -> Planner:
    from tools.verification import embedded_planner

    return embedded_planner()


def _embedder(cache: Path) -> Embedder:
    from tools.backends.embedded.embedder import HashedEmbedder

    return HashedEmbedder()


CAPTIONERS: Mapping[str, Callable[..., Captioner]] = {"embedded": _captioner}
DETECTORS: Mapping[str, Callable[[Path], BoundaryDetector]] = {"embedded": _detector}
VERIFIERS: Mapping[str, Callable[[Path], Verifier]] = {"embedded": _verifier}
PLANNERS: Mapping[str, Callable[[Path], Planner]] = {"embedded": _planner}
EMBEDDERS: Mapping[str, Callable[[Path], Embedder]] = {"embedded": _embedder}


def make(
    role: str, name: str, factories: Mapping[str, Callable[..., T]], cache: Path, **options: Any
) -> T:
    """The backend a setting names. Raises UserError for a name that is none.

    Args:
        role: the setting's name, for the message.
        cache: a folder the backend may keep files in.
        options: what else the role's factories take (captioners: ``causal``).
    """
    if name not in factories:
        known = ", ".join(factories)
        raise UserError(f"{role}: there is no backend {name!r}", remedy=f"available: {known}")
    return factories[name](cache, **options)
