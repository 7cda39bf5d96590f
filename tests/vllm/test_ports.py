"""The three ports behind real vLLM: the conformance suites, and hits of the prefix cache."""

from __future__ import annotations

import pytest

from tests.builders import event_of, hit_of, observation_of, rule_of, seen_of
from tests.conformance.of_random_models import *  # noqa: F403
from tests.vllm.server import VllmServer
from tools.backends.served.client import ServedModel
from tools.decision import Intent, Plan
from tools.models.captioner import ModelCaptioner
from tools.models.planner import ModelPlanner
from tools.models.verifier import ModelVerifier

VERDICTS = 50


@pytest.fixture(scope="module")
def captioner(sees: ServedModel) -> ModelCaptioner:
    return ModelCaptioner(sees)


@pytest.fixture(scope="module")
def verifier(reads: ServedModel) -> ModelVerifier:
    return ModelVerifier(reads)


@pytest.fixture(scope="module")
def planner(reads: ServedModel) -> ModelPlanner:
    return ModelPlanner(reads)


def test_verdicts_of_one_scene_hit_the_prefix_cache(
    verifier: ModelVerifier, reads: ServedModel, servers: dict[str, VllmServer]
) -> None:
    assert reads.capabilities.choice  # found out before anything is counted
    rules = [
        hit_of(rule_of(f"rule-{n}", text=f"Nobody moves faster than {n} times the usual pace."))
        for n in range(12)
    ]
    plan = Plan(query="Anything unusual?", intent=Intent.ANOMALY)
    before = servers["reads"].metrics()
    for n in range(VERDICTS):
        seen = seen_of(observation_of(f"o{n}", speed=1.0 + n / 100))
        verdict = verifier.judge(plan, event_of(), seen, rules)
        assert verdict.reason  # random weights have no opinion
    spent = {
        name: value - before.get(name, 0) for name, value in servers["reads"].metrics().items()
    }
    assert spent["generation_tokens"] == VERDICTS  # one token a verdict
    assert spent["prefix_cache_queries"] == spent["prompt_tokens"]
    # A block is 128 tokens on a CPU; the rest of the shared prefix is in a begun block.
    assert spent["prefix_cache_hits"] >= 0.5 * spent["prompt_tokens"]
