"""From a person's sentence to a rule, and what a question says for itself alone."""

from __future__ import annotations

import pytest

from tools.backends.embedded.planner import EmbeddedPlanner
from tools.decision import Intent, Plan
from tools.deduction.matching import phrases_of
from tools.errors import UserError
from tools.ports import PlanningContext
from tools.rulebook import plainwords
from tools.rulebook.plainwords import Understood, hits_of_question, understand
from tools.rulebook.predicates import describe
from tools.rulebook.scoping import describe_scope
from tools.types import Rule, RuleKind, Zone

FENCE = Zone(scene="gate", name="fence", version=1, polygon=((0, 0), (9, 0), (9, 9)))
NOBODY, FINE = RuleKind.ANOMALOUS, RuleKind.NORMAL
STANDS = "activity in {stands} and subject in {person, person-sized object, group}"
RIDES = "activity in {glides} and speed > 1.5 × usual walking speed"
RUNS = "activity in {runs} and speed > 1.8 × usual walking speed"
LARGE = "subject in {large object}"
PARKED = "activity in {stands} and subject in {large object}"
LEFT = 'activity in {"appears and stays"}'
ANYONE = "subject in {group, large object, person, person-sized object}"
NO_WALK = "activity in {glides, runs}"
NOT_RIGHT = "direction in {left, toward the camera, away from the camera}"
WORKDAYS = "mon tue wed thu fri"


def rule_of(found: Understood) -> Rule:
    return Rule(
        id="r",
        scene="gate",
        version=1,
        kind=found.kind,
        category=found.category,
        text=found.text,
        predicate=found.predicate,
        scope=found.scope,
    )


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


