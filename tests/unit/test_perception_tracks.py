"""Windows, statistics, tracks and words, on numbers made here."""

from __future__ import annotations

import numpy as np
import pytest

from tools.backends.embedded.perception.detections import Det, Kind, detect, hidden
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.motion import relative
from tools.backends.embedded.perception.objects import measure
from tools.backends.embedded.perception.percepts import Blob, FramePercept, Health
from tools.backends.embedded.perception.settings import DEFAULTS
from tools.backends.embedded.perception.sights import top_mean
from tools.backends.embedded.perception.statistics import Distribution, Histogram, PlaceMap
from tools.backends.embedded.perception.tracks import FrameDetections, link
from tools.backends.embedded.perception.windows import WindowGrid
from tools.backends.embedded.perception.wording import fact, region
from tools.types import Attribute, Box, Interval, TimeBase

TICK = TimeBase(num=1, den=10)


def geometry() -> Geometry:
    return Geometry(
        full=(160, 120),
        size=(160, 120),
        background=np.zeros((120, 160, 3), np.uint8),
        threshold=np.full((120, 160), 9, np.uint8),
        offset=24.0,
        slope=0.0,
        walk=0.8,
        people=True,
    )


def test_window_of_a_rigid_object_and_of_limbs() -> None:
    grid = WindowGrid(geometry(), DEFAULTS)
    mask = np.zeros((120, 160), np.uint8)
    mask[50:74, 70:82] = 1
    flow = np.zeros((120, 160, 2), np.float32)
    flow[50:74, 70:82, 0] = 2.4  # a tenth of a height in a tenth of a second
    seen = grid.measure(mask, flow, 0.1)
    best = int(np.argmax(seen.cover))
    assert float(seen.u[best]) == pytest.approx(1.0, rel=0.01)
    assert float(seen.spread[best]) == pytest.approx(0.0, abs=0.01)
    flow[50:74:2, 70:82, 0] = 0.0
    limbs = grid.measure(mask, flow, 0.1)
    assert float(limbs.u[best]) == pytest.approx(0.5, abs=0.05)
    assert float(limbs.spread[best]) == pytest.approx(0.5, abs=0.05)
    walk = PlaceMap(np.full((5, 7), 0.5, np.float32), 24)
    values = relative(grid, seen, walk)
    assert values["glide"][best] == pytest.approx(2.0, rel=0.02)
    assert relative(grid, limbs, walk)["glide"][best] < 0.0


def test_hidden_is_who_shows_neither_feet_nor_head() -> None:
    place = geometry()
    grid = WindowGrid(place, DEFAULTS)
    mask = np.zeros((120, 160), np.uint8)
    mask[20:44, 58:72] = 1  # farthest: the head is seen
    mask[38:62, 60:74] = 1  # far
    mask[60:84, 62:76] = 1  # nearer, right below
    mask[50:66, 72:110] = 1  # a wide thing that joins them to …
    mask[40:64, 106:118] = 1  # … one below whom there is nobody
    flow = np.zeros((120, 160, 2), np.float32)
    flow[..., 0] = 1.0
    blob = np.zeros((1, len(Blob)), np.float32)
    blob[0, [Blob.X0, Blob.Y0, Blob.X1, Blob.Y1]] = 58, 20, 118, 84
    blob[0, Blob.AREA], blob[0, Blob.SPREAD] = mask.sum(), 1.0
    seen = FramePercept(
        0, 0, np.zeros(len(Health), np.float32), grid.measure(mask, flow, 0.1), blob
    )
    found = detect(place, grid, seen)
    assert set(found[:, Det.KIND]) == {Kind.PART}

    def at(x: float, foot: float) -> float:
        near = np.hypot((found[:, Det.X0] + found[:, Det.X1]) / 2 - x, found[:, Det.Y1] - foot)
        assert near.min() < 9
        return float(found[near.argmin(), Det.HIDDEN])

    assert (at(63, 44), at(67, 62), at(67, 82), at(112, 64)) == (0.5, 1.0, 0.0, 0.0)


