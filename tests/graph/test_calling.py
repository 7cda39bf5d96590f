"""The agent is a LangGraph graph: every way of calling it gives the same decision."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent import Agent, Decision, Label
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.decision import Cost, Intent

RIDING = "Was anyone riding on the walkway?"


def essence(decision: Decision) -> dict[str, Any]:
    """A decision without what differs between two runs of one question."""
    return decision.model_copy(update={"run_id": "", "cost": Cost()}).model_dump()


def asked(walkway: Walkway, query: str = ANYTHING) -> dict[str, Any]:
    return {"query": query, "videos": [walkway.bike], "scene": SCENE}


@pytest.fixture(scope="module")
def result(shared_agent: Agent, walkway: Walkway) -> dict[str, Any]:
    return shared_agent.invoke(asked(walkway))


def test_the_answer_is_true_of_the_clip(result: dict[str, Any], walkway: Walkway) -> None:
    decision: Decision = result["decision"]
    assert decision.label is Label.ANOMALOUS
    assert decision.score is not None
    assert decision.score > 0.8
    found = decision.events[0]
    ((start, end),) = walkway.truth.intervals_s
    assert found.interval.start_s == pytest.approx(start, abs=0.5)
    assert found.interval.end_s == pytest.approx(end, abs=0.5)
    assert found.key_frame is not None
    assert found.box is not None
    true = walkway.truth.boxes[found.key_frame]
    x, y = found.box.center
    assert true.x0 <= x <= true.x1
    assert true.y0 <= y <= true.y1
    assert any(ref.startswith("rule:") for ref in found.rules)


def test_the_output_is_the_decision_the_answer_and_the_messages(result: dict[str, Any]) -> None:
    assert set(result) == {"decision", "answer", "messages"}
    assert result["answer"].startswith("Yes, out of the ordinary (score 0.")
    assert [type(m) for m in result["messages"]] == [AIMessage]
    assert result["messages"][-1].text == result["answer"]


def test_asynchronous_callers_get_the_same(
    shared_agent: Agent, walkway: Walkway, result: dict[str, Any]
) -> None:
    other = asyncio.run(shared_agent.ainvoke(asked(walkway)))
    assert essence(other["decision"]) == essence(result["decision"])
    assert other["answer"] == result["answer"]


def test_streams_tell_what_is_being_done(shared_agent: Agent, walkway: Walkway) -> None:
    nodes: list[str] = []
    progress: list[dict[str, Any]] = []
    for mode, chunk in shared_agent.stream(asked(walkway), stream_mode=["updates", "custom"]):
        if mode == "updates":
            nodes.extend(chunk)
        else:
            progress.append(chunk)
    # Looks at several events are taken side by side, and so on.
    once = [name for i, name in enumerate(nodes) if name not in nodes[max(0, i - 1) : i]]
    assert once[:7] == ["plan", "segment", "choose", "look", "recall", "judge", "reflect"]
    assert nodes[-5:] == ["correlate", "decide", "explain", "check", "answer"]
    assert progress
    assert {"progress", "video", "done", "total"} == set(progress[0])
    assert {p["video"] for p in progress} == {"bike.mp4"}
    assert all(0 <= p["done"] <= p["total"] for p in progress)


def test_asynchronous_streams_do_too(shared_agent: Agent, walkway: Walkway) -> None:
    async def collect() -> list[str]:
        stream = shared_agent.astream(asked(walkway), stream_mode="updates")
        return [name async for chunk in stream for name in chunk]

    nodes = asyncio.run(collect())
    assert (nodes[0], nodes[-1]) == ("plan", "answer")


def test_a_batch_keeps_its_questions_apart(shared_agent: Agent, walkway: Walkway) -> None:
    questions: list[dict[str, Any]] = [
        asked(walkway),
        {"query": ANYTHING, "videos": [walkway.calm], "scene": SCENE},
        asked(walkway, RIDING),
    ]
    first, second, third = (r["decision"] for r in shared_agent.batch(questions))
    assert (first.label, second.label, third.label) == (
        Label.ANOMALOUS,
        Label.NORMAL,
        Label.ANOMALOUS,
    )
    assert third.intent is Intent.FIND
    assert len({first.run_id, second.run_id, third.run_id}) == 3


def test_messages_are_accepted_with_the_path_in_the_text(
    shared_agent: Agent, walkway: Walkway, result: dict[str, Any]
) -> None:
    text = f"Did anything out of the ordinary happen in {walkway.bike}?"
    other = shared_agent.invoke({"messages": [HumanMessage(text)], "scene": SCENE})
    assert other["decision"].label is Label.ANOMALOUS
    assert other["decision"].events == result["decision"].events
    assert other["decision"].query == "Did anything out of the ordinary happen in the video?"
    assert [type(m) for m in other["messages"]] == [HumanMessage, AIMessage]


def test_messages_may_be_plain_and_videos_beside_them(
    shared_agent: Agent, walkway: Walkway, result: dict[str, Any]
) -> None:
    other = shared_agent.invoke(
        {
            "messages": [{"role": "user", "content": ANYTHING}],
            "videos": [walkway.bike],
            "scene": SCENE,
        }
    )
    assert essence(other["decision"]) == essence(result["decision"])


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_quoted_paths_may_hold_spaces(
    shared_agent: Agent, walkway: Walkway, tmp_path: Any, quote: str
) -> None:
    clip = tmp_path / "the gate (1).mp4"
    clip.write_bytes((walkway.folder / "calm.mp4").read_bytes())
    text = f"Anything unusual in {quote}{clip}{quote}?"
    other = shared_agent.invoke({"messages": [HumanMessage(text)], "scene": SCENE})
    assert other["decision"].label is Label.NORMAL
    assert other["decision"].query == "Anything unusual in the video?"


def test_the_same_question_twice_gives_the_same_decision(
    shared_agent: Agent, walkway: Walkway, result: dict[str, Any]
) -> None:
    again = shared_agent.invoke(asked(walkway))
    assert essence(again["decision"]) == essence(result["decision"])
    assert again["decision"].run_id != result["decision"].run_id


def test_what_was_asked_for_is_found_when_and_where_it_was(
    shared_agent: Agent, walkway: Walkway
) -> None:
    out = shared_agent.invoke(asked(walkway, RIDING))
    decision: Decision = out["decision"]
    assert decision.label is Label.ANOMALOUS
    ((start, end),) = walkway.truth.intervals_s
    assert decision.events[0].interval.start_s == pytest.approx(start, abs=0.5)
    assert decision.events[0].interval.end_s == pytest.approx(end, abs=0.5)
    assert decision.false_alarm_rate is None or decision.intent is Intent.FIND
    assert "Note: tested as fast motion without swinging limbs" in out["answer"]
    assert "from 0.50 on, what was asked for is found" in out["answer"]


def test_what_was_not_there_is_not_found(shared_agent: Agent, walkway: Walkway) -> None:
    out = shared_agent.invoke(
        {"query": "Did anyone ride by?", "videos": [walkway.calm], "scene": SCENE}
    )
    assert out["decision"].label is Label.NORMAL
    assert out["answer"].startswith("No, it was not found (score 0.")


def test_a_time_window_bounds_the_search(shared_agent: Agent, walkway: Walkway) -> None:
    late = shared_agent.invoke(
        {"query": "Anything unusual after 0:30?", "videos": [walkway.bike], "scene": SCENE}
    )
    assert late["decision"].label is Label.UNCERTAIN
    assert late["decision"].reason == "no video in scope reaches the time asked for, 00:30.0"
    assert late["decision"].cost.looks == 0
    assert late["decision"].score is None
