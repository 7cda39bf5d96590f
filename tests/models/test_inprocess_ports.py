"""The three ports made of models in this process, alone and through the agent."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from agent import build_agent, induce_scene
from agent.settings import load_settings
from tests.conformance.of_random_models import *  # noqa: F403
from tests.tinymodels import text_model, vision_model
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.backends import CAPTIONERS, PLANNERS, VERIFIERS, Models, make
from tools.decision import Label
from tools.errors import UserError
from tools.ports import Captioner, Planner, Verifier


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings that give every role to a model in this process."""
    folder = tmp_path_factory.mktemp("models")
    reads = f"transformers:{text_model(folder / 'reads')}"
    sees = f"transformers:{vision_model(folder / 'sees')}"
    return {"captioner": sees, "verifier": reads, "planner": reads, "model_device": "cpu"}


@pytest.fixture(scope="module")
def models(named: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("kept"), load_settings(named).modelling)


@pytest.fixture(scope="module")
def captioner(models: Models, named: dict[str, str]) -> Captioner:
    return make("captioner", named["captioner"], CAPTIONERS, models.folder, models=models)


@pytest.fixture(scope="module")
def verifier(models: Models, named: dict[str, str]) -> Verifier:
    return make("verifier", named["verifier"], VERIFIERS, models.folder, models=models)


@pytest.fixture(scope="module")
def planner(models: Models, named: dict[str, str]) -> Planner:
    return make("planner", named["planner"], PLANNERS, models.folder, models=models)


def test_two_roles_share_one_model(models: Models, verifier: Verifier, planner: Planner) -> None:
    assert verifier.model is planner.model  # type: ignore[attr-defined]


@pytest.mark.slow
def test_random_weights_end_uncertain(
    walkway: Walkway, named: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    induce_scene(walkway.normal[:1], SCENE, home=home, **named)
    with closing(build_agent(home=home, max_looks=3, **named)) as agent:
        decision = agent.invoke({"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE})[
            "decision"
        ]
    assert (decision.label, decision.score) == (Label.UNCERTAIN, None)
    assert decision.reason
    assert decision.events
    assert {event.label for event in decision.events} == {Label.UNCERTAIN}
    assert decision.cost.model_calls > 0
    assert decision.cost.tokens > 0


def test_a_wrong_name_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        build_agent(home=tmp_path, verifier="transformers:/no/such/folder")
    with pytest.raises(UserError, match="model_dtype"):
        build_agent(home=tmp_path, model_dtype="float31")
