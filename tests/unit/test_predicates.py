"""Predicates: three-valued outcome, strength at and beyond the bound, the readable form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import UserError
from tools.rulebook.predicates import describe, evaluate, parse, validate
from tools.types import Attribute, Condition, Interval, Observation, Predicate, TimeBase

UNITS = {"speed": "× usual walking speed", "dwell": "s", "direction": ""}


def observe(**values: float | str) -> Observation:
    return Observation(
        id="o1",
        video_id="v",
        interval=Interval(start=0, end=10, time_base=TimeBase(num=1, den=10)),
        subject="person",
        activity="walks",
        text="a person walks",
        attributes=tuple(Attribute(name=k, value=v) for k, v in values.items()),
        key_frame=3,
    )


@pytest.mark.parametrize(
    ("text", "holds", "strength"),
    [
        ("speed > 1.5", True, 0.75),
        ("speed > 3", False, 0.5),
        ("speed >= 3", True, 0.5),
        ("speed > 6", False, 1 - 2**-0.5),
        ("speed < 6", True, 0.75),
        ("speed == 3", True, 1.0),
        ("offset > 0", True, 1 - 2**-1.5),
        ("offset < -1", False, 1 - 2**-0.0),
        ("activity == walks", True, 1.0),
        ("activity in {runs, glides}", False, 0.0),
        ("direction in {Left}", True, 1.0),
        ("speed > 1.5 and direction == left", True, 0.75),
        ("size > 2", None, 0.0),
        ("size > 2 and speed > 1", None, 0.0),
        ("size > 2 and speed > 9", False, 0.0),
        ("direction > 2", None, 0.0),
    ],
)
def test_outcome(text: str, holds: bool | None, strength: float) -> None:
    result = evaluate(parse(text), observe(speed=3.0, offset=0.5, direction="left"))
    assert result.holds is holds
    assert result.strength == pytest.approx(strength)


def test_margins_keep_the_measured_value() -> None:
    (margin,) = evaluate(parse("speed > 1.5"), observe(speed=3.0)).margins
    assert (margin.value, margin.condition.value, margin.holds) == (3.0, 1.5, True)


@given(st.floats(0.01, 100), st.floats(0.0, 1000), st.floats(0.0, 1000))
def test_strength_grows_with_the_margin(bound: float, one: float, other: float) -> None:
    predicate = Predicate(all=(Condition(attribute="speed", op=">", value=bound),))
    low, high = sorted((one, other))
    weak = evaluate(predicate, observe(speed=low))
    strong = evaluate(predicate, observe(speed=high))
    assert weak.strength <= strong.strength
    for result, value in ((weak, low), (strong, high)):
        assert result.holds == (value > bound)
        assert (result.strength > 0.5) <= (value > bound)


words = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6), min_size=1, max_size=3
).map(" ".join)
conditions = st.one_of(
    st.builds(
        Condition,
        attribute=st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(lambda n: n != "and"),
        op=st.sampled_from([">", ">=", "<", "<=", "=="]),
        value=st.floats(allow_nan=False, allow_infinity=False),
        unit=st.sampled_from(["", "s", "× usual walking speed"]),
    ),
    st.builds(Condition, attribute=st.just("activity"), op=st.just("=="), value=words),
    st.builds(
        Condition,
        attribute=st.just("direction"),
        op=st.just("in"),
        value=st.lists(words, min_size=1, max_size=3).map(tuple),
    ),
)


@given(st.lists(conditions, min_size=1, max_size=3))
def test_describe_and_parse_are_inverse(parts: list[Condition]) -> None:
    predicate = Predicate(all=tuple(parts))
    assert parse(describe(predicate)) == predicate


def test_words_with_and_are_quoted() -> None:
    predicate = Predicate(
        all=(
            Condition(attribute="activity", op="==", value="appears and stays"),
            Condition(attribute="dwell", op=">", value=12.0, unit="s"),
        )
    )
    assert describe(predicate) == 'activity == "appears and stays" and dwell > 12 s'
    assert parse(describe(predicate)) == predicate


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("", 1, "name of an attribute"),
        ("speed", 6, "expected one of"),
        ("speed > fast", 9, "a number"),
        ("speed > 1 and", 14, "name of an attribute"),
        ("speed > 1 size > 2", 16, "unexpected"),
        ("direction in left", 14, "{"),
        ("direction in {left", 19, "}"),
        ("speed > 1e999", 14, "finite"),
    ],
)
def test_syntax_errors_name_the_position(text: str, position: int, what: str) -> None:
    with pytest.raises(UserError, match=f"character {position}:") as error:
        parse(text)
    assert what in str(error.value)


def test_validate_fills_in_units() -> None:
    checked = validate(parse("speed > 1.5x and activity == glides and dwell > 12"), UNITS)
    assert describe(checked) == (
        "speed > 1.5 × usual walking speed and activity == glides and dwell > 12 s"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sped > 1.5", "did you mean “speed”"),
        ("colour == red", "known: speed"),
        ("speed > 12 km/h", "measured in “× usual walking speed”"),
        ("direction > 2", "words, not a number"),
        ("speed == fast", "a number, not words"),
    ],
)
def test_validate_refuses(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        validate(parse(text), UNITS)
