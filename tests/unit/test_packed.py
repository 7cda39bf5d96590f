"""Packed points are the points they were made of."""

from __future__ import annotations

import pickle

from tools.packed import PackedAttributes, PackedPoints, find, packed_attributes
from tools.types import Attribute, Box, Interval, Observation, Point, TimeBase

POINTS = tuple(
    Point(
        frame=2 * n,
        pts=512 * n,
        surprise=n / 7,
        box=Box(x0=n, y0=2, x1=n + 3, y1=9) if n % 3 else None,
    )
    for n in range(20)
)


def observed(points: tuple[Point, ...]) -> Observation:
    return Observation(
        id="o", video_id="v", interval=Interval(start=0, end=9, time_base=TimeBase(num=1, den=10)),
        subject="person", activity="walks", text="a person walks", key_frame=4, points=points,
    )  # fmt: skip


def test_they_read_like_the_tuple() -> None:
    points = observed(POINTS).points
    assert isinstance(points, PackedPoints)
    assert points == POINTS
    assert tuple(points) == POINTS
    assert (points[3], points[-1], len(points)) == (POINTS[3], POINTS[-1], 20)
    assert points[2:5] == POINTS[2:5]
    assert hash(points) == hash(POINTS)
    assert repr(points) == repr(POINTS)
    assert points != POINTS[1:]
    assert POINTS[4] in points


def test_they_travel() -> None:
    seen = observed(POINTS)
    assert Observation.model_validate_json(seen.model_dump_json()) == seen
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert seen.model_dump()["points"][1]["box"] == {"x0": 1, "y0": 2, "x1": 4, "y1": 9}
    assert seen.model_copy(update={"points": POINTS}).model_dump_json() == seen.model_dump_json()


def test_few_stay_as_they_are() -> None:
    assert type(observed(POINTS[:2]).points) is tuple


ATTRIBUTES = (
    Attribute(name="speed", value=1.25, unit="walking speeds", usual=1.0, limit=1.9, surprise=0.3),
    Attribute(name="direction", value="left"),
    Attribute(name="dwell", value=0.0, unit="s"),
)


def test_attributes_read_like_the_tuple() -> None:
    seen = observed(POINTS).model_copy(update={"attributes": packed_attributes(ATTRIBUTES)})
    found = seen.attributes
    assert isinstance(found, PackedAttributes)
    assert (found == ATTRIBUTES, tuple(found) == ATTRIBUTES, len(found)) == (True, True, 3)
    assert (found[1], found[-1], found[:2] == ATTRIBUTES[:2]) == (
        ATTRIBUTES[1], ATTRIBUTES[2], True,
    )  # fmt: skip
    assert (hash(found), repr(found)) == (hash(ATTRIBUTES), repr(ATTRIBUTES))
    assert (seen.value("speed"), seen.attribute("direction")) == (1.25, ATTRIBUTES[1])
    assert seen.attribute("size") is None
    assert Observation.model_validate_json(seen.model_dump_json()) == seen
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert Observation.model_validate(seen.model_dump()).attributes == found
    assert type(observed(POINTS).attributes) is tuple  # none stay none


def test_a_frame_is_found() -> None:
    assert find(observed(POINTS).points, 8) == POINTS[4]
    assert find(POINTS, 8) == POINTS[4]
    assert find(observed(POINTS).points, 7) is None
