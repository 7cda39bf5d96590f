"""Where feet are, and who is in front of whom, on figures drawn here; flow of pieces moved here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det, Kind, detect
from tools.backends.embedded.perception.flow import FlowField, grey
from tools.backends.embedded.perception.footing import feet
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.objects import held, measure
from tools.backends.embedded.perception.percepts import Analyser
from tools.backends.embedded.perception.settings import DEFAULTS
from tools.backends.embedded.perception.statistics import PlaceMap
from tools.backends.embedded.perception.tracks import FrameDetections, Track, link
from tools.backends.embedded.perception.ways import WayMap

TALL, FPS = 24.0, 10
STILL = PlaceMap(np.full((5, 7), 0.8, np.float32), 24)


def geometry() -> Geometry:
    return Geometry(
        full=(160, 120), size=(160, 120), background=np.full((120, 160, 3), 120, np.uint8),
        threshold=np.full((120, 160), 9, np.uint8), offset=TALL, slope=0.0, walk=0.8, people=True,
    )  # fmt: skip


def picture(*people: tuple[int, int]) -> NDArray[np.uint8]:
    """Upright figures of a person's height by the middle and the row of their feet."""
    image = np.full((120, 160, 3), 120, np.uint8)
    for n, (x, foot) in enumerate(people):
        image[foot - 24 : foot, x - 4 : x + 4] = 30 + 40 * n
    return image


def row(x: float, foot: float, *, u: float = 0.0, hidden: float = 0.0) -> NDArray[np.float64]:
    one = np.zeros(len(Det))
    one[[Det.X0, Det.Y0, Det.X1, Det.Y1]] = x - 7, foot - TALL, x + 7, foot
    one[Det.TALL], one[Det.U], one[Det.AREA] = TALL, u, np.nan
    one[Det.KIND], one[Det.HIDDEN] = Kind.PART, hidden
    return one


def track(rows: list[NDArray[np.float64]]) -> Track:
    frames = list(range(len(rows)))
    return Track(frames=frames, pts=frames, times=[n / FPS for n in frames], rows=rows)


def test_whoever_is_in_front_of_others_is_found_by_their_feet() -> None:
    """Three in a column, the windows between them fuller than that of whoever is in front."""
    place = geometry()
    analyser = Analyser(place, DEFAULTS)
    people = [(70, 60), (72, 78), (75, 86)]
    before = picture((69, 60), (73, 78), (74, 86))  # one of them goes the other way
    seen = analyser(1, 1, picture(*people), grey(before), 0.1)
    assert np.abs(seen.feet - (75, 86)).max(axis=1).min() <= 2
    found = detect(place, analyser.grid, seen)
    middle = (found[:, Det.X0] + found[:, Det.X1]) / 2
    front = (np.abs(found[:, Det.Y1] - 86) <= 1) & (np.abs(middle - 75) <= 5)
    assert front.sum() == 1
    assert found[front][0, Det.HIDDEN] == 0.0
    assert len(found) >= 2


def test_one_who_walks_alone_has_no_need_of_it() -> None:
    before = grey(picture((69, 60)))
    seen = Analyser(geometry(), DEFAULTS)(1, 1, picture((70, 60)), before, 0.1)
    assert len(seen.blobs) > 0
    assert seen.feet.shape == (0, 2)


def test_feet_are_steadied_over_a_step_and_unknown_where_hidden() -> None:
    rows = [row(40.0 + n, 60.0 + 4 * (n % 5 == 0)) for n in range(30)]
    for n in range(10, 14):
        rows[n] = row(40.0 + n, 45.0, hidden=1.0)
    made = track(rows)
    foot, known = feet(made.array, np.array(made.times))
    assert known.sum() == 26
    assert not known[10:14].any()
    assert np.ptp(foot[known]) == 0.0


def outline(x: float, top: float, foot: float) -> NDArray[np.float64]:
    one = row(x, foot)
    one[[Det.Y0, Det.KIND]] = top, Kind.WHOLE
    return one


