"""From a sentence to a plan: what it asks for, when, what is not tested, and what is refused."""

from __future__ import annotations

import pytest

from tools.backends.embedded.planner import EmbeddedPlanner
from tools.concepts import CONCEPTS
from tools.decision import Intent, Plan
from tools.errors import UserError
from tools.ports import PlanningContext
from tools.rulebook.predicates import describe

RIDING = "activity in {glides} and speed > 1.5 × usual walking speed"
RUNNING = "activity in {runs} and speed > 1.8 × usual walking speed"


def plan(query: str, *, thread: bool = False) -> Plan:
    return EmbeddedPlanner().plan(query, PlanningContext(scene="gate", has_decision=thread))


def window(made: Plan) -> tuple[float, float | None] | None:
    return (made.window.start_s, made.window.end_s) if made.window else None


@pytest.mark.parametrize(
    "query",
    [
        "Did anything out of the ordinary happen?",
        "Anything unusual here?",
        "anything suspicious",
        "Is there something strange?",
        "What went wrong?",
        "What happened?",
        "Did anything happen at 00:12?",
        "Show me everything abnormal.",
        "Are there anomalies?",
        "Did anyone do anything weird on the walkway?",
    ],
)
def test_open_questions_ask_for_anomalies(query: str) -> None:
    made = plan(query)
    assert (made.intent, made.targets) == (Intent.ANOMALY, ())
    assert (made.query, made.planner) == (query, "embedded-grammar/1")


@pytest.mark.parametrize(
    ("query", "concepts", "test"),
    [
        ("Was anyone riding on the walkway?", ["riding"], RIDING),
        ("When and where did someone run?", ["running"], RUNNING),
        ("Was there a large object?", ["a large object"], "subject in {large object}"),
        (
            "Someone on the grass?",
            ["being where people rarely are"],
            "place < 0.002 share of normal frames",
        ),
        ("Did a skateboarder come by?", ["riding"], RIDING),
        ("Was anyone running or cycling?", ["running", "riding"], RUNNING),
        ("Someone was walking and running", ["running"], RUNNING),
        ("Did anyone loiter for more than 30 seconds?", ["loitering"], "dwell > 30 s"),
        (
            "Did anyone stand longer than 2 minutes?",
            ["standing"],
            "activity in {stands} and subject in {person, person-sized object, group} "
            "and dwell > 120 s",
        ),
        (
            "Did anything move faster than 3 times the usual walking speed?",
            ["moving fast"],
            "speed > 3 × usual walking speed",
        ),
        (
            "Did anyone run faster than 2x walking pace?",
            ["running"],
            "activity in {runs} and speed > 2 × usual walking speed",
        ),
        (
            "Was a bag left unattended for more than 2 minutes?",
            ["leaving something behind"],
            'activity in {"appears and stays"} and unattended > 120 s',
        ),
        ("Show me a crowd.", ["a group"], "subject in {group}"),
    ],
)
def test_questions_about_something_named_find_it_by_its_test(
    query: str, concepts: list[str], test: str
) -> None:
    made = plan(query)
    assert made.intent is Intent.FIND
    assert [t.concept for t in made.targets] == concepts
    assert describe(made.targets[0].predicate) == test


