"""Who walks through the scene: trajectories, gaits and the moments that count as abnormal.

Speeds are in body heights a second; :data:`WALK` is the usual one (1.3 m/s for 1.72 m).

A figure counts as abnormal exactly while it is visible and what is odd about it can be told:
riders, runners, carts, gliders and those on the wrong way or off the path always; a stopped rider
also while standing; someone who loiters once the stay exceeds :data:`LONGEST_PAUSE_S`, which is as
long as any pedestrian stands; a thing left behind once whoever left it is further away than
:data:`UNATTENDED` (3 m: the definition of PETS 2006, Thirde et al.).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evals.scenes.figures import (
    Colour,
    Shape,
    cart,
    case,
    cyclist,
    kick_scooter,
    random_look,
    runner,
    skater,
    standing_rider,
    turn,
    walker,
)
from evals.scenes.place import Place
from tools.errors import UserError

__all__ = [
    "KINDS",
    "LONGEST_PAUSE_S",
    "UNATTENDED",
    "WALK",
    "Actor",
    "Stage",
    "abnormal",
    "crowd",
]

Series = NDArray[np.float64]
Fact = float | str

WALK = 0.76
LONGEST_PAUSE_S = 4.0
"""No pedestrian of the crowd stands longer."""
UNATTENDED = 1.75
"""Body heights (3 m) between a thing and its carrier from which on it is left alone."""
_STRIDE = 0.78
"""Body heights per gait cycle of a walker (two steps)."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The place, the clock and the dice of one clip."""

    place: Place
    frames: int
    fps: float
    rng: np.random.Generator

    @property
    def times(self) -> Series:
        return np.arange(self.frames) / self.fps

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


@dataclass(frozen=True, eq=False)
class Actor:
    """One figure over the whole clip; every series has shape ``(frames,)``."""

    role: str
    x: Series
    row: Series
    """Foot row in pixels; figures are painted from the far to the near."""
    height: Series
    pose: Callable[[int], list[Shape]]
    odd: NDArray[np.bool_]
    """Frames in which the figure, where visible, is what the question is about."""
    present: NDArray[np.bool_]
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Way:
    """A trajectory: position, foot row, body height, distance gone (pixels) and signed speed."""

    x: Series
    row: Series
    height: Series
    gone: Series
    velocity: Series


def crowd(stage: Stage, density: float = 1.0, pause: float = 0.1) -> list[Actor]:
    """Pedestrians on all lanes, there from the first frame on, alone or in twos.

    Args:
        density: 1.0 puts about ten people in view.
        pause: share of them that stand still for two to :data:`LONGEST_PAUSE_S` seconds.
    """
    rng, actors = stage.rng, []
    for lane, (row, direction) in enumerate(stage.place.lanes):
        crossing = (stage.place.width / (WALK * float(stage.place.body_height(row)))) + 2.0
        at = -crossing + rng.exponential(2.0)
        while at < stage.seconds and density > 0:
            pace = WALK * float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2))
            stops = rng.random() < pause
            halt = (
                (at + rng.uniform(0.2, 0.8) * crossing, rng.uniform(2.0, LONGEST_PAUSE_S))
                if stops
                else None
            )
            actors.append(_pedestrian(stage, at, direction, row + rng.normal(0, 3.0), pace, halt))
            if rng.random() < 0.25:
                beside = row + rng.choice((-1.0, 1.0)) * rng.uniform(5.0, 8.0)
                later = at + rng.uniform(-0.25, 0.25)
                actors.append(_pedestrian(stage, later, direction, beside, pace, halt))
            gap = rng.exponential(4.2 + 0.6 * lane) + 1.3
            at += gap / density
    return actors


def abnormal(
    stage: Stage, kind: str, start_s: float, speed: float | None = None
) -> tuple[list[Actor], int]:
    """The actors of an abnormal ``kind`` and how many of them must be in view to count.

    Args:
        start_s: when the abnormal thing comes into view (crossing kinds) or begins (others).
        speed: in multiples of usual walking; None: the kind's own.
    """
    if kind == "normal":
        return [], 1
    try:
        make, usual, quorum = _MAKERS[kind]
    except KeyError:
        raise UserError(
            f"unknown kind of scene {kind!r}", remedy=f"one of {', '.join(KINDS)}"
        ) from None
    return make(stage, start_s, usual if speed is None else speed), quorum


# ---------------------------------------------------------------- trajectories


