"""Follows moving blobs from picture to picture, and tells when one begins, ends or changes pace."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Box", "Trails"]

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""
Point = tuple[int, float, float, bool]
"""Sample, x, y, and whether these can be trusted for a pace."""

LOST_S = 1.2
"""A trail unseen for so long has ended; before, it may be found again."""
HIDDEN_S = 4.0
"""Longest time behind or beside another one."""
OPENING_S = 0.6
"""Whatever is there by then was there before."""
FORMS_S, FORMS_WAY = 0.4, 0.4
"""A blob is somebody once it has been followed so long, and so many of its own lengths."""
PACE, PACE_S = 1.7, 1.0
"""A change of pace is one by this factor from one second to the next."""


@dataclass(eq=False, slots=True)
class _Trail:
    """One moving thing: the middle of its box and half its size, in pixels."""

    born: int
    seen: int
    x: float
    y: float
    wide: float
    high: float
    news: bool
    """False where it split off from another one, or was there from the beginning."""
    path: deque[Point]
    start: tuple[float, float]
    vx: float = 0.0
    vy: float = 0.0
    confirmed: bool = False
    hidden: int = -1
    """Since when it has been one with another, or −1."""
    paced: int = field(default=-(10**6))

    @property
    def size(self) -> float:
        return 2 * max(self.wide, self.high)

    def ahead(self, now: int) -> tuple[float, float]:
        """Where it should be by now."""
        gap = now - self.seen
        return self.x + self.vx * gap, self.y + self.vy * gap


class Trails:
    """Feed it the blobs of each picture.

    Args:
        rate: pictures a second.
        size: (width, height) of the pictures.
        tell: called with the sample of a change and the sample at which it is known.
    """

    def __init__(
        self, rate: float, size: tuple[int, int], tell: Callable[[int, int], None]
    ) -> None:
        self._rate, (self._width, self._height), self._tell = rate, size, tell
        self._trails: list[_Trail] = []

    @property
    def confirmed(self) -> int:
        """How many things are followed."""
        return sum(t.confirmed for t in self._trails)

    def clear(self) -> None:
        """Forget all; nothing is told of it."""
        self._trails.clear()

    def follow(self, now: int, blobs: Sequence[Box]) -> None:
        """The blobs of the picture of sample ``now``."""
        free, matched = set(range(len(blobs))), set[int]()
        for t, b in self._pairs(now, blobs):
            if t not in matched and b in free:
                matched.add(t)
                free.discard(b)
                self._seen(self._trails[t], now, blobs[b])
        for t, trail in enumerate(self._trails):
            if t not in matched and trail.confirmed:
                self._unseen(trail, now, blobs)
        for b in sorted(free):
            self._begin(now, blobs[b])
        self._trails = [t for t in self._trails if self._alive(t, now)]

    def _pairs(self, now: int, blobs: Sequence[Box]) -> list[tuple[int, int]]:
        """Trails and blobs that may be one, nearest first."""
        found: list[tuple[float, int, int]] = []
        middles = [(x + w / 2, y + h / 2) for x, y, w, h in blobs]
        for t, trail in enumerate(self._trails):
            x, y = trail.ahead(now)
            reach = 0.6 * trail.size + 2.0 + 0.4 * min(now - trail.seen, self._rate)
            for b, (bx, by) in enumerate(middles):
                off = abs(bx - x)
                if off <= reach and (off := math.hypot(off, by - y)) <= reach:
                    found.append((off / reach, t, b))
        found.sort()
        return [(t, b) for _, t, b in found]

    def _seen(self, trail: _Trail, now: int, box: Box) -> None:
        left, top, wide, high = box
        x, y, gap = left + wide / 2, top + high / 2, max(1, now - trail.seen)
        share = wide * high / max(1.0, 4 * trail.wide * trail.high)
        inside = left > 1 and top > 1 and left + wide < self._width - 1
        alone = inside and top + high < self._height - 1 and 0.5 < share < 2 and trail.hidden < 0
        trail.vx = 0.7 * trail.vx + 0.3 * (x - trail.x) / gap
        trail.vy = 0.7 * trail.vy + 0.3 * (y - trail.y) / gap
        # The box shrinks and grows with the gait; its size is held.
        trail.wide = 0.8 * trail.wide + 0.1 * wide
        trail.high = 0.8 * trail.high + 0.1 * high
        trail.x, trail.y, trail.seen, trail.hidden = x, y, now, -1
        trail.path.append((now, x, y, alone))
        if not trail.confirmed and now - trail.born >= FORMS_S * self._rate:
            gone = math.hypot(x - trail.start[0], y - trail.start[1])
            trail.confirmed = gone > FORMS_WAY * trail.size
            if trail.confirmed and trail.news:
                self._tell(trail.born, now)
        if trail.confirmed and alone and (now - trail.born) % 2:
            self._pace(trail, now)

    def _pace(self, trail: _Trail, now: int) -> None:
        """Whether it goes much faster or slower than a second ago."""
        window = round(PACE_S * self._rate)
        if trail.born > now - 2 * window or now - trail.paced < 1.5 * window:
            return
        points = [p for p in trail.path if p[0] >= now - 2 * window]
        if points[0][0] > now - 2 * window + 1 or len(points) < 1.4 * window:
            return
        if not all(p[3] for p in points):
            return
        middle = min(points, key=lambda p: abs(p[0] - (now - window)))
        early = _speed(points[0], middle) * self._rate
        late = _speed(middle, points[-1]) * self._rate
        least = 0.1 * trail.size
        ratio = (max(early, late) + least) / (min(early, late) + least)
        if ratio > PACE and max(early, late) > 0.5 * trail.size:
            trail.paced = now
            self._tell(now - window, now)

    def _unseen(self, trail: _Trail, now: int, blobs: Sequence[Box]) -> None:
        """It may be one with another blob: then it is hidden, not lost."""
        x, y = trail.ahead(now)
        near = any(
            left - 2 <= x <= left + wide + 2 and top - 2 <= y <= top + high + 2
            for left, top, wide, high in blobs
        )
        if not near:
            return
        if trail.hidden < 0:
            trail.hidden = now
        if now - trail.hidden <= HIDDEN_S * self._rate:
            trail.x, trail.y, trail.seen = x, y, now
            trail.path.append((now, x, y, False))

    def _begin(self, now: int, box: Box) -> None:
        left, top, wide, high = box
        x, y = left + wide / 2, top + high / 2
        beside = False
        for trail in self._trails:
            if trail.confirmed and now - trail.seen <= 1:
                room = 0.35 * trail.size
                beside |= (
                    abs(x - trail.x) <= trail.wide + room and abs(y - trail.y) <= trail.high + room
                )
        path: deque[Point] = deque([(now, x, y, False)], maxlen=round(3 * self._rate) + 2)
        news = not beside and now >= OPENING_S * self._rate
        self._trails.append(_Trail(now, now, x, y, wide / 2, high / 2, news, path, (x, y)))

    def _alive(self, trail: _Trail, now: int) -> bool:
        unseen = now - trail.seen
        if not trail.confirmed:
            return unseen <= 0.3 * self._rate
        if trail.hidden >= 0 and now - trail.hidden > HIDDEN_S * self._rate:
            return False
        if unseen <= LOST_S * self._rate:
            return True
        self._tell(trail.seen, now)
        return False


def _speed(a: Point, b: Point) -> float:
    """Pixels a sample."""
    return math.hypot(b[1] - a[1], b[2] - a[2]) / max(1, b[0] - a[0])
