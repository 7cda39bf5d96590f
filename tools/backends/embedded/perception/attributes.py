"""What is measured of objects: each attribute's unit, formula, source, and what is normal for it.

Whatever is measured relative to people is measured in *heights*, the expected height of a person at
that place of the picture, and in usual walking speeds there. Each numeric attribute has a normal
distribution of its own, of which the median (*usual*) and the 99.9th percentile (*limit*) are kept
(:class:`statistics.Distribution`): surprise = (value − usual) / (limit − usual), so that 0 is usual
and 1 as rare as one in a thousand normal measurements. The table in ``docs/attributes.md`` is made
from here: ``python -m tools.backends.embedded.perception.attributes``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ATTRIBUTES", "DEFINITIONS", "Definition", "table"]


@dataclass(frozen=True)
class Definition:
    """``normal`` says how its normal distribution is learned and from how much footage."""

    unit: str
    formula: str
    source: str
    normal: str


_OWN = "stated by this project"
_TRACKS = "all frames of all normal tracks, from one clip on"
_SMALL = f"{_TRACKS}; small things have one of their own from 200 measurements on"
_UNLESS = "a stated prior with under 8 measurements"

DEFINITIONS: Mapping[str, Definition] = {
    "speed": Definition(
        "× usual walking speed",
        "|mean of the optical flow f over its foreground| / usual walking speed at its feet; a "
        "Gaussian mean over about 0.8 s of the track",
        "flow: Kroeger et al. 2016 (DIS); the ratio and the map of usual speeds (a shrunk mean of "
        f"moving windows, `motion.py`): {_OWN}",
        f"{_SMALL}; {_UNLESS}",
    ),
    "limb_motion": Definition(
        "× usual walking speed",
        "√(E|f|² − |E f|²) over its foreground / usual walking speed at its feet; averaged as "
        "speed",
        f"after Lipton 1999 (residual flow tells who has limbs from what is rigid); ratio: {_OWN}",
        f"{_TRACKS}; {_UNLESS}",
    ),
    "glide": Definition(
        "× usual walking speed",
        "speed − 2 × limb_motion: what remains of a speed that swinging limbs do not account for",
        _OWN,
        f"{_SMALL}; {_UNLESS}",
    ),
    "size": Definition(
        "× usual height here",
        "height of its box / expected height h of a person with feet there, h = offset + slope × "
        "row; averaged as speed, not where its outline is unknown or cut by the border",
        "heights linear in the row of the feet: Hoiem et al. 2006; the fit (`perspective.py`): "
        f"{_OWN}",
        f"{_TRACKS}, groups left out; {_UNLESS}",
    ),
    "area": Definition(
        "× usual area here",
        "foreground pixels of its outline / (0.24 h²), the foreground of an upright person there; "
        "averaged as speed, where size is",
        _OWN,
        f"{_TRACKS}, groups left out; {_UNLESS}",
    ),
    "shape": Definition(
        "× a person's width for its height",
        "width / height of its box / 0.41; averaged as speed, where its outline is known and not "
        "cut by the border; 1 for a pedestrian, about 2 for a rider seen from the side",
        "0.41: Dollár et al. 2012, pedestrians' width per height",
        f"{_TRACKS}, groups left out; not there with under 8 measurements",
    ),
    "direction": Definition(
        "",
        "dominant axis of the track's mean flow: left, right, toward or away from the camera; none "
        "under a quarter of the usual walking speed",
        _OWN,
        "share s of the normal tracks' time that goes each way, from a minute of footage on; "
        "surprise = log(0.2 / s) / log(200): 0 for a fifth of the time, 1 for a thousandth",
    ),
    "way": Definition(
        "share of the normal motion there",
        "(n_d + 2 s_d) / (n + 2): of the n normal tracks at a place the n_d within 67.5° of its "
        "direction, s_d being the scene's share; steadied over a second, only from 0.4 × usual "
        "walking speed on",
        f"additive (Dirichlet) smoothing; the map (`ways.py`): {_OWN}",
        "of log₁₀: less is stranger; each clip's tracks by the other clips' map; from 3 clips with "
        "20 moving tracks on, else not measured",
    ),
    "place": Definition(
        "share of normal frames",
        "normal frames in which somebody's feet are within 0.4 heights of its feet / all normal "
        "frames",
        f"{_OWN} (`places.py`)",
        "of log₁₀: less is stranger; each clip's tracks by the other clips' map; from 10 clips on, "
        "else not measured",
    ),
    "astray": Definition(
        "× usual height here",
        "distance from its feet to the nearest place where two normal tracks or more trod, in "
        "heights there",
        f"nearest-neighbour distance: Knorr & Ng 1998; the map (`places.py`): {_OWN}",
        "each clip's tracks by the other clips' map; limit at least 0.25; from 10 clips on, else "
        "not measured",
    ),
    "dwell": Definition(
        "s",
        "seconds since its place began to be stayed at, slower than half a walk and within 0.75 "
        "heights, by whoever it was; 0 while it moves on",
        f"{_OWN} (`stays.py`)",
        f"{_SMALL}; limit at least 5 s; a stated prior where no clip lasts twice the limit",
    ),
    "unattended": Definition(
        "s",
        "seconds since whoever was with a thing when it came into being was last within 1.75 "
        "heights (3 m) of it",
        f"left alone from 3 m on: PETS 2006 (Thirde et al.); carrier and birth (`leaving.py`): "
        f"{_OWN}",
        "of log₁₀, over things of normal clips that came into being; limit at least 0.5 s; a "
        "stated prior where none did",
    ),
    "missing": Definition(
        "s",
        "seconds since something that stands in the normal footage was last at its place: that "
        "place differs from the background and keeps still, and the background's outline there is "
        "at least twice as strong as the frame's",
        f"what moved off by itself is left out (`missing.py`): {_OWN}",
        "of log₁₀, over places of normal clips that something left; limit at least 2 s; a stated "
        "prior where nothing did",
    ),
    "height": Definition(
        "px",
        "median height of its box over the stretch, in pixels of the full picture",
        _OWN,
        "none: pixels compare with nothing across a picture; `size` is the height that is judged",
    ),
    "count": Definition(
        "people",
        "median over a stretch of how many people, or objects, are on the move at a time; small "
        "ones and boxes mostly inside another are not counted",
        f"{_OWN} (`claims.moving`)",
        "all frames of all normal clips, from one clip on; limit at least 2.5 above the usual",
    ),
}

ATTRIBUTES: Mapping[str, str] = {name: d.unit for name, d in DEFINITIONS.items()}
"""Attributes with their units."""


def table() -> str:
    """The definitions as a Markdown table."""
    rows = [
        "| attribute | unit | formula | source | its normal distribution |",
        "|---|---|---|---|---|",
    ]
    for name, d in DEFINITIONS.items():
        cells = (f"`{name}`", d.unit or "–", d.formula, d.source, d.normal)
        rows.append(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
