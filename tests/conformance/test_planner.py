"""Every planner: a plan for any sentence, refusals that say why, nothing from a blank one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import SERVED, any_backend
from tools.backends import PLANNERS
from tools.decision import Intent
from tools.errors import UserError
from tools.ports import Planner, PlanningContext

CONTEXT = PlanningContext(scene="gate")


@pytest.fixture(params=[*sorted(PLANNERS), SERVED])
def planner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Planner]:
    with any_backend("planner", request.param, PLANNERS, tmp_path) as made:
        yield made


def test_a_plan_holds_the_question_and_the_planner(planner: Planner) -> None:
    plan = planner.plan("Did anything out of the ordinary happen?", CONTEXT)
    assert plan.intent is Intent.ANOMALY
    assert (plan.query, plan.planner) == ("Did anything out of the ordinary happen?", planner.name)


def test_something_named_becomes_a_target_with_a_test(planner: Planner) -> None:
    plan = planner.plan("When and where did running happen?", CONTEXT)
    assert plan.intent is Intent.FIND
    assert plan.targets
    assert all(target.predicate.all for target in plan.targets)


def test_a_question_beyond_it_is_refused_with_a_reason(planner: Planner) -> None:
    plan = planner.plan("Who is that person?", CONTEXT)
    assert plan.intent is Intent.UNSUPPORTED
    assert plan.note


@pytest.mark.parametrize("blank", ["", "   ", "\n", "?!"])
def test_a_blank_question_is_the_users_error(planner: Planner, blank: str) -> None:
    with pytest.raises(UserError, match="blank"):
        planner.plan(blank, CONTEXT)


def test_the_same_question_gets_the_same_plan(planner: Planner) -> None:
    question = "Was anyone riding between 00:05 and 00:10?"
    assert planner.plan(question, CONTEXT) == planner.plan(question, CONTEXT)
