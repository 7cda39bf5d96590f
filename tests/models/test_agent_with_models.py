"""The agent end to end with models behind a server: words only, judged, dying, resumed, bounded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent import Agent, Decision, Label, build_agent, induce_scene, open_stores
from agent.cli import app
from agent.trace import read_lines
from evals.bench.modelserver import ModelServer, Reply
from tests.brain import Brain, peaked, text_of, uniform
from tests.walkway import ANYTHING, SCENE, Walkway, shared_walkway

WORDS = "words"
RIDER = [{"subject": "person", "activity": "rides a bicycle", "where": "right", "frame": 2}]


def suspicious(text: str) -> dict[str, float]:
    return peaked(8) if "rides a bicycle" in text else peaked(0)


@pytest.fixture(scope="module")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)


@pytest.fixture(scope="module")
def learned(walkway: Walkway, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the scene learned by words alone."""
    home = tmp_path_factory.mktemp("models") / "home"
    with ModelServer(Brain()) as server:
        name = f"openai:tiny@{server.url}"
        record = induce_scene(walkway.normal, WORDS, home=home, captioner=name, verifier=name)
    assert record.calibration.events > 0
    assert max(record.calibration.scores) < 0.1
    return home


@contextmanager
def asking(home: Path, server: ModelServer, **settings: Any) -> Iterator[Agent]:
    name = f"openai:tiny@{server.url}"
    given = {"captioner": name, "verifier": name, "planner": name, **settings}
    agent = build_agent(home=home, **given)
    try:
        yield agent
    finally:
        agent.close()


def asked(agent: Agent, video: str, scene: str = WORDS, **more: Any) -> Decision:
    out = agent.invoke({"query": ANYTHING, "videos": [video], "scene": scene, **more})
    decision: Decision = out["decision"]
    return decision


def lines(home: Path, decision: Decision) -> list[dict[str, Any]]:
    return [line for line, _ in read_lines(home / "runs" / decision.run_id / "trace.jsonl")]


def calls(home: Path, decision: Decision) -> list[dict[str, Any]]:
    return [call for line in lines(home, decision) for call in line.get("models", ())]


@pytest.fixture
def home(learned: Path, tmp_path: Path) -> Path:
    return shutil.copytree(learned, tmp_path / "home")


def test_words_alone_find_what_breaks_a_rule_and_cite_it(home: Path, walkway: Walkway) -> None:
    brain = Brain(things=RIDER, verdict=suspicious)
    with ModelServer(brain) as server, asking(home, server) as agent:
        decision = asked(agent, walkway.bike)
    assert decision.label is Label.ANOMALOUS
    assert decision.dropped_steps == 0
    told = " ".join(step.text for step in decision.explanation)
    assert "rides a bicycle" in told
    assert any(ref.startswith("rule:") for step in decision.explanation for ref in step.evidence)


def test_what_is_as_usual_is_normal(home: Path, walkway: Walkway) -> None:
    with ModelServer(Brain(verdict=suspicious)) as server, asking(home, server) as agent:
        assert asked(agent, walkway.calm).label is Label.NORMAL


def test_a_model_that_knows_nothing_is_uncertain_and_never_anomalous(
    home: Path, walkway: Walkway
) -> None:
    brain = Brain(things=RIDER, verdict=lambda _: uniform())
    with ModelServer(brain) as server, asking(home, server) as agent:
        decision = asked(agent, walkway.bike)
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert "about as likely" in decision.reason
    assert decision.cost.questions > 0  # it was tried to settle the doubt


def test_the_trace_counts_tokens_as_the_server_does(home: Path, walkway: Walkway) -> None:
    brain = Brain(things=RIDER, verdict=suspicious)
    brain.faults = [Reply({"error": "busy"}, 429)]
    with ModelServer(brain) as server:
        name = f"openai:tiny@{server.url}"
        stores = open_stores(
            home=home, captioner=name, verifier=name, planner=name, model_cache=False
        )
        agent = build_agent(stores)
        decision = asked(agent, walkway.bike)
        agent.close()
        spent = server.prompt_tokens + server.generated_tokens
    found = calls(home, decision)
    assert sum(c.get("prompt", 0) + c.get("generated", 0) for c in found) == spent
    assert decision.cost.tokens == spent
    asked_for = [c for c in found if c["purpose"] != "discovery"]
    sent = [c for c in asked_for if not c.get("kept")]  # the others came along with the same
    assert decision.cost.model_calls == len(sent)
    assert sum(c.get("tries", 1) for c in sent) == len(sent) + 1
    assert all(c["model"] == "openai:tiny" and c["purpose"] for c in found)


