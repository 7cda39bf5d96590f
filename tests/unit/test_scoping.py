"""Where and when rules apply, and how hours, days, corners and stamps are read."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.builders import hit_of, observation_of, rule_of, span, video_of
from tools.errors import UserError
from tools.rulebook.predicates import parse
from tools.rulebook.scoping import (
    Occasion,
    covers,
    describe_scope,
    inside,
    meet,
    narrower,
    occasion_of,
    parse_corners,
    parse_hours,
    parse_moment,
    parse_weekdays,
    stamp_in,
    tried,
    within,
)
from tools.types import Box, Point, Scope

NIGHT = Scope(hours=("22:00", "06:00"))
SQUARE = ((0.0, 100.0), (200.0, 100.0), (200.0, 200.0), (0.0, 200.0))
FENCE = Scope(zone="fence", polygon=SQUARE)
INSIDE, OUTSIDE = Box(x0=100, y0=80, x1=120, y1=140), Box(x0=100, y0=20, x1=120, y1=80)


@pytest.mark.parametrize(
    ("scope", "moment", "admitted"),
    [
        (NIGHT, "2026-11-28T23:00", True),
        (NIGHT, "2026-11-29T05:59", True),
        (NIGHT, "2026-11-29T06:00", False),
        (NIGHT, "2026-11-28T12:00", False),
        (Scope(weekdays=("sat",)), "2026-11-28T00:00", True),
        (Scope(weekdays=("sat",)), "2026-11-29T00:00", False),
        # Friday's night ends on Saturday; Saturday's own has not begun by then.
        (Scope(hours=("22:00", "06:00"), weekdays=("fri",)), "2026-11-28T03:00", True),
        (Scope(hours=("22:00", "06:00"), weekdays=("sat",)), "2026-11-28T03:00", False),
        (Scope(), "2026-11-28T03:00", True),
    ],
)
def test_hours_and_days(scope: Scope, moment: str, admitted: bool) -> None:
    assert Occasion(start=datetime.fromisoformat(moment)).admits(scope) is admitted


def test_what_is_not_known_does_not_apply() -> None:
    assert not Occasion().admits(NIGHT)
    assert not Occasion().admits(Scope(cameras=("north",)))
    assert Occasion("north").admits(Scope(cameras=("north", "south")))
    assert not Occasion("east").admits(Scope(cameras=("north", "south")))
    assert Occasion().admits(FENCE)


def test_the_parts_of_an_event_in_which_a_rule_applies() -> None:
    video = video_of().model_copy(update={"started": "2026-11-28T21:59:50"})
    assert within(Scope(), video, span(0, 30)) is None
    assert within(NIGHT, video, span(0, 30)) == (span(10, 30),)
    assert within(NIGHT, video, span(0, 5)) == ()
    assert within(NIGHT, video_of(), span(0, 30)) == ()
    assert occasion_of(video, span(5, 10)).end == datetime(2026, 11, 28, 22)
    assert occasion_of(video_of()).start is None


def test_a_rule_with_hours_is_tried_only_on_what_was_seen_then() -> None:
    hit = hit_of(rule_of(when="speed > 1"))
    early = observation_of(speed=3.0, start_s=0, end_s=5)
    late = observation_of(speed=3.0, start_s=8, end_s=14)
    test = parse("speed > 1")
    timed = hit.model_copy(update={"within": (span(10, 30),)})
    assert [tried(timed, test, o).holds for o in (early, late)] == [False, True]
    assert tried(hit, test, early).holds


def test_feet_are_what_is_in_a_zone() -> None:
    assert inside(FENCE, INSIDE)
    assert not inside(FENCE, OUTSIDE)  # its head would be in, its feet are not
    assert not inside(FENCE, Box(x0=300, y0=80, x1=320, y1=140))


def test_a_zone_limits_a_rule() -> None:
    rule = rule_of(when="speed > 1").model_copy(update={"scope": FENCE})
    test = parse("speed > 1")
    assert tried(rule, test, observation_of(speed=2.0, box=INSIDE)).holds
    assert tried(rule, test, observation_of(speed=2.0, box=OUTSIDE)).holds is False
    assert tried(rule, test, observation_of(speed=2.0, box=None)).holds is False


def test_lasting_counts_only_in_the_zone() -> None:
    rule = rule_of(when="dwell > 2").model_copy(update={"scope": FENCE})
    seen = observation_of(dwell=3.0, start_s=0, end_s=10)
    points = tuple(
        Point(frame=n, pts=n, surprise=0.0, box=INSIDE if n < 15 else OUTSIDE) for n in range(100)
    )
    passing = seen.model_copy(update={"points": points, "box": OUTSIDE})
    test = parse("dwell > 2")
    assert tried(rule, test, seen).holds
    assert tried(rule, test, passing).holds is False  # 1.5 s inside
    assert tried(rule, parse("dwell > 1"), passing).holds


def test_hours_days_and_moments_are_read() -> None:
    assert parse_hours("22-6") == ("22:00", "06:00")
    assert parse_hours("08:30–17:00") == ("08:30", "17:00")
    assert parse_weekdays("mon-fri") == ("mon", "tue", "wed", "thu", "fri")
    assert parse_weekdays("Saturday, sun") == ("sat", "sun")
    assert parse_weekdays("fri-mon") == ("mon", "fri", "sat", "sun")
    assert parse_moment("2026-11-28 22:00") == "2026-11-28T22:00:00"
    assert describe_scope(Scope(hours=("22:00", "06:00"), weekdays=("sat",), zone="fence")) == (
        "in the zone fence, 22:00–06:00, sat"
    )
    assert describe_scope(Scope()) == ""


@pytest.mark.parametrize("text", ["25:00-26:00", "22:00", "night", "6-6", "1-2-3"])
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match=r"no hours|end when they begin"):
        parse_hours(text)


@pytest.mark.parametrize("text", ["someday", "mo", "", "mon-xyz", "mon-tue-wed"])
def test_days_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="no weekday"):
        parse_weekdays(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0,0 10,0", "encloses nothing"),
        ("0,0 10,0 20,0", "encloses nothing"),
        ("0,0 10 20,0", "is no corner"),
        ("0,0 10,0 999,50", "outside the picture, which is 360×240"),
        ("0,0 10,0 nan,50", "outside the picture"),
    ],
)
def test_corners_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        parse_corners(text, 360, 240)


@pytest.mark.parametrize("text", ["yesterday", "22:00", "2026-13-01T00:00", "2026-11-28"])
def test_moments_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="no date and time"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("name", "stamp"),
    [
        ("gate_20261128_220000.mp4", "2026-11-28T22:00:00"),
        ("2026-11-28 22-00-05.mkv", "2026-11-28T22:00:05"),
        ("cam3.2026.11.28_22.00.05.avi", "2026-11-28T22:00:05"),
        ("gate.mp4", ""),
        ("20269928_220000.mp4", ""),
        ("20261128_220000-20261128_230000.mp4", ""),  # which of the two?
        ("video_1234567890123456.mp4", ""),
    ],
)
def test_stamps_in_names(name: str, stamp: str) -> None:
    assert stamp_in(name) == stamp


# ---------------------------------------------------------------- comparing scopes


def test_scopes_are_compared_by_the_minutes_of_the_week() -> None:
    anywhere, night = Scope(), Scope(hours=("22:00", "06:00"))
    friday = Scope(hours=("22:00", "06:00"), weekdays=("fri",))
    assert narrower(night, anywhere)
    assert narrower(friday, night)
    assert not narrower(night, friday)
    assert not narrower(night, night)
    assert covers(night, night)
    assert covers(Scope(weekdays=("fri", "sat")), friday)
    assert not covers(Scope(weekdays=("fri",)), friday), "Friday's night ends on Saturday"
    assert meet(Scope(weekdays=("sat",)), friday)
    assert not meet(Scope(weekdays=("sun",)), friday)
    sunday = Scope(hours=("22:00", "06:00"), weekdays=("sun",))
    assert meet(sunday, Scope(hours=("05:00", "07:00"), weekdays=("mon",)))
    every_day = Scope(weekdays=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    assert covers(every_day, anywhere)
    assert not narrower(every_day, anywhere)


def test_scopes_are_compared_by_zone_and_camera() -> None:
    here = Scope(zone="a", polygon=((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)))
    there = Scope(zone="b", polygon=((0.0, 0.0), (9.0, 0.0), (0.0, 9.0)))
    assert narrower(here, Scope())
    assert not meet(here, there)
    assert narrower(Scope(cameras=("n",)), Scope(cameras=("n", "s")))
    assert not meet(Scope(cameras=("n",)), Scope(cameras=("s",)))
    both = here.model_copy(update={"hours": ("22:00", "06:00")})
    assert narrower(both, here)
    assert meet(both, Scope(hours=("23:00", "01:00")))
    assert not covers(both, Scope(hours=("23:00", "01:00")))
