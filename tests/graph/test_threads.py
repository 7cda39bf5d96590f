"""Conversations: follow-ups speak of the last decision, in this process and the next."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from agent import Agent, Label, build_agent
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.types import clock


def thread(name: str) -> RunnableConfig:
    return {"configurable": {"thread_id": name}}


def say(agent: Agent, text: str, name: str, **more: Any) -> dict[str, Any]:
    return agent.invoke({"query": text, **more}, thread(name))


@pytest.fixture
def asked(home: Path, walkway: Walkway) -> dict[str, Any]:
    """A question asked in thread ``t`` by a process that is over."""
    with closing(build_agent(home=home)) as agent:
        return say(agent, ANYTHING, "t", videos=[walkway.bike], scene=SCENE)


def test_why_and_how_sure_survive_a_restart(
    asked: dict[str, Any], home: Path, walkway: Walkway
) -> None:
    decision = asked["decision"]
    found = decision.events[0]
    middle = clock((found.interval.start_s + found.interval.end_s) / 2)
    with closing(build_agent(home=home)) as agent:
        why = say(agent, f"Why was {middle} flagged?", "t")
        assert why["decision"] == decision
        assert f"{found.interval} in bike.mp4 was flagged because:" in why["answer"]
        # Every step of the chain is there, with what it cites.
        for step in decision.explanation[:3]:
            assert step.text in why["answer"]
            assert step.evidence[0] in why["answer"]
        sure = say(agent, "How sure are you, and what did you not look at?", "t")
        assert f"{decision.score:.2f}" in sure["answer"]
        assert re.search(r"\b[3-9] held-out normal events", sure["answer"])
        assert "extrapolated" in sure["answer"]
        assert "very event in scope was looked at" in sure["answer"]
        assert [type(m) for m in sure["messages"]] == [AIMessage] * 3
        both = say(agent, f"Why was {middle} flagged, and did anyone run?", "t")["answer"]
        assert both.startswith(why["answer"])
        assert both.endswith("Note: “did anyone run” was not answered: ask it by itself.")


def test_why_without_a_moment_speaks_of_the_most_striking(
    asked: dict[str, Any], home: Path
) -> None:
    with closing(build_agent(home=home)) as agent:
        answer = say(agent, "Why?", "t")["answer"]
    assert str(asked["decision"].events[0].interval) in answer


def test_a_moment_that_was_not_flagged_is_told_its_score(asked: dict[str, Any], home: Path) -> None:
    with closing(build_agent(home=home)) as agent:
        calm = say(agent, "Why was 0:01 flagged?", "t")["answer"]
        beyond = say(agent, "Why was 9:59 flagged?", "t")["answer"]
    # Calm to the eye; three short normal clips may leave it open, which must then be said.
    told = r"(: the score of \S+ is 0\.\d\d,| but left open: \S+)"
    assert re.search(r"00:01\.0 of bike\.mp4 was not flagged" + told, calm)
    assert "flagged" in calm
    assert "09:59.0 of bike.mp4 was not looked at" in beyond


def test_a_new_question_in_the_thread_keeps_videos_and_scene(
    asked: dict[str, Any], home: Path
) -> None:
    with closing(build_agent(home=home)) as agent:
        riding = say(agent, "And was anyone riding?", "t")
    assert riding["decision"].label is Label.ANOMALOUS
    assert riding["decision"].query == "And was anyone riding?"


def test_a_follow_up_to_a_follow_up_still_knows_the_decision(
    asked: dict[str, Any], home: Path
) -> None:
    with closing(build_agent(home=home)) as agent:
        for query in ("Why?", "How sure are you?", "Why?"):
            out = say(agent, query, "t")
            assert out["decision"] == asked["decision"]


def test_a_follow_up_without_a_thread_says_so(shared_agent: Agent) -> None:
    out = shared_agent.invoke({"query": "Why was 00:12 flagged?"})
    assert out["decision"].label is Label.UNCERTAIN
    assert "no earlier answer in this thread" in out["answer"]


def test_threads_do_not_share_decisions(asked: dict[str, Any], home: Path) -> None:
    with closing(build_agent(home=home)) as agent:
        out = say(agent, "How sure are you?", "other")
    assert "no earlier answer in this thread" in out["answer"]


def test_messages_make_a_conversation(shared_agent: Agent, walkway: Walkway) -> None:
    first = f"Anything unusual in {walkway.bike}?"
    shared_agent.invoke({"messages": [HumanMessage(first)], "scene": SCENE}, thread("m"))
    out = shared_agent.invoke({"messages": [HumanMessage("How sure are you?")]}, thread("m"))
    assert [type(m) for m in out["messages"]] == [HumanMessage, AIMessage] * 2
    assert out["decision"].label is Label.ANOMALOUS


def test_a_refused_question_does_not_spoil_the_thread(
    shared_agent: Agent, walkway: Walkway
) -> None:
    from tools.errors import UserError

    with pytest.raises(UserError):
        say(shared_agent, "  ", "s", videos=[walkway.calm], scene=SCENE)
    out = say(shared_agent, ANYTHING, "s", videos=[walkway.calm], scene=SCENE)
    assert out["decision"].label is Label.NORMAL