@pytest.mark.parametrize(
    ("query", "concept"),
    [
        ("Is running, which I call an anomaly, in these clips?", "running"),
        ("Running counts as an anomaly. Did it happen?", "running"),
        ("Does anyone ride a bike? I consider that forbidden.", "riding"),
        ("Is it unusual that people ride here?", "riding"),
        ("Standing on the tracks is not allowed: did anyone?", "being where people rarely are"),
    ],
)
def test_what_the_user_calls_an_anomaly_is_checked(query: str, concept: str) -> None:
    made = plan(query)
    assert made.intent is Intent.CHECK
    assert [t.concept for t in made.targets] == [concept]


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("Was the camera tampered with?", set()),
        ("Did anyone tamper with the camera?", set()),
        ("Is there anything wrong with the camera?", set()),
        ("Is the camera working?", set()),
        ("Was the lens covered?", {"covered", "black", "blank"}),
        ("Did somebody cover the camera?", {"covered", "black", "blank"}),
        ("Was the view of the camera blocked?", {"covered", "view"}),
        ("Was the camera blinded?", {"covered"}),
        ("Was the camera moved?", {"moved", "view"}),
        ("Did the camera move after 0:10?", {"moved", "view"}),
        ("Has anyone turned the camera?", {"moved", "view"}),
        ("Did the video freeze?", {"frozen"}),
        ("Was the picture ever blurred or frozen?", {"defocused", "frozen"}),
        ("Is the camera out of focus?", {"defocused"}),
        ("Did the picture go dark?", {"black", "light"}),
        ("Was there a blackout?", {"black"}),
    ],
)
def test_questions_about_the_camera_name_its_faults(query: str, faults: set[str]) -> None:
    made = plan(query)
    assert (made.intent, made.targets) == (Intent.CAMERA, ())
    assert faults <= set(made.faults)
    assert bool(faults) == bool(made.faults)
    assert "not who or what caused it" in made.unmet


@pytest.mark.parametrize(
    "query",
    [
        "Was anyone running in front of the camera?",
        "Did somebody walk past the camera?",
        "Was anyone moving fast in this video?",
        "Did anyone stand still near the camera?",
        "Anything wrong in the video?",
        "Did a large object stand before the lens?",
        "Did a runner in dark clothes turn towards the camera?",
    ],
)
def test_what_moves_before_a_camera_is_no_question_about_it(query: str) -> None:
    assert plan(query).intent in {Intent.FIND, Intent.ANOMALY}


@pytest.mark.parametrize(
    "query",
    [
        "Who is the man in red?",
        "Whose bag is it?",
        "How many people are there?",
        "What colour is the car?",
        "Did anyone steal a bag?",
        "Was there a fight on the walkway?",
        "Did a cyclist fall?",
        "What did the runner say?",
        "Is the rider angry?",
        "Read the licence plate of the van.",
        "What is the weather?",
        "hello",
        "Was a wheelchair there?",
    ],
)
def test_what_cannot_be_told_is_refused_with_what_can(query: str) -> None:
    made = plan(query)
    assert (made.intent, made.targets) == (Intent.UNSUPPORTED, ())
    assert made.note.startswith(
        "This question is outside what the embedded backends can tell: they measure how things "
        "move, how large they are and where they are"
    )
    assert all(concept.name in made.note for concept in CONCEPTS)


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("What happened between 0:05 and 0:12?", (5.0, 12.0)),
        ("Anything odd from 00:10 to 00:20.5?", (10.0, 20.5)),
        ("between 10 and 20 seconds did anyone run?", (10.0, 20.0)),
        ("Did anyone run between 1 and 2 minutes?", (60.0, 120.0)),
        ("Did anyone ride after 1:30?", (90.0, None)),
        ("Anything strange since 1:00:00?", (3600.0, None)),
        ("Anything strange before 0:20?", (0.0, 20.0)),
        ("Anything strange up to 20 seconds?", (0.0, 20.0)),
        ("Anything odd in the first 10 seconds?", (0.0, 10.0)),
        ("Anything odd in the first 1.5 minutes?", (0.0, 90.0)),
        ("Did someone skateboard here at 00:12?", (11.0, 13.0)),
        ("Did someone skateboard here at about 12 s?", (11.0, 13.0)),
        ("Anything odd at 00:00.5?", (0.0, 1.5)),
        ("Did anyone loiter for around 30 seconds?", None),
        ("Did anyone loiter for more than 30 seconds?", None),
        ("Was anyone running from 3 to 5 people?", None),
    ],
)
def test_times_in_the_sentence_bound_the_search(
    query: str, span: tuple[float, float | None] | None
) -> None:
    assert window(plan(query)) == span


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("Did anyone walk between 0:30 and 0:10?", "the time window 0:30–0:10 ends before it"),
        ("Did anyone run in the last 10 seconds?", "cannot be counted from the end"),
        ("Any cars in the last minute?", "cannot be counted from the end"),
        ("", "the question is blank"),
        ("  \n ", "the question is blank"),
        ("?!", "the question is blank"),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error_with_a_remedy(query: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        plan(query)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("query", "caveat"),
    [
        (
            "Was anyone riding?",
            "tested as fast motion without swinging limbs; which vehicle it is was not measured; "
            "riding at walking pace cannot be told from walking",
        ),
        (
            "Did a red truck pass?",
            "tested by size against a person there; what kind of object it is was not measured; "
            "not tested, because it is not measured: red, pass",
        ),
        ("Did anyone walk a dog?", "not tested, because it is not measured: dog"),
        ("Was anyone standing still?", ""),
    ],
)
def test_words_that_are_not_measured_are_named(query: str, caveat: str) -> None:
    (target,) = plan(query).targets
    assert target.caveat == caveat


