"""Which frames stand for an event: the most typical, the most surprising, then what is left over.

Frames are compared by what a few large cells of them look like; the choice is by farthest points
(Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985), so that no two of an
event are nearly the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.ports import BoundarySignal, Frame, FrameSource, Progress
from tools.types import Event, EventTree
from tools.video import run_pass

__all__ = ["KeyFrame", "choose", "key_frames"]

Array = NDArray[np.float64]

CELLS = (24, 16)
"""Columns and rows of the cells that frames are compared by."""
TOP = 6
"""Cells that differ most, by which two frames are told apart: a person fills a few."""
APART = 10.0
"""Grey levels of mean difference in those cells below which two frames are nearly the same."""
LIGHT = 0.02
"""How much less a difference in light weighs than one in the picture: of frames that look alike the
one lit as usual is typical, not the black one that a fade begins with."""
GAP_S = 0.5
"""Seconds below which two frames show the same moment, however much moves in it."""
CANDIDATES = 24
"""Frames of an event that are compared, at most."""
RATE = 4.0
"""Frames a second that are looked at, at most."""


@dataclass(frozen=True)
class KeyFrame:
    """A frame that stands for an event. ``pts`` in ticks from the first frame."""

    index: int
    pts: int
    why: str
    """``typical``, ``surprising`` or ``different``."""


def choose(
    looks: Array,
    surprise: Array,
    budget: int,
    seconds: Array | None = None,
    *,
    apart: float = APART,
) -> list[tuple[int, str]]:
    """Indices of up to ``budget`` frames with the reason for each, best first.

    Args:
        looks: what each frame looks like, shape ``(n, cells)``, in grey levels.
        surprise: how much is going on in each, shape ``(n,)``.
        seconds: when each frame is, shape ``(n,)``; two that are chosen are ``GAP_S`` apart.
        apart: least distance between two that are chosen.
    """
    if budget < 1 or not len(looks):
        return []
    middle = np.median(looks, axis=0)
    light = np.abs(np.median(looks - middle, axis=1))
    first = int(np.argmin(_distance(looks, middle) + LIGHT * light))
    chosen = [(first, "typical")]
    nearest = _distance(looks, looks[first])
    while len(chosen) < budget:
        if seconds is not None:
            nearest[np.abs(seconds - seconds[chosen[-1][0]]) < GAP_S] = 0.0
        free = nearest >= apart
        if not free.any():
            break
        if len(chosen) == 1 and float(np.max(surprise)) > 0:
            at, why = int(np.argmax(np.where(free, surprise, -np.inf))), "surprising"
        else:
            at, why = int(np.argmax(nearest)), "different"
        chosen.append((at, why))
        nearest = np.minimum(nearest, _distance(looks, looks[at]))
    return chosen


def key_frames(
    source: FrameSource,
    tree: EventTree,
    signal: BoundarySignal,
    *,
    per_event: int = 3,
    budget: int | None = None,
    progress: Progress | None = None,
) -> Mapping[str, tuple[KeyFrame, ...]]:
    """Key frames of every leaf of the tree and, chosen from these, of its coarse events; by id.

    One decoding pass at low resolution; memory is that of the candidates of one event.

    Args:
        signal: its novelty says where much goes on.
        per_event: frames of an event, at most.
        budget: frames of all leaves together, at most; the liveliest events keep more than one.

    Raises:
        MediaError: decoding fails.
    """
    info, leaves = source.info, tree.leaves
    allowed = _shares(leaves, signal, per_event, budget)
    step = max(1, round(info.fps / RATE))
    found: dict[str, tuple[KeyFrame, ...]] = {}
    kept: dict[str, Array] = {}
    frames: list[tuple[int, int]] = []
    looks: list[Array] = []
    place = [0]
    tick = float(info.time_base.fraction)

    def finish(until: int) -> None:
        """Choose for the events that end at or before a tick."""
        while place[0] < len(leaves) and leaves[place[0]].interval.end <= until:
            leaf = leaves[place[0]]
            if frames:
                pick = np.unique(np.linspace(0, len(frames) - 1, CANDIDATES).round().astype(int))
                near = np.array([looks[i] for i in pick])
                when = np.array([frames[i][1] for i in pick])
                lively = np.interp(when, signal.pts, signal.novelty)
                got = choose(near, lively, allowed[leaf.id], when * tick)
                picked = [(frames[pick[i]], why) for i, why in got]
                found[leaf.id] = tuple(KeyFrame(at, pts, why) for (at, pts), why in picked)
                kept[leaf.id] = near[[i for i, _ in got]]
            frames.clear()
            looks.clear()
            place[0] += 1

    def feed(frame: Frame) -> None:
        finish(frame.pts)
        frames.append((frame.index, frame.pts))
        looks.append(frame.image.mean(axis=2).reshape(-1).astype(np.float64))

    run_pass(source, [feed], step=step, size=CELLS, progress=progress, what="choosing key frames")
    finish(info.duration)
    for event in tree.coarse:
        parts = [leaf for leaf in tree.children(event.id) if found.get(leaf.id)]
        if parts:
            near = np.concatenate([kept[p.id] for p in parts])
            every = [frame for p in parts for frame in found[p.id]]
            when = np.array([f.pts for f in every])
            lively = np.interp(when, signal.pts, signal.novelty)
            got = choose(near, lively, per_event, when * tick)
            found[event.id] = tuple(KeyFrame(every[i].index, every[i].pts, why) for i, why in got)
    return found


def _shares(
    leaves: Sequence[Event], signal: BoundarySignal, per_event: int, budget: int | None
) -> dict[str, int]:
    """Frames each event may have: one each, the rest to the liveliest; none where it runs out."""
    if budget is None or budget >= per_event * len(leaves):
        return {leaf.id: per_event for leaf in leaves}
    marks = [leaf.interval.start for leaf in leaves]
    at = np.clip(np.searchsorted(marks, signal.pts, side="right") - 1, 0, len(leaves) - 1)
    lively = np.zeros(len(leaves))
    np.maximum.at(lively, at, signal.novelty)
    shares = dict.fromkeys((leaf.id for leaf in leaves), 0)
    order = [leaves[int(i)].id for i in np.argsort(-lively, kind="stable")]
    for turn in range(per_event):
        for event in order:
            if sum(shares.values()) == budget:
                return shares
            shares[event] = turn + 1
    return shares


def _distance(looks: Array, one: Array) -> Array:
    """Mean difference in the cells that differ most, apart from that of the whole; shape (n,).

    The median difference of all cells is light, which makes no other picture.
    """
    off = looks - one
    off = np.abs(off - np.median(off, axis=1, keepdims=True))
    top = min(TOP, off.shape[1])
    return np.asarray(np.partition(off, -top, axis=1)[:, -top:].mean(axis=1))
