"""Frames as small JPEG pictures for models: shrunk, cropped, or several in one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.types import Box

__all__ = ["cropped", "encode", "fitted", "sheet"]

Image = NDArray[np.uint8]
QUALITY = 80


def fitted(width: int, height: int, longest: int) -> tuple[int, int]:
    """Width and height with the longer side at most ``longest``; never enlarged, at least 2."""
    scale = min(1.0, longest / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))


def encode(image: Image, longest: int) -> bytes:
    """JPEG of a BGR picture, shrunk so that its longer side is at most ``longest`` pixels."""
    height, width = image.shape[:2]
    size = fitted(width, height, longest)
    if size != (width, height):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"a picture of {width}×{height} cannot be written as JPEG")
    return data.tobytes()


def cropped(image: Image, box: Box, *, least: int = 64) -> Image:
    """What a box shows with half its size around it, at least ``least`` pixels wide and high."""
    height, width = image.shape[:2]
    middle = box.center
    wide, tall = max(2 * (box.x1 - box.x0), least), max(2 * (box.y1 - box.y0), least)
    x0, y0 = max(0, round(middle[0] - wide / 2)), max(0, round(middle[1] - tall / 2))
    x1, y1 = min(width, x0 + wide), min(height, y0 + tall)
    return image[min(y0, height - 1) : max(y1, 1), min(x0, width - 1) : max(x1, 1)]


def sheet(images: Sequence[Image]) -> Image:
    """Pictures of one size side by side, row by row, in reading order, thin lines between."""
    columns = 1 if len(images) == 1 else 2 if len(images) <= 4 else 3
    framed = [np.pad(i, ((1, 1), (1, 1), (0, 0)), constant_values=255) for i in images]
    blank = np.full_like(framed[0], 255)
    framed += [blank] * (-len(framed) % columns)
    rows = [np.hstack(framed[i : i + columns]) for i in range(0, len(framed), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)