@pytest.mark.parametrize(
    ("query", "intent", "moment"),
    [
        ("Why was 00:12 flagged?", Intent.WHY, 12.0),
        ("Why was the cyclist flagged at 12.5 s?", Intent.WHY, 12.5),
        ("why at 12 seconds", Intent.WHY, 12.0),
        ("Explain 1:02:03.", Intent.WHY, 3723.0),
        ("why?", Intent.WHY, None),
        ("What makes you say so?", Intent.WHY, None),
        ("How sure are you, and what did you not look at?", Intent.CONFIDENCE, None),
        ("Are you certain?", Intent.CONFIDENCE, None),
        ("Which parts did you not look at?", Intent.CONFIDENCE, None),
        ("Is there anything you haven't looked at?", Intent.CONFIDENCE, None),
        ("What did you miss?", Intent.CONFIDENCE, None),
    ],
)
def test_follow_ups_speak_of_the_last_decision(
    query: str, intent: Intent, moment: float | None
) -> None:
    made = plan(query, thread=True)
    assert (made.intent, made.moment_s) == (intent, moment)


@pytest.mark.parametrize("query", ["Why was 00:12 flagged?", "How sure are you?", "Explain."])
def test_a_follow_up_to_nothing_says_so(query: str) -> None:
    made = plan(query)
    assert made.intent is Intent.UNSUPPORTED
    assert made.note == (
        "There is no earlier answer in this thread to follow up on. Ask about a video first, then "
        "ask again in the same thread (--thread ID)."
    )


def test_a_new_question_in_a_thread_is_a_new_question() -> None:
    assert plan("And did anyone run?", thread=True).intent is Intent.FIND
    assert plan("Anything unusual?", thread=True).intent is Intent.ANOMALY


def test_planning_is_deterministic_and_keeps_the_question() -> None:
    query = "Was  anyone\nriding?"
    assert plan(query) == plan(query)
    assert plan(query).query == "Was anyone riding?"


@pytest.mark.parametrize(
    ("query", "intent", "positive"),
    [
        ("Did nobody run?", Intent.FIND, "Did anyone run?"),
        ("Did no one ride a bike?", Intent.FIND, "Did anyone ride a bike?"),
        ("Was nothing left behind?", Intent.FIND, "Was anything left behind?"),
        ("Did not a single person run?", Intent.FIND, "Did anyone run?"),
        ("Is it true that nobody was running?", Intent.FIND, "Is it true that anyone was running?"),
        ("Nobody ran, right?", Intent.FIND, "Someone ran?"),
        ("Were there no cars?", Intent.FIND, "Were there any cars?"),
        ("Between 0:05 and 0:12, did nobody run?", Intent.FIND,
         "Between 0:05 and 0:12, did anyone run?"),
        ("Did nothing unusual happen?", Intent.ANOMALY, "Did anything unusual happen?"),
        ("Was the camera never covered?", Intent.CAMERA, "Was the camera ever covered?"),
    ],
)  # fmt: skip
def test_a_question_in_the_negative_is_planned_as_in_the_positive(
    query: str, intent: Intent, positive: str
) -> None:
    made, other = plan(query), plan(positive)
    assert (made.intent, made.negated, other.negated) == (intent, True, False)
    assert [t.predicate for t in made.targets] == [t.predicate for t in other.targets]
    assert not any("not tested" in t.caveat for t in made.targets)
    assert (made.window, made.faults) == (other.window, other.faults)


