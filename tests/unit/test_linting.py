"""What is wrong with a rule book: contradictions and exceptions, repetitions, dead rules."""

from __future__ import annotations

import pytest

from tools.backends.embedded.perception import wording
from tools.concepts import CONCEPTS
from tools.deduction import readable
from tools.induction.statements import VOCABULARIES
from tools.rulebook.linting import lint
from tools.rulebook.predicates import VALUES, parse
from tools.types import Rule, RuleCategory, RuleKind, Scope

NORMAL, ANOMALOUS = RuleKind.NORMAL, RuleKind.ANOMALOUS
ATTRIBUTES = {
    "speed": "× usual walking speed", "dwell": "s", "direction": "",
    "place": "share of normal frames",
}  # fmt: skip
NIGHT = Scope(hours=("22:00", "06:00"))
YARD = Scope(zone="yard", polygon=((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)))


def rule(name: str, text: str, when: str = "", kind: RuleKind = ANOMALOUS, **more: object) -> Rule:
    made = Rule(
        id=name, scene="gate", version=1, kind=kind, category=RuleCategory.ACTIVITY, text=text,
        predicate=parse(when) if when else None, source="user",
    )  # fmt: skip
    return made.model_copy(update=more)


def found(*rules: Rule) -> list[tuple[str, tuple[str, ...]]]:
    return [(f.problem, f.rules) for f in lint(rules, ATTRIBUTES)]


# ---------------------------------------------------------------- contradictions, exceptions


def test_contradictory_rules() -> None:
    slow = rule("slow", "Up to 2.", "speed <= 2", NORMAL, source="induced")
    fast = rule("fast", "Above 1.5.", "speed > 1.5")
    assert found(slow, fast) == [("contradictory", ("slow", "fast"))]
    (told,) = lint([slow, fast], ATTRIBUTES)
    assert told.text == (
        "1.5 < speed ≤ 2 is normal by one and anomalous by the other; as it is, the anomalous one "
        "counts"
    )
    assert found(slow, rule("fast", "Above 2.", "speed > 2")) == []
    same = [rule("a", "No dogs run.", kind=NORMAL), rule("b", "no dogs  run")]
    assert ("contradictory", ("a", "b")) in found(*same)


def test_tests_of_two_people_contradict_where_they_overlap() -> None:
    stays = rule("stays", "Over 20 s.", "dwell > 20", NORMAL)
    person = rule("person", "People, over 10 s.", "dwell > 10 and subject == person")
    (told,) = lint([stays, person], ATTRIBUTES)
    assert (told.problem, told.rules) == ("contradictory", ("stays", "person"))
    assert told.text.startswith("20 < dwell and subject in {person} is normal by one")
    assert told.text.endswith("the normal one counts")
    assert found(stays, rule("apart", "Runners.", "activity == runs")) == []
    assert found(stays, rule("brief", "Below 10.", "dwell < 10 and subject == person")) == []
    induced = stays.model_copy(update={"source": "induced"})
    assert found(induced, person) == [], "one attribute alone was usual"


@pytest.mark.parametrize("scope", [NIGHT, YARD, Scope(weekdays=("sat",)), Scope(cameras=("n",))])
@pytest.mark.parametrize(("wide", "narrow"), [(NORMAL, ANOMALOUS), (ANOMALOUS, NORMAL)])
def test_a_narrower_scope_is_an_exception_either_way(
    scope: Scope, wide: RuleKind, narrow: RuleKind
) -> None:
    everywhere = rule("all", "Riding a bicycle.", kind=wide)
    limited = rule("some", "Riding a bicycle, there and then.", kind=narrow, scope=scope)
    assert found(everywhere, limited) == []
    same_words = limited.model_copy(update={"text": everywhere.text})
    assert found(everywhere, same_words) == []


def test_scopes_that_only_overlap_make_no_exception() -> None:
    night = rule("night", "Riding a bicycle at night.", scope=NIGHT)
    yard = rule("yard", "Riding a bicycle in the yard.", kind=NORMAL, scope=YARD)
    assert found(night, yard) == [("contradictory", ("yard", "night"))]
    late = rule("late", "Riding late.", kind=NORMAL, scope=Scope(hours=("05:00", "09:00")))
    assert found(night, late) == [("contradictory", ("late", "night"))]
    assert found(night, late.model_copy(update={"scope": Scope(hours=("06:00", "09:00"))})) == []


def test_a_wider_test_in_a_narrower_scope_is_an_exception() -> None:
    fast = rule("fast", "Above 1.5.", "speed > 1.5")
    early = rule("early", "Runners.", "speed > 1.2", NORMAL, scope=Scope(hours=("06:00", "08:00")))
    assert found(early, fast) == []