def _way(
    stage: Stage,
    enter_s: float,
    direction: int,
    row: float,
    pace: float,
    *,
    gate: Series | None = None,
    reach: float = 0.2,
    build: float = 1.0,
) -> _Way:
    """Cross the frame from one side: its front edge reaches the frame at ``enter_s``.

    ``gate`` multiplies the speed frame by frame; negative values walk back.
    """
    place, t = stage.place, stage.times
    size = float(place.body_height(row)) * build
    usual = pace * float(place.body_height(row))
    factor = np.ones(stage.frames) if gate is None else gate
    velocity = usual * factor
    step = 0.5 * (velocity[1:] + velocity[:-1]) / stage.fps
    way = np.concatenate([[0.0], np.cumsum(step)])
    gone = np.concatenate([[0.0], np.cumsum(np.abs(step))])
    if enter_s <= 0:
        at_entry = velocity[0] * enter_s
    elif enter_s >= t[-1]:
        at_entry = way[-1] + velocity[-1] * (enter_s - t[-1])
    else:
        at_entry = float(np.interp(enter_s, t, way))
    edge = -reach * size if direction > 0 else place.width + reach * size
    x = edge + direction * (way - at_entry)
    wander = 1.2 * np.sin(2 * math.pi * t / 9.0 + row)
    rows = row + place.tilt * (x - place.width / 2) + wander
    return _Way(
        x=x,
        row=rows,
        height=place.body_height(rows) * build,
        gone=gone,
        velocity=direction * velocity,
    )


def _gate(t: Series, start: float, length: float, ramp: float = 0.5) -> Series:
    """1 while moving, 0 while halted from ``start`` for ``length`` seconds, with linear ramps."""
    return np.interp(
        t, [start - ramp, start, start + length, start + length + ramp], [1.0, 0.0, 0.0, 1.0]
    )


def _pedestrian(
    stage: Stage,
    enter_s: float,
    direction: int,
    row: float,
    pace: float,
    halt: tuple[float, float] | None = None,
    *,
    role: str = "walker",
    odd: bool = False,
) -> Actor:
    gate = None if halt is None else _gate(stage.times, *halt)
    way = _way(
        stage, enter_s, direction, row, pace, gate=gate, build=float(stage.rng.normal(1.0, 0.05))
    )
    actor = _walk(stage, role, way, direction, usual=pace)
    return replace(actor, odd=np.full(stage.frames, odd))


def _walk(
    stage: Stage,
    role: str,
    way: _Way,
    direction: int,
    *,
    usual: float = WALK,
    carry: tuple[Colour, float] | None = None,
) -> Actor:
    """A walker along ``way``; ``carry``: colour of a case and the second it is put down."""
    rng = stage.rng
    look = random_look(rng)
    size = float(way.height.mean())
    stride = _STRIDE * float(rng.uniform(0.92, 1.08)) * (usual / WALK) ** 0.5
    phase = 2 * math.pi * way.gone / (stride * size) + float(rng.uniform(0, 2 * math.pi))
    liveliness = float(rng.uniform(0.88, 1.12))
    swing = np.clip(np.abs(way.velocity) / (usual * size), 0.0, 1.0) * liveliness
    facing = np.where(np.abs(way.velocity) > 1e-6, np.sign(way.velocity), direction).astype(int)

    def pose(i: int) -> list[Shape]:
        load = carry[0] if carry is not None and i / stage.fps < carry[1] else None
        return turn(walker(look, float(phase[i]), float(swing[i]), load), int(facing[i]))

    none = np.zeros(stage.frames, bool)
    return Actor(role, way.x, way.row, way.height, pose, none, ~none)


def _lane(stage: Stage) -> tuple[float, int]:
    lanes = stage.place.lanes
    row, direction = lanes[int(stage.rng.integers(len(lanes)))]
    return row + float(stage.rng.normal(0, 2.0)), direction


def _facts(stage: Stage, row: float, direction: int, speed: float) -> dict[str, Fact]:
    return {
        "speed_ratio": round(speed, 3),
        "direction": "right" if direction > 0 else "left",
        "foot_row": round(row, 1),
        "body_height_px": round(float(stage.place.body_height(row)), 1),
    }


# ---------------------------------------------------------------- the abnormal kinds


def _crossing(
    stage: Stage,
    role: str,
    way: _Way,
    pose: Callable[[int], list[Shape]],
    facts: dict[str, Fact],
) -> list[Actor]:
    every = np.ones(stage.frames, bool)
    return [Actor(role, way.x, way.row, way.height, pose, every, every, facts)]