@pytest.mark.parametrize(
    ("query", "negated"),
    [
        ("Didn't anybody run?", False),
        ("Nobody may run here. Did anyone run?", False),
        ("Riding is not allowed here: did anyone ride?", False),
        ("Is the camera working?", True),
        ("Was the camera not working?", False),
        ("Did the camera stop working?", False),
    ],
)
def test_what_a_yes_means_to_a_question(query: str, negated: bool) -> None:
    assert plan(query).negated is negated


@pytest.mark.parametrize(
    ("query", "concepts"),
    [
        ("Did anybody run, and was a bag left behind?", ["running", "leaving something behind"]),
        ("Did anyone run? Was a bag left behind?", ["running", "leaving something behind"]),
        ("Did anyone stand around, and did anyone run?", ["standing", "running"]),
        ("Before 0:10, did anyone run and did anyone ride?", ["running", "riding"]),
        ("Was nobody running, and was nothing missing?", ["running", "something missing"]),
        ("When and where did someone run?", ["running"]),
        ("Did anyone run and when was it?", ["running"]),
    ],
)
def test_two_questions_that_one_plan_answers_are_one(query: str, concepts: list[str]) -> None:
    made = plan(query)
    assert (made.intent, made.query, made.unmet) == (Intent.FIND, query, "")
    assert [t.concept for t in made.targets] == concepts


BY_ITSELF = "was not answered: ask it by itself"


@pytest.mark.parametrize(
    ("query", "intent", "said"),
    [
        ("Did anyone run, and was the camera covered?", Intent.FIND,
         f"“was the camera covered” {BY_ITSELF}"),
        ("Anything unusual, and did anyone run?", Intent.ANOMALY, f"“did anyone run” {BY_ITSELF}"),
        ("Did nobody run, and was a bag left behind?", Intent.FIND,
         f"“was a bag left behind” {BY_ITSELF}"),
        ("Did anyone run before 0:10 and did anyone ride after 0:20?", Intent.FIND,
         f"“did anyone ride after 0:20” {BY_ITSELF}"),
        ("Did anyone run, and why was 00:12 flagged?", Intent.FIND,
         f"“why was 00:12 flagged” {BY_ITSELF}"),
        ("Did anybody run and who was it?", Intent.FIND,
         "“who was it” was not answered: it is outside what the embedded backends can tell"),
        ("Who was the man, and did anybody run?", Intent.FIND,
         "“Who was the man” was not answered: it is outside what"),
        ("Did anyone run? Was a dog there?", Intent.FIND, "“Was a dog there” was not answered"),
    ],
)  # fmt: skip
def test_of_two_questions_the_one_that_is_not_answered_is_named(
    query: str, intent: Intent, said: str
) -> None:
    made = plan(query)
    assert made.intent is intent
    assert said in made.unmet
    assert [t.concept for t in made.targets] == (["running"] if intent is Intent.FIND else [])


def test_two_questions_about_the_last_answer() -> None:
    both = plan("How sure are you, and what did you not look at?", thread=True)
    assert (both.intent, both.unmet) == (Intent.CONFIDENCE, "")
    first = plan("Why was 00:12 flagged, and how sure are you?", thread=True)
    assert (first.intent, first.moment_s) == (Intent.WHY, 12.0)
    assert first.unmet == f"“how sure are you” {BY_ITSELF}"