def test_a_narrower_test_is_an_exception_where_a_person_wrote_both() -> None:
    runs = rule("runs", "Running is fine.", "activity in {runs, walks}", NORMAL)
    fast = rule("fast", "Fast runners.", "activity == runs and speed > 2")
    assert found(fast, runs) == []
    assert found(rule("all", "Above 1.", "speed > 1"), rule("a", "1 to 2.", "speed > 1 and "
                 "speed < 2", NORMAL)) == []  # fmt: skip
    induced = fast.model_copy(update={"source": "induced"})
    assert found(induced, runs) == [("unreachable", ("fast", "runs"))]
    same = rule("same", "Runners and walkers.", "activity in {walks, runs}")
    assert found(same, runs) == [("contradictory", ("runs", "same"))]


# ---------------------------------------------------------------- one conflict, one finding


def test_one_conflict_is_one_finding() -> None:
    fine = rule("fine", "Riding a bicycle is fine.", kind=NORMAL)
    no = rule("no", "No riding a bicycle.")
    again = rule("again", "No riding a bicycle!")
    assert found(fine, no) == [("contradictory", ("fine", "no"))]
    assert found(fine, no, again) == [
        ("contradictory", ("fine", "no")),
        ("duplicate", ("no", "again")),
    ]
    both = rule("both", "Runs and rides.", "speed > 1 and dwell > 1")
    other = rule("other", "Runs or so.", "speed > 0.5 and dwell > 2", NORMAL)
    assert found(both, other) == [("contradictory", ("other", "both"))]


def test_duplicate_rules() -> None:
    assert found(rule("a", "Nobody runs."), rule("b", "nobody RUNS")) == [("duplicate", ("a", "b"))]
    same = [rule("a", "One.", "speed > 2"), rule("b", "Two.", "speed > 2")]
    assert found(*same) == [("duplicate", ("a", "b"))]
    assert found(same[0], same[1].model_copy(update={"scope": Scope(weekdays=("sun",))})) == []
    third = rule("c", "two", "speed > 3")
    (told,) = lint([*same, third], ATTRIBUTES)
    assert (told.rules, told.text) == (("a", "b", "c"), "all say “One.”")


# ---------------------------------------------------------------- what never counts


def test_unreachable_rules() -> None:
    for when in (
        "speed > 3 and speed < 2",
        "activity == runs and activity == walks",
        "dwell < 0",
        "place > 1",
        "speed == -1",
    ):
        assert found(rule("a", "Never.", when)) == [("unreachable", ("a",))], when
    assert found(rule("a", "Never.", "dwell < 0"), rule("b", "Ever.", "dwell < 9", NORMAL)) == [
        ("unreachable", ("a",))
    ]
    assert found(rule("a", "At last.", "dwell <= 0"), rule("b", "All.", "place <= 1")) == []


def test_in_words_only_tests_of_their_own_contradict_or_excuse() -> None:
    riding = rule("riding", "Riding a scooter.")
    allowed = rule("ok", "Riding a bicycle is allowed.", kind=NORMAL)
    assert found(riding, allowed) == [("contradictory", ("ok", "riding"))]  # measured alike
    assert lint([riding, allowed], {}, readable) == ()
    runs = rule("runs", "Runners.", "activity == runs")
    fine = rule("fine", "Running is fine.", "activity == runs", NORMAL)
    assert [f.problem for f in lint([runs, fine], {}, readable)] == ["contradictory"]
    fast = [rule("a", "Fast ones.", "speed > 2"), rule("b", "Slow ones.", "speed < 1")]
    assert lint(fast, {}, readable) == ()


# ---------------------------------------------------------------- what cannot be tested


def test_untestable_rules() -> None:
    assert found(rule("a", "No umbrellas.")) == [("untestable", ("a",))]
    (told,) = lint([rule("a", "Shiny.", "sped > 3")], ATTRIBUTES)
    assert told.text == "the captioner gives no attribute “sped” (did you mean “speed”?)"
    lost = rule("a", "Fast.", "speed > 3", scope=Scope(zone="fence"))
    assert found(lost) == [("untestable", ("a",))]


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("activity in {flies}", "the captioner never gives “flies” as activity"),
        ("activity in {runs, flies}", "the captioner never gives “flies” as activity"),
        ("subject == unicorn", "the captioner never gives “unicorn” as subject"),
        ("subject == persons", "“persons” as subject (did you mean “person”?)"),
        ("direction == up", "the captioner never gives “up” as direction"),
    ],
)
def test_values_that_no_captioner_gives_are_untestable(when: str, problem: str) -> None:
    (told,) = lint([rule("a", "Odd.", when)], ATTRIBUTES)
    assert told.problem == "untestable"
    assert problem in told.text


def test_the_words_of_captioners_are_those_that_rules_may_ask_for() -> None:
    assert VALUES["activity"] == set(wording._PLURAL)
    assert VALUES["direction"] == set(wording._ACROSS)
    for vocabulary in VOCABULARIES:
        said = {*vocabulary.shown, *(c.word for c in vocabulary.contrasts)}
        assert said <= VALUES[vocabulary.attribute]
    for condition in (c for concept in CONCEPTS for c in concept.predicate.all):
        if isinstance(condition.value, tuple):
            assert set(condition.value) <= VALUES[condition.attribute]
