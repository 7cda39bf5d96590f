"""What a caption says of small made pictures in which nothing of the kind happens, and of some in
which it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.builders import TENTHS, video_of
from tools.backends.embedded.perception.claims import (
    at_rest,
    background,
    goes,
    moving,
    present,
    within,
)
from tools.backends.embedded.perception.describing import Scene, Sighting, distinct, observe
from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.learning import prior_normal
from tools.backends.embedded.perception.tracks import Track
from tools.captioning import embedded_captioner
from tools.ports import Clip
from tools.types import Attribute, Box, Interval, Observation, Point
from tools.video import open_video

Picture = NDArray[np.uint8]
SIZE = (192, 144)
FPS = 10
FINE = {"crf": "14"}  # coarser coding would smooth the noise away: a frozen picture


def ground() -> Picture:
    """Asphalt with painted lines, larger than the picture: a camera may creep over it."""
    rng = np.random.default_rng(5)
    view = cv2.resize(rng.integers(70, 100, (20, 24, 3), dtype=np.uint8), (SIZE[0] + 16, 160))
    for x in (40, 90, 140):
        cv2.line(view, (x, 20), (x + 26, 62), (225, 225, 225), 4)
    return np.asarray(view, np.uint8)


def seated(view: Picture, head: int = 0) -> None:
    """Somebody who sits at a table; the head is ``head`` pixels to the side."""
    cv2.rectangle(view, (88, 40), (107, 112), (34, 38, 42), -1)
    cv2.ellipse(view, (108, 96), (13, 18), 0, 0, 360, (40, 60, 190), -1)
    cv2.circle(view, (104 + head, 68), 9, (30, 35, 40), -1)
    cv2.circle(view, (103 + head, 70), 5, (140, 170, 210), -1)


def film(
    seconds: float,
    paint: Callable[[Picture, float], None] = lambda view, t: None,
    *,
    creep: Callable[[float], float] = lambda t: 0.0,
    light: Callable[[float], float] = lambda t: 1.0,
) -> list[Picture]:
    """Pictures of the ground, painted on, through a camera that creeps and changes its exposure.

    Where the ground is wet it mirrors the light and changes more.
    """
    rng = np.random.default_rng(6)
    wet = np.zeros((SIZE[1], SIZE[0], 1), np.uint8)
    for x, y in ((20, 30), (60, 40), (110, 34), (150, 60), (176, 24)):
        cv2.ellipse(wet, (x, y), (7, 4), 0, 0, 360, 1, -1)
    made = []
    for i in range(round(seconds * FPS)):
        t = i / FPS
        shift = np.array([[1.0, 0.0, -8 - creep(t)], [0.0, 1.0, -8.0]])
        view = np.asarray(cv2.warpAffine(ground(), shift, SIZE), np.uint8)
        paint(view, t)
        dimmed = view * np.where(wet, light(t) ** 3, light(t))
        noisy = dimmed + rng.normal(0, 3.0, view.shape)
        made.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return made


@pytest.fixture(scope="module")
def said(
    tmp_path_factory: pytest.TempPathFactory, write_clip: Callable[..., Path]
) -> Callable[[list[Picture], list[Picture]], list[str]]:
    """The clauses on a clip by the scene of another, but for the time of each."""

    def clauses(normal: list[Picture], pictures: list[Picture]) -> list[str]:
        folder = tmp_path_factory.mktemp("claims")
        known = write_clip(folder / "normal.mp4", normal, options=FINE)
        shown = write_clip(folder / "shown.mp4", pictures, options=FINE)
        captioner = embedded_captioner()
        with open_video(known) as before, open_video(shown) as source:
            profile = captioner.learn("made", [Clip(before)])
            seen = captioner.describe(source, source.info.interval, profile=profile)
        assert not seen.problems
        return [c.text for c in seen.caption.clauses]

    return clauses


Said = Callable[[list[Picture], list[Picture]], list[str]]


def car(at: Callable[[float], float]) -> Callable[[Picture, float], None]:
    def paint(view: Picture, t: float) -> None:
        x = round(at(t))
        cv2.rectangle(view, (x, 84), (x + 50, 112), (235, 235, 240), -1)
        cv2.rectangle(view, (x + 12, 88), (x + 30, 104), (40, 40, 50), -1)

    return paint


def test_lines_under_a_creeping_camera_do_not_stand(said: Said) -> None:
    found = said(film(6), film(8, creep=lambda t: 0.5 * t))
    assert found == ["nothing is seen to go from one place to another"]


def test_what_an_exposure_changes_does_not_move(said: Said) -> None:
    drives = car(lambda t: 40 * t - 60)
    changes = film(8, drives, light=lambda t: 1.0 - 0.35 * float(np.clip(t - 2, 0, 1)))
    found = said(film(8), changes)
    assert not [c for c in found if "small object" in c or "stand" in c or "appear" in c]
    assert any("moves left to right" in c or "glides left to right" in c for c in found)
    assert "about 1 object on the move at a time" in found


def test_a_head_that_turns_does_not_appear(said: Said) -> None:
    def sits(view: Picture, t: float) -> None:
        seated(view)

    def turns(view: Picture, t: float) -> None:
        seated(view, head=5 if t > 3 else 0)

    found = said(film(6, sits), film(9, turns))
    assert found == ["nothing is seen to go from one place to another"]


def test_what_is_left_there_appears_and_stays(said: Said) -> None:
    def left(view: Picture, t: float) -> None:
        if t > 3:
            cv2.rectangle(view, (96, 90), (106, 108), (20, 30, 35), -1)

    found = said(film(6), film(9, left))

    assert len([c for c in found if "appears and stays" in c]) == 1


def test_of_a_picture_that_changed_nothing_still_is_told(said: Said) -> None:
    def smoke(view: Picture, t: float) -> None:
        if t > 1:
            cv2.ellipse(view, (60, 100), (70, 45), 0, 0, 360, (190, 190, 190), -1)
            cv2.rectangle(view, (140, 90), (150, 120), (20, 30, 150), -1)

    found = said(film(6), film(8, smoke))
    assert len(found) == 1
    assert found[0].startswith("much of the picture differs")


def rows(
    xs: NDArray[np.float64], *, wide: float = 10.0, high: float = 20.0, **columns: float
) -> NDArray[np.float64]:
    made = np.zeros((len(xs), len(Det)))
    made[:, Det.X0], made[:, Det.X1] = xs - wide / 2, xs + wide / 2
    made[:, Det.Y0], made[:, Det.Y1], made[:, Det.TALL] = 60 - high, 60, 20
    made[:, Det.U] = np.gradient(xs) * FPS / 20
    made[:, Det.GHOST], made[:, Det.KIND] = -0.5, Kind.WHOLE
    for name, value in columns.items():
        made[:, Det[name]] = value
    return made


def track(given: NDArray[np.float64], every: int = 1) -> Track:
    frames = [i * every for i in range(len(given))]
    return Track(frames, list(frames), [f / FPS for f in frames], list(given))


ACROSS, THERE = np.linspace(20, 90, 30), np.full(30, 50.0)


def test_the_background_is_known_where_it_stands_and_looks_as_ever() -> None:
    assert background(rows(THERE, STILL=0.9, ALIKE=0.9))
    assert not background(rows(THERE, STILL=0.9, ALIKE=0.3)), "a thing that was left there"
    assert not background(rows(ACROSS, STILL=0.1, ALIKE=0.0)), "what moves is not compared"
    halts = rows(np.concatenate([ACROSS, THERE + 40]), STILL=0.9, ALIKE=0.9)
    assert not background(halts), "what came from elsewhere is an object whatever it stops before"


def test_what_goes_gets_ahead_by_its_own_size() -> None:
    assert goes(track(rows(ACROSS)))
    assert not goes(track(rows(THERE + np.tile([0.0, 3.0, 0.0], 10))))
    turns = track(rows(np.linspace(50, 58, 8)))
    assert goes(turns)
    assert not goes(turns, passes=True)
    halts = np.concatenate([np.linspace(20, 60, 10), np.full(200, 60.0)])
    assert goes(track(rows(halts)), passes=True), "a long stop takes nothing from the way there"
    assert goes(track(rows(THERE, CUT=1.0))), "what the border cuts may move unseen"


def test_what_is_small_must_not_flicker() -> None:
    small = rows(ACROSS, wide=4.0, high=6.0, KIND=Kind.SMALL)
    assert goes(track(small), small=True)
    frames = [0, 1, *range(10, 70, 3)]
    seen = Track(frames, list(frames), [f / FPS for f in frames], list(small[: len(frames)]))
    assert not goes(seen, small=True)
    assert goes(seen)


def test_rest_and_presence_go_by_the_middle_of_a_track() -> None:
    assert at_rest(rows(THERE, STILL=0.9))
    assert not at_rest(rows(ACROSS, STILL=0.2))
    assert present(rows(THERE))
    assert not present(rows(THERE, GHOST=0.0))


def geometry(*, people: bool) -> Geometry:
    return Geometry(
        full=(200, 120), size=(200, 120), background=np.zeros((120, 200, 3), np.uint8),
        threshold=np.full((120, 200), 10, np.uint8), offset=20.0, slope=0.0, walk=0.8,
        people=people,
    )  # fmt: skip


def test_those_on_the_move_are_counted_once() -> None:
    car_ = track(rows(ACROSS, wide=40.0, high=30.0, KIND=Kind.LARGE))
    piece = track(rows(ACROSS + 4))
    stays, small = track(rows(THERE + 100)), track(rows(ACROSS + 60, KIND=Kind.SMALL))
    found = moving([car_, piece, stays, small], geometry(people=False), [0, 10, 29, 40])
    assert found.tolist() == [1, 1, 1, 0]
    walkers = [track(rows(ACROSS)), track(rows(ACROSS + 30)), car_]
    assert moving(walkers, geometry(people=True), [10]).tolist() == [2]


def test_overlap_is_a_share_of_the_inner_box() -> None:
    inner = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 4.0, 5.0]])
    outer = np.array([[5.0, 0.0, 20.0, 10.0], [10.0, 0.0, 14.0, 5.0]])
    assert within(inner, outer).tolist() == [0.5, 0.0]


def sighting(subject: str, boxes: list[Box], direction: str = "right") -> Sighting:
    points = tuple(Point(frame=i, pts=i, box=b, surprise=0.0) for i, b in enumerate(boxes))
    told = Observation(
        id=f"{subject}{boxes[0].x0}", video_id="v", subject=subject, activity="moves", text="",
        interval=Interval(start=0, end=len(boxes), time_base=TENTHS), key_frame=0, points=points,
        attributes=(Attribute(name="direction", value=direction),),
    )  # fmt: skip
    return Sighting(told, {})


def test_a_piece_of_something_large_is_not_told() -> None:
    def along(left: int, wide: int) -> list[Box]:
        return [Box(x0=left + 5 * i, y0=20, x1=left + 5 * i + wide, y1=40) for i in range(8)]

    large = sighting("large object", along(10, 60))
    window, beside = sighting("object", along(30, 12)), sighting("object", along(100, 12))
    back = sighting("object", along(30, 12), direction="left")
    assert distinct([large, window, beside]) == [large.told, beside.told]
    assert distinct([large, back]) == [large.told, back.told], "it goes another way"


def test_who_turns_on_a_chair_is_not_said_to_move() -> None:
    """Flow without getting ahead counts for the series, but no sentence tells of it."""
    place = geometry(people=True)
    scene = Scene(place, prior_normal(place), False)
    whole = Interval(start=0, end=30, time_base=TENTHS)
    turns = observe(track(rows(np.linspace(50, 53, 12), U=0.35)), whole, video_of(), scene)
    walks = observe(track(rows(ACROSS)), whole, video_of(), scene)
    assert turns is not None
    assert not turns.sure
    assert walks is not None
    assert walks.sure


def test_what_stirs_as_one_who_walks_was_left_by_nobody() -> None:
    place = geometry(people=True)
    scene = Scene(place, prior_normal(place), True)
    whole = Interval(start=0, end=90, time_base=TENTHS)
    said = []
    for spread in (0.02, 0.6):
        thing = track(rows(np.full(72, 50.0), STILL=1.0, GHOST=-0.6, SPREAD=spread))
        for some in (thing.frames, thing.pts, thing.times, thing.rows):
            del some[:12]  # it comes into being after a second
        seen = observe(thing, whole, video_of(), scene)
        assert seen is not None
        said.append(seen.told.activity)
        assert (seen.told.value("unattended") is None) is (spread > 0.1)
    assert said == ["appears and stays", "stands"]
