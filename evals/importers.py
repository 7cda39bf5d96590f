"""Public result formats and simple folders, brought into samples, outcomes and captions.

Every importer draws the folder tree it expects; what does not fit is an error that names the file,
and the line where one is to blame. Frames are 0-based.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.datasets.recorded import SLACK, plain_outcome
from evals.datasets.tables import (
    Split,
    flag,
    number,
    only_one,
    split_of,
    table_rows,
    text_of,
    whole,
)
from evals.model import Outcome, Pair, Sample, Span, frame_runs
from tools.errors import MediaError, UserError
from tools.types import Box

__all__ = [
    "IMPORTERS",
    "Imported",
    "anomalyruler",
    "frames_csv",
    "intervals_csv",
    "ucsd",
    "vadtree",
]

FPS = 30.0
"""Assumed where a format names no frame rate; seconds rest on it, frame figures do not."""


@dataclass(frozen=True, eq=False)
class Imported:
    """What an importer found."""

    samples: tuple[Sample, ...]
    outcomes: tuple[Outcome, ...] = ()
    """Frame scores of the samples, in their order, where the format holds any."""
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Sample → one caption per frame, where the format holds any."""
    assumed_fps: bool = False
    """The format names no frame rate, at least of some video: seconds rest on :data:`FPS`."""

    @property
    def pairs(self) -> list[Pair]:
        """Samples with their outcomes, ready for ``evals.figures``."""
        return [Pair(s, o) for s, o in zip(self.samples, self.outcomes, strict=True)]


def vadtree(path: Path) -> Imported:
    """Scores of event nodes as VADTree releases them, with UCF-Crime's annotation files.

    ::

        PATH/
        ├── *.json                 {"vid_score": {"NAME.mp4": {"FIRST, LAST": SCORE or [SCORE, …]}}}
        │                          one file per level; several are averaged
        ├── anomaly_test.txt       NAME FIRST LAST LABEL, one video a line
        └── Temporal_Anomaly_Annotation_for_Testing_Videos.txt
                                   NAME.mp4 CATEGORY FIRST LAST FIRST LAST (-1: none)

    Spans hold both ends; a later one overwrites the frame it shares; frames without one score 0.
    """
    lengths = _lengths(only_one(path, "anomaly_test*.txt"))
    labels = _temporal(only_one(path, "[Tt]emporal*.txt"), lengths)
    files = sorted(path.glob("*.json"))
    if not files:
        raise UserError(f"{path}: no .json file with scores")
    levels = [_node_scores(file, lengths) for file in files]
    samples, outcomes = [], []
    for name, frames in lengths.items():
        category, spans = labels[name]
        sample = Sample(
            id=name,
            source=name,
            frames=frames,
            fps=FPS,
            truth=(spans,),
            category=category,
        )
        samples.append(sample)
        scores = np.mean([level[name] for level in levels], axis=0)
        outcomes.append(plain_outcome(sample, scores))
    return Imported(tuple(samples), tuple(outcomes), assumed_fps=True)


def anomalyruler(path: Path) -> Imported:
    """Frame captions and labels as AnomalyRuler releases them.

    ::

        PATH/                                          such as SHTech/
        ├── test_frame/test_VIDEO.csv                  header image_path,label; one frame a line
        └── modified_test_frame_description/
            └── test_VIDEO.txt                         one caption a line, as many as frames

    Videos without a captions file are left out; a captions file without labels is an error.
    """
    folder = path / "modified_test_frame_description"
    files = sorted(folder.glob("test_*.txt"))
    if not files:
        raise UserError(f"{folder}: no test_*.txt with captions")
    samples, captions = [], {}
    for file in files:
        name = file.stem.removeprefix("test_")
        table = path / "test_frame" / f"{file.stem}.csv"
        marks = [
            flag(table, line, row, "label")
            for line, row in table_rows(table, {"image_path", "label"})
        ]
        texts = text_of(file).splitlines()
        if len(texts) != len(marks):
            raise UserError(
                f"{file}:{min(len(texts), len(marks)) + 1}: {len(texts)} captions for the "
                f"{len(marks)} frames of {table.name}"
            )
        samples.append(
            Sample(
                id=name,
                source=f"captions:{path.name}/{name}",
                scene=path.name,
                frames=len(marks),
                fps=FPS,
                truth=(frame_runs(marks),),
            )
        )
        captions[name] = tuple(texts)
    return Imported(tuple(samples), captions=captions)