def test_legs_that_are_not_seen_are_below_the_head_all_the_same() -> None:
    """Twelve frames behind something low, and five in which the head is what is missing."""
    rows = [outline(20.0 + n, 40.0, 62.0) for n in range(40)]
    rows[10:22] = [outline(20.0 + n, 40.0, 52.0) for n in range(10, 22)]
    rows[30:35] = [outline(20.0 + n, 50.0, 62.0) for n in range(30, 35)]
    foot, _ = feet(track(rows).array, np.arange(40) / FPS)
    assert foot == pytest.approx(np.full(40, 62.0))
    short = [outline(20.0 + n, 48.0, 62.0) for n in range(40)]  # a child throughout
    assert feet(track(short).array, np.arange(40) / FPS)[0] == pytest.approx(np.full(40, 62.0))


def test_a_way_is_taken_from_where_the_place_is_known() -> None:
    """An identity that was on somebody else's head before: its motion there is another's."""
    shares = np.zeros((8, 10, 8), np.float32)
    left = 4
    shares[..., left - 1 : left + 2] = 0.95
    ways = WayMap(shares, 16)
    rows = [row(40.0, 60.0, u=0.8, hidden=1.0) for _ in range(20)]
    rows[8:11] = [row(40.0, 60.0, u=-0.8) for _ in range(3)]
    way = measure(track(rows), STILL, None, ways).way
    assert np.nanmin(way) == pytest.approx(0.95)


def test_a_limit_is_of_what_lasts() -> None:
    """Feet that are cut out wrongly for a moment make no place usual."""
    far = np.zeros((30, 40), np.float32)
    far[:10] = 1.0  # heights from where people go
    rows = [row(20.0 + n, 80.0) for n in range(60)]
    for n in range(20, 32):
        rows[n] = row(20.0 + n, 30.0)
    astray = measure(track(rows), STILL, None, None, PlaceMap(far, 4))
    assert np.nanmax(astray.astray) > 0.9
    assert held(astray, "astray").max() < 0.1
    assert len(held(astray, "speed")) == 60


def test_nobody_turns_round_within_a_frame_however_mixed_the_flow() -> None:
    """One goes left and is lost behind another who comes the other way: two tracks."""
    frames = [
        FrameDetections(n, n, n / FPS, np.array([row(90.0 - 1.2 * n, 60.0, u=-0.5)]))
        for n in range(12)
    ]
    frames += [
        FrameDetections(n, n, n / FPS, np.array([row(72.0 + n - 16, 66.0, u=0.4)]))
        for n in range(16, 30)
    ]
    found = link(frames, 0.8)
    assert [(t.frames[0], t.frames[-1]) for t in found] == [(0, 11), (16, 29)]


def test_flow_needs_no_field_to_start_from() -> None:
    """Pieces the size of people, moved over still ground by known lengths up to six pixels."""
    rng = np.random.default_rng(3)
    rough = cv2.GaussianBlur(rng.uniform(0, 255, (240, 360)).astype(np.float32), (0, 0), 2.0)
    ground = np.asarray(40 + 175 * (rough - rough.min()) / np.ptp(rough), np.float32)
    flow = FlowField()
    errors: list[list[float]] = []
    for _ in range(6):
        first, second = ground.copy(), ground.copy()
        truth, moved = np.zeros((240, 360, 2)), np.zeros((240, 360), np.bool_)
        for x in range(30, 330, 60):
            y, aside, down = int(rng.integers(20, 180)), rng.uniform(-6, 6), rng.uniform(-2, 2)
            piece = ground[y : y + 48, 300 - x // 2 : 324 - x // 2]
            part = np.array([[1, 0, aside % 1], [0, 1, down % 1]], np.float32)
            later = cv2.warpAffine(piece, part, (24, 48))
            top, left = y + int(np.floor(down)), x + int(np.floor(aside))
            here = slice(y + 4, y + 44), slice(x + 4, x + 20)
            first[here] = piece[4:44, 4:20]
            second[top + 4 : top + 44, left + 4 : left + 20] = later[4:44, 4:20]
            truth[here] = aside, down
            moved[here] = True
        before, after = (
            np.clip(p + rng.normal(0, 1.5, p.shape), 0, 255).astype(np.uint8)
            for p in (first, second)
        )
        found = flow(before, after)
        assert found is not None
        from_zeros = flow._dis().calc(before, after, np.zeros((240, 360, 2), np.float32))
        errors.append(
            [
                float(np.linalg.norm(np.asarray(f) - truth, axis=2)[moved].mean())
                for f in (found, from_zeros)
            ]
        )
    mine, other = np.mean(errors, axis=0).tolist()
    assert mine < 1.2
    assert mine < 1.05 * other
