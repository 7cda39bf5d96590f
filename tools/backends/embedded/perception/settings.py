"""Constants of the embedded perception, in units of a person's height and of seconds.

None of them was chosen on anomaly labels: they are physical priors (how people are built and
walk), limits of the measuring (flow, sampling) or plain engineering (block and image sizes).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

from tools.types import content_id

__all__ = ["CODE_VERSION", "DEFAULTS", "PerceptionSettings"]

CODE_VERSION = "11"
"""Raised whenever the same frames would give other percepts or another series; part of every cache
key."""


@dataclass(frozen=True)
class PerceptionSettings:
    """All tunable numbers of the percepts (what is measured per frame)."""

    max_width: int = 480
    """Analysis width at most, in pixels: flow on larger images costs time and gains nothing."""
    person_px: tuple[int, int] = (20, 60)
    """A person is analysed at about this height, in pixels."""
    max_fps: float = 12.6
    """Fine analysis takes every n-th frame so that at most this many a second remain."""
    min_fps: float = 3.0
    """Below this limb motion and paths cannot be followed: said, not guessed."""
    sample_frames: int = 72
    """Frames sampled from all normal clips together for the background."""
    noise_factor: float = 3.0
    """Foreground threshold in standard deviations of the pixel noise."""
    threshold_range: tuple[float, float] = (7.0, 25.0)
    """… but within these grey levels."""
    window_width: float = 0.6
    """Width of a person window in heights."""
    window_step: float = 0.15
    """Distance between neighbouring windows in heights."""
    core_share: float = 0.30
    """A window is measured from this share of foreground in its core on."""
    min_height_px: float = 10.0
    """Windows lower than this are not measured: flow is coarser than a limb there."""
    border_px: int = 2
    """Windows cut by the left or right image border are not measured: flow enters from nowhere."""
    fast_factor: float = 1.6
    """Pixels faster than this × the usual walking speed make up the *fast* regions."""
    walk_prior: float = 0.8
    """Usual walking speed without a scene: heights per second (1.4 m/s over 1.7 m)."""
    causal: bool = False
    """Nothing measured of a frame depends on later frames (online), else on the video around."""
    block: int = 32
    """Analysed frames per cached block."""

    @cached_property
    def key(self) -> str:
        """Content hash, part of every cache key."""
        return content_id(CODE_VERSION, asdict(self))


DEFAULTS = PerceptionSettings()
