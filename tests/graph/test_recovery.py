"""A tool call that fails once is tried again; one that fails for good is said, never made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Decision, Label, build_agent, open_stores
from agent.trace import read_lines
from evals.injecting import INJECTED, Fault, striking
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.errors import BackendError


@pytest.fixture(scope="module")
def warm(walkway: Walkway, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walkway.copy_home(tmp_path_factory.mktemp("recovery") / "home")


@contextmanager
def struck(home: Path, fault: Fault) -> Iterator[Agent]:
    stores = open_stores(home=home, parallel=1)
    agent = build_agent(replace(stores, tools=striking(stores.tools, fault)), checkpoints=False)
    try:
        yield agent
    finally:
        agent.close()


def asked(agent: Agent, video: str) -> Decision:
    out = agent.invoke({"query": ANYTHING, "videos": [video], "scene": SCENE})
    decision: Decision = out["decision"]
    return decision


def lines(home: Path, decision: Decision) -> list[dict[str, Any]]:
    return [line for line, _ in read_lines(home / "runs" / decision.run_id / "trace.jsonl")]


@pytest.mark.parametrize("tool", ["plan", "segment", "look", "recall", "judge"])
def test_one_failed_call_changes_nothing(tool: str, warm: Path, walkway: Walkway) -> None:
    fault = Fault(tool)
    with struck(warm, fault) as agent:
        decision = asked(agent, walkway.bike)
    assert (decision.label, decision.failures) == (Label.ANOMALOUS, ())
    name, _, request = fault.struck.partition(":")
    assert name == tool
    written = Counter(x["kind"] for x in lines(warm, decision) if x.get("hash") == request)
    assert (written["call"], written["result"]) == (2, 1)


@pytest.mark.parametrize("tool", ["segment", "look", "recall", "judge"])
def test_one_that_fails_for_good_is_named(tool: str, warm: Path, walkway: Walkway) -> None:
    with struck(warm, Fault(tool, lasting=True)) as agent:
        decision = asked(agent, walkway.calm)
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert [f.reason for f in decision.failures] == [INJECTED]
    assert INJECTED in decision.reason


def test_without_a_plan_there_is_no_run(warm: Path, walkway: Walkway) -> None:
    fault = Fault("plan", lasting=True)
    with struck(warm, fault) as agent, pytest.raises(BackendError, match=INJECTED):
        asked(agent, walkway.calm)
    assert fault.struck.startswith("plan:")
