"""Why a stretch cannot be judged: the camera's health, from the percepts of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.types import VideoInfo, clock

__all__ = ["frame_faults", "problems", "size_problem", "steady"]

_REMEDY = "induce rules for this viewpoint as another scene"
_LEAST_SHARE = 0.3
"""A fault counts when it covers this share of the stretch …"""
_LEAST_S = 1.0
"""… or lasts this long."""
_BLACK_LUMA, _FLAT_CONTRAST = 18.0, 4.0
_FROZEN_S = 2.0
_SAME_VIEW = 0.62
"""Edges of the same view keep this share of their usual agreement with the background, whoever
walks through it; another view of a similar place does not."""
_OTHER_FOREGROUND, _LASTING_S = 0.4, 8.0
_MOST_FOREGROUND = 0.5
"""With more of the picture unlike the background, it is the picture that changed."""
_SHIFT_PX = 0.6
"""Pixels per analysed frame that the whole picture must move to count as camera motion."""


def size_problem(info: VideoInfo, full: tuple[int, int]) -> str | None:
    """Another frame size than the scene's, or None."""
    if (info.width, info.height) == full:
        return None
    return (
        f"{info.name} is {info.width}×{info.height} pixels, the scene's normal clips "
        f"{full[0]}×{full[1]}: it cannot be judged by them ({_REMEDY})"
    )


def steady(percept: FramePercept) -> bool:
    """Whether a frame's foreground and flow mean anything: no cut, flash or moving camera."""
    health = percept.health
    moved = health[Health.TOGETHER] > 0.7 and health[Health.SHIFT] * health[Health.GAP] > _SHIFT_PX
    return bool(health[Health.FOREGROUND] <= _MOST_FOREGROUND and not moved)


def frame_faults(
    percepts: Sequence[FramePercept], view: float | None
) -> dict[str, NDArray[np.bool_]]:
    """For each kind of fault the frames that have it, shape ``(n,)``.

    ``view``: usual correlation of edges with the background's; None without a scene.
    """
    health = np.array([p.health for p in percepts], np.float64).reshape(-1, len(Health))
    luma, contrast = health[:, Health.LUMA], health[:, Health.CONTRAST]
    black = (luma < _BLACK_LUMA) & (contrast < 8.0)
    blank = ~black & (contrast < _FLAT_CONTRAST)
    gap = health[:, Health.GAP]
    moving = (health[:, Health.TOGETHER] > 0.7) & (health[:, Health.SHIFT] * gap > _SHIFT_PX)
    same = health[:, Health.CHANGE] < 0.005
    frozen = np.zeros(len(percepts), np.bool_)
    for start, end in _runs(same):
        if gap[start:end].sum() >= _FROZEN_S:
            frozen[start:end] = True
    seen = ~black & ~blank
    if view is None:
        other = seen & (health[:, Health.VIEW] < 0.15)
    else:
        unlike = seen & (health[:, Health.VIEW] < _SAME_VIEW * view)
        # A lorry passing close hides edges too, but not most of the picture and not for long.
        lasting = bool(unlike.mean() >= 0.8 and gap.sum() >= _LASTING_S)
        other = unlike & (lasting | (health[:, Health.FOREGROUND] > _OTHER_FOREGROUND))
    return {
        "black": black,
        "blank": blank,
        "frozen": frozen & seen,
        "moved": moving & seen & ~other,
        "other": other,
        "changed": seen & ~other & ~moving & (health[:, Health.FOREGROUND] > _MOST_FOREGROUND),
    }


def problems(
    percepts: Sequence[FramePercept],
    info: VideoInfo,
    settings: PerceptionSettings,
    view: float | None,
) -> tuple[str, ...]:
    """Sentences saying why the stretch cannot be judged; empty where it can."""
    if len(percepts) < 2:
        return ("too few frames to see motion",)
    gaps = np.array([p.health[Health.GAP] for p in percepts], np.float64)
    if float(np.median(gaps)) > 1.0 / settings.min_fps:
        return (
            f"{1 / float(np.median(gaps)):.1f} frames a second are too few to follow motion "
            f"(at least {settings.min_fps:.0f} are needed)",
        )
    known = {
        "black": "the picture is nearly black",
        "blank": "the picture is one even colour",
        "frozen": "the picture stands still (frozen)",
        "moved": "the whole picture moves: the camera was moved or shaken",
        "changed": "most of the picture differs from the background (light, smoke, a cut or "
        "something very close)",
        "other": "the picture differs altogether from most of this video (a cut, a title card or "
        "a covered lens)"
        if view is None
        else "the view differs from the scene's normal clips: moved, covered or lit otherwise "
        f"({_REMEDY})",
    }
    base = float(info.time_base.fraction)
    found: list[str] = []
    for kind, at in frame_faults(percepts, view).items():
        seconds = float(gaps[at].sum())
        if not at.any() or (at.mean() < _LEAST_SHARE and seconds < _LEAST_S):
            continue
        spans = [
            f"{clock(percepts[a].pts * base)}–{clock(percepts[b - 1].pts * base + gaps[b - 1])}"
            for a, b in _runs(at)
            if gaps[a:b].sum() >= 0.3
        ]
        when = "throughout" if at.mean() > 0.9 else ", ".join(spans[:3])
        found.append(f"{known[kind]}{', ' + when if when else ''}")
    return tuple(found)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    padded = np.concatenate([[False], mask, [False]]).astype(np.int8)
    change = np.diff(padded)
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
