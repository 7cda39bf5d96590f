"""Every statement of an answer holds: its citations resolve, its numbers were measured."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent import Decision, Step, build_agent, open_stores
from graphs import conclude
from graphs.explaining import explain
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.citations import check_step
from tools.ledger import Ledger

QUESTIONS: list[dict[str, Any]] = [
    {"query": ANYTHING, "scene": SCENE},
    {"query": "Was anyone riding or running?", "scene": SCENE},
    {"query": "Is running, which I call an anomaly, in these clips?", "scene": SCENE},
    {"query": ANYTHING, "scene": SCENE, "budget": {"max_looks": 1}},
    {"query": ANYTHING, "scene_free": True},
    {"query": ANYTHING, "scene": "nowhere"},
]


CASES = [(q, n) for n in ("bike", "calm", "bike calm") for q in QUESTIONS]
CASES = [(q, n) for q, n in CASES if n == "bike" or "scene" in q]  # a place unseen is slow to learn


@pytest.mark.parametrize(("question", "names"), CASES)
def test_nothing_is_found_wrong_with_any_step(
    question: dict[str, Any], names: str, walkway: Walkway, tmp_path: Path, warm_home: Path
) -> None:
    videos = [str(walkway.folder / f"{name}.mp4") for name in names.split()]
    with closing(open_stores(home=warm_home)) as stores:
        agent = build_agent(stores, checkpoints=False)
        decision: Decision = agent.invoke({**question, "videos": videos})["decision"]
        ledger = stores.runs.read(decision.run_id)
    assert decision.dropped_steps == 0
    for step in decision.explanation:
        assert check_step(step, ledger) == ()
    for event in decision.events:
        assert all(ledger.observation(o) is not None for o in event.observations)
        assert all(
            ledger.evidence(r) is not None for r in event.rules if not r.startswith("query:")
        )
    frames = {f"frame:{v.id}:{n}" for v in ledger.videos.values() for n in range(v.frames)}
    cited = {ref for s in decision.explanation for ref in s.evidence if ref.startswith("frame:")}
    assert cited <= frames


@pytest.fixture(scope="module")
def warm_home(walkway: Walkway, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walkway.copy_home(tmp_path_factory.mktemp("evidence") / "home")


LIES = [
    Step(kind="what", text="It moved at 99.9 times the usual speed.", evidence=("score:x",)),
    Step(kind="what", text="Somebody stole a bag.", evidence=()),
    Step(kind="when", text="At 00:59.9 it left.", evidence=("obs:nobody",)),
]


def test_a_step_that_does_not_hold_is_dropped_and_said(
    walkway: Walkway, warm_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An explainer that makes things up, such as a language model, gets no lie past the check."""

    def lying(decision: Decision, ledger: Ledger) -> tuple[Step, ...]:
        true = explain(decision, ledger)
        return (LIES[0], *true, *LIES[1:])

    monkeypatch.setattr(conclude, "explain", lying)
    with closing(open_stores(home=warm_home)) as stores:
        agent = build_agent(stores, checkpoints=False)
        nodes: list[str] = []
        decision: Decision | None = None
        answer = ""
        given = {"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE}
        for chunk in agent.stream(given, stream_mode="updates"):
            for name, update in chunk.items():
                nodes.append(name)
                decision = (update or {}).get("decision", decision)
                answer = (update or {}).get("answer", answer)
        assert decision is not None
        true = explain(decision, stores.runs.read(decision.run_id))
    assert nodes.count("repair") == 2
    assert decision.dropped_steps == 3
    assert decision.explanation == true
    assert "3 statements were left out: the evidence did not bear them out." in answer
    assert not any(lie.text in answer for lie in LIES)


def test_an_explanation_that_is_repaired_keeps_everything(
    walkway: Walkway, warm_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def lying_once(decision: Decision, ledger: Ledger) -> tuple[Step, ...]:
        calls.append(1)
        true = explain(decision, ledger)
        return (*true, LIES[0]) if len(calls) == 1 else true

    monkeypatch.setattr(conclude, "explain", lying_once)
    with closing(build_agent(home=warm_home)) as agent:
        given = {"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE}
        decision: Decision = agent.invoke(given)["decision"]
    assert len(calls) == 2
    assert decision.dropped_steps == 0
    assert LIES[0] not in decision.explanation
