"""Captioners: from an interval of video to observations with numbers, and words made from them."""

from __future__ import annotations

from pathlib import Path

from tools.ports import Captioner

__all__ = ["embedded_captioner"]


def embedded_captioner(cache_dir: Path | None = None) -> Captioner:
    """The captioner that needs no model: motion and attribute perception on a CPU.

    Args:
        cache_dir: folder where what was measured is kept, so that the same stretch is never
            measured twice; None keeps it in memory for the life of the captioner.
    """
    from tools.backends.embedded.perception.captioner import EmbeddedCaptioner

    return EmbeddedCaptioner(cache_dir)
