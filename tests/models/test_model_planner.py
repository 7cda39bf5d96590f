"""A language model as planner: valid plans, one repair, then the embedded one, which is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evals.bench.modelserver import ModelServer, Reply, chat_body
from tests.brain import Brain, text_of
from tools.backends.served.client import ServedModel
from tools.decision import Intent
from tools.models.planner import UNMEASURED, ModelPlanner
from tools.models.spending import Purse, tallied
from tools.ports import PlanningContext

CONTEXT = PlanningContext(
    scene="gate",
    rule_texts=("People walk.",),
    attributes={"speed": "× usual walking speed"},
)
RIDING = {
    "intent": "find",
    "targets": [{"phrase": "riding", "concept": "riding", "predicate": "speed > 1.5"}],
    "window": {"start_s": 5, "end_s": 10},
}
QUESTION = "Was anyone riding between 00:05 and 00:10?"


@pytest.fixture
def planner(model: ServedModel) -> ModelPlanner:
    return ModelPlanner(model)


def test_a_plan_is_made_of_the_reply_and_checked(brain: Brain, planner: ModelPlanner) -> None:
    brain.plan = RIDING
    plan = planner.plan(QUESTION, CONTEXT)
    assert (plan.intent, plan.planner) == (Intent.FIND, planner.name)
    (condition,) = plan.targets[0].predicate.all
    assert (condition.attribute, condition.value) == ("speed", 1.5)
    assert condition.unit == "× usual walking speed"
    assert plan.window is not None
    assert (plan.window.start_s, plan.window.end_s) == (5, 10)
    asked = text_of(brain.asked[0])
    assert "People walk." in asked
    assert asked.rstrip().endswith(QUESTION)  # what changes comes last


WRONG: list[Any] = [
    {**RIDING, "targets": [{**RIDING["targets"][0], "predicate": "colour == red"}]},  # type: ignore[index]
    {**RIDING, "targets": [{**RIDING["targets"][0], "predicate": "speed >"}]},  # type: ignore[index]
    {**RIDING, "targets": []},
    {**RIDING, "window": {"start_s": 9, "end_s": 3}},
    {"intent": "why", "targets": []},
    {"intent": "guess", "targets": []},
    "no JSON",
]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_invalid_plan_is_repaired_once(
    wrong: object, brain: Brain, planner: ModelPlanner
) -> None:
    brain.plan = RIDING
    brain.faults = [Reply(chat_body(json.dumps(wrong)))]
    plan = planner.plan(QUESTION, CONTEXT)
    assert plan.intent is Intent.FIND
    assert plan.planner.startswith(f"{planner.name} (asked again")
    assert len(brain.asked) == 2


@pytest.mark.parametrize("wrong", WRONG)
def test_then_the_embedded_planner_takes_over_and_it_is_said(
    wrong: object, brain: Brain, planner: ModelPlanner
) -> None:
    brain.always = lambda _: Reply(chat_body(json.dumps(wrong)))
    plan = planner.plan(QUESTION, CONTEXT)
    assert plan.intent is Intent.FIND
    assert plan.targets
    assert plan.planner.startswith("embedded-grammar/1, because openai:tiny gave no plan: ")
    assert len(brain.asked) == 2


def test_so_it_does_for_a_dead_server_and_a_spent_budget(
    server: ModelServer, planner: ModelPlanner
) -> None:
    purse = Purse()
    purse.max_calls = 0
    with tallied(purse):
        assert "budget spent" in planner.plan(QUESTION, CONTEXT).planner
    server.stop()
    assert "cannot be reached" in planner.plan(QUESTION, CONTEXT).planner


def test_a_follow_up_keeps_the_moment_it_names(brain: Brain, planner: ModelPlanner) -> None:
    brain.plan = {"intent": "why", "targets": []}
    plan = planner.plan("Why was 00:12 flagged?", PlanningContext(scene=None, has_decision=True))
    assert (plan.intent, plan.moment_s) == (Intent.WHY, 12.0)


def test_what_nothing_measures_is_left_to_words(brain: Brain, planner: ModelPlanner) -> None:
    brain.plan = {
        "intent": "find",
        "targets": [{"phrase": "a red coat", "concept": "red coat", "predicate": ""}],
    }
    plan = planner.plan("Was there a red coat?", PlanningContext(scene=None))
    (condition,) = plan.targets[0].predicate.all
    assert (condition.attribute, condition.value) == (UNMEASURED, "red coat")


def test_what_a_question_says_for_itself_is_kept(brain: Brain, planner: ModelPlanner) -> None:
    brain.plan = {"intent": "anomaly", "targets": []}
    query = "Anything unusual? Running counts as unusual here, but ignore the gardener's cart."
    plan = planner.plan(query, CONTEXT)
    assert (plan.intent, plan.planner) == (Intent.ANOMALY, planner.name)
    assert [t.concept for t in plan.counts] == ["running"]
    assert [t.concept for t in plan.ignores] == ["a large object"]


def test_a_denial_and_a_second_question_are_not_lost(brain: Brain, planner: ModelPlanner) -> None:
    brain.plan = {**RIDING, "window": None}
    assert planner.plan("Did nobody ride?", CONTEXT).negated
    plan = planner.plan("Did anyone ride, and was the camera covered?", CONTEXT)
    assert (plan.intent, plan.negated) == (Intent.FIND, False)
    assert plan.unmet == "“was the camera covered” was not answered: ask it by itself"
