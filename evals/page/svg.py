"""Small inline SVG plots: curves, a reliability diagram, a score timeline. Pure functions.

Colours and fonts come from the page's style sheet by class, so light and dark both read well.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from tools.types import clock

__all__ = ["Curve", "Mark", "curves", "reliability", "thin", "timeline"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of a plot; ``x`` and ``y`` of one shape. ``style``: ``main``, ``control``, ``guide``.

    ``stepped``: ``y`` holds back to the point before, as precision–recall points are read.
    """

    x: Array
    y: Array
    name: str = ""
    style: str = "main"
    stepped: bool = False


@dataclass(frozen=True)
class Mark:
    """A stretch of a timeline in seconds, with what a reader sees when pointing at it."""

    start: float
    end: float
    text: str = ""
    style: str = "truth"


def curves(title: str, x_name: str, y_name: str, lines: Sequence[Curve], *, id: str) -> str:
    """A square plot over the unit square with one path per curve and a legend."""
    size, left, top = 300, 56, 10
    parts = [_frame(size, left, top, x_name, y_name)]
    for line in lines:
        x, y = thin(line.x, line.y, 400)
        if line.stepped:
            x, y = np.repeat(x, 2)[:-1], np.repeat(y, 2)[1:]
        path = _path(left + x * size, top + (1 - y) * size)
        parts.append(f'<path class="curve {line.style}" d="{path}"/>')
    named = [line for line in lines if line.name]
    for row, line in enumerate(named):
        y0 = top + size - 12 - 16 * (len(named) - 1 - row)
        x0 = left + size - 8
        parts.append(
            f'<text class="legend {line.style}" x="{x0}" y="{y0}">{escape(line.name)}</text>'
        )
    return _svg(id, title, size + left + 14, size + top + 42, parts)


def reliability(
    title: str,
    bins: Sequence[tuple[float, float, float, int]],
    *,
    id: str,
    unit: str = "frames",
) -> str:
    """Bars of observed frequency against mean score, with the counts below.

    Args:
        bins: ``(low edge, high edge, observed share of abnormal, count)``; empty bins have 0.
        unit: what is counted.
    """
    size, left, top = 300, 56, 10
    parts = [_frame(size, left, top, "score", "observed share abnormal")]
    most = max((count for *_, count in bins), default=0)
    for low, high, share, count in bins:
        if not count:
            continue
        x, width = left + low * size, max(1.0, (high - low) * size - 2)
        height = share * size
        ink = 0.25 + 0.75 * (count / most) ** 0.5
        parts.append(
            f'<rect class="bar" style="opacity:{ink:.2f}" x="{x + 1:.1f}" '
            f'y="{top + size - height:.1f}" width="{width:.1f}" height="{max(height, 1.5):.1f}">'
            f"<title>score {low:.2f}–{high:.2f}: {count} {escape(unit)}, "
            f"{share:.1%} abnormal</title></rect>"
        )
    parts.append(f'<path class="curve guide" d="M{left} {top + size}L{left + size} {top}"/>')
    return _svg(id, title, size + left + 14, size + top + 42, parts)


def timeline(
    seconds: float,
    at: Array,
    scores: Array,
    *,
    truth: Sequence[Mark],
    events: Sequence[Mark],
    unanswered: Sequence[Mark] = (),
    title: str,
    threshold: float | None = 0.5,
) -> str:
    """Score against time, with true stretches shaded and flagged events as bars below.

    Args:
        seconds: length of the video.
        at, scores: instants in seconds and scores there, one shape; scores outside [0, 1] are
            drawn at the edge.
        threshold: the alarm threshold, or None where the scores have none.
    """
    width, height, left, top = 880.0, 90.0, 34.0, 8.0
    lane = top + height + 6

    def across(s: float) -> float:
        return left + width * min(max(s, 0.0), seconds) / seconds

    def block(mark: Mark, y: float, tall: float) -> str:
        x0, x1 = across(mark.start), across(mark.end)
        return (
            f'<rect class="{mark.style}" x="{x0:.1f}" y="{y:.1f}" '
            f'width="{max(x1 - x0, 1.5):.1f}" height="{tall:.1f}">'
            f"<title>{escape(mark.text)}</title></rect>"
        )

    parts = [f'<rect class="ground" x="{left}" y="{top}" width="{width}" height="{height}"/>']
    parts += [block(m, top, height) for m in truth]
    parts += [block(m, top, height) for m in unanswered]
    for value in (0.0, 0.5, 1.0):
        y = top + height * (1 - value)
        parts.append(f'<text class="tick end" x="{left - 6}" y="{y + 4:.1f}">{value:g}</text>')
    if threshold is not None:
        y = top + height * (1 - threshold)
        parts.append(f'<path class="threshold" d="M{left} {y:.1f}H{left + width}"/>')
    if at.size:
        x, y_values = thin(at, np.clip(scores, 0, 1), 900)
        line = _path(left + width * x / seconds, top + height * (1 - y_values))
        parts.append(f'<path class="score" d="{line}"/>')
    parts += [block(m, lane, 8) for m in events]
    for tick in _ticks(seconds):
        x0 = across(tick)
        parts.append(
            f'<path class="grid" d="M{x0:.1f} {top + height}v4"/>'
            f'<text class="tick mid" x="{x0:.1f}" y="{lane + 24:.1f}">{clock(tick)[:-2]}</text>'
        )
    return _svg("", title, width + left + 12, lane + 30, parts, wide=True)


def thin(x: Array, y: Array, points: int) -> tuple[Array, Array]:
    """At most about ``points`` of a line, keeping the lowest and highest ``y`` of every stretch."""
    if x.size <= points:
        return x, y
    edges = np.linspace(0, x.size, points // 2 + 1).astype(int)
    keep = {0, x.size - 1}
    for a, b in itertools.pairwise(edges):
        keep |= {a + int(np.argmin(y[a:b])), a + int(np.argmax(y[a:b]))}
    index = np.array(sorted(keep))
    return x[index], y[index]


def _frame(size: int, left: int, top: int, x_name: str, y_name: str) -> str:
    parts = [f'<rect class="ground" x="{left}" y="{top}" width="{size}" height="{size}"/>']
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + value * size, top + (1 - value) * size
        parts.append(
            f'<path class="grid" d="M{x:.0f} {top}v{size}M{left} {y:.0f}h{size}"/>'
            f'<text class="tick mid" x="{x:.0f}" y="{top + size + 16}">{value:g}</text>'
            f'<text class="tick end" x="{left - 7}" y="{y + 4:.0f}">{value:g}</text>'
        )
    middle = top + size / 2
    parts.append(
        f'<text class="axis mid" x="{left + size / 2}" y="{top + size + 34}">'
        f"{escape(x_name)}</text>"
        f'<text class="axis mid" x="12" y="{middle}" transform="rotate(-90 12 {middle})">'
        f"{escape(y_name)}</text>"
    )
    return "".join(parts)


def _svg(
    id: str, title: str, width: float, height: float, parts: Sequence[str], *, wide: bool = False
) -> str:
    name = f' id="{escape(id)}"' if id else ""
    kind = "wide" if wide else "square"
    return (
        f'<svg{name} class="plot {kind}" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _path(x: Array, y: Array) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _ticks(seconds: float) -> list[float]:
    """Round instants, at most nine, from the beginning on."""
    steps = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    step = next((s for s in steps if seconds / s <= 8), 14400)
    return [i * step for i in range(int(seconds / step) + 1)]
