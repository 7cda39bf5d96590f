"""Scores from token probabilities: expected values, variants summed, doubt named."""

from __future__ import annotations

import math

import pytest

from tests.brain import peaked, uniform
from tools.errors import BackendError
from tools.models.chances import chances_of, grade
from tools.models.chat import ChatReply, TokenChances


def reply(chances: dict[str, float], *before: str, said: str = "") -> ChatReply:
    best = said or max(chances, key=lambda t: chances[t])
    tokens = [TokenChances(b, -0.1, ((b, -0.1),)) for b in before]
    tokens.append(TokenChances(best, chances[best], tuple(chances.items())))
    return ChatReply("".join(t.token for t in tokens), tokens=tuple(tokens))


def test_the_score_is_the_expected_value_over_normalised_probabilities() -> None:
    chances = {"2": math.log(0.3), "8": math.log(0.1), "the": math.log(0.6)}
    told = grade(reply(chances, said="2"))  # as a constrained model: it cannot say "the"
    assert told.value == pytest.approx((0.75 * 2 + 0.25 * 8) / 9)
    assert told.mass == pytest.approx(0.4)


def test_variants_of_a_token_are_one_answer() -> None:
    told = {" 7": 0.4, "7": 0.2, "Ġ7": 0.1, '"7"': 0.1, "8": 0.2}
    top = tuple((token, math.log(chance)) for token, chance in told.items())
    at = TokenChances(" 7", math.log(0.4), top)
    assert chances_of(at, ("7", "8")) == pytest.approx({"7": 0.8, "8": 0.2})
    words = TokenChances("Yes", math.log(0.5), (("Yes", math.log(0.5)), ("yes", math.log(0.3))))
    assert chances_of(words, ("yes", "no")) == pytest.approx({"yes": 0.8, "no": 0.0})


def test_blanks_before_the_answer_do_not_count() -> None:
    assert grade(reply(peaked(8), "\n", " ")).value == pytest.approx(grade(reply(peaked(8))).value)


def test_a_certain_answer_has_no_entropy_and_a_uniform_one_all() -> None:
    assert grade(reply({"4": 0.0})).entropy == pytest.approx(0.0, abs=1e-9)
    told = grade(reply(uniform()))
    assert told.entropy == pytest.approx(1.0, abs=1e-3)
    assert told.value == pytest.approx(0.5, abs=1e-2)


@pytest.mark.parametrize(
    ("chances", "why"),
    [
        (uniform(), "about as likely"),
        ({"0": math.log(0.5), "9": math.log(0.5)}, "two minds"),
        ({"3": math.log(0.2), "The": math.log(0.15)}, "only 20%"),  # the rest is not told
        ({"?": math.log(0.7), "1": math.log(0.3)}, "cannot tell"),
        ({"?": 0.0}, "cannot tell"),
    ],
)
def test_what_is_no_opinion_says_why(chances: dict[str, float], why: str) -> None:
    assert why in grade(reply(chances)).doubt


@pytest.mark.parametrize("digit", range(10))
def test_a_clear_opinion_is_none_of_doubt(digit: int) -> None:
    assert grade(reply(peaked(digit))).doubt == ""


def test_a_written_answer_is_a_fallback_and_marked() -> None:
    told = grade(ChatReply(" 7.\n"))
    assert (told.written, told.value) == (True, pytest.approx(7 / 9))
    assert not grade(reply(peaked(7))).written
    assert grade(ChatReply("?")).doubt


@pytest.mark.parametrize("text", ["10", "seven", "", "7 of 9"])
def test_a_written_answer_off_the_scale_is_refused(text: str) -> None:
    with pytest.raises(BackendError) as caught:
        grade(ChatReply(text))
    assert caught.value.fault == "off_scale"


def test_a_token_off_the_scale_is_refused_whatever_stands_beside_it() -> None:
    with pytest.raises(BackendError):
        grade(reply({"The": -0.1, "7": -2.0}))
