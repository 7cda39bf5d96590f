"""Recorded runs of another system: event trees, captions, verdicts, labels.

::

    FOLDER/traces.jsonl.gz      what a system may read while it runs: tree, captions, verdicts
    FOLDER/labels.jsonl.gz      truth: inclusive 0-based frame intervals per video
    FOLDER/reference.jsonl.gz   what the original system made of the same nodes

Spans in these files hold both ends and share them with the neighbour; they become half-open here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evals.datasets.jsonl import field, rows
from evals.model import Outcome, Pair, Sample, Span
from tools.decision import Label
from tools.errors import UserError
from tools.ports import BoundarySignal
from tools.types import TimeBase, VideoInfo

__all__ = [
    "SCHEMA",
    "Node",
    "Recorded",
    "Reference",
    "frame_scores",
    "load_labels",
    "load_recorded",
    "load_reference",
    "plain_outcome",
    "reference_pairs",
]

SCHEMA = "vad-trace/1"
LEVELS = ("coarse", "fine")
SAMPLES_PER_S = 10
"""Rate of the recorded boundary confidences; videos of fewer frames a second have one a frame."""
SLACK = 2
"""Frames by which a label may reach past its video and is clipped; further out it is an error."""


@dataclass(frozen=True)
class Node:
    """A described and judged stretch. ``start`` and ``end`` are both inclusive frames."""

    id: str
    level: Literal["coarse", "fine"]
    start: int
    end: int
    caption: str
    """Empty where none was recorded."""
    score: float | None
    """In [0, 1]; None where the verdict could not be parsed."""
    verdict: str
    parent: str | None = None
    duplicate_of: str | None = None
    repeat: float | None = None
    """Score of an independent second run."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """One recorded video: all that a system may read while it runs."""

    video_id: str
    dataset: str
    frames: int
    fps: float
    covered: int
    complete: bool
    """False where the recording is truncated."""
    nodes: tuple[Node, ...]
    confidence: NDArray[np.float64] | None
    """Boundary confidence per sample, where recorded."""
    tree_frames: int

    @property
    def samples(self) -> NDArray[np.int64]:
        """Frame of each boundary sample."""
        n = 0 if self.confidence is None else len(self.confidence)
        return np.linspace(0, self.tree_frames - 1, n).astype(np.int64)

    def boundary_signal(self) -> tuple[BoundarySignal, VideoInfo] | None:
        """The recorded boundary confidences, in ticks of a thousandth of a frame; None without.

        A recording that breaks off holds confidences past its tree, which was made of the ten
        samples a second of what was there.
        """
        if self.confidence is None:
            return None
        within = max(1, int(self.tree_frames * SAMPLES_PER_S / self.fps))
        known = self.confidence[:within] if self.fps > SAMPLES_PER_S else self.confidence
        frames = np.linspace(0, self.tree_frames - 1, len(known)).astype(np.int64)
        info = VideoInfo(
            id=self.video_id,
            path=f"recorded:{self.dataset}/{self.video_id}",
            sha256=self.video_id,
            kind="frames",
            width=1,
            height=1,
            frames=self.tree_frames,
            time_base=TimeBase(num=1, den=round(1000 * self.fps)),
            duration=1000 * self.tree_frames,
            fps=self.fps,
        )
        signal = BoundarySignal(
            self.video_id, frames, 1000 * frames, known, np.zeros(len(known)), "recorded"
        )
        return signal, info

    def level(self, name: str) -> tuple[Node, ...]:
        return tuple(n for n in self.nodes if n.level == name)


@dataclass(frozen=True, eq=False)
class Reference:
    """What the original system made of a video."""

    refined: Mapping[str, float]
    frame_scores: NDArray[np.float64] | None
    """Shape ``(frames,)`` where recorded."""


def load_recorded(folder: Path) -> list[Recorded]:
    """Every recorded video, in file order. Raises UserError naming file and line."""
    path = folder / "traces.jsonl.gz"
    return [_recorded(path, number, row) for number, row in rows(path)]


def load_labels(folder: Path, recorded: list[Recorded]) -> list[Sample]:
    """The samples of the recorded videos, in their order.

    A label's inclusive end that lies up to ``SLACK`` frames past the last one is clipped; one
    further out is an error. Raises UserError naming file and line.
    """
    path = folder / "labels.jsonl.gz"
    by_id = {r.video_id: r for r in recorded}
    found: dict[str, Sample] = {}
    for number, row in rows(path):
        video_id = field(path, number, row, "video_id", str)
        video = by_id.get(video_id)
        if video is None:
            raise UserError(f"{path}:{number}: no trace of video {video_id}")
        spans = [
            _clipped(path, number, pair, video.frames)
            for pair in field(path, number, row, "anomalies", list)
        ]
        found[video_id] = Sample(
            id=video_id,
            source=f"recorded:{video.dataset}/{video_id}",
            scene=video.dataset,
            frames=video.frames,
            fps=video.fps,
            truth=(tuple(spans),),
            category=field(path, number, row, "category", str),
            complete=video.complete,
        )
    missing = [r.video_id for r in recorded if r.video_id not in found]
    if missing:
        raise UserError(f"{path}: no label for video {missing[0]} ({len(missing)} are missing)")
    return [found[r.video_id] for r in recorded]


def load_reference(folder: Path, recorded: list[Recorded]) -> dict[str, Reference]:
    """What the original system made of the videos, by id. Raises UserError naming file and line."""
    path = folder / "reference.jsonl.gz"
    frames = {r.video_id: r.frames for r in recorded}
    found = {}
    for number, row in rows(path):
        video_id = field(path, number, row, "video_id", str)
        if video_id not in frames:
            raise UserError(f"{path}:{number}: no trace of video {video_id}")
        rle = row.get("frame_scores_rle")
        scores = None
        if rle is not None:
            scores = np.zeros(frames[video_id])
            for run in rle:
                if len(run) != 3 or not 0 <= run[0] <= run[1] < len(scores):
                    raise UserError(f"{path}:{number}: frame_scores_rle {run} does not fit")
                scores[run[0] : run[1] + 1] = run[2]
        refined = field(path, number, row, "refined", dict)
        found[video_id] = Reference({k: float(v) for k, v in refined.items()}, scores)
    return found


def frame_scores(
    frames: int, nodes: tuple[Node, ...], scores: Mapping[str, float | None]
) -> NDArray[np.float64]:
    """Scores of shape ``(frames,)``: constant on each node, both ends included; a later node
    overwrites the shared frame; frames without a node, and nodes without a score, are 0.
    """
    out = np.zeros(frames)
    for node in nodes:
        value = scores.get(node.id)
        out[node.start : node.end + 1] = 0.0 if value is None else value
    return out


def reference_pairs(folder: Path) -> list[Pair]:
    """The original system's published evaluation of these videos.

    Its own frame scores where they were recorded (MSAD); else the mean of the two refined levels
    (UCF-Crime).
    """
    recorded = load_recorded(folder)
    references = load_reference(folder, recorded)
    pairs = []
    for video, sample in zip(recorded, load_labels(folder, recorded), strict=True):
        known = references.get(video.video_id)
        if known is None:
            raise UserError(f"{folder / 'reference.jsonl.gz'}: nothing on video {video.video_id}")
        scores = known.frame_scores
        if scores is None:
            levels = [frame_scores(video.frames, video.level(x), known.refined) for x in LEVELS]
            scores = np.mean(levels, axis=0)
        pairs.append(Pair(sample, plain_outcome(sample, scores)))
    return pairs


def plain_outcome(sample: Sample, scores: NDArray[np.float64]) -> Outcome:
    """An outcome of frame scores alone: no events, no explanation, no calibrated label.

    The label is *uncertain*: a foreign scale has no alarm threshold.
    """
    return Outcome(
        sample=sample.id,
        scores=np.asarray(scores, np.float64),
        answered=np.ones(sample.frames, bool),
        label=Label.UNCERTAIN,
        uncertain="frame scores only: no threshold is stated",
    )


def _recorded(path: Path, number: int, row: dict[str, Any]) -> Recorded:
    if row.get("schema") != SCHEMA:
        raise UserError(f"{path}:{number}: unknown schema {row.get('schema')!r}, not {SCHEMA}")
    gebd = row.get("gebd")
    nodes = tuple(_node(path, number, n) for n in field(path, number, row, "nodes", list))
    frames = field(path, number, row, "n_frames", int)
    return Recorded(
        video_id=field(path, number, row, "video_id", str),
        dataset=field(path, number, row, "dataset", str),
        frames=frames,
        fps=float(field(path, number, row, "fps", (int, float))),
        covered=field(path, number, row, "covered_frames", int),
        complete=field(path, number, row, "coverage_ok", bool),
        nodes=nodes,
        confidence=None if gebd is None else np.asarray(gebd["conf"], np.float64),
        tree_frames=field(path, number, row, "tree_frames", int),
    )


def _node(path: Path, number: int, row: dict[str, Any]) -> Node:
    level = field(path, number, row, "level", str)
    start = field(path, number, row, "start", int)
    end = field(path, number, row, "end", int)
    if level not in LEVELS or not 0 <= start <= end:
        raise UserError(f"{path}:{number}: node {row.get('id')}: {level} [{start}, {end}]")
    score = row.get("score")
    repeat = row.get("score_repeat")
    return Node(
        id=field(path, number, row, "id", str),
        level=level,
        start=start,
        end=end,
        caption=row.get("caption") or "",
        score=None if score is None else float(score),
        verdict=row.get("verdict_text") or "",
        parent=row.get("parent"),
        duplicate_of=row.get("duplicate_of"),
        repeat=None if repeat is None else float(repeat),
    )


def _clipped(path: Path, number: int, pair: Any, frames: int) -> Span:
    whole = isinstance(pair, list) and len(pair) == 2 and all(type(x) is int for x in pair)
    if not whole or not 0 <= pair[0] <= pair[1] < frames + SLACK or pair[0] >= frames:
        raise UserError(f"{path}:{number}: the interval {pair} does not fit {frames} frames")
    return pair[0], min(pair[1] + 1, frames)
