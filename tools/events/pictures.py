"""Pictures of an event tree: the signal with the tree over it, and a sheet of key frames.

Matplotlib is imported at the first call and used without pyplot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.events.keyframes import KeyFrame
from tools.figures import clock_axis, save_figure
from tools.ports import BoundarySignal, FrameSource
from tools.types import Event, EventTree, VideoInfo, clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["key_frame_sheet", "signal_plot"]

Array = NDArray[np.float64]

LINE, PALE, CUT = "#1f3a5f", "#7f8c8d", "#c0392b"
SHADES = ("#9fb8d0", "#d5e0ea")
FINE_SHADES = ("#e2c391", "#f3e4cb")
MAX_POINTS = 4000
MAX_TILES = 60
COLUMNS = 6
TILE_PX = 320


def signal_plot(
    info: VideoInfo, tree: EventTree, signal: BoundarySignal, path: Path, *, gamma: float
) -> Path:
    """Draw confidence over time with coarse and fine events above it, as PNG. Raises StoreError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), facecolor="white", layout="constrained")
    top, axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 2.6]})
    _bars(top, tree.coarse, 1.0, SHADES, info.seconds)
    _bars(top, tree.leaves, 0.0, FINE_SHADES, info.seconds)
    top.set_ylim(0, 2)
    top.set_yticks([0.5, 1.5], ["fine", "coarse"], fontsize=9)
    top.tick_params(length=0)
    top.spines[:].set_visible(False)
    top.set_title(
        f"{info.name}   {len(tree.coarse)} coarse, {len(tree.leaves)} fine events",
        loc="left",
        fontsize=10,
        color="#2c3e50",
        parse_math=False,
    )
    tick = float(info.time_base.fraction)
    at, confidence = _thinned((signal.pts * tick).astype(np.float64), signal.confidence)
    _, novelty = _thinned((signal.pts * tick).astype(np.float64), signal.novelty)
    axes.fill_between(at, 0, confidence, color=LINE, alpha=0.15, lw=0)
    axes.plot(at, confidence, color=LINE, lw=1.2, label="boundary confidence")
    lively = novelty / max(float(novelty.max(initial=0.0)), 1e-9)
    axes.plot(at, 0.25 * lively, color=PALE, lw=0.8, label="how much goes on (not to scale)")
    axes.axhline(gamma, color="#34495e", lw=0.8, ls=(0, (5, 3)), label="least boundary")
    cut_at = signal.pts[np.isin(signal.frames, signal.cuts)] * tick
    for n, second in enumerate(cut_at):
        axes.axvline(second, color=CUT, lw=1, label=None if n else "cut")
    axes.set_ylim(0, 1.05)
    axes.set_xlim(0, info.seconds)
    axes.set_yticks([0, 0.5, 1])
    clock_axis(axes, marks=12, tenths=info.seconds < 20)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, fontsize=8, frameon=False)
    return save_figure(figure, path)


def key_frame_sheet(
    source: FrameSource, tree: EventTree, keys: Mapping[str, tuple[KeyFrame, ...]], path: Path
) -> Path:
    """Thumbnails of key frames in time order as PNG; of many, those of the strongest events.

    A line beneath each says its time and why it was chosen. Raises MediaError, StoreError.
    """
    from matplotlib.figure import Figure

    leaves = [e for e in tree.leaves if keys.get(e.id)]
    tiles = [(e, k) for e in leaves for k in sorted(keys[e.id], key=lambda k: k.pts)]
    if len(tiles) > MAX_TILES:
        leaves = sorted(leaves, key=lambda e: (-e.start_strength, e.interval.start))[:MAX_TILES]
        tiles = [(e, keys[e.id][0]) for e in sorted(leaves, key=lambda e: e.interval.start)]
    numbers = {e.id: n for n, e in enumerate(tree.leaves, 1)}
    info = source.info
    columns = min(COLUMNS, max(1, len(tiles)))
    rows = max(1, math.ceil(len(tiles) / columns))
    scale = TILE_PX / info.width
    width, height = TILE_PX, max(2, round(info.height * scale))
    figure = Figure(
        figsize=(columns * (width + 12) / 100, rows * (height + 30) / 100 + 0.3), facecolor="white"
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    tall = figure.get_figheight()
    figure.subplots_adjust(0.005, 0.3 / tall, 0.995, 1 - 0.3 / tall, 0.03, 0.12)
    figure.suptitle(
        f"{info.name}: key frames of {len({e.id for e, _ in tiles})} of {len(tree.leaves)} events",
        fontsize=9,
        x=0.005,
        ha="left",
        y=1 - 0.06 / figure.get_figheight(),
        va="top",
        color="#2c3e50",
        parse_math=False,
    )
    tick = float(info.time_base.fraction)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (event, key) in zip(grid.flat, tiles, strict=False):
        image = source.frame(key.index).image
        small = image[:: max(1, image.shape[0] // height), :: max(1, image.shape[1] // width), ::-1]
        axes.imshow(small, aspect="auto", interpolation="antialiased")
        label = f"{numbers[event.id]} · {clock(key.pts * tick)} · {key.why}"
        axes.text(
            0, -0.02, label, transform=axes.transAxes, va="top", fontsize=7.5, parse_math=False
        )
    return save_figure(figure, path)


def _bars(
    axes: Axes, events: tuple[Event, ...], low: float, shades: tuple[str, str], seconds: float
) -> None:
    spans = [(e.interval.start_s, e.interval.seconds) for e in events]
    colours = [shades[n % 2] for n in range(len(spans))]
    axes.broken_barh(spans, (low + 0.08, 0.84), facecolors=colours)
    for n, e in enumerate(events, 1):
        if e.interval.seconds > 0.012 * seconds * len(str(n)):
            middle = (e.interval.start_s + e.interval.end_s) / 2
            axes.text(middle, low + 0.5, str(n), ha="center", va="center", fontsize=7)


def _thinned(at: Array, values: Array) -> tuple[Array, Array]:
    """Maxima of groups of samples, so that a peak of a long signal is seen."""
    group = -(-len(at) // MAX_POINTS)
    if group <= 1:
        return at, values
    starts = np.arange(0, len(at), group)
    return at[starts], np.maximum.reduceat(values, starts)