def ucsd(path: Path) -> Imported:
    """UCSD Ped1 or Ped2 as their authors publish them.

    ::

        PATH/                          such as UCSDped2/
        ├── Train/Train001/001.tif …   frames, normal only
        └── Test/
            ├── Test001/001.tif …
            └── Test001_gt/001.bmp …   masks, one per frame; white is abnormal

    A test clip without masks is unlabelled and left out of every figure that needs the truth.
    The box of a frame is the hull of its mask.
    """
    samples = []
    for split in ("Train", "Test"):
        folders = sorted(
            f for f in (path / split).glob(f"{split}*") if f.is_dir() and not _is_mask(f)
        )
        if not folders:
            raise UserError(f"{path / split}: no folders {split}001 …")
        for folder in folders:
            frames = sorted(folder.glob("*.tif"))
            if not frames:
                raise UserError(f"{folder}: no .tif frames")
            masks = folder.with_name(f"{folder.name}_gt")
            truth: tuple[tuple[Span, ...], ...] = ((),) if split == "Train" else ()
            boxes: dict[int, tuple[Box, ...]] = {}
            if masks.is_dir():
                boxes = _masks(masks, len(frames))
                truth = (frame_runs([i in boxes for i in range(len(frames))]),)
            samples.append(
                Sample(
                    id=folder.name,
                    source=str(folder),
                    scene=path.name,
                    frames=len(frames),
                    fps=10.0,
                    truth=truth,
                    boxes=boxes,
                    split="train" if split == "Train" else "test",
                )
            )
    return Imported(tuple(samples))


