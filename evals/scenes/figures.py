"""Bodies and vehicles as flat shapes in body units: x forward, y up from the ground, 1 = height.

Joint angles follow the usual sagittal-plane picture of gait: the hips swing as sines in antiphase,
the knee bends while its leg swings forward, the arms swing against the legs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = [
    "Colour",
    "Disc",
    "Limb",
    "Look",
    "Poly",
    "Ring",
    "Shape",
    "cart",
    "case",
    "cyclist",
    "kick_scooter",
    "random_look",
    "runner",
    "skater",
    "standing_rider",
    "turn",
    "walker",
]

Colour = tuple[float, float, float]
"""Blue, green, red in 0..255."""
Vec = tuple[float, float]

_THIGH, _SHIN = 0.245, 0.225
_UPPER_ARM, _FOREARM = 0.165, 0.15
_TYRE: Colour = (38, 36, 36)


@dataclass(frozen=True)
class Limb:
    """A tapered rod from ``a`` to ``b`` with radii ``ra`` and ``rb``."""

    a: Vec
    b: Vec
    ra: float
    rb: float
    colour: Colour


@dataclass(frozen=True)
class Disc:
    centre: Vec
    radius: float
    colour: Colour


@dataclass(frozen=True)
class Ring:
    centre: Vec
    radius: float
    width: float
    colour: Colour


@dataclass(frozen=True)
class Poly:
    points: tuple[Vec, ...]
    colour: Colour


Shape = Limb | Disc | Ring | Poly


@dataclass(frozen=True)
class Look:
    """Clothing and build of one person."""

    top: Colour
    legs: Colour
    skin: Colour
    hair: Colour
    shoes: Colour
    pack: Colour | None = None
    stout: float = 1.0


def random_look(rng: np.random.Generator) -> Look:
    """Clothes drawn from plausible street colours."""
    tops: tuple[Colour, ...] = (
        (52, 48, 46),
        (190, 192, 196),
        (60, 52, 150),
        (140, 92, 48),
        (70, 96, 62),
        (60, 140, 176),
        (110, 108, 112),
        (96, 50, 84),
        (222, 224, 226),
    )
    legs: tuple[Colour, ...] = ((44, 40, 38), (112, 74, 48), (78, 100, 122), (66, 66, 70))
    skins: tuple[Colour, ...] = ((150, 176, 214), (96, 126, 170), (60, 82, 118))
    hairs: tuple[Colour, ...] = ((28, 28, 30), (40, 62, 92), (90, 130, 160))

    def pick(options: tuple[Colour, ...]) -> Colour:
        b, g, r = (
            float(np.clip(c + rng.normal(0, 6), 10, 245))
            for c in options[int(rng.integers(len(options)))]
        )
        return (b, g, r)

    return Look(
        top=pick(tops),
        legs=pick(legs),
        skin=pick(skins),
        hair=pick(hairs),
        shoes=pick(((32, 30, 30), (200, 200, 205))),
        pack=pick(tops) if rng.random() < 0.35 else None,
        stout=float(rng.uniform(0.9, 1.15)),
    )


def turn(shapes: Sequence[Shape], direction: int) -> list[Shape]:
    """The shapes facing right (``+1``) or mirrored to face left (``-1``)."""
    if direction > 0:
        return list(shapes)

    def flip(p: Vec) -> Vec:
        return (-p[0], p[1])

    out: list[Shape] = []
    for shape in shapes:
        match shape:
            case Limb():
                out.append(replace(shape, a=flip(shape.a), b=flip(shape.b)))
            case Disc() | Ring():
                out.append(replace(shape, centre=flip(shape.centre)))
            case Poly():
                out.append(replace(shape, points=tuple(flip(p) for p in shape.points)))
    return out


def walker(
    look: Look, phase: float, swing: float = 1.0, carry: Colour | None = None
) -> list[Shape]:
    """A pedestrian. ``phase`` in radians of the gait cycle, ``swing`` 0 (standing) to 1."""
    return _upright(look, phase, 0.42 * swing, 0.95 * swing, 0.48 * swing, 0.25, 0.04, carry)


def runner(look: Look, phase: float) -> list[Shape]:
    """Wide strides, high heels, bent arms, body leaning forward."""
    return _upright(look, phase, 0.72, 1.75, 0.75, 1.45, 0.18, None)


def skater(look: Look, sway: float) -> list[Shape]:
    """Someone who stands still on a board. ``sway`` in radians: a slight balance movement."""
    board: list[Shape] = [
        Limb((-0.24, 0.055), (0.24, 0.055), 0.018, 0.018, (40, 60, 90)),
        Disc((-0.17, 0.025), 0.026, _TYRE),
        Disc((0.17, 0.025), 0.026, _TYRE),
    ]
    hip: Vec = (0.01, 0.53 + 0.005 * math.sin(sway))
    far = _bent(hip, (-0.13, 0.08), _THIGH, _SHIN + 0.02, look.legs, 0.75, look)
    near = _bent(hip, (0.14, 0.08), _THIGH, _SHIN + 0.02, look.legs, 1.0, look)
    lean = 0.12 + 0.03 * math.sin(sway)
    shoulder, body = _trunk(look, hip, lean)
    return [
        *board,
        *_arm(look, shoulder, -0.55, 0.2, 0.75),
        *far,
        *near,
        *body,
        *_arm(look, shoulder, 0.5, 0.3, 1.0),
    ]


def kick_scooter(look: Look, rolled: float, paint: Colour) -> list[Shape]:
    """Someone who stands on a rolling kick scooter. ``rolled``: wheel angle in radians."""
    wheels: list[Shape] = []
    for x in (-0.22, 0.27):
        spoke = (x + 0.04 * math.cos(-rolled), 0.05 + 0.04 * math.sin(-rolled))
        wheels += [Disc((x, 0.05), 0.05, _TYRE), Limb((x, 0.05), spoke, 0.008, 0.008, paint)]
    hip: Vec = (-0.04, 0.55)
    shoulder, body = _trunk(look, hip, 0.06)
    grip: Vec = (0.2, 0.62)
    elbow = ((shoulder[0] + grip[0]) / 2 - 0.02, (shoulder[1] + grip[1]) / 2 - 0.05)
    return [
        *wheels,
        Limb((-0.2, 0.07), (0.22, 0.07), 0.018, 0.018, paint),
        Limb((0.26, 0.07), grip, 0.014, 0.014, paint),
        *_bent(hip, (-0.1, 0.1), _THIGH, _SHIN + 0.02, look.legs, 0.75, look),
        *_bent(hip, (0.02, 0.1), _THIGH, _SHIN + 0.02, look.legs, 1.0, look),
        *body,
        Limb(shoulder, elbow, 0.04, 0.033, _dim(look.top, 0.86)),
        Limb(elbow, grip, 0.032, 0.024, _dim(look.top, 0.8)),
    ]


def cyclist(look: Look, rolled: float, pedal: float, paint: Colour) -> list[Shape]:
    """Bicycle and rider. ``rolled``: wheel angle, ``pedal``: crank angle, in radians."""
    hip: Vec = (-0.14, 0.56)
    crank: Vec = (-0.02, 0.16)
    feet = [
        (crank[0] + 0.09 * math.sin(pedal + k), crank[1] + 0.02 + 0.09 * math.cos(pedal + k))
        for k in (math.pi, 0.0)
    ]
    far = _bent(hip, feet[0], _THIGH + 0.01, _SHIN + 0.03, look.legs, 0.75, look)
    near = _bent(hip, feet[1], _THIGH + 0.01, _SHIN + 0.03, look.legs, 1.0, look)
    return [*far, *_bicycle(rolled, paint), *near, *_rider_top(look, hip)]


def standing_rider(look: Look, rolled: float, paint: Colour) -> list[Shape]:
    """A rider who has stopped: seated, one foot on the ground."""
    hip: Vec = (-0.14, 0.55)
    far = _bent(hip, (-0.05, 0.09), _THIGH + 0.01, _SHIN + 0.03, look.legs, 0.75, look)
    near = _bent(hip, (0.03, 0.02), _THIGH + 0.03, _SHIN + 0.07, look.legs, 1.0, look)
    return [*far, *_bicycle(rolled, paint), *near, *_rider_top(look, hip)]


def cart(look: Look, rolled: float, paint: Colour) -> list[Shape]:
    """A service cart with a roof and a driver, 1.7 person heights long and 1.15 high."""
    dark = _dim(paint, 0.55)
    wheels: list[Shape] = []
    for x in (-0.52, 0.55):
        spoke = (x + 0.09 * math.cos(-rolled), 0.14 + 0.09 * math.sin(-rolled))
        wheels += [
            Disc((x, 0.14), 0.14, _TYRE),
            Disc((x, 0.14), 0.07, (150, 150, 152)),
            Limb((x, 0.14), spoke, 0.015, 0.015, (90, 90, 92)),
        ]
    seat: Vec = (-0.05, 0.5)
    shoulder, body = _trunk(look, seat, -0.05)
    return [
        Limb((-0.62, 0.45), (-0.66, 1.12), 0.02, 0.02, dark),
        Limb((0.5, 0.55), (0.36, 1.12), 0.02, 0.02, dark),
        *body,
        *_arm(look, shoulder, 0.9, 0.5, 1.0),
        Poly(((-0.84, 0.18), (-0.84, 0.56), (-0.3, 0.56), (-0.26, 0.34), (0.3, 0.34),
              (0.4, 0.66), (0.62, 0.62), (0.86, 0.4), (0.86, 0.18)), paint),
        Poly(((-0.84, 0.18), (-0.84, 0.27), (0.86, 0.27), (0.86, 0.18)), dark),
        Poly(((-0.74, 1.1), (-0.7, 1.17), (0.42, 1.17), (0.5, 1.1)), _dim(paint, 1.12)),
        *wheels,
    ]  # fmt: skip


def case(colour: Colour) -> list[Shape]:
    """A suitcase standing on the ground."""
    return [
        Poly(((-0.13, 0.0), (-0.13, 0.3), (0.13, 0.3), (0.13, 0.0)), colour),
        Poly(((-0.13, 0.2), (-0.13, 0.24), (0.13, 0.24), (0.13, 0.2)), _dim(colour, 0.6)),
        Limb((-0.05, 0.33), (0.05, 0.33), 0.015, 0.015, (30, 30, 30)),
    ]


def _upright(
    look: Look,
    phase: float,
    hip_swing: float,
    knee_bend: float,
    arm_swing: float,
    elbow: float,
    lean: float,
    carry: Colour | None,
) -> list[Shape]:
    legs = []
    for side in (math.pi, 0.0):
        p = phase + side
        thigh = hip_swing * math.sin(p) + 0.02
        knee = 0.06 + knee_bend * max(0.0, math.cos(p)) ** 1.5
        legs.append((thigh, thigh - knee))
    # The body rides on the leg that reaches lowest, which gives the bob of walking.
    hip_y = 0.03 + max(_THIGH * math.cos(t) + _SHIN * math.cos(s) for t, s in legs)
    hip: Vec = (0.0, hip_y)
    shoulder, body = _trunk(look, hip, lean)
    swing_far = -arm_swing * math.sin(phase + math.pi)
    swing_near = -arm_swing * math.sin(phase)
    shapes = [
        *_arm(look, shoulder, swing_far, elbow, 0.75),
        *_leg(look, hip, *legs[0], 0.75),
        *_leg(look, hip, *legs[1], 1.0),
        *body,
    ]
    if carry is not None:
        swing_near *= 0.3
    shapes += _arm(look, shoulder, swing_near, elbow, 1.0)
    if carry is not None:
        low = 0.08
        shapes += [
            Poly(((-0.11, low), (-0.11, low + 0.28), (0.15, low + 0.28), (0.15, low)), carry)
        ]
    return shapes


def _trunk(look: Look, hip: Vec, lean: float) -> tuple[Vec, list[Shape]]:
    """Shoulder position and the shapes of torso, head and pack."""
    s, c = math.sin(lean), math.cos(lean)

    def at(up: float, forward: float = 0.0) -> Vec:
        return (hip[0] + up * s + forward * c, hip[1] + up * c - forward * s)

    w = look.stout
    shapes: list[Shape] = []
    if look.pack is not None:
        shapes.append(Limb(at(0.12, -0.11), at(0.28, -0.1), 0.06, 0.055, look.pack))
    shapes += [
        Limb(at(0.0), at(0.07), 0.078 * w, 0.08 * w, look.legs),
        Limb(at(0.06), at(0.28), 0.082 * w, 0.092 * w, look.top),
        Limb(at(0.08, 0.045 * w), at(0.27, 0.05 * w), 0.025, 0.03, _dim(look.top, 1.18)),
        Limb(at(0.3, 0.01), at(0.38, 0.015), 0.03, 0.03, look.skin),
        Disc(at(0.43, 0.02), 0.064, look.skin),
        Disc(at(0.452, -0.008), 0.06, look.hair),
    ]
    return at(0.3), shapes


def _leg(look: Look, hip: Vec, thigh: float, shin: float, light: float) -> list[Shape]:
    knee = (hip[0] + _THIGH * math.sin(thigh), hip[1] - _THIGH * math.cos(thigh))
    ankle = (knee[0] + _SHIN * math.sin(shin), knee[1] - _SHIN * math.cos(shin))
    tilt = min(0.0, shin) * 0.8
    toe = (ankle[0] + 0.085 * math.cos(tilt), ankle[1] + 0.085 * math.sin(tilt) - 0.005)
    cloth = _dim(look.legs, light)
    return [
        Limb(hip, knee, 0.062 * look.stout, 0.045, cloth),
        Limb(knee, ankle, 0.045, 0.03, cloth),
        Limb(ankle, toe, 0.027, 0.02, _dim(look.shoes, light)),
    ]


def _arm(look: Look, shoulder: Vec, swing: float, elbow: float, light: float) -> list[Shape]:
    joint = (
        shoulder[0] + _UPPER_ARM * math.sin(swing),
        shoulder[1] - _UPPER_ARM * math.cos(swing),
    )
    bend = swing + elbow
    hand = (joint[0] + _FOREARM * math.sin(bend), joint[1] - _FOREARM * math.cos(bend))
    return [
        Limb(shoulder, joint, 0.04 * look.stout, 0.033, _dim(look.top, 0.88 * light)),
        Limb(joint, hand, 0.032, 0.024, _dim(look.top, 0.82 * light)),
        Disc(hand, 0.028, _dim(look.skin, light)),
    ]


def _bent(
    hip: Vec, foot: Vec, thigh: float, shin: float, cloth: Colour, light: float, look: Look
) -> list[Shape]:
    """A leg whose foot is given: two-link inverse kinematics, knee forward."""
    dx, dy = foot[0] - hip[0], foot[1] - hip[1]
    reach = min(math.hypot(dx, dy), thigh + shin - 1e-6)
    cosine = (thigh * thigh + reach * reach - shin * shin) / (2 * thigh * reach)
    angle = math.atan2(dy, dx) + math.acos(max(-1.0, min(1.0, cosine)))
    knee = (hip[0] + thigh * math.cos(angle), hip[1] + thigh * math.sin(angle))
    toe = (foot[0] + 0.08, foot[1] - 0.01)
    return [
        Limb(hip, knee, 0.06 * look.stout, 0.046, _dim(cloth, light)),
        Limb(knee, foot, 0.045, 0.03, _dim(cloth, light)),
        Limb(foot, toe, 0.027, 0.02, _dim(look.shoes, light)),
    ]


def _bicycle(rolled: float, paint: Colour) -> list[Shape]:
    rear, front, crank = (-0.32, 0.19), (0.32, 0.19), (-0.02, 0.16)
    saddle, head = (-0.13, 0.5), (0.22, 0.5)
    shapes: list[Shape] = []
    for hub in (rear, front):
        shapes.append(Ring(hub, 0.175, 0.032, _TYRE))
        for k in range(3):
            a = -rolled + k * math.pi / 3
            tip = (0.16 * math.cos(a), 0.16 * math.sin(a))
            shapes.append(
                Limb(
                    (hub[0] - tip[0], hub[1] - tip[1]),
                    (hub[0] + tip[0], hub[1] + tip[1]),
                    0.005,
                    0.005,
                    (120, 120, 122),
                )
            )
    tubes = ((rear, crank), (rear, saddle), (crank, saddle), (crank, head), (saddle, head))
    shapes += [Limb(a, b, 0.016, 0.016, paint) for a, b in tubes]
    shapes += [
        Limb(head, front, 0.015, 0.015, paint),
        Limb((0.2, 0.56), (0.3, 0.58), 0.014, 0.014, _TYRE),
        Limb((-0.19, 0.52), (-0.07, 0.52), 0.018, 0.014, _TYRE),
    ]
    return shapes


def _rider_top(look: Look, hip: Vec) -> list[Shape]:
    shoulder, body = _trunk(look, hip, 0.42)
    grip: Vec = (0.27, 0.59)
    elbow = ((shoulder[0] + grip[0]) / 2 - 0.01, (shoulder[1] + grip[1]) / 2 - 0.04)
    arm: list[Shape] = [
        Limb(shoulder, elbow, 0.04, 0.033, _dim(look.top, 0.86)),
        Limb(elbow, grip, 0.032, 0.024, _dim(look.top, 0.8)),
        Disc(grip, 0.026, look.skin),
    ]
    return [*body, *arm]


def _dim(colour: Colour, factor: float) -> Colour:
    b, g, r = (min(250.0, c * factor) for c in colour)
    return (b, g, r)
