"""Draws figures into frames with sub-pixel placement, and measures what of them is in view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from evals.scenes.figures import Disc, Limb, Poly, Ring, Shape
from tools.types import Box

__all__ = ["Drawn", "draw"]

_FINE = 3
"""Supersampling per axis: limbs are 2–4 px wide and must move smoothly."""
_FIX = 16
_SHEAR, _FLAT = 0.35, 0.16
"""A high sun: shadows lean to the right and are short."""


@dataclass(frozen=True)
class Drawn:
    """What of a figure is in the frame: tight box (None outside) and visible share of its area."""

    box: Box | None
    share: float


def draw(
    frame: NDArray[np.float32],
    shapes: Sequence[Shape],
    foot: tuple[float, float],
    height: float,
    *,
    shadow: float = 0.3,
) -> Drawn:
    """Paint ``shapes`` (body units) with their ground point at ``foot`` (x, y pixels).

    ``frame`` is ``float32 (h, w, 3)`` BGR and is changed in place. ``height`` is the body height
    in pixels. Returns what is visible of the figure itself (its shadow does not count).
    """
    x0, y0, x1, y1 = _bounds(shapes)
    left = int(np.floor(foot[0] + x0 * height)) - 1
    top = int(np.floor(foot[1] - y1 * height)) - 1
    right = int(np.ceil(foot[0] + x1 * height)) + 1
    bottom = int(np.ceil(foot[1] - y0 * height)) + 1
    if right <= 0 or bottom <= 0 or left >= frame.shape[1] or top >= frame.shape[0]:
        return Drawn(box=None, share=0.0)
    if shadow > 0:
        _cast(frame, shapes, foot, height, shadow)
    w, h = right - left, bottom - top
    fine = np.zeros((h * _FINE, w * _FINE, 4), np.uint8)
    scale = height * _FINE
    origin = ((foot[0] - left) * _FINE, (foot[1] - top) * _FINE)
    for shape in shapes:
        _stamp(fine, shape, origin, scale, (*shape.colour, 255.0))
    # Undrawn pixels are black, so the averaged colour comes out premultiplied by the coverage.
    soft = cv2.resize(fine, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
    paint, alpha = soft[..., :3], soft[..., 3] / 255.0

    fx0, fy0 = max(left, 0), max(top, 0)
    fx1, fy1 = min(right, frame.shape[1]), min(bottom, frame.shape[0])
    inside = (slice(fy0 - top, fy1 - top), slice(fx0 - left, fx1 - left))
    seen = alpha[inside]
    view = frame[fy0:fy1, fx0:fx1]
    view *= 1.0 - seen[..., None]
    view += paint[inside]
    ys, xs = np.nonzero(seen > 0.3)
    share = float(seen.sum() / max(float(alpha.sum()), 1e-6))
    if ys.size == 0:
        return Drawn(box=None, share=share)
    box = Box(
        x0=int(xs.min()) + fx0,
        y0=int(ys.min()) + fy0,
        x1=int(xs.max()) + fx0 + 1,
        y1=int(ys.max()) + fy0 + 1,
    )
    return Drawn(box=box, share=share)


def _cast(
    frame: NDArray[np.float32],
    shapes: Sequence[Shape],
    foot: tuple[float, float],
    height: float,
    strength: float,
) -> None:
    """Darken the ground where the figure's flattened, sheared outline falls."""
    x0, _, x1, y1 = _bounds(shapes)
    left = int(np.floor(foot[0] + x0 * height)) - 2
    right = int(np.ceil(foot[0] + (x1 + _SHEAR * y1) * height)) + 3
    top = int(np.floor(foot[1] - _FLAT * y1 * height)) - 2
    bottom = int(np.ceil(foot[1])) + 3
    fx0, fy0 = max(left, 0), max(top, 0)
    fx1, fy1 = min(right, frame.shape[1]), min(bottom, frame.shape[0])
    if fx0 >= fx1 or fy0 >= fy1:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    for shape in shapes:
        if isinstance(shape, Ring):
            continue
        _stamp(
            mask,
            shape,
            (foot[0] - left, foot[1] - top),
            height,
            (255.0,),
            shear=_SHEAR,
            flat=_FLAT,
        )
    soft = cv2.blur(mask, (3, 3)).astype(np.float32) * (strength / 255.0)
    frame[fy0:fy1, fx0:fx1] *= 1.0 - soft[fy0 - top : fy1 - top, fx0 - left : fx1 - left, None]


def _bounds(shapes: Sequence[Shape]) -> tuple[float, float, float, float]:
    xs: list[float] = []
    ys: list[float] = []
    for shape in shapes:
        match shape:
            case Limb():
                reach = max(shape.ra, shape.rb)
                points = (shape.a, shape.b)
            case Disc():
                reach, points = shape.radius, (shape.centre, shape.centre)
            case Ring():
                reach, points = shape.radius + shape.width, (shape.centre, shape.centre)
            case Poly():
                reach, points = 0.0, shape.points  # type: ignore[assignment]
        for x, y in points:
            xs += [x - reach, x + reach]
            ys += [y - reach, y + reach]
    return min(xs), min(ys), max(xs), max(ys)


def _stamp(
    target: NDArray[np.uint8],
    shape: Shape,
    origin: tuple[float, float],
    scale: float,
    colour: tuple[float, ...],
    *,
    shear: float = 0.0,
    flat: float = 1.0,
) -> None:
    def at(point: tuple[float, float]) -> tuple[int, int]:
        x, y = point
        return (
            round((origin[0] + (x + shear * y) * scale) * _FIX),
            round((origin[1] - flat * y * scale) * _FIX),
        )

    def length(value: float) -> int:
        return max(1, round(value * scale * _FIX))

    match shape:
        case Limb():
            a, b = at(shape.a), at(shape.b)
            ra, rb = length(shape.ra), length(shape.rb)
            norm = math.hypot(b[0] - a[0], b[1] - a[1])
            if norm > 0:
                nx, ny = (a[1] - b[1]) / norm, (b[0] - a[0]) / norm
                quad = [
                    (round(a[0] + nx * ra), round(a[1] + ny * ra)),
                    (round(b[0] + nx * rb), round(b[1] + ny * rb)),
                    (round(b[0] - nx * rb), round(b[1] - ny * rb)),
                    (round(a[0] - nx * ra), round(a[1] - ny * ra)),
                ]
                cv2.fillConvexPoly(target, np.array(quad, np.int32), colour, cv2.LINE_8, 4)
            if min(ra, rb) > _FIX:
                cv2.circle(target, a, ra, colour, -1, cv2.LINE_8, 4)
                cv2.circle(target, b, rb, colour, -1, cv2.LINE_8, 4)
        case Disc():
            cv2.circle(target, at(shape.centre), length(shape.radius), colour, -1, cv2.LINE_8, 4)
        case Ring():
            width = max(1, round(shape.width * scale))
            cv2.circle(target, at(shape.centre), length(shape.radius), colour, width, cv2.LINE_8, 4)
        case Poly():
            points = np.array([at(p) for p in shape.points], np.int32)
            cv2.fillPoly(target, [points], colour, cv2.LINE_8, 4)
