"""Work done before it is asked for: one decoding pass for events and looks, videos side by side.

The boundary pass decodes every frame anyway; a captioner that can listen measures them meanwhile.
With several workers, whole videos are segmented and looked at in processes of their own. Either way
the results are those that would come later, one by one: only when they are made is different.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult, Pool
from typing import Any

import numpy as np

from tools.boundaries import build_tree
from tools.errors import MediaError
from tools.ledger import Segmentation
from tools.ports import (
    BoundaryDetector,
    BoundarySignal,
    Captioner,
    Detail,
    FrameSource,
    Listening,
    Progress,
    SceneProfile,
    Sharing,
)
from tools.types import Description, EventTree, Interval, VideoInfo
from tools.video import open_video

__all__ = ["Ahead", "Job", "Prepared", "segmented"]

_POLL_S = 0.2
_TELL_S = 0.5


@dataclass(frozen=True, eq=False)
class Job:
    """A video to segment and, with a profile, to measure in the same pass."""

    video: VideoInfo
    detector: BoundaryDetector
    captioner: Captioner
    profile: SceneProfile | None
    detail: Detail
    """Of the first look at every coarse event."""
    zoom: bool
    """Whether every event will be looked at finely, too."""
    min_event_s: float


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a worker made of a video; ``failure``: why not (reason, frame, remedy)."""

    segmentation: Segmentation | None = None
    looks: tuple[tuple[Interval, Detail, Description], ...] = ()
    failure: tuple[str, int | None, str] | None = None


def segmented(job: Job, source: FrameSource, progress: Progress | None = None) -> Segmentation:
    """Events of an opened video; what its captioner measures on the way is kept by it."""
    listener = None
    if (
        job.profile is not None
        and isinstance(job.captioner, Listening)
        and isinstance(job.detector, Sharing)
    ):
        # What is measured finely serves coarse looks as well.
        density = "fine" if job.zoom else job.detail
        listener = job.captioner.listener(source, profile=job.profile, detail=density)
    if listener is not None and isinstance(job.detector, Sharing):
        heard = job.detector.shared_signal(source, listener, progress)
    else:
        heard = job.detector.signal(source, progress)
    tree = build_tree(heard, job.video, min_event_s=job.min_event_s)
    return Segmentation(
        tree=tree,
        novelty=_novelty(tree, heard),
        samples=len(heard.frames),
        detector=heard.detector,
    )


def _novelty(tree: EventTree, heard: BoundarySignal) -> dict[str, float]:
    """Mean novelty of the samples in each event."""
    values: dict[str, float] = {}
    for event in tree.events:
        inside = (heard.pts >= event.interval.start) & (heard.pts < event.interval.end)
        values[event.id] = round(float(np.mean(heard.novelty[inside])), 4) if inside.any() else 0.0
    return values


@dataclass(eq=False)
class Ahead:
    """What is being prepared and what is ready, by video. Safe to use from several threads."""

    _jobs: dict[str, Job] = field(default_factory=dict)
    _running: dict[str, AsyncResult[Prepared]] = field(default_factory=dict)
    _looks: dict[tuple[str, Interval, str, str], Description] = field(default_factory=dict)
    _told: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    _pool: Pool | None = None
    _queue: Any = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _halted: threading.Event = field(default_factory=threading.Event)

    def halt(self) -> None:
        """Let work under way end at its next report: somebody wants to stop."""
        self._halted.set()

    def stoppable(self, progress: Progress | None) -> Progress:
        """The same progress, which raises KeyboardInterrupt once :meth:`halt` was called."""

        def report(what: str, done: int, total: int) -> None:
            if self._halted.is_set():
                raise KeyboardInterrupt
            if progress is not None:
                progress(what, done, total)

        return report

    def begin(self, jobs: Sequence[Job], workers: int = 1) -> None:
        """Expect these videos; with ``workers`` and videos above 1, start on them now."""
        with self._lock:
            for job in jobs:
                self._jobs[job.video.id] = job
            workers = min(workers, len(jobs))
            if workers <= 1:
                return
            if self._pool is None:
                context = get_context("spawn")
                self._queue = context.SimpleQueue()
                self._pool = context.Pool(workers, _ready, (self._queue,))
            for job in jobs:
                self._running[job.video.id] = self._pool.apply_async(_work, (job,))
            self._pool.close()  # no more jobs than these: the processes end with them

    def job(self, video_id: str) -> Job | None:
        """What is expected of a video."""
        return self._jobs.get(video_id)

    def segmentation(self, video: VideoInfo, progress: Progress | None) -> Segmentation | None:
        """What a worker found, waiting for it; None where none was started. Raises MediaError."""
        with self._lock:
            running = self._running.pop(video.id, None)
        job = self._jobs.get(video.id)
        if running is None or job is None:
            return None
        try:
            while not running.ready():
                running.wait(_POLL_S)
                self._tell(video.id, self.stoppable(progress))
            made = running.get()
        except BaseException:
            self.stop()
            raise
        if made.failure is not None:
            reason, frame, remedy = made.failure
            raise MediaError(video.path, reason, frame=frame, remedy=remedy)
        version = job.profile.version if job.profile is not None else ""
        with self._lock:
            for interval, detail, seen in made.looks:
                self._looks[video.id, interval, detail, version] = seen
            if not self._running:
                self.stop()
        return made.segmentation

    def look(
        self, video_id: str, interval: Interval, detail: Detail, version: str
    ) -> Description | None:
        """A look that a worker has taken, once."""
        with self._lock:
            return self._looks.pop((video_id, interval, detail, version), None)

    def stop(self) -> None:
        """End the processes; what they measured so far is kept by the captioner's cache."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._running.clear()
        if pool is not None:
            pool.terminate()
            pool.join()

    def _tell(self, video_id: str, progress: Progress) -> None:
        with self._lock:
            while self._queue is not None and not self._queue.empty():
                which, *told = self._queue.get()
                self._told[which] = (told[0], told[1], told[2])
            told_last = self._told.get(video_id, ("finding events and looking", 0, 0))
        progress(*told_last)


# ---------------------------------------------------------------- in a process of its own

_tell_queue: list[Any] = []


def _ready(queue: Any) -> None:
    """The parent decides what a Ctrl-C means, and every process keeps to one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tell_queue[:] = [queue]


def _work(job: Job) -> Prepared:
    last = [0.0]

    def tell(what: str, done: int, total: int) -> None:
        if _tell_queue and time.monotonic() - last[0] > _TELL_S:
            last[0] = time.monotonic()
            with suppress(OSError, ValueError):
                _tell_queue[0].put((job.video.id, what, done, total))

    try:
        with open_video(job.video.path, threads=1) as source:
            found = segmented(job, source, tell)
            looks = []
            for interval, detail in _wanted(job, found.tree):
                seen = job.captioner.describe(source, interval, profile=job.profile, detail=detail)
                looks.append((interval, detail, seen))
    except MediaError as error:
        return Prepared(failure=(error.reason, error.frame, error.remedy))
    return Prepared(segmentation=found, looks=tuple(looks))


def _wanted(job: Job, tree: EventTree) -> Iterator[tuple[Interval, Detail]]:
    """The looks that a run will take for certain."""
    for event in tree.coarse if job.profile is not None else ():
        yield event.interval, job.detail
        if job.zoom:
            for child in tree.children(event.id) or (event,):
                yield child.interval, "fine"
