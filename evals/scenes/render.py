"""Renders surveillance-like clips with known ground truth, bit for bit the same for one seed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from evals.scenes.canvas import draw
from evals.scenes.cast import Actor, Stage, abnormal, crowd
from evals.scenes.place import make_place
from evals.scenes.truth import SceneTruth, Track, runs
from tools.errors import MediaError, UserError
from tools.types import Box

__all__ = ["SHARE", "film", "render", "render_set"]

SHARE = 0.25
"""A figure counts as visible from this share of its silhouette on."""


@dataclass(eq=False)
class _Seen:
    """What has been visible of one actor so far."""

    actor: Actor
    boxes: dict[int, Box] = field(default_factory=dict)


def render(
    path: str | Path,
    *,
    kind: str = "normal",
    seconds: float = 18.0,
    fps: int = 10,
    size: tuple[int, int] = (360, 240),
    seed: int = 0,
    place: int = 0,
    start_s: float | None = None,
    speed: float | None = None,
    density: float = 1.0,
    noise: float = 2.0,
    light: float = 0.02,
    shake: float = 0.0,
) -> SceneTruth:
    """Write one clip (H.264, yuv420p) and return what is true of it.

    Args:
        path: the ``.mp4`` to write; its folder must exist.
        kind: one of ``KINDS``.
        size: (width, height) in pixels, both even.
        seed: decides who walks and the noise.
        place: decides viewpoint and background; the clips of one scene share it.
        start_s: when the abnormal thing appears or begins; None: drawn from the clip's middle.
        speed: of the abnormal figure in multiples of usual walking; None: the kind's own.
        density: 1.0 puts about ten people in view, 0 none.
        noise: standard deviation of the sensor noise in grey levels.
        light: amplitude of the slow light drift, as a share.
        shake: amplitude of camera shake in pixels.

    Raises UserError for impossible settings, MediaError where the file cannot be written.
    """
    frames = round(seconds * fps)
    if frames < 1 or fps < 1 or size[0] % 2 or size[1] % 2 or min(size) < 64:
        raise UserError(
            f"cannot render {seconds} s at {fps} fps and {size[0]}×{size[1]}",
            remedy="at least one frame, and even sides of 64 pixels or more",
        )
    stage = Stage(make_place(place, size), frames, float(fps), np.random.default_rng([seed, place]))
    begin = start_s if start_s is not None else float(stage.rng.uniform(0.25, 0.45)) * seconds
    people = crowd(stage, density)
    odd, quorum = abnormal(stage, kind, begin, speed)
    seen = [_Seen(actor) for actor in [*people, *odd]]
    _encode(Path(path), _film(stage, seen, noise, light, shake), fps, size)

    boxes: dict[int, Box] = {}
    for i in range(frames):
        now = [s.boxes[i] for s in seen if i in s.boxes and s.actor.odd[i]]
        if len(now) >= quorum:
            boxes[i] = _hull(now)
    return SceneTruth(
        file=Path(path).name,
        kind=kind,
        scene=f"place{place}",
        seed=seed,
        width=size[0],
        height=size[1],
        fps=fps,
        frames=frames,
        intervals=runs(boxes),
        boxes=boxes,
        tracks=tuple(
            Track(
                role=s.actor.role,
                abnormal=bool(s.actor.odd.any()),
                boxes=s.boxes,
                facts=dict(s.actor.facts),
            )
            for s in seen
            if s.boxes
        ),
    )


def film(
    path: Path, stage: Stage, actors: Sequence[Actor], *, noise: float = 2.0, light: float = 0.02
) -> None:
    """Write a clip of these actors alone. Raises UserError, MediaError."""
    width, height = stage.place.width, stage.place.height
    if stage.frames < 1 or width % 2 or height % 2 or min(width, height) < 64:
        raise UserError(
            f"cannot render {stage.frames} frames of {width}×{height}",
            remedy="at least one frame, and even sides of 64 pixels or more",
        )
    seen = [_Seen(actor) for actor in actors]
    _encode(path, _film(stage, seen, noise, light, 0.0), round(stage.fps), (width, height))


def render_set(
    folder: str | Path,
    *,
    kinds: Sequence[str] = ("cyclist", "skater", "cart", "runner"),
    seeds: Sequence[int] = (0,),
    normals: int = 4,
    seconds: float = 18.0,
    place: int = 0,
    size: tuple[int, int] = (360, 240),
    fps: int = 10,
) -> list[SceneTruth]:
    """Write ``Train*.mp4`` (normal), one ``Test*.mp4`` per kind and seed, and ``labels.json``.

    The layout and the keys are those of the UCSD Ped2 folder, with ``kind`` and ``seed`` added.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(f"Train{i + 1:03d}.mp4", "normal", 1000 + i) for i in range(normals)]
    pairs = [(kind, seed) for kind in kinds for seed in seeds]
    jobs += [(f"Test{i + 1:03d}.mp4", kind, seed) for i, (kind, seed) in enumerate(pairs)]
    truths = [
        render(out / name, kind=kind, seed=seed, seconds=seconds, place=place, size=size, fps=fps)
        for name, kind, seed in jobs
    ]
    labels = {truth.file: truth.label() for truth in truths}
    (out / "labels.json").write_text(json.dumps(labels, indent=1), encoding="utf-8")
    return truths


