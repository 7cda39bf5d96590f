"""How fast frames become scores, how that scales over processes, and what memory hours take.

    frames/s = frames of the video / processor seconds from opening it to scored events

Processor seconds of one process with one thread in OpenCV, so that a busy machine distorts little;
wall-clock figures stand beside them. *Floor* is decoding and optical flow alone on the same frames:
the share of it that is reached does not depend on the machine.

Scaling is the wall clock of every video looked at once by each process, in one process and in
several; what each does at its first video (imports, half a second to a second) is over by then. It
means something on idle cores only. The processor seconds beside it are those of the same work:
what they grow by is lost to shared caches and memory, whoever else wants the cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from evals.bench.clips import looped, rendered
from evals.bench.scene import SCENE
from tools.ahead import Job, segmented
from tools.boundaries import embedded_detector
from tools.captioning import embedded_captioner
from tools.errors import ToolFailed
from tools.ports import Captioner, Clip, Detail, SceneProfile
from tools.types import Frozen, Interval
from tools.video import open_video, probe

__all__ = ["Memory", "Scaling", "Speed", "memory", "scaling", "speed"]

SIZES = ((360, 240), (1280, 720))
QUESTION = "Did anything out of the ordinary happen?"


class Speed(Frozen):
    """Frames a second of one process on one core."""

    width: int
    height: int
    frames: int
    analysed: tuple[int, int]
    """Size at which frames are analysed."""
    fine: float
    """Decode to score, every analysed frame; processor seconds."""
    fine_wall: float
    coarse: float
    """The same, at the density of first looks."""
    floor: float
    """Decoding and optical flow alone."""


class Scaling(Frozen):
    """The same looks in one process and in several."""

    processes: int
    one_s: float
    several_s: float
    """Seconds of wall clock."""
    one_cpu_s: float
    several_cpu_s: float
    """Seconds of processor, of all processes together."""
    load: float
    """Processes that wanted to run on this machine just before, by the system's count."""

    @property
    def ratio(self) -> float:
        return self.one_s / self.several_s


class Memory(Frozen):
    """A question about one long video through the command line."""

    hours: float
    frames: int
    width: int
    height: int
    peak_mb: float
    wall_s: float
    cpu_s: float


def speed(size: tuple[int, int], *, seconds: float = 15.0, fps: int = 10) -> Speed:
    """Measure one frame size on a rendered clip, of which every frame is analysed."""
    with tempfile.TemporaryDirectory(prefix="vidocq-bench-") as folder:
        clip, normal = rendered(Path(folder), size, seconds=seconds, fps=fps)
        profile = _learned(normal)
        runs: dict[str, tuple[float, float]] = {}
        for detail in ("fine", "coarse"):
            runs[detail] = min(_scored(clip, profile, detail) for _ in range(2))
        meta = profile.meta["geometry"]["size"]
        analysed = (int(meta[0]), int(meta[1]))
        frames = probe(clip).frames
        return Speed(
            width=size[0],
            height=size[1],
            frames=frames,
            analysed=analysed,
            fine=round(frames / runs["fine"][0], 1),
            fine_wall=round(frames / runs["fine"][1], 1),
            coarse=round(frames / runs["coarse"][0], 1),
            floor=round(frames / min(_floor(clip, analysed) for _ in range(2)), 1),
        )


def scaling(processes: int = 2, *, seconds: float = 30.0) -> Scaling:
    """Every process looks at as many videos as there are processes, or one does all of it."""
    with tempfile.TemporaryDirectory(prefix="vidocq-bench-") as folder:
        _, normal = rendered(Path(folder), SIZES[0], seconds=10.0, fps=10, normals=processes)
        profile = _learned(normal[:1])
        clips = [looped(c, seconds, c.with_name(f"long-{c.name}")) for c in normal]
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        jobs = [_job(c, embedded_captioner(), profile, "coarse") for c in clips]
        (one, one_cpu), (several, several_cpu) = (
            _side_by_side(n, jobs, processes) for n in (1, processes)
        )
        return Scaling(
            processes=processes,
            one_s=round(one, 2),
            several_s=round(several, 2),
            one_cpu_s=round(one_cpu, 2),
            several_cpu_s=round(several_cpu, 2),
            load=round(load, 1),
        )