def test_a_head_tells_the_feet_only_where_the_window_begins_at_it() -> None:
    away = np.array([-0.6, -0.3, 0.0, 0.3, 0.6])
    begins_at_it = np.array([0.2, 0.7, 1.0, 1.2, 1.1])  # head and trunk three tenths higher
    further_down = np.array([0.1, 0.4, 1.0, 1.2, 1.1])
    assert hidden(away, begins_at_it) == 0.5
    assert hidden(away, further_down) == 1.0
    assert hidden(away, np.array([0.9, 0.9, 1.0, 1.2, 1.1])) == 1.0  # goes on above
    assert hidden(away, np.array([0.1, 0.7, 1.0, 0.8, 0.3])) == 0.0  # feet


def test_no_windows_where_people_are_too_small() -> None:
    tiny = geometry()
    small = WindowGrid(
        Geometry(
            full=tiny.full,
            size=tiny.size,
            background=tiny.background,
            threshold=tiny.threshold,
            offset=6.0,
            slope=0.0,
            walk=0.8,
            people=True,
        ),
        DEFAULTS,
    )
    assert len(small.x) == 0


def test_a_fleck_is_no_event() -> None:
    assert [top_mean(v) for v in (np.array([5.0]), np.full(9, 2.0), np.zeros(0))] == [1.0, 2.0, 0]


def test_histogram_quantiles_and_surprise() -> None:
    histogram = Histogram()
    with pytest.raises(ValueError, match="no measurements"):
        histogram.quantile(0.5)
    histogram.add(np.linspace(0, 10, 10_001))
    assert histogram.quantile(0.5) == pytest.approx(5.0, abs=0.02)
    assert histogram.quantile(0.999) == pytest.approx(9.99, abs=0.02)
    assert Distribution(1.0, 3.0, 10).surprise_of(5.0) == pytest.approx(2.0)
    place = Distribution(0.4, 0.004, 10, log=True)
    assert place.surprise_of(0.4) == pytest.approx(0.0)
    assert place.surprise_of(0.004) == pytest.approx(1.0)
    assert place.surprise_of(0.0) > 1.3


def row(
    x: float, y: float, u: float, *, spread: float = 0.1, kind: Kind = Kind.WHOLE
) -> np.ndarray:
    values = np.zeros(len(Det))
    values[[Det.X0, Det.Y0, Det.X1, Det.Y1]] = x - 5, y - 24, x + 5, y
    values[[Det.TALL, Det.U, Det.SPREAD, Det.AREA]] = 24, u, spread, 0.24
    values[Det.KIND] = kind
    return values


def test_crossing_objects_keep_their_identities() -> None:
    frames = []
    for i in range(40):
        rows = [row(10 + 3.6 * i, 80, 1.5), row(100 - 1.2 * i, 80, -0.5)]
        if 17 <= i <= 20:  # hidden behind each other
            rows = rows[:1]
        frames.append(FrameDetections(i, i, i / 10, np.array(rows)))
    tracks = link(frames, walk=0.5)
    assert len(tracks) == 2
    fast = next(t for t in tracks if t.rows[0][Det.U] > 0)
    assert fast.frames == list(range(40))
    assert all(r[Det.U] > 0 for r in fast.rows)


def test_two_who_meet_and_pass_as_one_outline_keep_their_ways() -> None:
    """Seen as one for half a second, whose flow is first nobody's and then that of one of them."""
    frames = []
    for i in range(60):
        right, left = 20 + 1.2 * i, 92 - 1.2 * i
        rows = [row(right, 80, 0.5), row(left, 79, -0.5)]
        if 27 <= i <= 32:
            rows = [row((right + left) / 2, 80, 0.05 * (i - 26))]
        frames.append(FrameDetections(i, i, i / 10, np.array(rows)))
    for causal in (False, True):
        tracks = link(frames, walk=0.5, causal=causal)
        ends = {float(np.sign(t.rows[0][Det.U])): t.rows[-1] for t in tracks if t.frames[0] == 0}
        assert ends[1.0][Det.X0] > 80
        assert ends[-1.0][Det.X1] < 35


