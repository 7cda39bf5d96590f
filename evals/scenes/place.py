"""The place: a fixed camera over a walkway between lawns, its perspective and its background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Place", "make_place"]

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Place:
    """Geometry in pixels of the upright frame and the empty scene as ``float32 (h, w, 3)`` BGR."""

    width: int
    height: int
    slope: float
    """Pixels of body height gained per pixel of foot row."""
    horizon: float
    """Row at which a person would have no height (above the frame)."""
    path_top: float
    path_bottom: float
    lanes: tuple[tuple[float, int], ...]
    """Foot row in the middle of the frame and usual direction (+1 right, -1 left) of each lane."""
    tilt: float
    """Rows that the path falls per pixel to the right."""
    background: Image

    def body_height(self, row: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Height in pixels of a person whose feet are at ``row``: linear in the row."""
        return np.asarray(self.slope * (np.asarray(row) - self.horizon), dtype=np.float64)

    def on_path(self, x: float, row: float) -> bool:
        """Whether a foot at (x, row) stands on the path."""
        shift = self.tilt * (x - self.width / 2)
        return bool(self.path_top + shift <= row <= self.path_bottom + shift)


def make_place(seed: int = 0, size: tuple[int, int] = (360, 240)) -> Place:
    """A place that depends on ``seed`` and ``size`` = (width, height) alone.

    Seed 0 is the default viewpoint; other seeds vary the perspective, the path and its colours.
    """
    width, height = size
    rng = np.random.default_rng([seed, 77])
    vary = 0.0 if seed == 0 else 1.0
    near = height * (0.190 + vary * rng.uniform(-0.025, 0.03))
    far = height * (0.108 + vary * rng.uniform(-0.01, 0.02))
    far_row, near_row = 0.40 * height, 0.92 * height
    slope = (near - far) / (near_row - far_row)
    top = height * (0.36 + vary * rng.uniform(-0.02, 0.04))
    bottom = height * (0.92 + vary * rng.uniform(-0.05, 0.02))
    tilt = float(rng.uniform(-0.03, 0.03))
    flow = 1 if seed == 0 or rng.random() < 0.5 else -1
    spread = np.array([0.12, 0.35, 0.60, 0.86])
    rows = top + spread * (bottom - top)
    lanes = tuple((float(r), flow * d) for r, d in zip(rows, (-1, -1, 1, 1), strict=True))
    bare = Place(
        width=width,
        height=height,
        slope=float(slope),
        horizon=float(far_row - far / slope),
        path_top=float(top),
        path_bottom=float(bottom),
        lanes=lanes,
        tilt=tilt,
        background=np.zeros((height, width, 3), np.float32),
    )
    return Place(**{**bare.__dict__, "background": _paint(bare, rng)})


def _paint(place: Place, rng: np.random.Generator) -> Image:
    w, h = place.width, place.height
    rows, cols = np.mgrid[0:h, 0:w].astype(np.float32)
    ground_row = rows - place.tilt * (cols - w / 2)
    grass = _tint((52, 104, 82), _clouds(rng, w, h, 1.2), 15) + _tint(
        (0, 0, 0), _clouds(rng, w, h, 14), 9
    )
    stone = float(rng.uniform(150, 176))
    pave = _tint((stone - 6, stone, stone + 4), _clouds(rng, w, h, 1.0), 5) + _tint(
        (0, 0, 0), _clouds(rng, w, h, 22), 7
    )
    hedge = _tint((34, 62, 46), _clouds(rng, w, h, 2.0), 20)
    wall = _tint((118, 128, 140), _clouds(rng, w, h, 9), 5)

    image = grass.copy()
    hedge_top = 0.07 * h + 0.012 * h * _clouds(rng, w, 1, 6)[0]
    image = np.where((rows < hedge_top[None, :] + 0.13 * h)[..., None], hedge, image)
    image = np.where((rows < hedge_top[None, :])[..., None], wall, image)
    on_path = (ground_row >= place.path_top) & (ground_row <= place.path_bottom)
    image = np.where(on_path[..., None], pave, image)
    _joints(image, place, on_path)
    for edge in (place.path_top, place.path_bottom):
        kerb = np.abs(ground_row - edge) < 1.3
        image[kerb] = image[kerb] * 0.5 + 48.0
    _furniture(image, place)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.6), 0, 255).astype(np.float32)


def _joints(image: Image, place: Place, on_path: NDArray[np.bool_]) -> None:
    """Paving joints: rows closing up with distance, lines meeting at the vanishing point."""
    w, h = place.width, place.height
    lines = np.zeros((h, w), np.float32)
    vanish = (w * 0.45, place.horizon)
    for k in range(-14, 22):
        foot = (k * w * 0.14, float(h))
        cv2.line(lines, _px(vanish), _px(foot), 1.0, 1, cv2.LINE_AA, 4)
    row = place.path_top
    while row < place.path_bottom:
        left = row - place.tilt * w / 2
        cv2.line(lines, _px((0, left)), _px((w, left + place.tilt * w)), 1.0, 1, cv2.LINE_AA, 4)
        row += 0.75 * float(place.body_height(row))
    image -= (26.0 * lines * on_path)[..., None]


def _furniture(image: Image, place: Place) -> None:
    """A lamp post and a bench at the back of the lawn, where nobody walks."""
    w, h = place.width, place.height
    post = (0.13 * w, 0.235 * h)
    cv2.line(image, _px(post), _px((post[0], 0.0)), (58, 60, 62), 2, cv2.LINE_AA, 4)
    x, y = 0.72 * w, 0.225 * h
    for dy in (0.0, 0.022 * h):
        cv2.line(
            image, _px((x, y + dy)), _px((x + 0.1 * w, y + dy)), (60, 82, 108), 2, cv2.LINE_AA, 4
        )


def _clouds(rng: np.random.Generator, w: int, h: int, sigma: float) -> Image:
    """Blurred noise of unit spread, shape (h, w)."""
    noise = rng.standard_normal((h, w)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(soft / max(float(soft.std()), 1e-6), dtype=np.float32)


def _tint(colour: tuple[float, float, float], field: Image, depth: float) -> Image:
    return np.asarray(np.array(colour, np.float32) + depth * field[..., None], dtype=np.float32)


def _px(point: tuple[float, float]) -> tuple[int, int]:
    """Sixteenths of a pixel, for OpenCV's fixed-point drawing."""
    return round(point[0] * 16), round(point[1] * 16)