SENSES = [
    # what is demanded is broken by the opposite
    ("People should walk from left to right", NOBODY, f"activity in {{walks}} and {NOT_RIGHT}", ""),
    ("Cars should drive from left to right", NOBODY, f"{LARGE} and {NOT_RIGHT}", ""),
    ("Everyone walks to the right", NOBODY, f"activity in {{walks}} and {NOT_RIGHT}", ""),
    ("Everyone must walk", NOBODY, NO_WALK, ""),
    ("Only walking is allowed", NOBODY, NO_WALK, ""),
    ("People are supposed to walk", NOBODY, NO_WALK, ""),
    ("It is forbidden not to walk", NOBODY, NO_WALK, ""),
    ("Anyone who doesn't walk is suspicious", NOBODY, NO_WALK, ""),
    ("Cyclists must walk", NOBODY, RIDES, ""),
    (
        "Everyone must go slower than 2 times the usual walking speed",
        NOBODY,
        "speed >= 2 × usual walking speed",
        "",
    ),
    # what is allowed then only is forbidden at other times
    ("People may run only on Sundays", NOBODY, RUNS, "mon tue wed thu fri sat"),
    ("Running is only allowed at night", NOBODY, RUNS, "06:00–22:00"),
    ("People may be here only between 8 and 18", NOBODY, ANYONE, "18:00–08:00"),
    # what is excepted is left out
    ("People may run except at night", FINE, RUNS, "06:00–22:00"),
    ("No running, except on Sundays", NOBODY, RUNS, "mon tue wed thu fri sat"),
    ("Except on weekends nobody may run", NOBODY, RUNS, WORKDAYS),
    ("No running unless it is dark", NOBODY, RUNS, "06:00–22:00"),
    ("Riding is permitted, but not on weekends", FINE, RIDES, WORKDAYS),
    ("No running at night except between 22 and 23", NOBODY, RUNS, "23:00–06:00"),
    ("No running on weekdays apart from Monday", NOBODY, RUNS, "tue wed thu fri"),
    # two denials
    ("Running is not unusual", FINE, RUNS, ""),
    ("It is not forbidden to run", FINE, RUNS, ""),
    ("There is nothing unusual about running", FINE, RUNS, ""),
    ("Do not report running", FINE, RUNS, ""),
    ("Running isn't ok", NOBODY, RUNS, ""),
    ("Running is no longer allowed", NOBODY, RUNS, ""),
    ("Do not allow running", NOBODY, RUNS, ""),
    ("Nobody who runs is welcome", NOBODY, RUNS, ""),
    ("Everyone should not run", NOBODY, RUNS, ""),
    ("Stay off the grass", NOBODY, "place < 0.002 share of normal frames", ""),
    ("Keep out of the fence at night", NOBODY, ANYONE, "in the zone fence, 22:00–06:00"),
]
BOUNDS = [
    ("Nobody may stay longer than a minute", NOBODY, "dwell > 60 s", ""),
    ("Nobody may stand for more than 1.5 minutes", NOBODY, f"{STANDS} and dwell > 90 s", ""),
    ("Nobody may stand for half a minute", NOBODY, f"{STANDS} and dwell >= 30 s", ""),
    ("Nobody may stand for at least 10 s", NOBODY, f"{STANDS} and dwell >= 10 s", ""),
    ("Nobody may loiter over 2m", NOBODY, "dwell > 120 s", ""),
    ("No standing for 1 minute and 30 seconds", NOBODY, f"{STANDS} and dwell >= 90 s", ""),
    ("No standing for over an hour and a half", NOBODY, f"{STANDS} and dwell > 5400 s", ""),
    (
        "Nobody may loiter for over two minutes after midnight",
        NOBODY,
        "dwell > 120 s",
        "00:00–06:00",
    ),
    ("Standing is fine for up to 30 seconds", FINE, f"{STANDS} and dwell <= 30 s", ""),
    ("Loitering is fine for less than twelve seconds", FINE, "dwell < 12 s", ""),
    ("People may stay up to 30 seconds", NOBODY, "dwell > 30 s", ""),
    ("People may stand for no longer than 30 s", NOBODY, f"{STANDS} and dwell > 30 s", ""),
    ("People may stand for thirty seconds at most", NOBODY, f"{STANDS} and dwell > 30 s", ""),
    ("People may stay only for 30 seconds", NOBODY, "dwell > 30 s", ""),
    (
        "Nobody may leave a bag for more than five minutes",
        NOBODY,
        f"{LEFT} and unattended > 300 s",
        "",
    ),
    (
        "Bags must not be left unattended for more than 2 minutes",
        NOBODY,
        f"{LEFT} and unattended > 120 s",
        "",
    ),
    (
        "Nobody may leave a bag for more than 30 seconds",
        NOBODY,
        f"{LEFT} and unattended > 30 s",
        "",
    ),
    (
        "Luggage that is left alone for over a minute is suspicious",
        NOBODY,
        f"{LEFT} and unattended > 60 s",
        "",
    ),
    (
        "Bags may be left at the fence for at most 2 minutes",
        NOBODY,
        f"{LEFT} and unattended > 120 s",
        "in the zone fence",
    ),
    (
        "Cyclists must not exceed walking speed",
        NOBODY,
        "activity in {glides} and speed > 1 × usual walking speed",
        "",
    ),
    (
        "Cyclists must ride at walking pace",
        NOBODY,
        "activity in {glides} and speed > 1 × usual walking speed",
        "",
    ),
    (
        "Nobody may go faster than twice the walking speed",
        NOBODY,
        "speed > 2 × usual walking speed",
        "",
    ),
    ("No more than 5 people at once", NOBODY, "count > 5 people", ""),
    ("At most 3 people may be here at night", NOBODY, "count > 3 people", "22:00–06:00"),
    ("Only two people may be here", NOBODY, "count > 2 people", ""),
    ("More than twenty people are fine on Sundays", FINE, "count > 20 people", "sun"),
    ("Five or more people are unusual", NOBODY, "count >= 5 people", ""),
]
THINGS = [
    ("No parked cars", NOBODY, PARKED, ""),
    ("Standing cars are suspicious", NOBODY, PARKED, ""),
    ("Trucks may park on Sundays", FINE, f"{LARGE} and activity in {{stands}}", "sun"),
    ("Nobody may park at the fence for longer than 10 minutes", NOBODY,
     f"{PARKED} and dwell > 600 s", "in the zone fence"),
    ("Nobody may leave a bag at the fence", NOBODY, LEFT, "in the zone fence"),
    ("Leaving things behind is not allowed", NOBODY, LEFT, ""),
    ("Nobody may leave anything behind", NOBODY, LEFT, ""),
    ("Nobody may run within the fence zone", NOBODY, RUNS, "in the zone fence"),
    ("Nobody may be in the picture between 22:00 and 6:00", NOBODY, ANYONE, "22:00–06:00"),
    ("Nobody may enter before 7", NOBODY, ANYONE, "00:00–07:00"),
    ("There should be nobody at the fence overnight", NOBODY, ANYONE,
     "in the zone fence, 22:00–06:00"),
    ("Nobody may walk to the left or to the right", NOBODY,
     "activity in {walks} and direction in {left, right}", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "test", "scope"), [*SENSES, *BOUNDS, *THINGS])
