"""Plain words for measurable things: what each word means, and what it does not."""

from __future__ import annotations

import pytest

from tests.builders import observation_of
from tools.concepts import CONCEPTS, find_concepts
from tools.rulebook.predicates import describe, evaluate


def names(text: str) -> list[str]:
    return [concept.name for concept, _ in find_concepts(text)]


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("a person on a bicycle", "riding"),
        ("two cyclists", "riding"),
        ("someone rode past", "riding"),
        ("a skateboarder", "riding"),
        ("he ran away", "running"),
        ("joggers", "running"),
        ("sprinting", "running"),
        ("rushing", "moving fast"),
        ("a big object", "a large object"),
        ("golf carts", "a large object"),
        ("an abandoned suitcase", "leaving something behind"),
        ("somebody left a bag", "leaving something behind"),
        ("no bag was left", "leaving something behind"),
        ("hanging around", "loitering"),
        ("a motionless person", "standing"),
        ("walking across the lawn", "being where people rarely are"),
        ("off the path", "being where people rarely are"),
        ("going the wrong way", "going the wrong way"),
        ("walking against the flow", "going the wrong way"),
        ("people gathered", "a group"),
        ("pedestrians", "walking"),
    ],
)
def test_words_name_a_concept(text: str, concept: str) -> None:
    assert concept in names(text)


@pytest.mark.parametrize(
    "text",
    ["a bridge", "the pride of the park", "a scarf", "brand new", "vandalism", "carpet", "trash",
     "grass", "breakfast", "a train", "understand", "instill", "trunk"],
)  # fmt: skip
def test_parts_of_other_words_name_nothing(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize("text", ["a man with a bag left the square", "something left of the gate"])
def test_whoever_leaves_a_place_leaves_nothing_behind(text: str) -> None:
    assert names(text) == []


def test_concepts_come_in_the_order_of_the_sentence_with_their_words() -> None:
    found = find_concepts("Someone ran, then a cyclist rode past a crowd")
    assert [(c.name, words) for c, words in found] == [
        ("running", "ran"),
        ("riding", "cyclist"),
        ("a group", "crowd"),
    ]


def test_words_are_used_once() -> None:
    # "left a bag" is one thing; "bag" and "left" name nothing more.
    assert names("someone left a bag") == ["leaving something behind"]
    assert names("CYCLISTS and cyclists") == ["riding"]


def test_every_concept_is_found_by_its_own_name() -> None:
    for concept in CONCEPTS:
        if concept.name != "being where people rarely are":  # the name explains, nobody says it
            assert concept.name in names(concept.name), concept.name


@pytest.mark.parametrize(
    ("concept", "fits", "does_not"),
    [
        ("riding", {"activity": "glides", "speed": 2.5}, {"activity": "runs", "speed": 2.5}),
        ("riding", {"activity": "glides", "speed": 1.6}, {"activity": "glides", "speed": 1.4}),
        ("running", {"activity": "runs", "speed": 2.0}, {"activity": "glides", "speed": 2.0}),
        ("moving fast", {"speed": 1.9}, {"speed": 1.7}),
        ("a large object", {"subject": "large object"}, {"subject": "person"}),
        ("loitering", {"dwell": 21.0}, {"dwell": 20.0}),
        ("standing", {"activity": "stands"}, {"activity": "walks"}),
        ("a group", {"subject": "group"}, {"subject": "person"}),
        ("being where people rarely are", {"place": 0.001}, {"place": 0.002}),
        ("walking", {"activity": "walks"}, {"activity": "runs"}),
        ("leaving something behind", {"activity": "appears and stays"}, {"activity": "stands"}),
    ],
)
def test_a_concept_holds_exactly_where_its_measure_does(
    concept: str, fits: dict[str, float | str], does_not: dict[str, float | str]
) -> None:
    (predicate,) = [c.predicate for c in CONCEPTS if c.name == concept]
    assert evaluate(predicate, observation_of(**fits)).holds is True
    assert evaluate(predicate, observation_of(**does_not)).holds is False


def test_what_words_say_beyond_the_measure_is_in_the_caveat() -> None:
    caveats = {c.name: c.caveat for c in CONCEPTS}
    assert "which vehicle it is was not measured" in caveats["riding"]
    assert "what kind of object it is was not measured" in caveats["a large object"]
    assert "not counted" in caveats["a group"]
    assert "what surface it is was not measured" in caveats["being where people rarely are"]


def test_tests_read_as_words() -> None:
    tests = {c.name: describe(c.predicate) for c in CONCEPTS}
    assert tests["riding"] == "activity in {glides} and speed > 1.5 × usual walking speed"
    assert tests["loitering"] == "dwell > 20 s"
