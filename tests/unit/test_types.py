"""The vocabulary: exact times, half-open intervals, content ids, values that cannot be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import TENTHS, event_of, observation_of, rule_of, span, video_of
from tools.decision import Budget, Decision, Intent, Label
from tools.types import (
    Attribute,
    Box,
    EventTree,
    Interval,
    Level,
    Predicate,
    TimeBase,
    Timestamp,
    clock,
    content_id,
    ordered_unique,
    parse_clock,
)

NTSC = TimeBase(num=1001, den=30_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00.0"),
        (12.34, "00:12.3"),
        (59.99, "00:59.9"),
        (60, "01:00.0"),
        (0.3, "00:00.3"),
        (3661.25, "1:01:01.2"),
        (-1.5, "-00:01.5"),
    ],
)
def test_clocks_read_as_on_a_recorder(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12", 12), ("00:12", 12), ("1:02:03", 3723), ("0:12.5", 12.5), (" 1:30 ", 90)],
)
def test_clocks_are_read(text: str, seconds: float) -> None:
    assert parse_clock(text) == seconds


@pytest.mark.parametrize("text", ["", ":", "1:", "a:b", "1:2:3:4"])
def test_what_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_clock(text)


@given(st.integers(0, 10**6))
def test_a_clock_read_back_is_within_a_tenth(tenths: int) -> None:
    assert parse_clock(clock(tenths / 10)) == pytest.approx(tenths / 10, abs=0.1001)


def test_times_are_exact() -> None:
    # The millionth frame of an NTSC clip is exactly 33366.666… s in: no drift from rounding.
    assert Timestamp(pts=10**6, time_base=NTSC).seconds == 1001 * 10**6 / 30_000
    assert str(Timestamp(pts=123, time_base=TENTHS)) == "00:12.3"


def test_intervals_are_half_open() -> None:
    one, next_one = span(0, 1), span(1, 2)
    assert one.intersection(next_one) is None
    assert one.contains(0)
    assert not one.contains(10)
    assert one.hull(next_one) == span(0, 2)
    assert one.iou(next_one) == 0.0
    assert span(0, 2).iou(span(1, 3)) == pytest.approx(1 / 3)
    assert str(span(61, 62.5)) == "01:01.0–01:02.5"


def test_an_interval_has_at_least_one_tick() -> None:
    assert Interval.from_seconds(1.0, 1.0, TENTHS) == Interval(start=10, end=11, time_base=TENTHS)
    with pytest.raises(ValidationError, match="empty interval"):
        Interval(start=5, end=5, time_base=TENTHS)


def test_intervals_of_different_time_bases_do_not_mix() -> None:
    with pytest.raises(ValueError, match="different time bases"):
        span(0, 1).intersection(Interval(start=0, end=30, time_base=NTSC))


def test_boxes_have_an_area() -> None:
    assert Box(x0=0, y0=0, x1=4, y1=2).center == (2.0, 1.0)
    with pytest.raises(ValidationError, match="empty box"):
        Box(x0=3, y0=0, x1=3, y1=2)


def test_ids_come_from_content_alone() -> None:
    assert content_id({"a": 1, "b": span(0, 1)}) == content_id({"b": span(0, 1), "a": 1})
    assert content_id(1, 2) != content_id(2, 1)
    assert len(content_id("x")) == 12
    with pytest.raises(TypeError, match="no canonical form for set"):
        content_id({1, 2})


def test_a_tree_knows_its_parents_and_children() -> None:
    parent = event_of("a", 0, 10)
    child = event_of("b", 0, 10, level=Level.FINE, parent="a")
    tree = EventTree(video_id="v1", events=(parent, child))
    assert tree.coarse == (parent,)
    assert tree.children("a") == (child,)
    assert tree["b"] == child
    with pytest.raises(KeyError):
        tree["c"]


def test_attributes_are_found_by_name_subject_and_activity_too() -> None:
    seen = observation_of(activity="runs", speed=2.0)
    assert (seen.value("speed"), seen.value("activity"), seen.value("size")) == (2.0, "runs", None)
    assert seen.attribute("subject") is None


def test_values_are_frozen_known_and_finite() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        span(0, 1).start = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Attribute.model_validate({"name": "speed", "value": 1.0, "uint": "m"})
    with pytest.raises(ValidationError, match="finite"):
        Attribute(name="speed", value=float("nan"))
    with pytest.raises(ValidationError, match="at least 1"):
        Predicate(all=())


def test_scores_lie_between_zero_and_one() -> None:
    for score in (-0.1, 1.1):
        with pytest.raises(ValidationError):
            Decision(run_id="r", query="q", intent=Intent.FIND, label=Label.NORMAL, score=score)


def test_budgets_bound_from_below() -> None:
    assert Budget().max_looks is None
    for wrong in ({"max_looks": -1}, {"max_seconds": -0.1}, {"max_rounds": 0}):
        with pytest.raises(ValidationError):
            Budget.model_validate(wrong)


def test_a_rule_is_cited_by_id_and_version() -> None:
    assert rule_of("fast", version=3).ref == "rule:fast@3"


def test_a_video_is_named_by_the_last_part_of_its_path() -> None:
    assert video_of(path="a/b/gate.mp4").name == "gate.mp4"
    assert video_of(path="a/frames/").name == "frames"
    assert video_of().seconds == 60.0


def test_repeats_go_and_the_order_stays() -> None:
    assert ordered_unique(["b", "a", "b", "c", "a"]) == ("b", "a", "c")