def test_who_comes_in_where_another_has_left_is_another() -> None:
    frames = []
    for i in range(60):
        rows = np.zeros((0, len(Det)))
        if i < 20:  # leaves by the left border: the strip that is left hardly moves
            rows = row(max(5.0, 60 - 3.0 * i), 80, -0.05 if i > 14 else -1.2)[None]
            rows[:, Det.CUT] = float(rows[0, Det.X0] <= 1)
        elif i > 42:  # another comes in there
            rows = row(5 + 1.2 * (i - 43), 80, 0.5)[None]
            rows[:, Det.CUT] = float(i < 45)
        frames.append(FrameDetections(i, i, i / 10, rows))
    left, came = link(frames, walk=0.5)
    assert (left.frames[-1], came.frames[0]) == (19, 43)


def test_a_fast_object_is_not_handed_to_a_walker() -> None:
    frames = []
    for i in range(30):
        rows = [row(60 + 0.6 * i, 82, 0.25)]
        if i < 16:
            rows.append(row(10 + 3.6 * i, 80, 1.5))
        frames.append(FrameDetections(i, i, i / 10, np.array(rows)))
    tracks = link(frames, walk=0.25)
    assert [t.frames[-1] for t in tracks if t.rows[0][Det.U] > 1] == [15]


def test_attributes_of_a_track() -> None:
    frames = [FrameDetections(i, i, i / 10, np.array([row(20 + i, 80, 0.5)])) for i in range(50)]
    (track,) = link(frames, walk=0.5)
    seen = measure(track, PlaceMap(np.full((5, 7), 0.5, np.float32), 24), None)
    assert seen.direction == "right"
    assert np.allclose(seen.speed, 1.0)
    assert np.allclose(seen.limb_motion, 0.2)
    assert np.allclose(seen.glide, 0.6)
    assert np.allclose(seen.size, 1.0)
    assert not seen.dwell.any()  # what moves on does not stay
    assert not seen.group
    assert not seen.small


def test_the_words_of_a_fact() -> None:
    glide = fact(
        "person-sized object",
        "glides",
        [
            Attribute(name="speed", value=3.9, unit="× usual walking speed"),
            Attribute(name="direction", value="left"),
        ],
        Interval(start=87, end=129, time_base=TICK),
        ("right", "left"),
        scale="walkers here",
    )
    assert glide == (
        "a person-sized object glides right to left at 3.9× the usual walking speed "
        "(fast and rigid, such as a rider), from the right to the left, 00:08.7–00:12.9"
    )
    brisk = fact(
        "person-sized object",
        "glides",
        [Attribute(name="speed", value=1.7, usual=1.0, limit=1.8, surprise=0.9)],
        Interval(start=0, end=10, time_base=TICK),
        ("centre", "centre"),
        scale="walkers here",
    )
    assert "1.7×" in brisk
    assert "rider" not in brisk, "walkers of this scene go so fast, too"
    assumed = fact(
        "large object",
        "moves",
        [Attribute(name="speed", value=2.0), Attribute(name="size", value=3.8)],
        Interval(start=0, end=10, time_base=TICK),
        ("centre", "centre"),
        scale="assumed",
    )
    assert "scale assumed" in assumed
    assert "3.8× as tall as the assumed person" in assumed
    assert "rider" not in assumed


def test_regions() -> None:
    assert region(Box(x0=0, y0=0, x1=10, y1=10), 90, 90) == "upper left"
    assert region(Box(x0=40, y0=40, x1=50, y1=50), 90, 90) == "centre"
    assert region(Box(x0=40, y0=80, x1=50, y1=90), 90, 90) == "lower middle"
