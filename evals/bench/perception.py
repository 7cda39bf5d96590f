"""How well the captioner's own frame series finds what is labelled, from much footage and little.

Statistics and thresholds come from normal clips alone; nothing measured here is fed back. Frames of
all test clips are taken together and never scaled per video; a frame without a score takes that of
the nearest frames with one.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from evals.datasets.ucsd import Dataset, Item
from evals.metrics.curves import MetricUndefined, curve
from tools.captioning import embedded_captioner
from tools.errors import UserError
from tools.ports import Captioner, Clip, SceneProfile
from tools.types import Description, Frozen
from tools.video import open_video

__all__ = ["Measured", "Row", "perception", "table"]

Tell = Callable[[str], None]
_THRESHOLD = 1.0
"""The value that one in a hundred held-out normal frames exceeds."""


class Row(Frozen):
    """One way to learn the scene, scored over all test frames."""

    name: str
    mode: str
    """offline or causal."""
    learned_from: tuple[str, ...]
    auroc: float
    tpr: float
    """Share of abnormal frames at or above the threshold set from normal clips."""
    fpr: float
    """Share of normal test frames at or above it."""
    top_box: float | None
    """Share of the abnormal frames with a box in which the strongest object's middle lies in it."""
    notes: tuple[str, ...] = ()
    seconds: float


class Measured(Frozen):
    """All rows, and those from one clip and from few frames summed up as mean and worst."""

    data: str
    captioner: str
    rows: tuple[Row, ...]
    one_clip_mean: float
    one_clip_worst: float
    few_frames_mean: float
    few_frames_worst: float


def perception(
    data: Dataset,
    *,
    clips: int = 8,
    frames: int = 10,
    draws: int = 8,
    seed: int = 0,
    tell: Tell | None = None,
) -> Measured:
    """Learn from all normal clips (both modes), from single ones, and from frames with successors.

    Args:
        clips: how many different single clips, evenly spaced.
        frames: how many normal frames, each with its successor, drawn from different clips.
        draws: how often those are drawn: a single draw says little.
        seed: for the first draw; the others follow it.

    Raises:
        UserError: too few clips, or test clips of one class.
    """
    if len(data.train) < max(clips, frames) or not data.test:
        raise UserError(
            f"{data.folder} has {len(data.train)} normal clips and {len(data.test)} test clips",
            remedy=f"give a folder with at least {max(clips, frames)} and 1",
        )
    say = tell or (lambda _: None)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="vidocq-perception-") as folder, ExitStack() as opened:
        work = Path(folder)
        sources = {i.name: opened.enter_context(open_video(i.path)) for i in data.train}
        offline = embedded_captioner(work / "cache")
        causal = embedded_captioner(work / "cache", causal=True)

        def add(name: str, mode: str, captioner: Captioner, given: Sequence[Clip]) -> None:
            begun = time.perf_counter()
            profile = captioner.learn("bench", given)
            row = _scored(name, mode, data, captioner, profile, given, begun)
            say(f"{row.name}, {row.mode}: {row.auroc:.4f} ({row.seconds:.0f} s)")
            rows.append(row)

        everything = [Clip(sources[i.name]) for i in data.train]
        add(f"{len(everything)} clips", "offline", offline, everything)
        add(f"{len(everything)} clips", "causal", causal, everything)
        pick = np.linspace(0, len(data.train) - 1, clips).round().astype(int)
        singles = [data.train[i] for i in pick.tolist()]
        for item in singles:
            add(f"one clip, {item.name}", "offline", offline, [Clip(sources[item.name])])
        for draw in range(seed, seed + draws):
            pairs = [
                Clip(opened.enter_context(open_video(path, fps=fps)))
                for path, fps in _pairs(data.train, frames, draw, work / f"draw{draw}")
            ]
            add(f"{frames} frames with successors, draw {draw}", "offline", offline, pairs)
    single = [r.auroc for r in rows if r.name.startswith("one clip")]
    few = [r.auroc for r in rows if r.name.startswith(f"{frames} frames")]
    return Measured(
        data=data.folder,
        captioner=offline.name,
        rows=tuple(rows),
        one_clip_mean=round(float(np.mean(single)), 4),
        one_clip_worst=round(min(single), 4),
        few_frames_mean=round(float(np.mean(few)), 4),
        few_frames_worst=round(min(few), 4),
    )


