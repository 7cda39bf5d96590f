"""What one turn of a conversation leaves to the next, and what a time window leaves out."""

from __future__ import annotations

import pytest

from agent import Agent
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.decision import Intent, Label
from tools.errors import UserError

THREAD = {"configurable": {"thread_id": "turns"}}


def test_a_failed_turn_leaves_nothing_to_the_next(agent: Agent, walkway: Walkway) -> None:
    with pytest.raises(UserError, match="no video was named"):
        agent.invoke({"query": ANYTHING, "scene": SCENE, "run_id": "failed"}, THREAD)
    message = {"role": "user", "content": f"When was anyone running in {walkway.calm}?"}
    result = agent.invoke({"messages": [message]}, THREAD)
    assert result["decision"].intent is Intent.FIND
    assert result["decision"].run_id != "failed"


def test_scene_free_is_asked_for_anew_each_turn(agent: Agent, walkway: Walkway) -> None:
    asked = {"query": ANYTHING, "videos": [walkway.calm]}
    free = agent.invoke({**asked, "scene_free": True}, THREAD)
    assert "general priors" in free["answer"]
    strict = agent.invoke(asked, THREAD)["decision"]
    assert (strict.label, strict.cost.looks) == (Label.UNCERTAIN, 0)


def test_an_unsupported_question_does_not_hide_the_last_answer(
    agent: Agent, walkway: Walkway
) -> None:
    agent.invoke({"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE}, THREAD)
    agent.invoke({"query": "Who is that?"}, THREAD)
    sure = agent.invoke({"query": "How sure are you?"}, THREAD)["answer"]
    assert sure.startswith("The answer was anomalous")
    assert "general priors" not in sure


def test_a_window_cuts_what_is_looked_at_and_what_is_found(agent: Agent, walkway: Walkway) -> None:
    asked = {"videos": [walkway.bike], "scene": SCENE}
    whole = agent.invoke({**asked, "query": ANYTHING})["decision"]
    start = whole.events[0].interval.start_s
    before = agent.invoke(
        {**asked, "query": f"Anything unusual in the first {start - 1:.0f} seconds?"}
    )
    decision = before["decision"]
    assert decision.label is not Label.ANOMALOUS
    assert decision.events
    assert max(e.interval.end_s for e in decision.events) <= start
    assert max(decision.timelines[0].seconds) < start


def test_more_rounds_than_the_setting_allows_are_refused(agent: Agent, walkway: Walkway) -> None:
    asked = {"query": ANYTHING, "videos": [walkway.calm], "scene": SCENE}
    with pytest.raises(UserError, match="a budget of 9999 rounds is more than the 200 allowed"):
        agent.invoke({**asked, "budget": {"max_rounds": 9999}})


def test_a_budget_that_just_suffices_was_not_overspent(agent: Agent, walkway: Walkway) -> None:
    asked = {"query": ANYTHING, "videos": [walkway.calm], "scene": SCENE}
    needed = agent.invoke(asked)["decision"].cost.looks
    result = agent.invoke({**asked, "budget": {"max_looks": needed}})
    assert result["decision"].stop_reason == "everything in scope was looked at"
    assert "Note" not in result["answer"]
