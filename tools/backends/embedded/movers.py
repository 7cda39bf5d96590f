"""Comings and goings: the moments at which something begins or ceases to move, or stays behind.

For fixed cameras. What moves is followed from sample to sample as blobs of frame difference (two
samples apart); a track that begins, ends or changes pace is a change, and so is a spot that looks
other than it did and stays so (something was put down, someone came to stand or left a place).
How much a change weighs is its share in all that goes on: one of two matters, one of twenty hardly.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.trails import OPENING_S, Box, Trails

__all__ = ["Movers"]

Image = NDArray[np.uint8]

LAG = 2
"""Samples between the frames compared."""
QUIET = 8.0
"""Grey levels: smaller differences are taken for noise; six times the noise where that is more."""
SMALLEST = 28
"""Pixels of a blob, dilated."""
MOST_BLOBS = 24
EVERYWHERE = 0.3
"""Share of the picture that differs: the camera or the light, not somebody."""
BEFORE_S = 2.0
"""A change is told at most so long after it."""
STAYS_S = 1.0
STRIDE = 3
"""Samples between looks at what stays."""
STAYS_LEVEL = 14.0
STAYS_AREA = 6
CROWD = 0.1


class Movers:
    """Feed it small grey pictures, ``rate`` a second; changes come with a lag of a second or two.

    Args:
        rate: samples a second.
        size: (width, height) of the pictures.
    """

    def __init__(self, rate: float, size: tuple[int, int]) -> None:
        self._rate = rate
        self._count = 0
        self._recent: deque[Image] = deque(maxlen=LAG)
        self._trails = Trails(rate, size, self._tell)
        self._ground: Image | None = None
        self._stay = np.zeros((size[1], size[0]), np.uint8)
        """Samples for which a pixel has differed from the background and kept still."""
        self._changed = np.zeros((size[1], size[0]), np.uint8)
        """Samples since a pixel last looked like the background. Both stop at 255."""
        self._noise = 0.0
        self._stride, self._one = np.full_like(self._stay, STRIDE), np.ones_like(self._stay)
        self._kernel, self._around = np.ones((5, 3), np.uint8), np.ones((9, 9), np.uint8)
        self._blind = -(10**6)
        self._lost: list[int] = []
        self.changes: list[tuple[int, float]] = []
        """(sample, weight in [0, 1]) of every change told so far, not in order of time."""

    def feed(self, grey: Image) -> None:
        """The next picture, shape (height, width)."""
        now, self._count = self._count, self._count + 1
        if len(self._recent) < LAG:
            self._recent.append(grey)
            return
        difference = np.asarray(cv2.absdiff(grey, self._recent[0]), np.uint8)
        self._recent.append(grey)
        if now % STRIDE == LAG:
            self._noise = float(np.median(difference[::4, ::4]))
        _, moving = cv2.threshold(difference, max(QUIET, 6 * self._noise), 255, cv2.THRESH_BINARY)
        if cv2.countNonZero(moving) > EVERYWHERE * moving.size:
            self._reset()
            self._blind = now
            self._lost.append(now)
            return
        joined = np.asarray(cv2.dilate(moving, self._kernel), np.uint8)
        if now - self._blind > LAG:
            self._trails.follow(now, _blobs(joined))
        if now % STRIDE == 0:
            self._stays(now, grey, joined)

    def lost_in(self, first: int, last: int, reach: int) -> NDArray[np.bool_]:
        """For samples ``first`` to ``last``: whether nothing could be followed near them."""
        lost = np.array(self._lost, dtype=np.int64)
        at = np.arange(first, last)
        low, high = np.searchsorted(lost, at - reach), np.searchsorted(lost, at + reach + 1)
        return np.asarray(high > low, dtype=np.bool_)

    def _reset(self) -> None:
        self._trails.clear()
        self._ground = None
        self._stay[:] = 0

    def _tell(self, at: int, now: int) -> None:
        others = self._trails.confirmed
        if at >= OPENING_S * self._rate:
            at = max(at, round(now - BEFORE_S * self._rate))
            self.changes.append((at, 1 / (1 + CROWD * max(1, others))))

    # ------------------------------------------------------------ what stays

    def _stays(self, now: int, grey: Image, joined: Image) -> None:
        """Spots that differ from the background and have kept still for a second."""
        if self._ground is None:
            self._ground = grey.copy()
            self._stay[:] = 0
            return
        # Light that changes everywhere, as by the camera's own exposure, is no news of a place.
        light = np.subtract(grey[::4, ::4], self._ground[::4, ::4], dtype=np.int16)
        shift = int(np.median(light))
        if shift:
            self._ground = np.clip(self._ground.astype(np.int16) + shift, 0, 255).astype(np.uint8)
        still = cv2.bitwise_not(joined)
        off = cv2.threshold(cv2.absdiff(grey, self._ground), STAYS_LEVEL, 255, cv2.THRESH_BINARY)[1]
        other = cv2.bitwise_and(off, still)
        count = cv2.countNonZero(other)
        if count > EVERYWHERE / 2 * other.size:
            self._ground = grey.copy()
            self._stay[:] = 0
            return
        cv2.bitwise_and(cv2.add(self._stay, self._stride), other, self._stay)
        plain = cv2.bitwise_xor(still, other)
        cv2.bitwise_and(cv2.add(self._changed, self._stride), cv2.bitwise_not(plain), self._changed)
        # The background follows slow light by a grey level at a time.
        brighter = cv2.min(cv2.bitwise_and(cv2.subtract(grey, self._ground), plain), self._one)
        darker = cv2.min(cv2.bitwise_and(cv2.subtract(self._ground, grey), plain), self._one)
        self._ground = np.asarray(cv2.subtract(cv2.add(self._ground, brighter), darker), np.uint8)
        wait = round(STAYS_S * self._rate)
        if count and int(self._stay.max()) >= wait:
            self._tell_stays(now, grey, wait, cv2.dilate(joined, self._around) > 0)

    def _tell_stays(self, now: int, grey: Image, wait: int, near: NDArray[np.bool_]) -> None:
        """Tell of spots that have stayed long enough, with nothing moving at them."""
        if self._ground is None:
            return
        ready = (self._stay >= 0.6 * wait).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(ready, connectivity=8)
        moments: list[float] = []
        for label in np.unique(labels[self._stay >= wait]).tolist():
            spot = labels == label
            if near[spot].any():
                continue  # The plain side of a car that passes looks still, too.
            if stats[label, cv2.CC_STAT_AREA] >= STAYS_AREA:
                # It came between when the spot last was as before and when it first stayed.
                stays, changed = (float(np.median(m[spot])) for m in (self._stay, self._changed))
                changed = min(changed, stays + 2 * self._rate)
                if now - changed > OPENING_S * self._rate:
                    moments.append(now - (stays + changed) / 2)
            # Small or told: from now on it belongs there.
            self._ground[spot] = grey[spot]
            self._stay[spot] = 0
        if moments:
            self._tell(round(float(np.median(moments))), now)


def _blobs(mask: Image) -> list[Box]:
    """Boxes of the largest blobs."""
    # Outlines of a sparse mask are found in a fraction of the time its components are.
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # Pixels of a shape from the area within the line through its outermost ones (Pick's theorem).
    sizes = [cv2.contourArea(o) + len(o) / 2 + 1 if len(o) > 12 else 0.0 for o in outlines]
    large = [i for i, size in enumerate(sizes) if size >= SMALLEST]
    if len(large) > MOST_BLOBS:
        large = sorted(large, key=lambda i: -sizes[i])[:MOST_BLOBS]
    return [(r[0], r[1], r[2], r[3]) for r in (cv2.boundingRect(outlines[i]) for i in large)]