def frames_csv(path: Path) -> Imported:
    """One line per frame.

    ::

        PATH            a .csv file, or a folder of them
                        header: video,frame,label[,label2 …][,score][,split]

    Frames of a video are 0, 1, 2 … in order. Each label column is one annotator, 0 or 1. With a
    score in every line the scores come along. Without scores the labels are the truth of clips::

        CLIPS/          --clips DIR; by default beside the table
        ├── VIDEO.mp4   a file named as in the table, with or without its suffix,
        └── VIDEO/      or a folder of numbered images; as many frames as lines

    ``split`` says ``train`` of the normal videos that rules may come from, else ``test``.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path}: no .csv file")
    labels: dict[str, list[list[bool]]] = {}
    scores: dict[str, list[float]] = {}
    splits: dict[str, Split] = {}
    for file in files:
        for line, row in table_rows(file, {"video", "frame", "label"}):
            name = row["video"]
            marks = labels.setdefault(name, [])
            if whole(file, line, row, "frame") != len(marks):
                raise UserError(f"{file}:{line}: frame {row['frame']} of {name}, not {len(marks)}")
            split = split_of(file, line, row)
            if splits.setdefault(name, split) != split:
                raise UserError(f"{file}:{line}: {name} is both train and test")
            columns = [c for c in row if re.fullmatch(r"label\d*", c)]
            marks.append([flag(file, line, row, c) for c in columns])
            if "score" in row:
                scores.setdefault(name, []).append(number(file, line, row, "score"))
    samples = [
        Sample(
            id=name,
            source=name,
            frames=len(marks),
            fps=FPS,
            truth=tuple(frame_runs(column) for column in np.array(marks, bool).T),
            split=splits[name],
        )
        for name, marks in sorted(labels.items())
    ]
    if scores and any(len(scores.get(s.id, ())) != s.frames for s in samples):
        raise UserError(f"{path}: some files have scores and some have none")
    return Imported(tuple(samples), _plain(samples, scores), assumed_fps=True)


def intervals_csv(path: Path) -> Imported:
    """Videos and abnormal intervals in two small tables, scores in a third.

    ::

        PATH/
        ├── videos.csv      header: video,frames[,fps][,category][,kind][,split][,reference];
        │                   one video a line
        ├── intervals.csv   header: video,start,end[,annotator]; half-open frames [start, end)
        ├── scores.csv      optional; header: video,frame,score; linear between, held at the ends
        └── VIDEO.mp4 …     without scores: the clips that the intervals are the truth of, or
                            elsewhere with --clips DIR (as for frames-csv)

    A video without an interval is normal. An interval past the end of its video is an error.
    ``split`` as for frames-csv; ``reference`` says in words what happens.
    """
    videos = path / "videos.csv"
    rows: dict[str, Mapping[str, str]] = {}
    frames: dict[str, int] = {}
    rates: dict[str, float] = {}
    splits: dict[str, Split] = {}
    for line, row in table_rows(videos, {"video", "frames"}):
        name = row["video"]
        if name in rows:
            raise UserError(f"{videos}:{line}: {name} comes twice")
        rows[name] = row
        splits[name] = split_of(videos, line, row)
        frames[name] = whole(videos, line, row, "frames")
        rates[name] = number(videos, line, row, "fps") if row.get("fps") else FPS
        if frames[name] < 1 or rates[name] <= 0:
            raise UserError(f"{videos}:{line}: {row['frames']} frames at {rates[name]} per second")
    table = path / "intervals.csv"
    spans: dict[str, dict[str, list[Span]]] = {}
    annotators: dict[str, None] = {}
    for line, row in table_rows(table, {"video", "start", "end"}):
        name = row["video"]
        if name not in frames:
            raise UserError(f"{table}:{line}: no video {name} in {videos.name}")
        start, end = whole(table, line, row, "start"), whole(table, line, row, "end")
        if not 0 <= start < end <= frames[name]:
            raise UserError(
                f"{table}:{line}: the interval [{start}, {end}) does not fit the {frames[name]} "
                f"frames of {name}"
            )
        who = row.get("annotator", "")
        annotators[who] = None
        spans.setdefault(name, {}).setdefault(who, []).append((start, end))
    samples = [
        Sample(
            id=name,
            source=name,
            frames=frames[name],
            fps=rates[name],
            truth=tuple(tuple(spans.get(name, {}).get(a, ())) for a in annotators or {"": None}),
            category=row.get("category", ""),
            kind=row.get("kind") or None,
            split=splits[name],
            references=(row["reference"],) if row.get("reference") else (),
        )
        for name, row in rows.items()
    ]
    scores = _sparse(path / "scores.csv", frames) if (path / "scores.csv").exists() else {}
    if scores:
        missing = [s.id for s in samples if s.id not in scores]
        if missing:
            raise UserError(f"{path / 'scores.csv'}: no score of {missing[0]}")
    assumed = not all(row.get("fps") for row in rows.values())
    return Imported(tuple(samples), _plain(samples, scores), assumed_fps=assumed)


IMPORTERS: Mapping[str, Callable[[Path], Imported]] = {
    "vadtree": vadtree,
    "anomalyruler": anomalyruler,
    "ucsd": ucsd,
    "frames-csv": frames_csv,
    "intervals-csv": intervals_csv,
}


# ---------------------------------------------------------------- pieces


def _plain(samples: list[Sample], scores: Mapping[str, Any]) -> tuple[Outcome, ...]:
    if not scores:
        return ()
    return tuple(plain_outcome(s, np.asarray(scores[s.id], np.float64)) for s in samples)


def _sparse(file: Path, frames: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    known: dict[str, dict[int, float]] = {}
    for line, row in table_rows(file, {"video", "frame", "score"}):
        name, frame = row["video"], whole(file, line, row, "frame")
        if name not in frames or not 0 <= frame < frames[name]:
            raise UserError(f"{file}:{line}: no frame {frame} of {name}")
        known.setdefault(name, {})[frame] = number(file, line, row, "score")
    return {
        name: np.interp(np.arange(frames[name]), sorted(at), [at[f] for f in sorted(at)])
        for name, at in known.items()
    }


def _lengths(file: Path) -> dict[str, int]:
    """Name → frames, from ``NAME FIRST LAST LABEL``."""
    found: dict[str, int] = {}
    for line, text in enumerate(text_of(file).splitlines(), 1):
        words = text.split()
        if not words:
            continue
        if len(words) < 4 or not words[1].isdigit() or not words[2].isdigit():
            raise UserError(f"{file}:{line}: expected NAME FIRST LAST LABEL")
        if _stem(words[0]) in found:
            raise UserError(f"{file}:{line}: {words[0]} comes twice")
        found[_stem(words[0])] = int(words[2]) - int(words[1]) + 1
    if not found:
        raise UserError(f"{file}:1: no videos")
    return found


def _temporal(file: Path, lengths: Mapping[str, int]) -> dict[str, tuple[str, tuple[Span, ...]]]:
    found: dict[str, tuple[str, tuple[Span, ...]]] = {}
    for line, text in enumerate(text_of(file).splitlines(), 1):
        words = text.split()
        if not words:
            continue
        name = _stem(words[0])
        if name not in lengths:
            continue  # annotation files cover more videos than one run
        numbers = [int(w) for w in words[2:] if re.fullmatch(r"-?\d+", w)]
        if len(words) < 4 or len(numbers) != len(words) - 2 or len(numbers) % 2:
            raise UserError(f"{file}:{line}: expected NAME CATEGORY FIRST LAST …")
        spans = []
        for first, last in zip(numbers[::2], numbers[1::2], strict=True):
            if first == last == -1:
                continue
            if not 0 <= first <= last < lengths[name] + SLACK or first >= lengths[name]:
                raise UserError(
                    f"{file}:{line}: [{first}, {last}] does not fit the {lengths[name]} frames "
                    f"of {name}"
                )
            spans.append((first, min(last + 1, lengths[name])))
        found[name] = (words[1], tuple(spans))
    missing = [name for name in lengths if name not in found]
    if missing:
        raise UserError(f"{file}: no annotation of {missing[0]} ({len(missing)} are missing)")
    return found


def _node_scores(file: Path, lengths: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    text = text_of(file)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    table = content.get("vid_score") if isinstance(content, dict) else None
    if not isinstance(table, dict):
        raise UserError(f"{file}:1: no object vid_score")
    by_name = {_stem(name): nodes for name, nodes in table.items()}
    found = {}
    for name, frames in lengths.items():
        if name not in by_name:
            raise UserError(f"{file}: no scores of {name}")
        scores = np.zeros(frames)
        for span, value in by_name[name].items():
            ends = re.fullmatch(r"(\d+)(?:\.0*)?,\s*(\d+)(?:\.0*)?", span)
            score = value[0] if isinstance(value, list) and value else value
            usable = isinstance(score, int | float) and not isinstance(score, bool)
            if ends is None or not usable or not np.isfinite(score):
                raise UserError(
                    f"{file}:{_line(text, name, span)}: {name}: {span!r}: {score!r:.40}"
                )
            first, last = int(ends[1]), int(ends[2])
            if not first <= last < frames + SLACK:
                raise UserError(
                    f"{file}:{_line(text, name, span)}: [{first}, {last}] does not fit the "
                    f"{frames} frames of {name}"
                )
            scores[first : last + 1] = score
        found[name] = scores
    return found


def _line(text: str, name: str, span: str) -> int:
    """The line of a video's span in a JSON text."""
    at = text.find(f'"{span}"', max(0, text.find(f'"{name}')))
    return text.count("\n", 0, max(0, at)) + 1


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".mp4")


def _is_mask(folder: Path) -> bool:
    return folder.name.endswith("_gt")


def _masks(folder: Path, frames: int) -> dict[int, tuple[Box, ...]]:
    import cv2

    files = sorted(folder.glob("*.bmp"))
    if len(files) != frames:
        raise UserError(f"{folder}: {len(files)} masks for {frames} frames")
    boxes: dict[int, tuple[Box, ...]] = {}
    for i, file in enumerate(files):
        mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise MediaError(str(file), "is no readable picture")
        rows, columns = np.nonzero(mask)
        if len(rows):
            boxes[i] = (
                Box(
                    x0=int(columns.min()),
                    y0=int(rows.min()),
                    x1=int(columns.max()) + 1,
                    y1=int(rows.max()) + 1,
                ),
            )
    return boxes
