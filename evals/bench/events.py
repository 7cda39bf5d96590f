"""How good events are and what they cost: trees, cuts, boundaries of known changes, speed, memory.

    ratio = seconds of the boundary pass / seconds of decoding the same file with PyAV alone

Seconds are the least of several turns, taken in turn with one another, by the clock and of the
processor; by the clock they mean something on idle cores only. PySceneDetect's AdaptiveDetector
runs as its users run it, with its own reader. Memory is the peak of a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evals.bench.clips import looped, rendered
from evals.datasets.jsonl import rows
from evals.datasets.recorded import load_recorded
from evals.metrics.gebd import BoundaryCounts, gebd_counts, gebd_f1
from evals.scenes import render_changes
from tools.boundaries import boundaries, build_tree, embedded_detector, reference_spans
from tools.errors import ToolFailed
from tools.ports import BoundaryDetector
from tools.types import Frozen
from tools.video import open_video

__all__ = [
    "Boundaries",
    "Cost",
    "Trees",
    "changes",
    "cost",
    "cuts",
    "peaks_mb",
    "sentences",
    "trees",
]

PLACES = 5
"""Places that scenes of known changes are set in, by seed."""
TURNS = 5
SIZES: tuple[tuple[tuple[int, int], float, float], ...] = (
    ((640, 360), 8.0, 60.0),
    ((1920, 1080), 4.0, 16.0),
)
"""Size, seconds rendered and seconds they are looped to."""
SURE, NEAR_S = 0.5, 0.5


class Trees(Frozen):
    """Recorded trees, the published ones and ours."""

    videos: int
    exact: int
    """Videos whose coarse and fine spans the reference tree gives exactly."""
    seconds: float
    recorded: int
    """Events to look at in the recorded trees, and in ours."""
    ours: int
    sure: int
    """Recorded fine boundaries of confidence ≥ 0.5, and those with none of ours within 0.5 s."""
    missed: int
    shortest_s: float
    doubled: int
    """Spans that stand in a tree of ours twice."""


class Boundaries(Frozen):
    """Found against true boundaries."""

    videos: int
    true: int
    found: int
    precision: float
    recall: float
    f1: float
    """Over all boundaries."""
    mean_f1: float
    """Mean of the videos' F1, as the benchmark gives it."""


class Cost(Frozen):
    """Seconds for one file: decoding, boundary pass, PySceneDetect; least of several turns."""

    width: int
    height: int
    frames: int
    decode_wall: float
    decode_cpu: float
    ours_wall: float
    ours_cpu: float
    adaptive_wall: float
    adaptive_cpu: float


def trees(folder: Path) -> Trees:
    """Measure on recorded runs with boundary confidences. Raises UserError."""
    told = {str(row["video_id"]): row["tree"] for _, row in rows(folder / "traces.jsonl.gz")}
    exact = recorded = ours = sure = missed = doubled = videos = 0
    shortest, spent = np.inf, 0.0
    for video in load_recorded(folder):
        given = video.boundary_signal()
        if given is None:
            continue
        signal, info = given
        tree = told[video.video_id]
        begun = time.process_time()
        spans = reference_spans(signal.confidence, tree["gamma"])
        spent += time.process_time() - begun
        made = {
            name: [[int(signal.frames[i]) for i in span] for span in getattr(spans, name)]
            for name in ("coarse", "fine")
        }
        videos += 1
        exact += all(made[name] == tree[name] for name in made)
        events = build_tree(signal, info)
        pairs = [(e.interval.start, e.interval.end) for e in events.events]
        doubled += len(pairs) - len(set(pairs))
        shortest = min(shortest, min(e.interval.seconds for e in events.events))
        recorded += len(tree["coarse"]) + len(tree["fine"])
        ours += len(pairs)
        marks = np.array([0, *(e.interval.end for e in events.leaves)]) / 1000 / video.fps
        strength = dict(zip(signal.frames.tolist(), signal.confidence.tolist(), strict=True))
        for start, _ in tree["fine"]:
            if start and strength.get(start, 0.0) >= SURE:
                sure += 1
                missed += int(np.abs(marks - start / video.fps).min() > NEAR_S + 1e-9)
    return Trees(
        videos=videos,
        exact=exact,
        seconds=spent,
        recorded=recorded,
        ours=ours,
        sure=sure,
        missed=missed,
        shortest_s=float(shortest),
        doubled=doubled,
    )


def cuts(folder: Path) -> dict[str, tuple[int, ...]]:
    """Cuts found in each video of a folder. Raises MediaError."""
    found = {}
    for path in sorted(folder.glob("*.mp4")):
        with open_video(path) as source:
            found[path.name] = embedded_detector().signal(source).cuts
    return found


