"""Scenes of known event changes: who enters, leaves, runs, stops, meets, parts, drops something.

Nobody else is about, so the changes told are all there are. A change is told at the middle of it:
someone enters or leaves when the middle of the body passes the edge of the frame, starts to run or
stops in the middle of the change of pace, meets when the second of two has come to stand, parts
when they set off, and drops a case when it touches the ground. Changes within half a second of
each other are one boundary, at their mean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evals.scenes.cast import WALK, Actor, Stage
from evals.scenes.figures import Shape, case, random_look, runner, turn, walker
from evals.scenes.place import make_place
from evals.scenes.render import film

__all__ = ["STORIES", "Change", "ChangeScene", "render_changes"]

Series = NDArray[np.float64]
What = Literal["enter", "leave", "run", "stop", "go", "meet", "part", "drop"]

RUN = 2.6
"""Running pace, in multiples of usual walking."""
RAMP_S = 0.4
"""Length of a change of pace."""
APART_S = 2.0
"""Changes of one scene that are not meant to coincide are at least this far apart."""
TOGETHER_S = 0.5


@dataclass(frozen=True)
class Change:
    """One change of what goes on: when (seconds) and what."""

    at_s: float
    what: What


@dataclass(frozen=True)
class ChangeScene:
    """What is true of a clip made by :func:`render_changes`."""

    path: Path
    seed: int
    seconds: float
    changes: tuple[Change, ...]
    """In time order."""

    @property
    def boundaries(self) -> tuple[float, ...]:
        """Seconds of the boundaries: changes that come together are one."""
        groups: list[list[float]] = []
        for change in self.changes:
            if groups and change.at_s - groups[-1][0] <= TOGETHER_S:
                groups[-1].append(change.at_s)
            else:
                groups.append([change.at_s])
        return tuple(sum(g) / len(g) for g in groups)


@dataclass(frozen=True)
class _Part:
    """What one or two figures do: the figures, and the changes that makes."""

    actors: tuple[Actor, ...]
    changes: tuple[Change, ...]


def render_changes(
    path: str | Path,
    *,
    seed: int = 0,
    place: int = 0,
    seconds: float = 20.0,
    fps: int = 10,
    size: tuple[int, int] = (360, 240),
    noise: float = 2.0,
) -> ChangeScene:
    """Write a clip of two or three stories, whose changes are apart or at once; deterministic.

    Raises UserError for impossible settings, MediaError where the file cannot be written.
    """
    frames = round(seconds * fps)
    stage = Stage(
        make_place(place, size), frames, float(fps), np.random.default_rng([seed, place, 5])
    )
    rng = stage.rng
    wanted = int(rng.integers(2, 4))
    parts: list[_Part] = []
    rows = list(rng.permutation(len(stage.place.lanes)))
    for _ in range(60):
        if len(parts) == wanted:
            break
        told = [c for p in parts for c in p.changes]
        name = str(rng.choice(list(STORIES)))
        at = float(rng.uniform(2.5, seconds - 4.0))
        if told and rng.random() < 0.3:  # several at once
            at = told[int(rng.integers(len(told)))].at_s
        row = stage.place.lanes[int(rows[len(parts)])][0] + float(rng.normal(0, 2.0))
        part = STORIES[name](stage, row, at)
        if _fits(part.changes, told, seconds):
            parts.append(part)
    changes = sorted((c for p in parts for c in p.changes), key=lambda c: c.at_s)
    film(Path(path), stage, [a for p in parts for a in p.actors], noise=noise)
    return ChangeScene(Path(path), seed, seconds, tuple(changes))


def _fits(new: Sequence[Change], old: Sequence[Change], seconds: float) -> bool:
    """Whether all changes are inside, and together or well apart."""
    every = sorted([*new, *old], key=lambda c: c.at_s)
    if not new or any(not 1.5 <= c.at_s <= seconds - 1.5 for c in new):
        return False
    gaps = [b.at_s - a.at_s for a, b in itertools.pairwise(every)]
    groups = [0.0]
    for gap in gaps:
        # A chain of near changes would be no single moment.
        groups.append(groups[-1] + gap if gap < APART_S else 0.0)
    return all(g <= TOGETHER_S / 2 for g in groups)


# ---------------------------------------------------------------- figures


def _pixels(stage: Stage, row: float) -> float:
    """Pixels a second of a walker."""
    return WALK * float(stage.place.body_height(row))


def _figure(
    stage: Stage,
    row: float,
    anchor: tuple[float, float],
    paces: Sequence[tuple[float, float]],
    first: float = 1.0,
    carries_until: float | None = None,
) -> tuple[Actor, Series, tuple[float, float, float] | None]:
    """A figure at x = ``anchor[1]`` at second ``anchor[0]``, with its x and its case's colour.

    ``paces``: signed pace in multiples of walking from each second on; ``first``: before them.
    """
    rng, t = stage.rng, stage.times
    pace = np.full(stage.frames, first)
    for at, value in paces:
        share = np.clip((t - at) / RAMP_S + 0.5, 0.0, 1.0)
        pace = pace * (1 - share) + value * share
    velocity = pace * _pixels(stage, row)
    way = np.concatenate([[0.0], np.cumsum(0.5 * (velocity[1:] + velocity[:-1]) / stage.fps)])
    gone = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(way)))])
    x = way - float(np.interp(anchor[0], t, way)) + anchor[1]
    rows = row + stage.place.tilt * (x - stage.place.width / 2)
    height = stage.place.body_height(rows)
    size, look = float(height.mean()), random_look(rng)
    phase = 2 * math.pi * gone / (0.78 * size) + float(rng.uniform(0, 6))
    phase_run = 2 * math.pi * gone / (1.5 * size)
    facing, last = np.ones(stage.frames, dtype=int), 1 if first >= 0 else -1
    for i, value in enumerate(pace):
        last = int(np.sign(value)) if abs(value) > 0.05 else last
        facing[i] = last
    colour = (float(rng.uniform(20, 90)), float(rng.uniform(20, 90)), float(rng.uniform(20, 200)))

    def pose(i: int) -> list[Shape]:
        if abs(pace[i]) > 1.7:
            return turn(runner(look, float(phase_run[i])), int(facing[i]))
        load = colour if carries_until is not None and t[i] < carries_until else None
        swing = min(1.0, abs(float(pace[i])))
        return turn(walker(look, float(phase[i]), swing, load), int(facing[i]))

    none = np.zeros(stage.frames, bool)
    return Actor("figure", x, rows, height, pose, none, ~none), x, colour


def _edges(stage: Stage, x: Series) -> list[Change]:
    """When the middle of a body passes an edge of the frame."""
    inside = (x >= 0) & (x <= stage.place.width)
    moments = np.flatnonzero(np.diff(inside.astype(int)))
    return [
        Change(float(stage.times[i] + 0.5 / stage.fps), "leave" if inside[i] else "enter")
        for i in moments
    ]


def _way(stage: Stage) -> int:
    return int(stage.rng.choice((-1, 1)))


def _inside(stage: Stage, low: float, high: float) -> float:
    return float(stage.rng.uniform(low, high)) * stage.place.width


# ---------------------------------------------------------------- stories


def _crosses(stage: Stage, row: float, at: float) -> _Part:
    """Someone enters and walks on."""
    way = _way(stage)
    edge = 0.0 if way > 0 else float(stage.place.width)
    actor, x, _ = _figure(stage, row, (at, edge), (), first=way)
    return _Part((actor,), tuple(_edges(stage, x)))


def _leaves(stage: Stage, row: float, at: float) -> _Part:
    """Someone who was there leaves."""
    way = _way(stage)
    edge = float(stage.place.width) if way > 0 else 0.0
    actor, x, _ = _figure(stage, row, (at, edge), (), first=way)
    return _Part((actor,), tuple(_edges(stage, x)))


def _runs(stage: Stage, row: float, at: float) -> _Part:
    """A walker starts to run, and leaves if there is time."""
    way = _way(stage)
    spot = _inside(stage, 0.1, 0.4) if way > 0 else _inside(stage, 0.6, 0.9)
    actor, x, _ = _figure(stage, row, (at, spot), ((at, way * RUN),), first=way)
    return _Part((actor,), (*_edges(stage, x), Change(at, "run")))


def _stops(stage: Stage, row: float, at: float) -> _Part:
    """A walker stops, and perhaps goes on later."""
    way, spot = _way(stage), _inside(stage, 0.25, 0.75)
    paces, changes = [(at, 0.0)], [Change(at, "stop")]
    if stage.rng.random() < 0.5:
        later = at + float(stage.rng.uniform(3.0, 6.0))
        paces.append((later, float(way)))
        changes.append(Change(later, "go"))
    actor, x, _ = _figure(stage, row, (at, spot), paces, first=way)
    return _Part((actor,), (*_edges(stage, x), *changes))


def _meets(stage: Stage, row: float, at: float) -> _Part:
    """Two come together, stand, and part again if there is time."""
    spot = _inside(stage, 0.35, 0.65)
    near = 0.28 * float(stage.place.body_height(row))
    later = at + float(stage.rng.uniform(3.0, 6.0))
    parts = stage.rng.random() < 0.7
    actors, changes = [], [Change(at, "meet"), *([Change(later, "part")] if parts else [])]
    for way in (-1, 1):
        # They go back where they came from, or each on where the other came from.
        paces = [(at, 0.0), *([(later, -1.0 * way)] if parts else [])]
        actor, x, _ = _figure(stage, row, (at, spot - way * near), paces, first=way)
        actors.append(actor)
        changes += _edges(stage, x)
    return _Part(tuple(actors), tuple(changes))


def _drops(stage: Stage, row: float, at: float) -> _Part:
    """A walker drops a case and walks on."""
    way, spot = _way(stage), _inside(stage, 0.3, 0.7)
    actor, x, colour = _figure(stage, row, (at, spot), (), first=way, carries_until=at)
    i = min(stage.frames - 1, math.ceil(at * stage.fps))
    full, size = np.ones(stage.frames), float(actor.height[i])
    there = stage.times >= at
    shade = colour or (0.0, 0.0, 0.0)
    thing = Actor(
        role="case",
        x=full * (x[i] + way * 0.1 * size),
        row=full * (actor.row[i] + 1.0),
        height=full * size,
        pose=lambda _: case(shade),
        odd=~there & False,
        present=there,
    )
    return _Part((actor, thing), (*_edges(stage, x), Change(at, "drop")))


STORIES: dict[str, Callable[[Stage, float, float], _Part]] = {
    "crosses": _crosses,
    "leaves": _leaves,
    "runs": _runs,
    "stops": _stops,
    "meets": _meets,
    "drops": _drops,
}
"""What may happen, by name."""