def _paint(rng: np.random.Generator) -> Colour:
    b, g, r = (float(c) for c in rng.uniform(30, 190, 3))
    return (b, g, r)


def _cyclist(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    row, direction = _lane(stage)
    way = _way(stage, start_s, direction, row, speed * WALK, reach=0.5)
    look, paint = random_look(stage.rng), _paint(stage.rng)
    size = float(way.height.mean())
    cadence = 2 * math.pi * min(0.9, 0.35 * speed)

    def pose(i: int) -> list[Shape]:
        rolled = float(way.gone[i]) / (0.19 * size)
        return turn(cyclist(look, rolled, cadence * i / stage.fps, paint), direction)

    return _crossing(stage, "cyclist", way, pose, _facts(stage, row, direction, speed))


def _stopped_rider(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    row, direction = _lane(stage)
    cross = stage.place.width / (speed * WALK * float(stage.place.body_height(row)))
    halt = start_s + float(stage.rng.uniform(0.4, 0.6)) * cross
    hold = max(3.0, 0.35 * stage.seconds)
    gate = _gate(stage.times, halt, hold, ramp=0.8)
    way = _way(stage, start_s, direction, row, speed * WALK, gate=gate, reach=0.5)
    look, paint = random_look(stage.rng), _paint(stage.rng)
    size = float(way.height.mean())

    def pose(i: int) -> list[Shape]:
        rolled = float(way.gone[i]) / (0.19 * size)
        if gate[i] < 0.1:
            return turn(standing_rider(look, rolled, paint), direction)
        pedal = 2.2 * float(way.gone[i]) / size
        return turn(cyclist(look, rolled, pedal, paint), direction)

    facts = _facts(stage, row, direction, speed) | {
        "stops_at_s": round(halt, 2),
        "stands_s": round(hold, 2),
    }
    return _crossing(stage, "stopped_rider", way, pose, facts)


def _runner(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    row, direction = _lane(stage)
    way = _way(stage, start_s, direction, row, speed * WALK, reach=0.3)
    look = random_look(stage.rng)
    phase = 2 * math.pi * way.gone / (1.5 * float(way.height.mean()))

    def pose(i: int) -> list[Shape]:
        return turn(runner(look, float(phase[i])), direction)

    return _crossing(stage, "runner", way, pose, _facts(stage, row, direction, speed))


def _skater(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    row, direction = _lane(stage)
    way = _way(stage, start_s, direction, row, speed * WALK, reach=0.25)
    look = random_look(stage.rng)

    def pose(i: int) -> list[Shape]:
        return turn(skater(look, 1.8 * i / stage.fps), direction)

    return _crossing(stage, "skater", way, pose, _facts(stage, row, direction, speed))


def _glider(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    """Someone upright on a kick scooter that rolls: as tall and as wide as a walker, but rigid."""
    row, direction = _lane(stage)
    way = _way(stage, start_s, direction, row, speed * WALK, reach=0.25)
    look, paint = random_look(stage.rng), _paint(stage.rng)
    size = float(way.height.mean())

    def pose(i: int) -> list[Shape]:
        rolled = float(way.gone[i]) / (0.05 * size)
        return turn(kick_scooter(look, rolled, paint), direction)

    return _crossing(stage, "glider", way, pose, _facts(stage, row, direction, speed))


def _cart(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    row, direction = _lane(stage)
    way = _way(stage, start_s, direction, row, speed * WALK, reach=0.86)
    look, paint = random_look(stage.rng), _paint(stage.rng)
    size = float(way.height.mean())

    def pose(i: int) -> list[Shape]:
        return turn(cart(look, float(way.gone[i]) / (0.14 * size), paint), direction)

    facts = _facts(stage, row, direction, speed) | {"length_heights": 1.7, "height_ratio": 1.17}
    return _crossing(stage, "cart", way, pose, facts)


def _wrong_way(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    row, direction = _lane(stage)
    actor = _pedestrian(stage, start_s, -direction, row, speed * WALK, role="wrong_way", odd=True)
    return [replace(actor, facts=_facts(stage, row, -direction, speed))]


def _off_path(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    place, rng = stage.place, stage.rng
    above = place.path_top - float(rng.uniform(0.04, 0.07)) * place.height
    below = min(place.height - 3.0, place.path_bottom + 0.06 * place.height)
    row = above if rng.random() < 0.6 else below
    direction = int(rng.choice((-1, 1)))
    actor = _pedestrian(stage, start_s, direction, row, speed * WALK, role="off_path", odd=True)
    return [replace(actor, facts=_facts(stage, row, direction, speed))]


def _loitering(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    """Someone who comes to a spot and paces there until shortly before the clip ends."""
    row, direction = _lane(stage)
    t, leave = stage.times, max(start_s + LONGEST_PAUSE_S + 1.0, stage.seconds - 2.5)
    pace = speed * WALK * float(stage.place.body_height(row))
    spot = float(stage.rng.uniform(0.35, 0.65)) * stage.place.width
    pacing = 0.55 * np.sin(2 * math.pi * (t - start_s) / 5.0)
    gate = np.where((t >= start_s) & (t < leave), pacing, 1.0)
    # The entry is placed so that the walk ends at the spot when the loitering begins.
    way = _way(stage, start_s - spot / pace, direction, row, speed * WALK, gate=gate)
    shift = spot - float(np.interp(start_s, t, way.x)) if direction > 0 else 0.0
    if direction < 0:
        shift = stage.place.width - spot - float(np.interp(start_s, t, way.x))
    way = replace(way, x=way.x + shift)
    actor = _walk(stage, "loitering", way, direction, usual=speed * WALK)
    facts = _facts(stage, row, direction, speed) | {
        "arrives_s": round(start_s, 2),
        "stays_s": round(leave - start_s, 2),
    }
    return [replace(actor, odd=(t >= start_s + LONGEST_PAUSE_S) & (t < leave), facts=facts)]


def _abandoned(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    """Someone stops, puts a case down at ``start_s`` and walks on without it."""
    row, direction = _lane(stage)
    t = stage.times
    pace = speed * WALK * float(stage.place.body_height(row))
    spot = float(stage.rng.uniform(0.35, 0.65)) * stage.place.width
    gate = _gate(t, start_s - 0.7, 1.4)
    way = _way(stage, start_s - spot / pace, direction, row, speed * WALK, gate=gate)
    colour = _paint(stage.rng)
    carrier = _walk(stage, "carrier", way, direction, usual=speed * WALK, carry=(colour, start_s))
    i = min(stage.frames - 1, math.ceil(start_s * stage.fps - 1e-9))
    there = t >= start_s - 1e-9
    size = float(way.height[i])
    alone = there & (np.abs(way.x - way.x[i]) > UNATTENDED * size)
    full = np.ones(stage.frames)
    bag = Actor(
        role="abandoned",
        x=full * (way.x[i] + direction * 0.12 * size),
        row=full * (way.row[i] + 1.0),
        height=full * size,
        pose=lambda _: case(colour),
        odd=alone,
        present=there,
        facts=_facts(stage, row, direction, 0.0) | {"put_down_s": round(start_s, 2)},
    )
    return [carrier, bag]


def _group(stage: Stage, start_s: float, speed: float) -> list[Actor]:
    rng, place = stage.rng, stage.place
    direction = int(rng.choice((-1, 1)))
    middle = float(np.mean([row for row, way in place.lanes if way == direction]))
    room = 0.16 * (place.path_bottom - place.path_top)
    size = float(place.body_height(middle))
    actors = []
    for _ in range(_GROUP):
        row = middle + float(rng.uniform(-room, room))
        # One pace in pixels keeps the group together across its rows.
        pace = speed * WALK * size / float(place.body_height(row))
        late = float(rng.uniform(0.0, 2.6)) / (speed * WALK)
        member = _pedestrian(stage, start_s + late, direction, row, pace, role="group", odd=True)
        facts = _facts(stage, row, direction, speed) | {"people": float(_GROUP)}
        actors.append(replace(member, facts=facts))
    return actors


_GROUP = 11
_Maker = Callable[[Stage, float, float], list[Actor]]
_MAKERS: Mapping[str, tuple[_Maker, float, int]] = {
    "cyclist": (_cyclist, 3.0, 1),
    "runner": (_runner, 2.8, 1),
    "cart": (_cart, 2.0, 1),
    "skater": (_skater, 2.4, 1),
    "glider": (_glider, 1.8, 1),
    "wrong_way": (_wrong_way, 1.0, 1),
    "off_path": (_off_path, 1.0, 1),
    "loitering": (_loitering, 1.0, 1),
    "stopped_rider": (_stopped_rider, 2.4, 1),
    "abandoned": (_abandoned, 1.0, 1),
    "group": (_group, 1.0, 5),
}

KINDS: tuple[str, ...] = ("normal", *_MAKERS)
"""Every kind of scene; all but ``normal`` hold one abnormal happening."""