def memory(
    hours: float, *, size: tuple[int, int] = (1920, 1080), fps: int = 5, work: Path | None = None
) -> Memory:
    """Peak memory of ``vidocq ask`` on a rendered clip looped to ``hours``."""
    with tempfile.TemporaryDirectory(prefix="vidocq-bench-", dir=work) as name:
        folder = Path(name)
        _, normal = rendered(folder, size, seconds=24.0, fps=fps, normals=2, noise=0.4)
        long = looped(normal[0], 3600 * hours, folder / "long.mp4")
        home = folder / "home"
        _command(home, "induce", *map(str, normal), "--scene", SCENE)
        begun = time.perf_counter()
        peak, cpu = _command(home, "ask", QUESTION, str(long), "--scene", SCENE)
        return Memory(
            hours=hours,
            frames=probe(long).frames,
            width=size[0],
            height=size[1],
            peak_mb=round(peak, 1),
            wall_s=round(time.perf_counter() - begun, 1),
            cpu_s=round(cpu, 1),
        )


def _learned(normal: Sequence[Path]) -> SceneProfile:
    sources = [open_video(path, threads=1) for path in normal]
    try:
        return embedded_captioner().learn(SCENE, [Clip(s) for s in sources])
    finally:
        for source in sources:
            source.close()


def _job(clip: Path, captioner: Captioner, profile: SceneProfile, detail: Detail) -> Job:
    return Job(probe(clip), embedded_detector(), captioner, profile, detail, detail == "fine", 1.0)


def _scored(clip: Path, profile: SceneProfile, detail: Detail) -> tuple[float, float]:
    """Processor and wall-clock seconds from opening a clip to its events' descriptions."""
    captioner = embedded_captioner()
    job = _job(clip, captioner, profile, detail)
    cpu, wall = time.process_time(), time.perf_counter()
    with open_video(clip, threads=1) as source:
        for event in segmented(job, source).tree.coarse:
            captioner.describe(source, event.interval, profile=profile, detail=detail)
    return time.process_time() - cpu, time.perf_counter() - wall


def _floor(clip: Path, size: tuple[int, int]) -> float:
    from tools.backends.embedded.perception.flow import FlowField, grey

    flow, before = FlowField(), None
    begun = time.process_time()
    with open_video(clip, threads=1) as source:
        for frame in source.frames(size=size):
            now = grey(frame.image)
            if before is not None:
                flow(before, now)
            before = now
    return time.process_time() - begun


def _side_by_side(processes: int, jobs: Sequence[Job], times: int) -> tuple[float, float]:
    """Seconds of wall clock and of processor for all jobs as often as said, without the start of
    the processes; each time is one process's."""
    context = get_context("spawn")
    with context.Pool(processes, _meet, (context.Barrier(processes),)) as pool:
        pool.map(_warm, [jobs[0]] * processes, chunksize=1)
        begun = time.perf_counter()
        used = pool.map(_look, [jobs] * times, chunksize=1)
        return time.perf_counter() - begun, sum(used)


_meeting: list[Any] = []


def _meet(barrier: Any) -> None:
    _meeting[:] = [barrier]


def _warm(job: Job) -> None:
    """Look at a video's first second, then wait until every process has."""
    with open_video(job.video.path, threads=1) as source:
        first = Interval.from_seconds(0.0, 1.0, source.info.time_base)
        embedded_captioner().describe(source, first, profile=job.profile)
    _meeting[0].wait()


def _look(jobs: Sequence[Job]) -> float:
    """Processor seconds of all looks at some videos, one after the other."""
    begun = time.process_time()
    for job in jobs:
        captioner = embedded_captioner()
        own = replace(job, captioner=captioner)
        with open_video(job.video.path, threads=1) as source:
            for event in segmented(own, source).tree.coarse:
                captioner.describe(source, event.interval, profile=job.profile, detail=job.detail)
    return time.process_time() - begun


def _command(home: Path, *words: str) -> tuple[float, float]:
    """Run the command line; peak memory in MB and processor seconds."""
    environment: dict[str, Any] = {**os.environ, "VIDOCQ_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, "-c", "from agent.cli import main; main()", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ToolFailed(f"vidocq {words[0]} failed: {said.strip().splitlines()[-1:]}")
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return used.ru_maxrss / scale, used.ru_utime + used.ru_stime
