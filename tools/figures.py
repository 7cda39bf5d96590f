"""Pictures of a decision: scores over time. The frames that show it: :mod:`tools.contactsheet`.

Matplotlib is imported at the first call and used without pyplot, so that nothing global changes.
Files are written whole or not at all.
"""

from __future__ import annotations

import os
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.decision import Decision, EventScore, Intent, Label, Timeline
from tools.errors import StoreError
from tools.types import VideoInfo, clock
from tools.wrapping import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "PALE",
    "clock_axis",
    "heading",
    "save_figure",
    "score_of",
    "timeline_plot",
    "unseen_stretches",
]

COLOURS = {Label.ANOMALOUS: "#c0392b", Label.UNCERTAIN: "#d68910", Label.NORMAL: "#5d6d7e"}
LINE, TRUTH, PALE = "#1f3a5f", "#1e8449", "#7f8c8d"
MAX_ROWS = 12
MAX_LANES, LANE_PT = 3, 13
LISTED = 8


# ---------------------------------------------------------------- scores over time


def timeline_plot(
    decision: Decision,
    videos: Mapping[str, VideoInfo],
    path: Path,
    *,
    truth: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> Path:
    """Draw score over time, one row per video, as PNG; gives the path.

    Events are shaded and numbered in the order of ``decision.events``; what was not looked at is
    hatched; the alarm threshold is the dashed line at 0.5.

    Args:
        videos: by video id, in the order of the rows; of more than 12 the highest-scoring.
        truth: known intervals in seconds, by video id, drawn as bars below the scores.

    Raises:
        StoreError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    lines = {t.video_id: t for t in decision.timelines}
    rows = _rows(decision, videos)
    listed = _listed(decision, rows)
    depths = [0.1 + 0.155 * (text.count("\n") + 1) for text, _ in listed]
    lower = 0.2 + sum(depths)
    upper, each = 1.2, 1.75
    height = upper + each * max(1, len(rows)) + lower
    figure = Figure(figsize=(11, height), facecolor="white")
    grid = figure.subplots(
        max(1, len(rows)),
        1,
        squeeze=False,
        gridspec_kw={
            "left": 0.06,
            "right": 0.985,
            "top": 1 - upper / height,
            "bottom": (lower + 0.35) / height,
            "hspace": 0.75,
        },
    )
    for axes, video_id in zip(grid[:, 0], rows, strict=False):
        known = None if truth is None else truth.get(video_id, ())
        _draw_row(axes, videos[video_id], lines.get(video_id), decision, known)
    if not rows:
        grid[0, 0].set_axis_off()
    heading(figure, decision, height, more=len(videos) - len(rows))
    y = lower - 0.1
    for (text, colour), depth in zip(listed, depths, strict=True):
        figure.text(0.06, y / height, text, color=colour, fontsize=9, va="top", parse_math=False)
        y -= depth
    return save_figure(figure, path)


def unseen_stretches(timeline: Timeline | None, seconds: float) -> list[tuple[float, float]]:
    """Stretches of a video, in seconds, that a timeline does not cover."""
    if timeline is None or not timeline.seconds:
        return [(0.0, seconds)]
    at = np.asarray(timeline.seconds)
    usual = float(np.median(np.diff(at))) if len(at) > 1 else 0.0
    reach = max(3 * usual, 1.0)
    marks = [-0.5 * usual, *at.tolist(), seconds + 0.5 * usual]
    return [
        (max(0.0, a + usual / 2), min(seconds, b - usual / 2))
        for a, b in pairwise(marks)
        if b - a > reach
    ]


def _rows(decision: Decision, videos: Mapping[str, VideoInfo]) -> list[str]:
    if len(videos) <= MAX_ROWS:
        return list(videos)
    best = {t.video_id: max(t.scores, default=0.0) for t in decision.timelines}
    kept = set(sorted(videos, key=lambda v: -best.get(v, -1.0))[:MAX_ROWS])
    return [v for v in videos if v in kept]


def _draw_row(
    axes: Axes,
    info: VideoInfo,
    line: Timeline | None,
    decision: Decision,
    truth: Sequence[tuple[float, float]] | None,
) -> None:

    unseen = unseen_stretches(line, info.seconds)
    for start, end in unseen:
        axes.axvspan(start, end, facecolor="#f4f6f7", edgecolor="#b2babb", hatch="///", lw=0)
        if end - start > 0.12 * info.seconds:
            _label(axes, (start + end) / 2, 0.78, "not looked at", PALE, ha="center")
    if line is not None and line.seconds:
        seconds, scores = np.asarray(line.seconds), np.asarray(line.scores)
        # A break in the line where nothing was looked at, never a bridge over it.
        breaks = [int(i) for i in np.searchsorted(seconds, [s for s, _ in unseen])]
        breaks = [i for i in breaks if 0 < i < len(seconds)]
        seconds, scores = np.insert(seconds, breaks, np.nan), np.insert(scores, breaks, np.nan)
        axes.fill_between(seconds, 0, scores, color=LINE, alpha=0.12, lw=0)
        axes.plot(seconds, scores, color=LINE, lw=1.4, solid_capstyle="round")
    axes.axhline(0.5, color="#34495e", lw=0.9, ls=(0, (5, 3)))
    flagged = [
        (n, e)
        for n, e in enumerate(decision.events, 1)
        if e.video_id == info.id and e.label is not Label.NORMAL
    ]
    lanes = _lanes([e for _, e in flagged], info.seconds)
    for (number, event), lane in zip(flagged, lanes, strict=True):
        _shade(axes, event, number, lane, info.seconds)
    for start, end in truth or ():
        axes.axvspan(start, end, ymin=0.0, ymax=0.055, facecolor=TRUTH, lw=0)
    if truth:
        _label(axes, truth[0][0], 0.11, "known truth", TRUTH)
    axes.set_xlim(0, info.seconds)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1])
    clock_axis(axes, marks=10, tenths=info.seconds < 10)
    title = info.name + (f"   ({info.damage})" if info.damage else "")
    pad = 14 + LANE_PT * max(lanes, default=0)
    axes.set_title(title, loc="left", fontsize=9.5, pad=pad, color="#2c3e50", parse_math=False)


def _wide(event: EventScore, seconds: float) -> bool:
    """Whether the bar of an event has room for its times and score."""
    return event.interval.seconds > 0.2 * seconds


def _lanes(events: Sequence[EventScore], seconds: float) -> list[int]:
    """A lane per event, so that the bars and numbers of simultaneous events do not overlap."""
    lanes, free = [0] * len(events), [-1.0] * MAX_LANES
    for n in sorted(range(len(events)), key=lambda n: events[n].interval.start_s):
        start, end = events[n].interval.start_s, events[n].interval.end_s
        lane = next((k for k in range(MAX_LANES) if free[k] <= start), MAX_LANES - 1)
        lanes[n], free[lane] = lane, max(end, start + 0.03 * seconds)
    return lanes


def _shade(axes: Axes, event: EventScore, number: int, lane: int, seconds: float) -> None:
    from matplotlib.transforms import ScaledTranslation

    colour = COLOURS[event.label]
    start, end = event.interval.start_s, event.interval.end_s
    axes.axvspan(start, end, facecolor=colour, alpha=0.16, lw=0)
    text = f"{number}"
    if _wide(event, seconds):
        text += f" · {clock(start)}–{clock(end)} · {score_of(event)}"
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes belong to a figure"
    lift = axes.transData + ScaledTranslation(0, lane * LANE_PT / 72, figure.dpi_scale_trans)
    (bar,) = axes.plot([start, end], [1.02, 1.02], color=colour, lw=3, solid_capstyle="butt")
    bar.set(clip_on=False, transform=lift)
    axes.annotate(
        text,
        (start, 1.02),
        xytext=(1, 3 + lane * LANE_PT),
        textcoords="offset points",
        color=colour,
        fontsize=8.5,
        fontweight="bold",
        annotation_clip=False,
        parse_math=False,
    )


def _label(axes: Axes, x: float, y: float, text: str, colour: str, ha: str = "left") -> None:
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axes.text(x, y, text, color=colour, fontsize=8, ha=ha, va="center", bbox=ground).set_parse_math(
        False
    )


def score_of(event: EventScore) -> str:
    return event.label.value if event.score is None else f"{event.score:.2f}"


def _listed(decision: Decision, rows: Sequence[str]) -> list[tuple[str, str]]:
    """The flagged events in words, with their colours."""
    shown = [
        (n, e)
        for n, e in enumerate(decision.events, 1)
        if e.label is not Label.NORMAL and e.video_id in rows
    ]
    lines = [
        (
            wrapped(
                f"{n} · {e.interval} · {score_of(e)} · {e.summary or e.reason}", 145, 3, indent=5
            ),
            COLOURS[e.label],
        )
        for n, e in shown[:LISTED]
    ]
    if len(shown) > LISTED:
        lines.append((f"and {len(shown) - LISTED} more", PALE))
    return lines


def heading(
    figure: Figure, decision: Decision, height: float, *, left: float = 0.06, more: int = 0
) -> None:
    """The question, the answer in a word, and what the threshold means."""
    question = textwrap.shorten(decision.query, 100, placeholder=" …")
    answer = _answer(decision)
    rate = decision.false_alarm_rate
    if rate is not None:
        answer += f"   ·   dashed: alarm threshold, passed by {100 * rate:.3g} % of normal events"
    if more > 0:
        answer += f"   ·   {more} more videos not drawn"
    colour = COLOURS[decision.label]
    figure.text(left, 1 - 0.16 / height, question, fontsize=12.5, va="top", parse_math=False)
    figure.text(
        left, 1 - 0.43 / height, answer, fontsize=9.5, va="top", color=colour, parse_math=False
    )


def _answer(decision: Decision) -> str:
    sought = decision.intent in {Intent.FIND, Intent.CHECK}
    word = {
        Label.ANOMALOUS: "found" if sought else "anomalous",
        Label.NORMAL: "not found" if sought else "normal",
        Label.UNCERTAIN: "uncertain",
    }[decision.label]
    return word if decision.score is None else f"{word}, score {decision.score:.2f}"


def clock_axis(axes: Axes, *, marks: int, tenths: bool) -> None:
    """Seconds along the horizontal axis as clock times, with up to so many marks."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(marks, steps=[1, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda s, _: clock(s) if tenths else clock(s).rsplit(".", 1)[0])
    )
    axes.tick_params(labelsize=8, color=PALE)
    axes.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a picture whole or not at all, as PNG; gives the path. Raises StoreError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # A letter that no installed font has is drawn as a box; the rest stays readable.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(part, format="png", dpi=figure.dpi)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: the picture cannot be written: {error.strerror or error}",
            remedy="make room or choose another folder",
        ) from error
    return path
