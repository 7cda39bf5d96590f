"""Comings and goings: the moments at which something begins or ceases to move, or stays behind.

For fixed cameras. What moves is followed from sample to sample as blobs of frame difference (two
samples apart); a track that begins, ends or changes pace is a change, and so is a spot that looks
other than it did and stays so (something was put down, someone came to stand or left a place).
How much a change weighs is its share in all that goes on: one of two matters, one of twenty hardly.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

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
LOST_S = 1.2
"""A track unseen for so long has ended; before, it may be found again."""
HIDDEN_S = 4.0
"""Longest time behind or beside another one."""
OPENING_S = 0.6
"""Whatever is there by then was there before."""
BEFORE_S = 2.0
"""A change is told at most so long after it."""
PACE = 1.7
PACE_S = 1.0
STAYS_S = 1.0
STRIDE = 3
"""Samples between looks at what stays."""
STAYS_LEVEL = 14.0
STAYS_AREA = 6
CROWD = 0.1


@dataclass(eq=False)
class _Track:
    """One moving thing. Positions are of the middle of its box, in pixels."""

    born: int
    seen: int
    box: NDArray[np.float64]
    """x0, y0, x1, y1."""
    quiet_birth: bool
    """Split off from another one, or there from the beginning: no news."""
    path: deque[tuple[int, float, float, bool]]
    """Sample, x, y, and whether these can be trusted for a pace."""
    start: tuple[float, float]
    confirmed: bool = False
    hidden: int = -1
    """Since when it has been one with another, or −1."""
    paced: int = -(10**6)
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    @property
    def size(self) -> float:
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


class Movers:
    """Feed it small grey pictures, ``rate`` a second; changes come with a lag of a second or two.

    Args:
        rate: samples a second.
        size: (width, height) of the pictures.
    """

    def __init__(self, rate: float, size: tuple[int, int]) -> None:
        self._rate, (self._width, self._height) = rate, size
        self._count = 0
        self._recent: deque[Image] = deque(maxlen=LAG)
        self._tracks: list[_Track] = []
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
            self._follow(now, _blobs(joined))
        if now % STRIDE == 0:
            self._stays(now, grey, joined)

    def lost_in(self, first: int, last: int, reach: int) -> NDArray[np.bool_]:
        """For samples ``first`` to ``last``: whether nothing could be followed near them."""
        lost = np.array(self._lost, dtype=np.int64)
        at = np.arange(first, last)
        low, high = np.searchsorted(lost, at - reach), np.searchsorted(lost, at + reach + 1)
        return np.asarray(high > low, dtype=np.bool_)

    def _reset(self) -> None:
        self._tracks.clear()
        self._ground = None
        self._stay[:] = 0

    def _tell(self, at: int, now: int) -> None:
        others = sum(t.confirmed for t in self._tracks)
        if at >= OPENING_S * self._rate:
            at = max(at, round(now - BEFORE_S * self._rate))
            self.changes.append((at, 1 / (1 + CROWD * max(1, others))))

    # ------------------------------------------------------------ tracks

    def _follow(self, now: int, blobs: NDArray[np.float64]) -> None:
        free = set(range(len(blobs)))
        pairs = self._pairs(now, blobs)
        matched: set[int] = set()
        for t, b in pairs:
            if t not in matched and b in free:
                matched.add(t)
                free.discard(b)
                self._seen(self._tracks[t], now, blobs[b])
        for t, track in enumerate(self._tracks):
            if t not in matched:
                self._unseen(track, now, blobs)
        for b in sorted(free):
            self._begin(now, blobs[b])
        kept = []
        for track in self._tracks:
            if self._alive(track, now):
                kept.append(track)
        self._tracks = kept

    def _pairs(self, now: int, blobs: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Tracks and blobs that may be one, nearest first."""
        if not self._tracks or not len(blobs):
            return []
        boxes = np.array([t.box for t in self._tracks])
        ahead = np.array([t.speed * (now - t.seen) for t in self._tracks])
        at = (boxes[:, :2] + boxes[:, 2:]) / 2 + ahead
        middle = (blobs[:, :2] + blobs[:, 2:]) / 2
        sizes = np.array([t.size for t in self._tracks])
        unseen = np.array([now - t.seen for t in self._tracks])
        reach = 0.6 * sizes + 2.0 + 0.4 * np.minimum(unseen, self._rate)
        distance = np.hypot(
            at[:, None, 0] - middle[None, :, 0], at[:, None, 1] - middle[None, :, 1]
        )
        share = np.divide(distance, reach[:, None])
        order = np.argsort(share, axis=None)
        return [
            (int(k // len(blobs)), int(k % len(blobs))) for k in order[: int((share <= 1.0).sum())]
        ]

    def _seen(self, track: _Track, now: int, box: NDArray[np.float64]) -> None:
        gap = max(1, now - track.seen)
        old = (track.box[:2] + track.box[2:]) / 2
        middle = (box[:2] + box[2:]) / 2
        area = _area(box) / max(1.0, _area(track.box))
        alone = 0.5 < area < 2.0 and not self._at_edge(box) and track.hidden < 0
        track.speed = 0.7 * track.speed + 0.3 * (middle - old) / gap
        # The box shrinks and grows with the gait; its size is held.
        half = 0.5 * (0.8 * (track.box[2:] - track.box[:2]) + 0.2 * (box[2:] - box[:2]))
        track.box = np.concatenate([middle - half, middle + half])
        track.seen, track.hidden = now, -1
        track.path.append((now, float(middle[0]), float(middle[1]), alone))
        gone = float(np.hypot(middle[0] - track.start[0], middle[1] - track.start[1]))
        if not track.confirmed and now - track.born >= 0.4 * self._rate and gone > 0.4 * track.size:
            track.confirmed = True
            if not track.quiet_birth:
                self._tell(track.born, now)
        if track.confirmed:
            self._pace(track, now)

    def _pace(self, track: _Track, now: int) -> None:
        """Whether it goes much faster or slower than a second ago."""
        window = round(PACE_S * self._rate)
        points = [p for p in track.path if p[0] >= now - 2 * window]
        if points[0][0] > now - 2 * window + 1 or now - track.paced < 1.5 * window:
            return
        if len(points) < 1.4 * window or not all(p[3] for p in points):
            return
        middle = min(points, key=lambda p: abs(p[0] - (now - window)))

        def speed(a: tuple[int, float, float, bool], b: tuple[int, float, float, bool]) -> float:
            return float(np.hypot(b[1] - a[1], b[2] - a[2])) / max(1, b[0] - a[0]) * self._rate

        early, late = speed(points[0], middle), speed(middle, points[-1])
        least = 0.1 * track.size
        ratio = (max(early, late) + least) / (min(early, late) + least)
        if ratio > PACE and max(early, late) > 0.5 * track.size:
            track.paced = now
            self._tell(now - window, now)

    def _unseen(self, track: _Track, now: int, blobs: NDArray[np.float64]) -> None:
        """It may be one with another blob: then it is hidden, not lost."""
        middle = (track.box[:2] + track.box[2:]) / 2 + track.speed * (now - track.seen)
        if not len(blobs) or not track.confirmed:
            return
        near = (middle >= blobs[:, :2] - 2).all(axis=1) & (middle <= blobs[:, 2:] + 2).all(axis=1)
        if near.any():
            if track.hidden < 0:
                track.hidden = now
            if now - track.hidden <= HIDDEN_S * self._rate:
                half = (track.box[2:] - track.box[:2]) / 2
                track.box = np.concatenate([middle - half, middle + half])
                track.seen = now
                track.path.append((now, float(middle[0]), float(middle[1]), False))

    def _begin(self, now: int, box: NDArray[np.float64]) -> None:
        middle = (box[:2] + box[2:]) / 2
        near = False
        for track in self._tracks:
            if track.confirmed and now - track.seen <= 1:
                room = 0.35 * track.size
                near |= bool(
                    (middle >= track.box[:2] - room).all()
                    and (middle <= track.box[2:] + room).all()
                )
        quiet = near or now < OPENING_S * self._rate
        path: deque[tuple[int, float, float, bool]] = deque(maxlen=round(3 * self._rate) + 2)
        path.append((now, float(middle[0]), float(middle[1]), False))
        self._tracks.append(
            _Track(now, now, box.copy(), quiet, path, (float(middle[0]), float(middle[1])))
        )

    def _alive(self, track: _Track, now: int) -> bool:
        unseen = now - track.seen
        if not track.confirmed:
            return unseen <= 0.3 * self._rate
        if track.hidden >= 0 and now - track.hidden > HIDDEN_S * self._rate:
            return False
        if unseen <= LOST_S * self._rate:
            return True
        self._tell(track.seen, now)
        return False

    def _at_edge(self, box: NDArray[np.float64]) -> bool:
        return bool(
            box[0] <= 1 or box[1] <= 1 or box[2] >= self._width - 1 or box[3] >= self._height - 1
        )

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


def _area(box: NDArray[np.float64]) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _blobs(mask: Image) -> NDArray[np.float64]:
    """Boxes x0, y0, x1, y1 of the largest blobs, shape (n, 4)."""
    # Outlines of a sparse mask are found in a fraction of the time its components are.
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # Pixels of a shape from the area within the line through its outermost ones (Pick's theorem).
    sizes = [cv2.contourArea(o) + len(o) / 2 + 1 for o in outlines]
    large = [i for i, size in enumerate(sizes) if size >= SMALLEST]
    if len(large) > MOST_BLOBS:
        large = sorted(large, key=lambda i: -sizes[i])[:MOST_BLOBS]
    boxes = np.array([cv2.boundingRect(outlines[i]) for i in large], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
