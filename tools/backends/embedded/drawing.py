"""Frames made ready for a picture: scaled, with a box that stands out on any ground."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.types import Box

__all__ = ["boxed"]

EDGE = (20, 20, 20)
MARGIN = 0.15
"""Room left around a box, as a share of its longer side: the thing itself stays in full view."""


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
