"""From a person's sentence to a rule, and what a question says for itself alone."""

from __future__ import annotations

import pytest

from tools.backends.embedded.planner import EmbeddedPlanner
from tools.decision import Intent, Plan
from tools.errors import UserError
from tools.ports import PlanningContext
from tools.rulebook.plainwords import hits_of_question, understand
from tools.rulebook.predicates import describe
from tools.rulebook.scoping import describe_scope
from tools.types import RuleKind, Zone

FENCE = Zone(scene="gate", name="fence", version=1, polygon=((0, 0), (9, 0), (9, 9)))
NOBODY, FINE = RuleKind.ANOMALOUS, RuleKind.NORMAL
STANDS = "activity in {stands} and subject in {person, person-sized object, group}"
RIDES = "activity in {glides} and speed > 1.5 × usual walking speed"
RUNS = "activity in {runs} and speed > 1.8 × usual walking speed"
LARGE = "subject in {large object}"


@pytest.mark.parametrize(
    ("text", "kind", "test", "scope"),
    [
        (
            "Nobody may stand at the fence for more than 30 seconds at night",
            NOBODY,
            f"{STANDS} and dwell > 30 s",
            "in the zone fence, 22:00–06:00",
        ),
        ("Runners are fine between 6 and 8 am on weekdays", FINE, RUNS,
         "06:00–08:00, mon tue wed thu fri"),
        ("No cycling on the walkway", NOBODY, RIDES, ""),
        ("Nobody may stay longer than 2 minutes", NOBODY, "dwell > 120 s", ""),
        ("No trucks after 10 pm", NOBODY, LARGE, "22:00–00:00"),
        ("No trucks between 10 and 11 pm", NOBODY, LARGE, "22:00–23:00"),
        ("Ignore carts in the morning", FINE, LARGE, "06:00–12:00"),
        ("People running to the left are unusual", NOBODY, f"{RUNS} and direction in {{left}}", ""),
        ("Nobody may loiter near the fence from Friday to Sunday", NOBODY, "dwell > 20 s",
         "in the zone fence, fri sat sun"),
        ("Nobody may enter the fence at the weekend", NOBODY,
         "subject in {group, large object, person, person-sized object}",
         "in the zone fence, sat sun"),
        ("Nobody may move faster than 3 times the usual walking speed", NOBODY,
         "speed > 3 × usual walking speed", ""),
        ("Dogs must be on a leash", NOBODY, None, ""),
    ],
)  # fmt: skip
def test_sentences(text: str, kind: RuleKind, test: str | None, scope: str) -> None:
    found = understand(text, {"fence": FENCE}, "gate")
    assert (found.text, found.kind) == (text, kind)
    assert (describe(found.predicate) if found.predicate else None) == test
    assert describe_scope(found.scope) == scope
    assert (found.scope.polygon == FENCE.polygon) is ("fence" in text)


def test_what_nothing_measures_is_named() -> None:
    assert understand("A red car is suspicious", {}, "gate").unchecked == ("red",)
    found = understand("No cycling", {}, "gate")
    assert found.unchecked == ()
    assert "which vehicle it is was not measured" in found.caveats[0]


def test_a_place_that_is_no_zone_is_told() -> None:
    for text, name in (
        ("Nobody may stand at the fance", "fance"),
        ("Nobody may enter the loading dock", "loading-dock"),
        ("Nobody may wait at the bus stop", "bus-stop"),
    ):
        with pytest.raises(UserError, match=f"no zone “{name}” in scene “gate”") as told:
            understand(text, {"fence": FENCE}, "gate")
        assert f"vidocq rules zone add {name} --scene gate" in told.value.remedy
    assert "did you mean “fence”" in str(told.value) or "it has fence" in str(told.value)
    assert understand("No walking on the grass", {}, "gate").predicate  # a concept of its own


def test_a_list_is_tested_word_by_word() -> None:
    found = understand("No running or riding at night", {}, "gate")
    assert found.predicate is None
    assert [describe(t) for t in found.tests] == [RUNS, RIDES]
    assert describe_scope(found.scope) == "22:00–06:00"
    with pytest.raises(UserError, match="several things and a bound"):
        understand("No standing or riding for more than 20 s", {}, "gate")


def test_a_kind_that_is_given_stands() -> None:
    assert understand("Nobody runs", {}, "gate", kind=FINE).kind is FINE


def test_what_the_captioner_does_not_give_is_not_tested() -> None:
    found = understand("Nobody may run", {}, "gate", attributes={"dwell": "s"})
    assert found.predicate is None
    assert found.caveats == ("the captioner gives no speed",)


# ---------------------------------------------------------------- a question's own


def planned(query: str) -> Plan:
    return EmbeddedPlanner().plan(query, PlanningContext(scene="gate", names_video=True))


def test_a_question_defines_what_counts_for_itself_alone() -> None:
    plan = planned("Anything out of the ordinary? Riding a bicycle counts as unusual here.")
    assert (plan.intent, plan.targets) == (Intent.ANOMALY, ())
    assert [t.concept for t in plan.counts] == ["riding"]
    (hit,) = hits_of_question(plan, "gate")
    assert (hit.rule.kind, hit.rule.source, hit.rule.author) == (NOBODY, "user", "this question")
    assert describe(hit.rule.predicate or plan.counts[0].predicate) == RIDES


@pytest.mark.parametrize(
    "query",
    [
        "Anything unusual? Ignore the gardener's cart.",
        "Anything unusual, but ignore the gardener's cart",
        "Anything unusual except the gardener's cart?",
        "Ignore the gardener's cart",
        "Anything unusual? The gardener's cart is fine.",
    ],
)
def test_a_question_ignores_what_it_names(query: str) -> None:
    plan = planned(query)
    assert plan.intent is Intent.ANOMALY
    (target,) = plan.ignores
    assert describe(target.predicate) == LARGE
    assert "left out for this question" in target.caveat
    assert hits_of_question(plan, "gate")[0].rule.kind is FINE


def test_what_cannot_be_ignored_is_said() -> None:
    plan = planned("Anything odd? Ignore the dog.")
    assert (plan.intent, plan.ignores) == (Intent.ANOMALY, ())
    assert plan.unmet == "“the dog” was not taken into account: nothing of it is measured"


def test_a_definition_of_which_nothing_is_measured_is_said_to_be_lost() -> None:
    plan = planned("Anything odd? Juggling counts as unusual here, but ignore the dog.")
    assert (plan.intent, plan.counts, plan.ignores) == (Intent.ANOMALY, (), ())
    assert "“Juggling counts as unusual here” was not taken into account" in plan.unmet
    assert "“the dog” was not taken into account" in plan.unmet


def test_a_question_about_what_it_defines_is_a_check() -> None:
    plan = planned("Riding a bicycle counts as unusual here")
    assert (plan.intent, plan.counts) == (Intent.CHECK, ())
    assert planned("Is riding normal here?").intent is Intent.FIND
