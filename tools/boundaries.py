"""Boundary signal → event tree: where a video falls into events, coarse and fine.

The public face of :mod:`tools.events`, and the detectors that make the signal.
"""

from __future__ import annotations

from tools.events.growing import GrowingTree
from tools.events.marks import Limits
from tools.events.peaks import peaks, plateaus, two_means_threshold
from tools.events.reference import ReferenceSpans, reference_spans
from tools.events.tree import found_boundaries, offline_tree, reference_tree
from tools.ports import BoundaryDetector, BoundarySignal
from tools.types import EventTree, TimeBase, VideoInfo

__all__ = [
    "GrowingTree",
    "ReferenceSpans",
    "boundaries",
    "build_tree",
    "embedded_detector",
    "growing_tree",
    "peaks",
    "plateaus",
    "reference_spans",
    "two_means_threshold",
]

GAMMA = 0.3
"""Least confidence of a boundary."""
MIN_EVENT_S = 0.5
MAX_COARSE_S = 20.0
"""Longer coarse events are divided even where nothing stands out: a still hour is looked at too."""


def embedded_detector(*, samples_per_s: float = 8.0, causal: bool = False) -> BoundaryDetector:
    """The motion and appearance detector, which needs OpenCV and PySceneDetect only.

    ``causal``: what is unusual is judged from what came before, as for a stream.
    """
    from tools.backends.embedded.boundaries import MotionBoundaryDetector

    return MotionBoundaryDetector(samples_per_s=samples_per_s, causal=causal)


def build_tree(
    signal: BoundarySignal,
    info: VideoInfo,
    *,
    gamma: float = GAMMA,
    min_event_s: float = MIN_EVENT_S,
    max_event_s: float = MAX_COARSE_S,
    reference: bool = False,
    causal: bool = False,
) -> EventTree:
    """The event tree of a video.

    1. *Peaks*: one per plateau of the signal, ``gamma`` high at least, and every hard cut.
    2. *Strongest first*, each keeps ``min_event_s`` from those taken and from the video's ends, a
       second where it is less than 0.5 sure; only hard cuts may be closer.
    3. *Two-means* over the strengths: the higher cluster bounds coarse events; where clustering
       is impossible, all boundaries do.
    4. *Lengths*: no coarse event is longer than ``max_event_s`` (up to the spacing of samples),
       no fine one than 8 s, and there are about 400 coarse ones an hour at most. Beyond an hour
       lengths and numbers grow with the root of the duration.
    5. *Leaves*: the fine events of a coarse one partition it. A coarse event without a second
       boundary in reach has none and is a leaf itself, so that no stretch appears twice:
       :attr:`EventTree.coarse` and :attr:`EventTree.leaves` both partition the video.

    Args:
        signal: samples in presentation order, with times before ``info.duration``.
        gamma: least confidence of a boundary.
        min_event_s: shortest event, in seconds; a video shorter than that is one event.
        max_event_s: longest coarse event, in seconds.
        reference: build the tree of :func:`reference_spans` instead, where a coarse event may
            have a single fine child of the same stretch, as in the describe-and-verify system.
        causal: decide each event from the samples up to it (see :class:`GrowingTree`), as for a
            stream; else with the whole signal at hand.

    Raises:
        ValueError: settings that contradict each other, or a signal of another video.
    """
    _checked(min_event_s, max_event_s)
    if signal.video_id != info.id:
        raise ValueError(f"the signal is of video {signal.video_id}, not of {info.id}")
    if reference:
        return reference_tree(signal, info, gamma)
    if causal:
        growing = growing_tree(
            info.id,
            info.time_base,
            gamma=gamma,
            min_event_s=min_event_s,
            max_event_s=max_event_s,
        )
        growing.feed_signal(signal)
        return growing.tree(info.duration)
    return offline_tree(signal, info, gamma, min_event_s, max_event_s)


def growing_tree(
    video_id: str,
    time_base: TimeBase,
    *,
    gamma: float = GAMMA,
    min_event_s: float = MIN_EVENT_S,
    max_event_s: float = MAX_COARSE_S,
) -> GrowingTree:
    """A tree to be fed sample by sample; arguments as for :func:`build_tree`. Raises ValueError."""
    _checked(min_event_s, max_event_s)
    return GrowingTree(
        video_id, time_base, gamma=gamma, min_event_s=min_event_s, max_event_s=max_event_s
    )


def boundaries(
    signal: BoundarySignal,
    info: VideoInfo,
    *,
    gamma: float = GAMMA,
    min_event_s: float = MIN_EVENT_S,
) -> tuple[int, ...]:
    """Ticks of the boundaries found, increasing, without those that lengths alone demand."""
    limits = Limits.of(info.time_base, info.seconds, min_event_s, MAX_COARSE_S)
    return tuple(found_boundaries(signal, info, limits, gamma))


def _checked(min_event_s: float, max_event_s: float) -> None:
    if min_event_s <= 0 or max_event_s < 2 * min_event_s:
        raise ValueError("max_event_s must be at least twice min_event_s, which must be above 0")