def _scored(
    name: str,
    mode: str,
    data: Dataset,
    captioner: Captioner,
    profile: SceneProfile,
    given: Sequence[Clip],
    begun: float,
) -> Row:
    truths: list[NDArray[np.bool_]] = []
    scores: list[NDArray[np.float64]] = []
    hits: list[bool] = []
    for item in data.test:
        with open_video(item.path) as source:
            seen = captioner.describe(source, source.info.interval, profile=profile)
        truth = np.zeros(item.frames, np.bool_)
        for start, end in item.anomalous:
            truth[start:end] = True
        truths.append(truth)
        scores.append(_frames(seen, item.frames))
        hits += _hits(seen, item, truth)
    truth, score = np.concatenate(truths), np.concatenate(scores)
    if truth.all() or not truth.any():
        raise MetricUndefined("the test clips hold one class of frames only")
    found = score >= _THRESHOLD
    return Row(
        name=name,
        mode=mode,
        learned_from=tuple(Path(c.source.info.path).name for c in given),
        auroc=round(curve(score, truth).auroc, 4),
        tpr=round(float(found[truth].mean()), 4),
        fpr=round(float(found[~truth].mean()), 4),
        top_box=round(float(np.mean(hits)), 4) if hits else None,
        notes=tuple(profile.meta.get("notes", ())),
        seconds=round(time.perf_counter() - begun, 1),
    )


def _frames(seen: Description, count: int) -> NDArray[np.float64]:
    if not seen.series:
        return np.zeros(count)
    at = [p.frame for p in seen.series]
    return np.interp(np.arange(count), at, [p.surprise for p in seen.series])


def _hits(seen: Description, item: Item, truth: NDArray[np.bool_]) -> list[bool]:
    points = {p.frame: p for p in seen.series}
    hits: list[bool] = []
    for frame, box in item.boxes.items():
        if not truth[frame] or frame not in points:
            continue
        top = points[frame].box
        x, y = top.center if top is not None else (-1.0, -1.0)
        hits.append(box.x0 <= x < box.x1 and box.y0 <= y < box.y1)
    return hits


def _pairs(items: Sequence[Item], count: int, seed: int, work: Path) -> list[tuple[Path, float]]:
    """Single frames with their successors, each pair as a video of its own: no more is seen."""
    rng = np.random.default_rng(seed)
    found: list[tuple[Path, float]] = []
    for number in sorted(rng.choice(len(items), count, replace=False).tolist()):
        item = items[number]
        first = int(rng.integers(item.frames - 1))
        folder = work / f"pair{len(found):02d}-{Path(item.name).stem}-{first}"
        folder.mkdir(parents=True)
        with open_video(item.path) as source:
            for i in (first, first + 1):
                cv2.imwrite(str(folder / f"{i:06d}.png"), source.frame(i).image)
        found.append((folder, item.fps))
    return found


def table(measured: Measured) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| learned from | mode | micro AUROC | TPR at 1 % | FPR | top box |",
        "|---|---|---|---|---|---|",
    ]
    for r in measured.rows:
        box = "–" if r.top_box is None else f"{r.top_box:.3f}"
        lines.append(f"| {r.name} | {r.mode} | {r.auroc:.4f} | {r.tpr:.3f} | {r.fpr:.3f} | {box} |")
    lines.append(
        f"| one clip: mean / worst | offline | {measured.one_clip_mean:.4f} / "
        f"{measured.one_clip_worst:.4f} | | | |"
    )
    lines.append(
        f"| few frames: mean / worst | offline | {measured.few_frames_mean:.4f} / "
        f"{measured.few_frames_worst:.4f} | | | |"
    )
    return "\n".join(lines)
