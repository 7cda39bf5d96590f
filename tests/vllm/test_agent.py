"""The agent over real vLLM, end to end: no made-up verdict, exact costs, and a server that dies."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent import build_agent, induce_scene, open_stores
from agent.cli import app
from agent.trace import read_lines
from tests.vllm.server import VllmServer
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.decision import Label


@pytest.fixture(scope="module")
def named(servers: dict[str, VllmServer]) -> dict[str, str]:
    reads, sees = servers["reads"].setting, servers["sees"].setting
    return {"captioner": sees, "verifier": reads, "planner": reads}


@pytest.fixture(scope="module")
def home(walkway: Walkway, named: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene learned through the servers' words alone."""
    folder = tmp_path_factory.mktemp("vllm-home") / "home"
    induce_scene(walkway.normal[:1], SCENE, home=folder, **named)
    return folder


def spent(home: Path, run: str) -> tuple[int, int]:
    """Prompt and generated tokens of a run, by its trace."""
    lines = [line for line, _ in read_lines(home / "runs" / run / "trace.jsonl")]
    calls = [call for line in lines for call in line.get("models", ())]
    return sum(c.get("prompt", 0) for c in calls), sum(c.get("generated", 0) for c in calls)


def counted(servers: dict[str, VllmServer]) -> tuple[float, float]:
    """Prompt and generated tokens that the servers counted."""
    told = [server.metrics() for server in servers.values()]
    return sum(m["prompt_tokens"] for m in told), sum(m["generation_tokens"] for m in told)


def environment(home: Path, named: dict[str, str]) -> dict[str, str]:
    return {"VIDOCQ_HOME": str(home), **{f"VIDOCQ_{k.upper()}": v for k, v in named.items()}}


def test_random_weights_end_uncertain_and_the_trace_counts_as_the_servers(
    walkway: Walkway, home: Path, named: dict[str, str], servers: dict[str, VllmServer]
) -> None:
    stores = open_stores(home=home, model_cache=False, **named)
    with closing(build_agent(stores)) as agent:
        for role in (stores.tools.captioner, stores.tools.verifier, stores.tools.planner):
            assert role.model.capabilities.choice  # found out once, outside any run
        before = counted(servers)
        state = agent.invoke({"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE})
        after = counted(servers)
    decision = state["decision"]
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert {event.label for event in decision.events} == {Label.UNCERTAIN}
    prompt, generated = spent(home, decision.run_id)
    assert (prompt, generated) == (after[0] - before[0], after[1] - before[1])
    assert decision.cost.tokens == prompt + generated > 0


def test_doctor_finds_both_servers_well(home: Path, named: dict[str, str]) -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"], env=environment(home, named))
    assert done.exit_code in (0, 1), done.output
    told = {c["role"]: c for c in json.loads(done.stdout)}
    for role in ("captioner", "verifier", "planner"):
        assert told[role]["backend"].startswith("openai:tiny")
        assert told[role]["able"]["json_schema"]


def test_a_server_that_dies_costs_no_finished_work(
    walkway: Walkway, home: Path, named: dict[str, str], servers: dict[str, VllmServer]
) -> None:
    run = "dying"
    settings: dict[str, Any] = {"batch": 1, "parallel": 1, "model_parallel": 1, **named}
    given = {"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE, "run_id": run}
    config = {"configurable": {"thread_id": run}}
    decision, killed = None, False
    with closing(build_agent(home=home, **settings)) as agent:
        for update in agent.stream(given, config, stream_mode="updates"):
            if "judge" in update and not killed:
                servers["reads"].kill()
                killed = True
            decision = next(
                (u["decision"] for u in update.values() if u and "decision" in u), decision
            )
    assert killed
    assert decision is not None
    assert decision.label is Label.UNCERTAIN
    assert decision.failures
    assert all(f.again for f in decision.failures)
    judged = verdicts(home, run)
    assert judged
    servers["reads"].start()
    servers["reads"].wait()
    done = CliRunner().invoke(app, ["ask", "--resume", run, "--json"], env=environment(home, named))
    assert done.exit_code == 0, done.stderr
    again = json.loads(done.stdout)["decision"]
    assert again["label"] == "uncertain"
    assert not again["failures"]
    assert verdicts(home, run)[: len(judged)] == judged  # kept, and judged once


def verdicts(home: Path, run: str) -> list[str]:
    """Hashes of the verdicts that a run finished, in order."""
    lines = [line for line, _ in read_lines(home / "runs" / run / "trace.jsonl")]
    return [x["hash"] for x in lines if x["kind"] == "result" and x["tool"] == "judge"]
