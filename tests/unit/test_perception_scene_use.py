"""Ways, places, stays and things left behind, on tracks made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.backends.embedded.perception.describing import counts
from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.leaving import alone, appeared, carrier
from tools.backends.embedded.perception.objects import measure, surprises
from tools.backends.embedded.perception.places import PlaceLearner
from tools.backends.embedded.perception.statistics import Distribution, Normal, PlaceMap
from tools.backends.embedded.perception.stays import stays
from tools.backends.embedded.perception.tracks import FrameDetections, Track, link
from tools.backends.embedded.perception.ways import WayLearner
from tools.backends.embedded.perception.wording import clauses, fact
from tools.types import Attribute, Interval, Observation, TimeBase

TALL = 20.0
FPS = 10


def geometry() -> Geometry:
    return Geometry(
        full=(200, 120), size=(200, 120), background=np.zeros((120, 200, 3), np.uint8),
        threshold=np.full((120, 200), 10, np.uint8), offset=TALL, slope=0.0, walk=0.8, people=True,
    )  # fmt: skip


def row(x: float, foot: float, u: float = 0.0, *, small: bool = False) -> NDArray[np.float64]:
    one = np.zeros(len(Det))
    wide, high = (4.0, 6.0) if small else (8.0, TALL)
    one[[Det.X0, Det.Y0, Det.X1, Det.Y1]] = x - wide / 2, foot - high, x + wide / 2, foot
    one[Det.TALL], one[Det.U], one[Det.AREA] = TALL, u, 0.24 * high / TALL
    one[Det.STILL], one[Det.GHOST] = float(abs(u) < 0.1), -0.6
    one[Det.KIND] = Kind.SMALL if small else Kind.WHOLE
    return one


def track(
    xs: NDArray[np.float64], foot: float, *, start: float = 0.0, small: bool = False
) -> Track:
    """Positions in pixels, ten a second; flow as the positions say."""
    speed = np.gradient(xs) * FPS / TALL if len(xs) > 1 else np.zeros(1)
    times = [start + i / FPS for i in range(len(xs))]
    made = Track(
        frames=[round(t * FPS) for t in times], pts=[round(t * FPS) for t in times], times=times,
        rows=[row(x, foot, u, small=small) for x, u in zip(xs, speed, strict=True)],
    )  # fmt: skip
    made.stay, made.part = stays([(made.times, made.array)])[0]
    return made


def walk(direction: int, foot: float, start: float = 0.0) -> Track:
    """Across the picture at 0.8 heights a second."""
    xs = np.arange(5.0, 195.0, 1.6)
    return track(xs if direction > 0 else xs[::-1], foot, start=start)


def lanes() -> list[list[Track]]:
    """Six clips: the upper lane goes left, the lower one right."""
    return [[walk(-1, 60.0), walk(1, 100.0), walk(-1, 62.0), walk(1, 98.0)] for _ in range(6)]


def test_a_way_is_usual_on_its_lane_and_strange_on_the_other() -> None:
    learner = WayLearner(geometry(), lanes())
    assert learner.enough
    ways, still = learner.map(), PlaceMap(np.full((5, 9), 0.8, np.float32), 24)
    with_it = measure(walk(-1, 61.0), still, None, ways).way
    against = measure(walk(1, 61.0), still, None, ways).way
    assert np.nanmedian(with_it) > 0.85
    assert np.nanmedian(against) < 0.15


def test_where_both_ways_are_usual_neither_is_strange() -> None:
    both = [[walk(-1, 60.0), walk(1, 61.0), walk(1, 60.0), walk(-1, 59.0)] for _ in range(6)]
    ways, still = WayLearner(geometry(), both).map(), PlaceMap(np.ones((5, 9), np.float32), 24)
    for direction in (-1, 1):
        assert np.nanmedian(measure(walk(direction, 60.0), still, None, ways).way) > 0.4


def test_the_ways_of_a_clip_are_asked_of_the_others() -> None:
    clips = [*lanes(), [walk(1, 60.0)]]
    own = WayLearner(geometry(), clips)
    still = PlaceMap(np.full((5, 9), 0.8, np.float32), 24)
    alone_in_it = measure(walk(1, 60.0), still, None, own.map(without=6)).way
    assert np.nanmedian(alone_in_it) < np.nanmedian(
        measure(walk(1, 60.0), still, None, own.map()).way
    )


def test_too_few_clips_or_tracks_say_nothing_of_ways() -> None:
    assert not WayLearner(geometry(), lanes()[:2]).enough
    assert not WayLearner(geometry(), [[walk(1, 60.0)]] * 6).enough


def test_what_does_not_move_goes_no_way() -> None:
    still = PlaceMap(np.ones((5, 9), np.float32), 24)
    stands = track(np.full(40, 50.0), 60.0)
    assert np.isnan(measure(stands, still, None, WayLearner(geometry(), lanes()).map()).way).all()


def test_astray_is_a_distance_in_heights_from_where_two_objects_went() -> None:
    learner = PlaceLearner(geometry(), lanes(), frames=700)
    astray = learner.astray()
    at = astray.at(np.array([100.0, 100.0, 100.0]), np.array([61.0, 80.0, 20.0]))
    assert at[0] == 0.0
    assert at[1] == pytest.approx((80 - 67) / TALL, abs=0.35)
    assert at[2] == pytest.approx((55 - 20) / TALL, abs=0.35)
    lone = PlaceLearner(geometry(), [*lanes(), [walk(1, 20.0)]], frames=800).astray()
    assert lone.at(np.array([100.0]), np.array([20.0]))[0] > 1.0  # one object makes no path


def test_a_stay_begins_where_one_comes_to_a_halt_and_ends_where_one_moves_on() -> None:
    xs = np.concatenate([np.arange(10, 58, 1.6), np.full(50, 58.0), np.arange(58, 120, 1.6)])
    seen = track(xs, 60.0).stay
    assert seen[:25].max() == 0.0
    assert seen.max() == pytest.approx(5.7, abs=1.0)
    assert seen[-20:].max() == 0.0


def test_a_stay_outlives_a_broken_identity() -> None:
    first, second = track(np.full(40, 50.0), 60.0), track(np.full(40, 51.0), 60.0, start=5.5)
    (one, _), (two, _) = stays([(t.times, t.array) for t in (first, second)])
    assert one.max() == pytest.approx(3.9, abs=0.2)
    assert two.max() == pytest.approx(9.4, abs=0.2)
    later = track(np.full(40, 51.0), 60.0, start=10.0)
    _, (fresh, _) = stays([(t.times, t.array) for t in (first, later)])
    assert fresh.max() < 4.5


def test_one_hidden_where_they_stay_stays_on() -> None:
    made = track(np.full(100, 50.0), 60.0)
    seen = [n for n in range(100) if not 40 <= n < 62]  # behind somebody for 2.2 s
    rows = made.array[seen]
    rows[40:, [Det.X0, Det.X1]] += 4.0
    found = stays([([made.times[n] for n in seen], rows)])[0][0]
    assert found[-1] == pytest.approx(9.9, abs=0.1)
    rows[40:, [Det.X0, Det.X1]] += 16.0  # elsewhere it is another stay
    assert stays([([made.times[n] for n in seen], rows)])[0][0][-1] < 5.0


def test_small_things_do_not_lend_their_stay_to_people() -> None:
    thing, person = (
        track(np.full(200, 50.0), 60.0, small=True),
        track(np.full(30, 51.0), 60.0, start=12.0),
    )
    _, (stay, _) = stays([(t.times, t.array) for t in (thing, person)])
    assert stay.max() < 3.5


def test_a_thing_left_behind_is_alone_once_its_carrier_is_three_metres_away() -> None:
    xs = np.concatenate(
        [np.arange(10.0, 58.0, 1.6), np.full(15, 58.0), np.arange(58.0, 180.0, 1.6)]
    )
    owner, thing = track(xs, 60.0), track(np.full(120, 60.0), 60.0, start=3.8, small=True)
    others = [owner, thing]
    assert appeared(thing, others, start=0.0)
    assert not appeared(owner, others, start=0.0)
    assert carrier(thing, others) is owner
    left = alone(thing, others)
    away = next(t for t, x in zip(owner.times, xs, strict=True) if x > 60 + 1.75 * TALL)
    assert left[0] == 0.0
    assert left[-1] == pytest.approx(thing.times[-1] - away, abs=0.3)


def test_what_was_there_from_the_beginning_or_walked_in_did_not_appear() -> None:
    thing = track(np.full(120, 60.0), 60.0, small=True)
    assert not appeared(thing, [thing], start=0.0)
    walker = walk(1, 60.0, start=3.0)
    assert not appeared(walker, [walker], start=0.0)


def test_one_who_was_lost_while_standing_and_is_found_again_did_not_appear() -> None:
    first, again = track(np.full(40, 50.0), 60.0), track(np.full(40, 51.0), 60.0, start=5.0)
    assert not appeared(again, [first, again], start=0.0)
    assert appeared(again, [again], start=0.0)


def test_a_thing_lost_for_a_moment_came_into_being_all_the_same() -> None:
    first = track(np.full(25, 60.0), 60.0, start=2.0, small=True)
    again = track(np.full(60, 60.5), 60.0, start=5.0, small=True)
    assert appeared(again, [first, again], start=0.0)
    there = track(np.full(45, 60.0), 60.0, small=True)  # this one was there from the beginning
    assert not appeared(again, [there, again], start=0.0)


def test_a_thing_put_down_where_hands_came_and_went_came_into_being_there() -> None:
    stirring = np.append(60 + 6 * np.sin(np.arange(12.0)), np.full(4, 61.0))
    hands = track(stirring, 60.0, start=3.6, small=True)
    thing = track(np.full(60, 60.5), 60.0, start=5.4, small=True)
    assert not appeared(hands, [hands, thing], start=0.0)
    assert appeared(thing, [hands, thing], start=0.0)
    assert not appeared(thing, [hands, thing], start=3.5)  # there from the beginning
    walked = np.append(np.linspace(10.0, 60.0, 25), np.full(5, 60.0))
    assert not appeared(thing, [track(walked, 60.0, start=2.2, small=True), thing], start=0.0)


def test_a_stay_past_half_of_what_is_normal_counts_as_it_turns_out() -> None:
    made = track(np.full(121, 50.0), 60.0)
    still = PlaceMap(np.ones((5, 9), np.float32), 24)
    usual = Distribution(0.0, 6.0, 100)
    normal = Normal(
        walk=still, windows={}, objects={"dwell": usual}, directions={}, place=None, clips=1,
        seconds=60.0, view=1.0,
    )  # fmt: skip
    found = surprises(measure(made, still), normal, ["dwell"])["dwell"]
    assert found[20] == pytest.approx(2.0 / 6.0, abs=0.05)
    assert found[32:] == pytest.approx(2.0, abs=0.05)


def test_where_somebody_goes_half_hidden_is_taken_from_where_it_can_be_told() -> None:
    seen_whole = walk(1, 20.0)
    rows = [r.copy() for r in seen_whole.rows]
    for hidden in rows[30:60]:  # a window among others: its feet are no one's
        hidden[Det.KIND], hidden[Det.HIDDEN] = Kind.PART, 1
    made = Track(frames=seen_whole.frames, pts=seen_whole.pts, times=seen_whole.times, rows=rows)
    still = PlaceMap(np.ones((5, 9), np.float32), 24)
    rare = PlaceMap(np.full((5, 9), 0.001, np.float32), 24)
    usual = Distribution(0.2, 0.01, 100, log=True)
    normal = Normal(
        walk=still, windows={}, objects={"place": usual}, directions={}, place=rare, clips=12,
        seconds=240.0, view=1.0,
    )  # fmt: skip
    seen = measure(made, still, rare)
    assert np.isnan(seen.place[40:50]).all()
    assert surprises(seen, normal, ["place"])["place"][40:50].min() > 1.5


def test_where_somebody_was_hidden_lies_between_what_was_told_before_and_after() -> None:
    made = walk(1, 60.0)
    for hidden in made.rows[40:80]:
        hidden[Det.KIND], hidden[Det.HIDDEN] = Kind.PART, 1
    made = Track(frames=made.frames, pts=made.pts, times=made.times, rows=made.rows)
    still = PlaceMap(np.ones((5, 9), np.float32), 24)
    rare = PlaceMap(np.repeat([[0.2] * 4 + [0.001] * 5], 5, axis=0).astype(np.float32), 24)
    normal = Normal(
        walk=still, windows={}, objects={"place": Distribution(0.2, 0.01, 100, log=True)},
        directions={}, place=rare, clips=12, seconds=240.0, view=1.0,
    )  # fmt: skip
    found = surprises(measure(made, still, rare), normal, ["place"])["place"]
    assert found[:35].max() < 0.05
    assert found[85:].min() > 1.5
    assert 0.4 * found[85] < found[60] < 0.6 * found[85]


def test_who_enters_by_the_border_does_not_stay_there() -> None:
    enters = walk(1, 60.0)
    for n in range(12):  # what the border leaves of a box grows, and its middle hardly moves
        enters.rows[n][[Det.X0, Det.X1, Det.CUT]] = 0.0, 4.0 + 0.4 * n, 1.0
    chain = [(t.times, t.array) for t in (enters,)]
    assert stays(chain)[0][0].max() == 0.0
    for one in enters.rows:
        one[Det.U] = 0.1  # one who only leans in
    leaning = Track(frames=enters.frames, pts=enters.pts, times=enters.times, rows=enters.rows)
    assert stays([(leaning.times, leaning.array)])[0][0][:12].max() > 0.5


def test_a_stay_goes_on_while_another_identity_holds_who_stays() -> None:
    first = track(np.full(46, 50.0), 60.0)
    xs = np.concatenate([np.arange(30.0, 50.0, 1.6), np.full(12, 50.0)])
    taken = track(xs, 60.0, start=4.0)
    third = track(np.full(40, 50.0), 60.0, start=7.4)
    found = stays([(t.times, t.array) for t in (first, taken, third)])
    assert found[1][0][-3:].max() > 5.5  # has hardly moved for half a second
    assert found[2][0][-1] == pytest.approx(11.3, abs=0.3)
    passing = track(np.arange(30.0, 84.0, 1.6), 60.0, start=4.0)
    assert stays([(t.times, t.array) for t in (first, passing)])[1][0].max() == 0.0


def stay_seconds(*members: Track) -> list[float]:
    """The longest that each has stayed where it is."""
    return [float(s.max()) for s, _ in stays([(t.times, t.array) for t in members])]


def test_who_stands_where_another_has_left_does_not_continue_that_stay() -> None:
    leaves = track(np.concatenate([np.full(40, 50.0), np.arange(50.0, 120.0, 1.6)]), 60.0)
    arrives = np.concatenate([np.arange(10.0, 50.0, 1.6), np.full(40, 50.0)])
    # He was seen to leave, so though the place was empty for less than a second …
    follows = track(arrives, 60.0, start=3.6)
    assert stay_seconds(leaves, follows) == pytest.approx([4.8, 4.8], abs=1.0)
    # … and one who is lost among others may still be there, but not where nobody is seen.
    lost = track(np.full(40, 50.0), 60.0)
    later = track(np.full(40, 50.0), 60.0, start=5.4)
    elsewhere = walk(1, 100.0)
    assert stay_seconds(lost, elsewhere, later) == pytest.approx([3.9, 0.0, 3.9], abs=0.3)
    passes = track(np.arange(20.0, 84.0, 1.6), 60.0, start=3.2)
    hidden = track(np.full(40, 50.0), 60.0, start=5.1)
    assert stay_seconds(lost, passes, hidden)[2] == pytest.approx(9.0, abs=0.3)


def test_towards_the_camera_places_lie_further_apart_than_they_look() -> None:
    near, far = track(np.full(40, 50.0), 60.0), track(np.full(40, 53.0), 50.0, start=4.4)
    assert stay_seconds(near, far) == pytest.approx([3.9, 3.9], abs=0.3)
    beside = track(np.full(40, 60.0), 60.0, start=4.4)
    assert stay_seconds(near, beside)[1] > 8.0


def test_a_head_tells_the_place_of_what_is_seen_for_long() -> None:
    ways, still = (
        WayLearner(geometry(), lanes()).map(),
        PlaceMap(np.full((5, 9), 0.8, np.float32), 24),
    )
    normal = Normal(
        walk=still, windows={}, objects={"way": Distribution(0.9, 0.45, 100, log=True)},
        directions={}, place=None, ways=ways, clips=6, seconds=120.0, view=1.0,
    )  # fmt: skip
    whole = walk(1, 60.0)

    def surprise(hidden: float, every: int = 1, last: int = 100) -> float:
        for one in whole.rows:
            one[Det.HIDDEN] = hidden
        kept = range(0, last, every)
        part = Track(
            frames=[whole.frames[n] for n in kept], pts=[whole.pts[n] for n in kept],
            times=[whole.times[n] for n in kept], rows=[whole.rows[n] for n in kept],
        )  # fmt: skip
        part.frames[1], part.pts[1], part.times[1] = 1, 1, 0.1  # so often frames are looked at
        return float(surprises(measure(part, still, None, ways), normal, ["way"])["way"].max())

    assert surprise(0.0) == surprise(0.5) > 1.5
    assert surprise(1.0) == 0.0
    assert surprise(0.0, every=3) > 1.5
    assert surprise(0.5, every=3) == 0.0  # seen in a third of its frames
    assert surprise(0.5, last=9) == 0.0  # seen for less than a second


def test_one_who_paces_within_a_spot_stays_there() -> None:
    xs = 100 + 0.33 * TALL * np.sin(2 * np.pi * np.arange(100) / 50)
    assert track(xs, 60.0).stay[-1] > 8.0


def halting(tone: float) -> list[Track]:
    """A rider who stops, unseen for the 0.8 s of stopping, and what stands there then."""
    frames: list[FrameDetections] = []
    for i in range(80):
        rows = np.zeros((0, len(Det)))
        if i < 30:
            rows = row(10 + 3.6 * i, 60.0, 1.8)[None]
        elif i >= 38:
            rows = row(130.0, 60.0)[None]
            rows[:, Det.TONE] = tone
        frames.append(FrameDetections(i, i, i / FPS, rows))
    return link(frames, walk=0.8)


def test_a_rider_who_stops_out_of_sight_is_the_same_and_one_of_another_tone_is_not() -> None:
    assert len(halting(tone=0.0)) == 1
    assert len(halting(tone=60.0)) == 2


def said(subject: str, activity: str, *attributes: Attribute) -> str:
    span = Interval(start=72, end=162, time_base=TimeBase(num=1, den=10))
    return fact(subject, activity, attributes, span, ("left", "left"), scale="walkers here")


def test_words_say_which_way_how_far_off_and_how_long() -> None:
    speed = Attribute(name="speed", value=1.0)
    left = Attribute(name="direction", value="left")
    way = Attribute(name="way", value=0.03, surprise=4.0)
    assert said("person", "walks", speed, left, way) == (
        "a person walks right to left at 1.0× the usual walking speed, against the usual direction "
        "there (3 % go that way), in the left, 00:07.2–00:16.2"
    )
    astray = Attribute(name="astray", value=0.9, surprise=3.0)
    assert "0.9× a person's height from where people go" in said("person", "walks", speed, astray)
    stay = Attribute(name="dwell", value=14.0, limit=5.0, surprise=2.8)
    assert "14 s in one place (normally at most 5 s)" in said("person", "stands", stay)
    size = Attribute(name="size", value=0.4)
    alone = Attribute(name="unattended", value=9.0, surprise=2.6)
    assert said("small object", "appears and stays", size, alone, stay) == (
        "a small object appears and stays, 0.4× as tall as a person there, left alone for 9 s, "
        "in the left, 00:07.2–00:16.2"
    )
    for value in (0.3, 0.5):
        just = Attribute(name="unattended", value=value, surprise=0.1)
        text = said("person-sized object", "appears and stays", just)
        assert "stays, just left alone, in" in text
    # A stay is that of a place, whoever is there: it is nobody's own halt, and none is told.
    stayed = Attribute(name="dwell", value=4.0, surprise=0.8)
    fast = Attribute(name="speed", value=2.4, surprise=4.0)
    assert "4 s" not in said("person-sized object", "glides", fast, stayed)


def sighting(subject: str, activity: str, text: str, *attributes: Attribute) -> Observation:
    return Observation(
        id=f"observation-{subject}",
        video_id="video",
        interval=Interval(start=0, end=10, time_base=TimeBase(num=1, den=10)),
        subject=subject,
        activity=activity,
        text=text,
        attributes=attributes,
        key_frame=3,
    )


def test_no_caption_says_that_nothing_is_there_beside_something_that_is() -> None:
    none = Attribute(name="count", value=0.0)
    empty = sighting("scene", "stands", "no objects made out", none)
    thing = sighting("object", "stands", "an object stands, in the left")
    assert [c.text for c in clauses([], empty)] == ["no objects made out"]
    assert [c.text for c in clauses([thing], empty)] == ["an object stands, in the left"]


def test_what_somebody_left_is_not_the_foot_that_passed_it() -> None:
    frames: list[FrameDetections] = []
    for i in range(90):
        x = 20 + 1.6 * min(i, 30)
        one = row(x, 60.0, 0.8 if i < 30 else 0.0, small=True)[None]
        frames.append(FrameDetections(i, i, i / FPS, one))
    foot, thing = link(frames, walk=0.8)
    assert foot.times[-1] < thing.times[0] == pytest.approx(3.0, abs=0.5)
    assert appeared(thing, [foot, thing], start=0.0)


def test_shape_is_relative_to_a_pedestrians() -> None:
    walker = walk(1, 80.0)  # 8 pixels wide and 20 high
    rows = [one.copy() for one in walker.rows]
    for one in rows:
        one[[Det.X0, Det.X1]] += -4.0, 4.0
    rows[-1][Det.CUT] = 1.0  # of what the border cuts nothing is known
    rider = Track(walker.frames, walker.pts, walker.times, rows)
    usual = PlaceMap(np.full((12, 20), 0.8, np.float32), 10)
    slender, broad = (measure(made, usual).shape for made in (walker, rider))
    assert slender == pytest.approx(0.4 / 0.41)
    assert np.median(broad) == pytest.approx(0.8 / 0.41)
    assert counts("shape", "person", "walks") is False
