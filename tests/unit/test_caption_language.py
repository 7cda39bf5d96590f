"""Captions taken apart: clauses, lemmas, concepts, what is denied, suspected or at rest."""

import pytest

from tools.deduction import clauses_of, said_in

CAPTION = (
    "There are 3 people in the image. Starting from the left, the first person is walking with a "
    "bag, the second person seems to be in motion, possibly running, and the third person is on a "
    "bicycle. Other than people, there are trees, a van parked at the kerb, and a man on a bench."
)


def test_people_are_told_apart_from_what_is_listed():
    clauses = dict(clauses_of(CAPTION))
    assert not any("3 people" in clause for clause in clauses), "a count says nothing of them"
    assert clauses["the first person is walking with a bag"] == "person"
    assert clauses["possibly running"] == "person"
    assert clauses["trees"] == clauses["a van parked at the kerb"] == "thing"
    assert clauses["a man on a bench"] == "person"


@pytest.mark.parametrize(
    ("clause", "says"),
    [
        ("a woman rode her bike", "<ride>"),
        ("two men are jogging", "<run>"),
        ("the third person is on a skateboard", "<ride>"),
        ("he is skateboarding", "<ride>"),
        ("a cyclist", "<ride>"),
        ("an ambulance", "<vehicle>"),
        ("a man rides a scooter past parked cars", "<ride>"),
        ("a tricycle", "<light vehicle>"),
        ("people sitting on a bench", "<sit>"),
        ("somebody tampered with the lock", "<damage>"),
    ],
)
def test_words_are_found_by_lemma_and_concept(clause, says):
    assert said_in(clause).nodes.get(says) == 1.0


@pytest.mark.parametrize(
    ("clause", "leaves_out"),
    [
        ("a man walks past a parked bicycle", "<ride>"),
        ("a motorcycle is parked on the left", "<ride>"),
        ("nobody is running", "<run>"),
        ("the man is not riding a bicycle", "<bicycle>"),
        ("a woman without a bag", "<bag>"),
        ("a fire hydrant", "<fire>"),
        ("a trunk and a scarf", "<run>"),
        ("he carries carpets", "<car>"),
        ("the person is pushing a stroller", "<push>"),
        ("a person stands at the bicycle rack", "<bicycle>"),
    ],
)
def test_what_is_denied_at_rest_or_only_alike_is_not_said(clause, leaves_out):
    assert leaves_out not in said_in(clause).nodes


@pytest.mark.parametrize(
    "clause", ["possibly running", "is walking or running", "who might be running"]
)
def test_what_is_suspected_counts_half(clause):
    assert said_in(clause).nodes["<run>"] == 0.5


@pytest.mark.parametrize(
    "clause",
    [
        "a man is juggling",
        "a man juggles",
        "two people juggle",
        "a woman who quickly juggles",
        "he seems to juggle",
        "they also juggle",
    ],
)
def test_what_somebody_does_is_found_in_whatever_form(clause):
    assert "juggle" in said_in(clause).actions


@pytest.mark.parametrize(
    "clause",
    [
        "a man with bottles",
        "two people in coats",
        "several people inside the entrance",
        "others individually",
        "pedestrian crosswalks",
        "a person's clothes",
    ],
)
def test_what_stands_beside_people_is_not_what_they_do(clause):
    assert said_in(clause).actions == ()


def test_a_formula_of_the_captioner_is_no_suspicion():
    assert said_in("the first person appears to be running").nodes["<run>"] == 1.0


def test_what_stands_is_marked():
    assert said_in("a van parked at the kerb", "thing").still
    assert not said_in("a van on the road", "thing").still