def _film(
    stage: Stage, seen: Sequence[_Seen], noise: float, light: float, shake: float
) -> Iterator[NDArray[np.uint8]]:
    place, rng = stage.place, np.random.default_rng(stage.rng.integers(2**32))
    drift = 2 * np.pi * (stage.times / 37.0 + rng.random())
    for i in range(stage.frames):
        image = place.background.copy()
        order = sorted((s for s in seen if s.actor.present[i]), key=lambda s: float(s.actor.row[i]))
        for s in order:
            actor = s.actor
            foot = (float(actor.x[i]), float(actor.row[i]))
            height = float(actor.height[i])
            if not -2 * height < foot[0] < place.width + 2 * height:
                continue
            drawn = draw(image, actor.pose(i), foot, height)
            if drawn.box is not None and drawn.share >= SHARE:
                s.boxes[i] = drawn.box
        if shake > 0:
            dx, dy = rng.normal(0, shake, 2)
            move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            image = np.asarray(
                cv2.warpAffine(
                    image, move, (place.width, place.height), borderMode=cv2.BORDER_REFLECT
                ),
                dtype=np.float32,
            )
        image *= 1.0 + light * float(np.sin(drift[i]))
        grain = rng.standard_normal((place.height, place.width), dtype=np.float32)
        image += (noise * grain)[..., None]
        yield np.clip(image, 0, 255).astype(np.uint8)


def _encode(path: Path, film: Iterator[NDArray[np.uint8]], fps: int, size: tuple[int, int]) -> None:
    try:
        with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("libx264", rate=fps)
            stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
            stream.time_base = Fraction(1, fps)
            # The bytes must not depend on cores or memory: one thread, and x264's plain C for
            # macroblock-tree costs, whose vector code reads memory that it has not set.
            stream.options = {
                "preset": "veryfast",
                "crf": "20",
                "threads": "1",
                "x264-params": "cpu-independent=1",
            }
            for image in film:
                for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                    container.mux(packet)
            for packet in stream.encode(None):
                container.mux(packet)
    except (OSError, av.FFmpegError) as error:
        raise MediaError(str(path), f"cannot be written: {error}") from error


def _hull(boxes: Sequence[Box]) -> Box:
    return Box(
        x0=min(b.x0 for b in boxes),
        y0=min(b.y0 for b in boxes),
        x1=max(b.x1 for b in boxes),
        y1=max(b.y1 for b in boxes),
    )
