"""A tiny moving picture, to find out whether a server takes video."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import av
import numpy as np

__all__ = ["tiny_film"]

SIZE = 64
FRAMES = 8
RATE = 4


@cache
def tiny_film() -> bytes:
    """MP4 (H.264) of two seconds: a dark square that moves over grey, 64 × 64 pixels."""
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width = stream.height = SIZE
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, RATE)
        stream.options = {"preset": "veryfast", "threads": "1"}
        for number in range(FRAMES):
            image = np.full((SIZE, SIZE, 3), 160, np.uint8)
            image[24:40, 4 + 5 * number : 20 + 5 * number] = 40
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return data.getvalue()
