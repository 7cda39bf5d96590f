"""Captioners: from an interval of video to observations with numbers, and words made from them."""

from __future__ import annotations

from pathlib import Path

from tools.ports import Captioner

__all__ = ["embedded_captioner"]


def embedded_captioner(cache_dir: Path | None = None, *, causal: bool = False) -> Captioner:
    """The captioner that needs no model: motion and attribute perception on a CPU.

    Args:
        cache_dir: folder where what was measured is kept, so that the same stretch is never
            measured twice; None keeps it in memory for the life of the captioner.
        causal: the frame series is that of a camera watched live: nothing in it depends on later
            frames. Otherwise it is that of a recording. Scenes are learned for one or the other.
    """
    from tools.backends.embedded.perception.captioner import EmbeddedCaptioner
    from tools.backends.embedded.perception.settings import PerceptionSettings

    return EmbeddedCaptioner(cache_dir, PerceptionSettings(causal=causal))