def test_a_second_run_asks_nothing_again(home: Path, walkway: Walkway) -> None:
    brain = Brain(things=RIDER, verdict=suspicious)
    with ModelServer(brain) as server:
        with asking(home, server) as agent:
            first = asked(agent, walkway.bike)
        sent = len(brain.asked)
        with asking(home, server) as agent:
            again = asked(agent, walkway.bike)
    assert len(brain.asked) == sent
    assert (again.label, again.score) == (first.label, first.score)
    assert again.cost.model_calls == 0
    assert {c["purpose"] for c in calls(home, again) if not c.get("kept")} == {"discovery"}
    assert again.cost.cache_hits >= first.cost.model_calls


def test_a_server_that_dies_costs_what_was_not_judged_and_the_run_goes_on_later(
    home: Path, walkway: Walkway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.backends.served.client.sleep", lambda seconds: None)
    brain = Brain(things=RIDER, verdict=suspicious)
    verdicts = 0

    def dying(request: dict[str, Any]) -> Reply | None:
        nonlocal verdicts
        verdicts += "Your answer:" in text_of(request)
        return Reply(drop=True) if verdicts > 1 else None

    brain.always = dying
    with ModelServer(brain) as server:
        name = f"openai:tiny@{server.url}"
        for role in ("CAPTIONER", "VERIFIER", "PLANNER"):
            monkeypatch.setenv(f"VIDOCQ_{role}", name)
        monkeypatch.setenv("VIDOCQ_HOME", str(home))
        monkeypatch.setenv("VIDOCQ_MODEL_CACHE", "false")
        monkeypatch.setenv("VIDOCQ_PARALLEL", "1")
        monkeypatch.setenv("VIDOCQ_MODEL_PARALLEL", "1")
        done = CliRunner().invoke(app, ["ask", ANYTHING, walkway.bike, "--scene", WORDS, "--json"])
        broken = json.loads(done.stdout)
        lost = broken["decision"]["failures"]
        assert lost
        assert all(f["again"] for f in lost)
        assert f"--resume {broken['run']}" in broken["answer"]
        brain.always = None
        again = CliRunner().invoke(app, ["ask", "--resume", broken["run"], "--json"])
    whole = json.loads(again.stdout)
    assert (whole["run"], whole["decision"]["failures"]) == (broken["run"], [])
    assert whole["decision"]["label"] == "anomalous"
    assert len(whole["decision"]["events"]) >= len(broken["decision"]["events"])
    looks = [json.dumps(r) for r in brain.asked if "things" in str(r.get("response_format"))]
    assert len(looks) == len(set(looks))  # what was seen is not looked at again


def test_a_run_keeps_to_its_budget_of_calls(home: Path, walkway: Walkway) -> None:
    brain = Brain(things=RIDER, verdict=suspicious)
    with ModelServer(brain) as server, asking(home, server, max_model_calls=3) as agent:
        decision = asked(agent, walkway.bike)
    assert len(brain.asked) <= 3
    assert decision.cost.model_calls <= 3
    assert decision.label is not Label.NORMAL
    assert "budget spent: 3 model calls" in decision.stop_reason


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply({"error": "no such key"}, 401), "401"),
        (Reply({"error": "too large"}, 413), "413"),
        (Reply({"choices": []}), "without any choice"),
    ],
)
def test_a_refusing_server_gives_no_score(
    reply: Reply, why: str, home: Path, walkway: Walkway
) -> None:
    brain = Brain(always=lambda _: reply)
    with ModelServer(brain) as server, asking(home, server) as agent:
        decision = asked(agent, walkway.bike)
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert why in decision.reason
    assert {line["fault"] for line in lines(home, decision) if line["kind"] == "failed"}


def test_measurements_with_a_judging_model_still_decide(walkway: Walkway, tmp_path: Path) -> None:
    home = walkway.copy_home(tmp_path / "measured")
    brain = Brain(verdict=lambda _: peaked(0))
    with (
        ModelServer(brain) as server,
        asking(home, server, captioner="embedded", planner="embedded") as agent,
    ):
        decision = asked(agent, walkway.bike, SCENE)
    assert decision.label is Label.ANOMALOUS
    found = [line["record"] for line in lines(home, decision) if line.get("type") == "Verdict"]
    assert any("outranks" in c["text"] for v in found for c in v["claims"])