def test_what_a_sentence_means(text: str, kind: RuleKind, test: str, scope: str) -> None:
    found = understand(text, {"fence": FENCE}, "gate")
    assert (found.kind, [describe(t) for t in found.tests]) == (kind, [test])
    assert describe_scope(found.scope) == scope
    rule = rule_of(found)
    assert plainwords.tests_of(rule) == found.tests
    assert plainwords.tests_of(rule.model_copy(update={"predicate": None})) == found.tests


@pytest.mark.parametrize(
    ("text", "kind", "why", "scope"),
    [
        ("Only staff may enter at night", NOBODY, "it holds for some only", "22:00–06:00"),
        ("Only pedestrians may enter the fence", NOBODY, "for some only", "in the zone fence"),
        ("Nobody but staff may enter", NOBODY, "“staff” is excepted", ""),
        ("Nobody may enter without a helmet", NOBODY, "“a helmet” is excepted", ""),
        ("Anything but walking is unusual", NOBODY, "“walking” is excepted", ""),
        ("Nobody may stop except at the fence", NOBODY, "inside a zone, not outside", ""),
        ("Nobody may stand outside the fence", NOBODY, "inside a zone, not outside", ""),
        ("Bikes are allowed only at the fence", NOBODY, "inside a zone, not outside", ""),
        ("Everyone must wear a helmet", NOBODY, "what would break it is not measured", ""),
        ("Everyone must stand still", NOBODY, "what would break it is not measured", ""),
        ("There must always be somebody at the fence", NOBODY, "is not measured",
         "in the zone fence"),
        ("It is unusual that nobody walks", NOBODY, "that it is missing is not measured", ""),
        ("It is normal that nobody is here at night", FINE, "nothing that is seen", "22:00–06:00"),
        ("You don't have to walk", FINE, "need not be", ""),
        ("No running by day except at noon", NOBODY, "write several rules", "06:00–22:00"),
        ("Riding is fine except at night on Sundays", FINE, "write several rules", ""),
        ("No riding on weekdays except at noon", NOBODY, "write several rules", WORKDAYS),
        ("People must walk, except cyclists", NOBODY, "“cyclists” is excepted", ""),
        ("Walk no way but from left to right", NOBODY, "no test leaves that out", ""),
        ("Nobody may run at night and on Sundays", NOBODY, "two times", "22:00–06:00, sun"),
        ("Nobody may stand at dusk", NOBODY, "nothing measures “dusk”", ""),
        ("Groups larger than 4 are unusual", NOBODY, "“Groups larger than 4”", ""),
        ("Walking in pairs is unusual", NOBODY, "nothing measures “in pairs”", ""),
        ("Two people running are unusual", NOBODY, "nothing measures “Two people”", ""),
        ("Nobody may ride faster than 10 km/h", NOBODY, "10 km/h", ""),
        ("No standing between 10 and 20 seconds", NOBODY, "20 seconds", ""),
        ("Nobody may stay for a long time", NOBODY, "“for a long time”", ""),
        ("Nobody may move more than 3 times", NOBODY, "“more than 3 times”", ""),
        ("Nobody may run for more than 10 seconds", NOBODY, "how long it is done", ""),
        ("Nobody may stand less than 5 seconds", NOBODY, "every stay is short at first", ""),
        ("At least 2 people must be here", NOBODY, "those who stand are not counted", ""),
        ("At most 3 people may be at the fence", NOBODY, "not in a zone", "in the zone fence"),
        ("Nobody may push a cart", NOBODY, "nothing measures “push”", ""),
        ("Preventing running is forbidden", NOBODY, "nothing measures “preventing”", ""),
        ("Nobody may be rude at the fence", NOBODY, "nothing measures “rude”", "in the zone fence"),
    ],
)  # fmt: skip
def test_what_no_test_says_stays_words_and_says_why(
    text: str, kind: RuleKind, why: str, scope: str
) -> None:
    found = understand(text, {"fence": FENCE}, "gate")
    assert (found.kind, found.tests, found.predicate) == (kind, (), None)
    assert why in " ".join(found.caveats)
    assert describe_scope(found.scope) == scope
    assert plainwords.tests_of(rule_of(found)) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing", "names nothing that a rule could be about"),
        ("It is forbidden", "names nothing that a rule could be about"),
        ("People walk from left to right", "does not say whether it forbids or allows"),
        ("at night", "does not say whether it forbids or allows"),
        ("Nobody is not allowed to run", "can be read in two ways"),
        ("Not everyone may run", "can be read in two ways"),
        ("People may only run on Sundays", "can be read in two ways"),
        ("Walking is fine, running is not", "can be read in two ways"),
        ("Nobody may be here before midnight", "does not say when it begins"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        understand(text, {"fence": FENCE}, "gate")


def test_a_kind_that_a_sentence_is_against_leaves_words() -> None:
    for text, kind in (("Nobody runs", FINE), ("Running is fine", NOBODY)):
        assert understand(text, {}, "gate", kind=kind).tests == ()
    walks = understand("People should walk from left to right", {}, "gate", kind=FINE)
    assert [describe(t) for t in walks.tests] == ["activity in {walks} and direction in {right}"]


def test_the_words_of_a_demand_do_not_break_it_in_captions() -> None:
    demand = rule_of(understand("Dogs must be on a leash", {}, "gate"))
    assert phrases_of(demand) == ()
    assert phrases_of(demand.model_copy(update={"text": "No dogs on a leash"}))


def test_no_function_word_is_called_unmeasured() -> None:
    for text in ("Don't run here", "You mustn't run", "One shouldn't ever be running"):
        assert understand(text, {}, "gate").unchecked == ()


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
        ("No parking in front of the gate", "gate"),
        ("Nobody may stand next to the bench", "bench"),
    ):
        with pytest.raises(UserError, match=f"no zone “{name}” in scene “gate”") as told:
            understand(text, {"fence": FENCE}, "gate")
        assert f"vidocq rules zone add {name} --scene gate" in told.value.remedy
    assert "did you mean “fence”" in str(told.value) or "it has fence" in str(told.value)
    assert understand("No walking on the grass", {}, "gate").predicate  # a concept of its own


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No parking in front of the fence", "in front of"),
        ("Nobody may run behind the fence", "behind"),
        ("Nobody may stand next to the fence", "next to"),
        ("Nobody may stand close to the fence", "close to"),
        ("Nobody may stand near the fence", "near"),
        ("No cars at the fence", ""),
        ("Nobody may run in the fence", ""),
    ],
)
def test_what_is_beside_a_zone_is_said_to_be_tested_inside(text: str, said: str) -> None:
    found = understand(text, {"fence": FENCE}, "gate")
    assert found.predicate
    assert (found.scope.zone, found.unchecked) == ("fence", ())
    notes = [c for c in found.caveats if "inside the zone fence" in c]
    assert [n.partition("”")[0] for n in notes] == ([f"“{said}"] if said else [])
    assert all(n.endswith("on which side, is not measured") for n in notes)


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


@pytest.mark.parametrize(
    "text",
    ["Nobody may walk backwards", "Nobody may walk with a dog", "Walking drunk is forbidden"],
)
def test_what_everybody_does_is_not_forbidden_for_a_word_that_nothing_measures(text: str) -> None:
    understood = understand(text, {}, "gate")
    assert understood.predicate is None
    assert "without it everybody would be meant" in understood.caveats[0]
