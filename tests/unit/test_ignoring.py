"""What a question asks to ignore is left out whole: every track of a thing, and what is unclear."""

from __future__ import annotations

import pytest

from tools.backends.embedded.planner import EmbeddedPlanner
from tools.ports import PlanningContext
from tools.rulebook.plainwords import hits_of_question
from tools.rulebook.precedence import cancelled
from tools.rulebook.predicates import describe
from tools.testimony import excused_by
from tools.types import (
    Attribute,
    Box,
    Caption,
    Clause,
    Description,
    Interval,
    Observation,
    Point,
    TimeBase,
)

TENTHS = TimeBase(num=1, den=10)


def seen(
    name: str, activity: str, start: int, end: int, x: int, *, step: int = 3, way: str = "right"
) -> Observation:
    """Something 20 × 40 pixels large at ``x`` when it starts."""
    points = tuple(
        Point(frame=n, pts=n, surprise=1.0, box=Box(x0=left, y0=50, x1=left + 20, y1=90))
        for n, left in ((n, x + step * (n - start)) for n in range(start, end))
    )
    return Observation(
        id=name, video_id="v", interval=Interval(start=start, end=end, time_base=TENTHS),
        subject="person-sized object", activity=activity, text=f"{name} {activity}",
        attributes=(
            Attribute(name="speed", value=1.4, unit="× usual walking speed"),
            Attribute(name="direction", value=way),
        ),
        surprise=1.0, key_frame=start, points=points,
    )  # fmt: skip


def excused(*observations: Observation) -> frozenset[str]:
    plan = EmbeddedPlanner().plan(
        "Anything unusual? Ignore riders.", PlanningContext(scene="gate", names_video=True)
    )
    span = Interval(start=0, end=200, time_base=TENTHS)
    caption = Caption(
        id="c", video_id="v", interval=span, text="x", clauses=(Clause(text="x"),), captioner="t"
    )
    described = Description(caption=caption, observations=observations)
    return excused_by(described, hits_of_question(plan, "gate"))


def rider(name: str, start: int, end: int, x: int) -> Observation:
    made = seen(name, "glides", start, end, x)
    fast = Attribute(name="speed", value=2.5, unit="× usual walking speed")
    return made.model_copy(update={"attributes": (fast, *made.attributes[1:])})


def test_all_that_is_seen_of_an_ignored_thing_is_left_out() -> None:
    whole = rider("rider", 0, 30, 10)
    inside = seen("inside", "walks", 5, 25, 30)  # another track of the same
    after = seen("after", "walks", 34, 50, 110)  # where the rider would be
    assert excused(whole, inside, after) == {"rider", "inside", "after"}


def test_others_are_not_left_out_with_it() -> None:
    whole = rider("rider", 0, 30, 10)
    passing = seen("passing", "walks", 0, 30, 100, way="left", step=-3)
    beside = seen("beside", "walks", 0, 30, 60)
    later = seen("later", "walks", 60, 80, 110)
    assert excused(whole, passing, beside, later) == {"rider"}


def test_what_moves_as_fast_in_an_unclear_way_is_left_out_too() -> None:
    plan = EmbeddedPlanner().plan("Anything unusual? Ignore riders.", PlanningContext(scene="gate"))
    (target,) = plan.ignores
    assert describe(target.predicate).startswith("activity in {glides, moves} and speed > 1.5")
    assert "activity in {glides, moves}" in target.caveat


def test_a_direction_that_is_tested_is_not_called_untested() -> None:
    plan = EmbeddedPlanner().plan(
        "Anything unusual? Walking to the left counts as unusual.", PlanningContext(scene="gate")
    )
    (target,) = plan.counts
    assert "direction in {left}" in describe(target.predicate)
    assert "left" not in target.caveat


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Anything unusual? Riding counts as unusual here; ignore skateboards.",
         "“Riding” and “skateboards”, which is to be ignored, cannot be told apart"),
        ("Anything unusual? A parked car counts as unusual, but ignore cars.",
         "so nothing of “parked car” could be reported; ask without ignoring it"),
        ("Did anyone ride a bike? Ignore skateboards.", "nothing of “ride” could be reported"),
        ("Anything unusual? Moving fast counts as unusual; ignore riders.",
         "“fast” and “riders”, which is to be ignored, overlap in what is measured"),
        ("Anything unusual? Running counts as unusual; ignore riders.", ""),
        ("Anything unusual? Running counts as unusual; ignore the gardener's cart.", ""),
    ],
)  # fmt: skip
def test_definitions_of_a_question_that_cancel_each_other_are_said_to(
    query: str, said: str
) -> None:
    notes = cancelled(EmbeddedPlanner().plan(query, PlanningContext(scene="gate")))
    assert bool(notes) == bool(said)
    assert all(said in note and "goes first" in note for note in notes)