def changes(
    seeds: Sequence[int], *, relative: float = 0.05, tell: Callable[[str], None] = lambda _: None
) -> Boundaries:
    """Boundaries of rendered scenes with known changes; tolerance as a share of the video."""
    videos = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            scene = render_changes(Path(folder) / "scene.mp4", seed=seed, place=seed % PLACES)
            found = _found(scene.path)
            videos.append((found, list(scene.boundaries), scene.seconds))
            told = ", ".join(f"{c.what} {c.at_s:.1f}" for c in scene.changes)
            tell(f"seed {seed}: found {', '.join(f'{s:.1f}' for s in found)}; true: {told}")
    return _judged(videos, relative)


def sentences(folder: Path, *, relative: float = 0.05) -> Boundaries:
    """Boundaries against the ends of what people wrote of the videos in ``labels.json``.

    Ends within half a second of another or of the video's own are not told apart from these.
    """
    told = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    videos = []
    for name, label in sorted(told.items()):
        path = folder / name
        if not path.is_file():
            continue
        with open_video(path) as source:
            seconds = source.info.seconds
        marks: list[float] = []
        for at in sorted(s for x in label["sentences"] for s in (x["start_s"], x["end_s"])):
            if 0.5 < at < seconds - 0.5 and (not marks or at - marks[-1] > 0.5):
                marks.append(float(at))
        videos.append((_found(path), marks, seconds))
    return _judged(videos, relative)


def _found(path: Path) -> list[float]:
    with open_video(path) as source:
        signal = embedded_detector().signal(source)
        tick = float(source.info.time_base.fraction)
        return [pts * tick for pts in boundaries(signal, source.info)]


def _judged(
    videos: Sequence[tuple[list[float], list[float], float]], relative: float
) -> Boundaries:
    total = BoundaryCounts(0, 0, 0)
    for found, true, seconds in videos:
        total += gebd_counts(found, true, seconds, relative=relative)
    return Boundaries(
        videos=len(videos),
        true=total.true,
        found=total.found,
        precision=total.precision,
        recall=total.recall,
        f1=total.f1,
        mean_f1=gebd_f1(videos, relative=relative),
    )


# ---------------------------------------------------------------- cost


def cost(files: Sequence[Path] = (), *, turns: int = TURNS) -> list[Cost]:
    """Speed on the files, or on rendered ones of 360 and 1080 lines."""
    with tempfile.TemporaryDirectory() as folder:
        return [_cost(path, turns) for path in files or _clips(Path(folder))]


def _clips(folder: Path) -> list[Path]:
    made = []
    for size, seconds, length in SIZES:
        clip, _ = rendered(folder, size, seconds=seconds, fps=30, normals=0)
        made.append(looped(clip, length, folder / f"looped-{size[1]}.mp4"))
    return made


def _ours(path: Path, detector: BoundaryDetector) -> None:
    with open_video(path) as source:
        detector.signal(source)


def _cost(path: Path, turns: int) -> Cost:
    with open_video(path) as source:
        info = source.info
        detector = embedded_detector()
        kinds: dict[str, Callable[[], object]] = {
            "decode": lambda: _decode(path),
            "ours": lambda: _ours(path, detector),
            "adaptive": lambda: _adaptive(path),
        }
        least = {name: [np.inf, np.inf] for name in kinds}
        for _ in range(turns):
            for name, run in kinds.items():
                wall, cpu = time.perf_counter(), time.process_time()
                run()
                spent = (time.perf_counter() - wall, time.process_time() - cpu)
                least[name] = [min(a, b) for a, b in zip(least[name], spent, strict=True)]
    return Cost(
        width=info.width,
        height=info.height,
        frames=info.frames,
        decode_wall=least["decode"][0],
        decode_cpu=least["decode"][1],
        ours_wall=least["ours"][0],
        ours_cpu=least["ours"][1],
        adaptive_wall=least["adaptive"][0],
        adaptive_cpu=least["adaptive"][1],
    )


def _decode(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def _adaptive(path: Path) -> int:
    from scenedetect import AdaptiveDetector, detect

    return len(detect(str(path), AdaptiveDetector()))


def peaks_mb(minutes: Sequence[float] = (2.0, 20.0)) -> dict[float, float]:
    """Peak memory of a boundary pass over 360 lines of different lengths, in MB."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        clip, _ = rendered(Path(folder), (640, 360), seconds=8.0, fps=10, normals=0)
        for length in minutes:
            path = looped(clip, 60 * length, Path(folder) / f"{length:g}.mp4")
            found[length] = _peak(path)
    return found


_PASS = """
import resource, sys
from tools.boundaries import build_tree, embedded_detector
from tools.video import open_video
with open_video(sys.argv[1]) as source:
    build_tree(embedded_detector().signal(source), source.info)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak(path: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _PASS, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolFailed(f"the pass over {path.name} failed: {done.stderr.strip()[-200:]}")
    return int(done.stdout) / (1e6 if sys.platform == "darwin" else 1e3)
