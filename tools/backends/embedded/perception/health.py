"""The camera's health: which stretches cannot be judged and why, from the percepts of the frames.

Every test compares a frame with the scene's background (or, without a scene, with the footage's
own): its light, its sharpness, its edges, its coarse look. A lorry that passes close hides edges
and coarse look at once; a camera that was turned keeps the coarse look of the place and loses the
edges; a lens out of focus keeps both and loses sharpness; a change of light keeps the edges. So no
single measure accuses, and what crosses the picture for a moment is no fault of the camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.measuring import frame_step
from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.types import HealthEvent, HealthKind, Interval, VideoInfo, clock, content_id

__all__ = ["Checkup", "examine", "frame_faults", "said", "size_problem", "steady", "unsteady"]

Mask = NDArray[np.bool_]
_Run = tuple[HealthKind, int, int]
"""A fault with its first frame and the one after its last, by position."""

_REMEDY = "induce rules for this viewpoint as another scene"
_WORDS: dict[HealthKind, str] = {
    "black": "the picture is nearly black",
    "blank": "the picture is one even colour",
    "frozen": "the picture stands still (frozen)",
    "title": "a still card of one plain colour with writing or signs (a title card) is shown",
    "covered": "a large part of the picture is one even colour: the lens is covered",
    "defocused": "the picture is blurred: the lens is out of focus, wet or dirty",
    "moved": "the whole picture moves: the camera was moved or shaken",
    "light": "the light or the colours differ altogether from the usual (day and night switched, "
    "or the exposure)",
    "view": "the view differs from the scene's normal clips: the camera was moved or turned, or "
    f"something stands before it ({_REMEDY})",
    "other": "the picture differs altogether from most of this video (a cut or a covered lens)",
    "changed": "most of the picture differs from the background (smoke, a flash or something very "
    "close)",
    "cut": "the picture jumps to another one (a cut)",
}
_LEAST_S: dict[HealthKind, float] = {
    "black": 0.25, "blank": 0.25, "title": 0.25, "covered": 0.4, "frozen": 2.0, "cut": 0.0,
    "other": 0.5, "view": 0.8, "defocused": 0.8, "light": 0.8, "moved": 0.8, "changed": 0.8,
}  # fmt: skip
"""Seconds from which on a fault is told. In the order in which one cause excludes the next, frames
of a joined run belong to the first that claims them."""
_ORDER: tuple[HealthKind, ...] = (
    "black", "blank", "title", "covered", "frozen", "moved", "defocused", "light", "view", "other",
    "changed",
)  # fmt: skip
_JOIN_S, _DENSE = 0.7, 0.4
"""Runs this close are one, where this share of the frames in between has the fault."""
_FADE_S = 2.0
"""An even picture this short that touches a title card is that card, faded or pushed in or out."""
_BLACK_LUMA, _BLACK_CONTRAST, _FLAT_CONTRAST = 18.0, 8.0, 4.0
_DIM = 0.5
"""A scene that is itself this dark, relative to its background, is not black."""
_STILL, _STILL_EMPTY, _EMPTY = 0.05, 0.005, 0.002
"""Mean change, grey levels, under which a picture stands still: coding alone stirs it as much.
Where hardly anything but background is seen nothing may have moved: less is asked for."""
_RECODED, _RECODED_CHANGE = 2, 1.0
"""Frames in a row, and their mean change, that coding anew alone explains."""
_SAME_VIEW = 0.68
"""Edges of the same view keep this share of their usual agreement with the background …"""
_HIDDEN_VIEW = 0.62
_ALIKE = 0.6
"""… while the coarse picture of a place that is seen from a little elsewhere stays this alike."""
_NO_VIEW = 0.15
"""Correlation of edges under which two pictures have nothing in common."""
_OTHER_FOREGROUND, _LASTING_S = 0.4, 8.0
_MOST_FOREGROUND = 0.5
"""With more of the picture unlike the background, it is the picture that changed."""
_EVEN = 0.45
"""Share of one grey level from which on a picture is mostly one colour (scenes have a third)."""
_PLAIN, _CARD_VIEW = 0.64, (0.15, 0.75)
"""Share without any gradient from which on a picture of two tones is drawn, not filmed, where it
does not look like the background (a scene's, or that of the footage, which may hold the card)."""
_DRAWN = 1.5
"""Sharpness, over the background's, from which on edges were drawn: what covers a lens hides edges
and has hardly any of its own."""
_BLURRED = 0.58
"""Sharpness, per light, under which edges are out of focus (scenes keep nine tenths)."""
_DARK, _BRIGHT, _PALE = 0.6, 1.6, 0.35
_NIGHT = 0.4
_LIGHT_STEP, _LIGHT_S = 0.08, 1.0
"""Share by which the light changes within so long before and after: no drift, an exposure or a
lamp."""
_SHIFT_PX, _TOGETHER = 0.6, 0.7
"""Pixels per analysed frame that this share of the picture must move to count as camera motion."""
_CUT_JOIN, _CUT_CHANGE = 0.5, 12.0
_JUDGED_S, _JUDGED_SHARE = 1.0, 0.15
"""With less left to judge than this, the whole stretch is not judged."""


@dataclass(frozen=True, eq=False)
class Checkup:
    """What a stretch's frames say of the camera.

    ``problems``: sentences why *nothing* of it can be judged; empty where something can.
    ``events``: what was wrong and when. ``blind``: frames that cannot be judged, by frame index.
    """

    problems: tuple[str, ...] = ()
    events: tuple[HealthEvent, ...] = ()
    blind: frozenset[int] = frozenset()


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
    moved = (
        health[Health.TOGETHER] > _TOGETHER
        and health[Health.SHIFT] * health[Health.GAP] > _SHIFT_PX
    )
    return bool(health[Health.FOREGROUND] <= _MOST_FOREGROUND and not moved)


def unsteady(percepts: Sequence[FramePercept], base: float) -> frozenset[int]:
    """Frames around which the light of the picture changes: what comes into being then may be lit.

    ``base``: seconds per tick.
    """
    times = np.array([p.pts for p in percepts], np.float64) * base
    light = np.array([p.health[Health.LIGHT] for p in percepts], np.float64)
    first, end = (np.searchsorted(times, times + s) for s in (-_LIGHT_S, _LIGHT_S))
    around = zip(percepts, first.tolist(), end.tolist(), strict=True)
    return frozenset(
        p.frame for p, a, b in around if np.ptp(light[a:b]) > _LIGHT_STEP * max(light[a:b])
    )


def frame_faults(
    percepts: Sequence[FramePercept], spacing: NDArray[np.float64], view: float | None
) -> dict[HealthKind, Mask]:
    """For each kind of fault the frames that show it, shape ``(n,)``; a frame may show several.

    ``spacing``: seconds each frame stands for. ``view``: usual correlation of edges with the
    background's; None without a scene.
    """
    health = np.array([p.health for p in percepts], np.float64).reshape(-1, len(Health))
    luma, contrast, light = (health[:, h] for h in (Health.LUMA, Health.CONTRAST, Health.LIGHT))
    gap, change, flat = (health[:, h] for h in (Health.GAP, Health.CHANGE, Health.FLAT))
    foreground, alike = health[:, Health.FOREGROUND], health[:, Health.ALIKE]
    black = (luma < _BLACK_LUMA) & (contrast < _BLACK_CONTRAST)
    if view is not None:
        black &= light < _DIM
    blank = ~black & (contrast < _FLAT_CONTRAST)
    seen = ~black & ~blank
    agreement = health[:, Health.VIEW] / max(view, 0.3) if view else health[:, Health.VIEW]
    sharp = health[:, Health.SHARP] / np.clip(light, 0.05, 1.0)
    strange = agreement < (_NO_VIEW if view else 2 * _NO_VIEW)  # own footage may hold the card
    still = change < np.where(foreground > _EMPTY, _STILL, _STILL_EMPTY)
    for start, end in _runs(~still):  # a key frame codes the same picture anew
        inside = start > 0 and end < len(still)
        if inside and end - start <= _RECODED and change[start:end].max() < _RECODED_CHANGE:
            still[start:end] = True
    even = seen & (flat > _EVEN) & (alike < _ALIKE)
    strange |= (health[:, Health.SHARP] > _DRAWN) & (agreement < _SAME_VIEW)
    card = (even & strange) | (
        (health[:, Health.PLAIN] > _PLAIN) & (agreement < _CARD_VIEW[view is None])
    )
    title = seen & card & (health[:, Health.SHARP] > 0.4) & (change < 2.0)
    moved = (health[:, Health.TOGETHER] > _TOGETHER) & (health[:, Health.SHIFT] * gap > _SHIFT_PX)
    place = seen & (alike > _ALIKE)  # the same place, coarsely
    blurred = place & (sharp < _BLURRED) & (agreement > 0.4)
    pale = health[:, Health.COLOUR] < _PALE
    lit = (light < _DARK) | (light > _BRIGHT) | pale
    unlike = foreground > _MOST_FOREGROUND
    other_light = place & ~blurred & lit & (unlike | (pale & (foreground > 0.15)))
    other_light |= seen & (light < _NIGHT) & (health[:, Health.SHARP] < _DIM) & ~even & ~blurred
    other = np.zeros(len(percepts), np.bool_)
    turned = other.copy()
    if view is None:
        other = seen & (health[:, Health.VIEW] < _NO_VIEW) & ~title
    else:
        turned = place & (agreement < _SAME_VIEW) & ~blurred & ~other_light
        hidden = seen & (agreement < _HIDDEN_VIEW)
        turned |= hidden & (foreground > _OTHER_FOREGROUND)
        turned |= _lasting(hidden, spacing)
    return {
        "black": black,
        "blank": blank,
        "title": title,
        "covered": even & ~title & (unlike | (sharp < 0.7)),
        "frozen": seen & _lasting(still, spacing, _LEAST_S["frozen"]),
        "moved": seen & moved,
        "defocused": blurred,
        "light": other_light,
        "view": turned,
        "other": other,
        "changed": seen & unlike & ~moved,
        "cut": (health[:, Health.JOIN] < _CUT_JOIN) & (change > _CUT_CHANGE),
    }


def examine(
    percepts: Sequence[FramePercept],
    interval: Interval,
    info: VideoInfo,
    settings: PerceptionSettings,
    view: float | None,
) -> Checkup:
    """Check the camera over an interval; ``percepts`` may reach beyond it on both sides."""
    inner = [p for p in percepts if interval.contains(p.pts)]
    if len(inner) < 2:
        few = inner or _expected(interval, info, settings) < 2
        return Checkup(
            ("too few frames to see motion" if few else "no frame of this stretch decodes",)
        )
    gaps = np.array([p.health[Health.GAP] for p in percepts], np.float64)
    usual = float(np.median(gaps))
    if usual > 1.0 / settings.min_fps:
        return Checkup(
            (
                f"{1 / usual:.1f} frames a second are too few to follow motion (at least "
                f"{settings.min_fps:.0f} are needed)",
            )
        )
    # A thin look measures every second frame: what a frame stands for is more than its own gap.
    pts = np.array([p.pts for p in percepts], np.float64)
    steps = np.diff(pts) * float(info.time_base.fraction)
    spacing = np.append(steps, float(np.median(steps)))
    claimed = np.zeros(len(percepts), np.bool_)
    events: list[HealthEvent] = []
    runs: list[_Run] = []
    faults = frame_faults(percepts, spacing, view)
    faults["title"] = _cards(faults, spacing)
    shaken = claimed.copy()
    for kind in (*_ORDER, "cut"):
        free = faults[kind] & ~(shaken if kind == "cut" else claimed)
        for first, end in _told(kind, free, spacing):
            if kind != "cut":
                claimed[first:end] = True
            if kind == "moved":
                shaken[first:end] = True
            runs.append((kind, first, end))
    for kind, first, end in runs:
        span = _span(percepts, first, end, float(spacing[-1]), info).intersection(interval)
        if span is not None:
            frames = (percepts[first].frame, percepts[end - 1].frame)
            events.append(_event(kind, span, info, frames))
    # Flow into the first frame after a fault, or across a cut, is flow from another picture.
    without = claimed | faults["cut"]
    without[1:] |= claimed[:-1]
    blind = frozenset(p.frame for p, lost in zip(percepts, without, strict=True) if lost)
    inside = np.array([interval.contains(p.pts) for p in percepts])
    left, total = float(spacing[inside & ~claimed].sum()), float(spacing[inside].sum())
    told = tuple(sorted(events, key=lambda e: (e.interval.start, _rank(e.kind))))
    least = min(_JUDGED_S, 0.5 * total)
    if claimed[inside].any() and (left < least or left < _JUDGED_SHARE * total):
        reasons = tuple(said(e, interval) for e in told if e.kind != "cut")
        return Checkup(reasons or ("the picture cannot be judged",), told, blind)
    return Checkup((), told, blind)


def _expected(interval: Interval, info: VideoInfo, settings: PerceptionSettings) -> float:
    """About how many frames of an interval would be analysed if all of them decode."""
    frames = min(info.frames, round(interval.seconds * info.fps))
    return frames / frame_step(info.fps, settings)


def said(event: HealthEvent, whole: Interval) -> str:
    """What was wrong and when, in words; ``whole``: the stretch that is spoken of."""
    if event.kind == "cut":
        return f"{event.text}, at {clock(event.interval.start_s)}"
    if event.interval.seconds > 0.9 * whole.seconds:
        return f"{event.text}, throughout"
    return f"{event.text}, {event.interval}"


def _event(
    kind: HealthKind, span: Interval, info: VideoInfo, frames: tuple[int, int]
) -> HealthEvent:
    return HealthEvent(
        id=content_id("health", info.id, kind, span),
        video_id=info.id,
        kind=kind,
        interval=span,
        text=_WORDS[kind],
        frames=frames,
    )


def _span(
    percepts: Sequence[FramePercept], first: int, end: int, last_s: float, info: VideoInfo
) -> Interval:
    """From the first frame of a run until the frame after its last."""
    if end < len(percepts):
        stop = percepts[end].pts
    else:
        tick = float(info.time_base.fraction)
        stop = percepts[end - 1].pts + max(1, round(last_s / tick))
    start = percepts[first].pts
    return Interval(start=start, end=max(start + 1, stop), time_base=info.time_base)


def _told(kind: HealthKind, mask: Mask, spacing: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Runs of a fault, joined over short breaks, that last long enough to be told."""
    joined: list[tuple[int, int]] = []
    for start, end in _runs(mask):
        if joined and spacing[joined[-1][1] : start].sum() <= _JOIN_S:
            both = (joined[-1][0], end)
            if kind != "cut" and mask[both[0] : both[1]].mean() >= _DENSE:
                joined[-1] = both
                continue
        joined.append((start, end))
    whole = float(spacing.sum())
    least = min(_LEAST_S[kind], 0.3 * whole)
    return [(a, b) for a, b in joined if spacing[a:b].sum() >= least - 1e-6]


def _cards(faults: Mapping[HealthKind, Mask], spacing: NDArray[np.float64]) -> Mask:
    """Frames of title cards, with those in which a card fades or is pushed in or out.

    They look like a covered lens, then like a blank picture. A blank picture that lasts long
    enough to be told is no part of the card, nor is a lens that stays covered.
    """
    title = faults["title"].copy()
    shown = _told("title", title, spacing)
    covered = faults["covered"].copy()
    for first, end in shown:
        covered[first:end] = False
    hidden = _told("covered", covered, spacing)
    short = covered | faults["blank"]  # too short to be told by itself
    for first, end in (*hidden, *_told("blank", faults["blank"], spacing)):
        short[first:end] = False
    for first, end in (*hidden, *_runs(short)):
        beside = any(first - b <= 1 and a - end <= 1 for a, b in shown)
        if beside and spacing[first:end].sum() <= _FADE_S:
            title[first:end] = True
            shown.append((first, end))
    return title


def _rank(kind: HealthKind) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _lasting(mask: Mask, spacing: NDArray[np.float64], least: float = _LASTING_S) -> Mask:
    """The runs of a mask that last long enough, or that fill four fifths of at least as long."""
    kept = np.zeros_like(mask)
    for start, end in _runs(mask):
        if spacing[start:end].sum() >= least:
            kept[start:end] = True
    if least >= _LASTING_S and spacing.sum() >= least and mask.mean() >= 0.8:
        kept |= mask
    return kept


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    padded = np.concatenate([[False], mask, [False]]).astype(np.int8)
    change = np.diff(padded)
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
