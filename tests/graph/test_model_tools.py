"""The tools as a language model calls them: a call with wrong arguments is told, and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.tools import BaseTool

from agent import open_stores
from agent.story import tell
from agent.trace import Trace
from evals.metrics.trajectory import waste
from evals.outcomes import outcome_of
from evals.saved import load_saved, save
from tests.evalruns import sample_of
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.decision import Intent, Plan
from tools.registry import TOOLS, langchain_tools


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Trace]:
    with closing(Trace("r", tmp_path / "trace.jsonl")) as made:
        made.begin({"query": ANYTHING, "vidocq": "0.1.0"})
        yield made


@pytest.fixture
def tools(home: Path, trace: Trace) -> Iterator[dict[str, BaseTool]]:
    plan = Plan(query=ANYTHING, intent=Intent.ANOMALY)
    with closing(open_stores(home=home)) as stores:
        made = langchain_tools(stores.tools, trace, plan)
        yield {tool.name: tool for tool in made}


def test_a_model_can_work_its_way_to_a_verdict(
    tools: dict[str, BaseTool], trace: Trace, walkway: Walkway
) -> None:
    assert tuple(tools) == TOOLS
    opened = tools["open_video"].invoke({"path": walkway.calm})
    assert opened.startswith("video ")
    tools["use_scene"].invoke({"name": SCENE})
    video = opened.removeprefix("video ").partition(":")[0]
    event = tools["find_events"].invoke({"video_id": video}).split()[0]
    assert "caption:" in tools["look"].invoke({"event_id": event, "detail": "coarse"})
    tools["recall_rules"].invoke({"event_id": event, "query": "walking"})
    assert tools["judge"].invoke({"event_id": event}).startswith("verdict:")
    assert trace.refused == []


def test_wrong_arguments_come_back_as_text_and_count_as_invalid(
    tools: dict[str, BaseTool], trace: Trace, tmp_path: Path
) -> None:
    said = [
        tools["find_events"].invoke({"video_id": "nowhere"}),
        tools["look"].invoke({"event_id": "e", "detail": "blurred"}),  # fits no schema
        tools["judge"].invoke({"event_id": "e"}),
        tools["judge"].invoke({"event_id": "e"}),
    ]
    assert all(text.startswith("Try again: ") for text in said)
    assert [r.tool for r in trace.refused] == ["find_events", "look", "judge", "judge"]
    assert "'coarse' or 'fine'" in trace.refused[1].reason
    assert sum(line.startswith("- Refused a call of ") for line in tell(trace)) == 4

    path = tmp_path / "saved.jsonl"
    save(
        path,
        sample=sample_of("a"),
        section="test",
        key="k",
        seconds=1.0,
        trace=trace.path,
        error="stopped",
    )
    outcome = outcome_of(load_saved(path), max_gap_s=1.0)
    spent = waste(outcome.trajectory)
    assert (spent.calls, spent.invalid, spent.failed, spent.repeated) == (4, 4, 4, 0)
