"""Frames made ready for a picture: scaled, with a box that stands out on any ground."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.types import Box

__all__ = ["boxed", "close_up", "encoded", "numbered"]

EDGE = (20, 20, 20)
MARGIN = 0.15
"""Room left around a box, as a share of its longer side: the thing itself stays in full view."""
AROUND, AROUND_LARGE = (0.25, 1.0), 0.25
"""What a close-up shows on each side of a box, as a share of its longer side: of a small one the
more, for its surroundings tell what it is; of a large one at most this share of the frame's shorter
side, but never less than the less."""
LEAST_VIEW = 0.2
"""Share of the frame's shorter side that a close-up shows at least."""
CLOSE_PX, ENLARGED = (480, 960), 8.0
"""Longer side of a close-up, at least and at most, and how much it is enlarged at most."""
QUALITY = 92


def boxed(
    image: NDArray[np.uint8],
    box: Box | None,
    *,
    width: int,
    colour: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """The BGR image as RGB at the given width, with the box of the full-size frame drawn in.

    Args:
        image: ``uint8 (h, w, 3)``, full size; it is not written to.
        colour: RGB, 0–255.
    """
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    scale = width / image.shape[1]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, (width, height), interpolation=how)
    out = np.ascontiguousarray(small[..., ::-1])
    if box is not None:
        room = MARGIN * max(box.x1 - box.x0, box.y1 - box.y0)
        first = (max(1, int(scale * (box.x0 - room))), max(1, int(scale * (box.y0 - room))))
        last = (
            min(width - 2, round(scale * (box.x1 + room))),
            min(height - 2, round(scale * (box.y1 + room))),
        )
        line = max(2, round(width / 200))
        cv2.rectangle(out, first, last, EDGE, line + 2, cv2.LINE_AA)
        cv2.rectangle(out, first, last, colour, line, cv2.LINE_AA)
    return np.asarray(out, dtype=np.uint8)


def close_up(
    image: NDArray[np.uint8], box: Box, *, colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """What a box of a BGR image shows with its surroundings, as RGB, enlarged where it is small,
    with the box drawn in. At the frame's border the view is moved, not cut, as far as it can be.
    """
    height, width = image.shape[:2]
    size = max(box.x1 - box.x0, box.y1 - box.y0)
    room = 2 * float(np.clip(AROUND_LARGE * min(width, height), AROUND[0] * size, AROUND[1] * size))
    least = LEAST_VIEW * min(width, height)
    x0, x1 = _view(box.x0, box.x1, room, least, width)
    y0, y1 = _view(box.y0, box.y1, room, least, height)
    longer = max(x1 - x0, y1 - y0)
    wanted = min(float(np.clip(longer, *CLOSE_PX)), ENLARGED * longer)
    inside = Box(x0=box.x0 - x0, y0=box.y0 - y0, x1=box.x1 - x0, y1=box.y1 - y0)
    return boxed(
        np.ascontiguousarray(image[y0:y1, x0:x1]),
        inside,
        width=max(8, round((x1 - x0) * wanted / longer)),
        colour=colour,
    )


def numbered(
    image: NDArray[np.uint8],
    boxes: Sequence[tuple[int, Box, tuple[int, int, int]]],
    *,
    width: int,
) -> NDArray[np.uint8]:
    """The BGR image as RGB at the given width, with numbered boxes, each in its RGB colour."""
    scale = width / image.shape[1]
    out = boxed(image, None, width=width, colour=EDGE)
    line = max(1, round(width / 640))
    size = max(0.4, width / 2000)
    for _, box, colour in boxes:
        first, last = (int(scale * box.x0), int(scale * box.y0)), _last(box, scale, out.shape)
        cv2.rectangle(out, first, last, EDGE, line + 2)
        cv2.rectangle(out, first, last, colour, line)
    for number, box, colour in boxes:  # above all boxes, so that none hides a number
        text = str(number)
        (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        x = min(int(scale * box.x0), out.shape[1] - wide - 4)
        y = max(int(scale * box.y0), tall + 4)
        cv2.rectangle(out, (x, y - tall - 4), (x + wide + 4, y), colour, -1)
        cv2.putText(
            out, text, (x + 2, y - 3), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1,
            cv2.LINE_AA,
        )  # fmt: skip
    return out


def _last(box: Box, scale: float, shape: tuple[int, ...]) -> tuple[int, int]:
    return min(round(scale * box.x1), shape[1] - 1), min(round(scale * box.y1), shape[0] - 1)


def _view(low: int, high: int, room: float, least: float, size: int) -> tuple[int, int]:
    """Start and end of a stretch around another, within ``[0, size)``."""
    length = min(size, round(max(high - low + room, least)))
    start = min(max(0, round((low + high - length) / 2)), size - length)
    return start, start + length


def encoded(image: NDArray[np.uint8], suffix: str = ".jpg") -> bytes:
    """An RGB picture as JPEG, or as PNG where the suffix says so."""
    how = [] if suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, data = cv2.imencode(suffix.lower(), np.ascontiguousarray(image[..., ::-1]), how)
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be written as {suffix}")
    return data.tobytes()
