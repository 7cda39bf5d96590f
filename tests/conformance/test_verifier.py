"""Every verifier: verdicts that cite, scores in range, no score from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import event_of, hit_of, observation_of, rule_of, seen_of
from tests.served import SERVED, any_backend
from tools.backends import VERIFIERS
from tools.decision import Intent, Plan
from tools.ports import Verifier

PLAN = Plan(query="Anything unusual?", intent=Intent.ANOMALY)


@pytest.fixture(params=[*sorted(VERIFIERS), SERVED])
def verifier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Verifier]:
    with any_backend("verifier", request.param, VERIFIERS, tmp_path) as made:
        yield made


def test_a_verdict_names_its_event_and_its_verifier(verifier: Verifier) -> None:
    event = event_of()
    verdict = verifier.judge(PLAN, event, seen_of(observation_of(speed=1.0)), ())
    assert (verdict.event_id, verdict.verifier) == (event.id, verifier.name)
    assert verdict.raw is None or verdict.raw >= 0


def test_every_claim_cites_what_was_given(verifier: Verifier) -> None:
    seen = seen_of(observation_of("a", speed=3.0, surprise=4.0), surprise=4.0)
    rule = rule_of(when="speed > 1.5")
    verdict = verifier.judge(PLAN, event_of(), seen, [hit_of(rule)])
    given = {"obs:a", rule.ref, f"caption:{seen.caption.id}"}
    assert verdict.claims
    assert all(set(claim.evidence) <= given for claim in verdict.claims)
    assert {m.rule for m in verdict.matches} <= {rule.ref}


def test_what_cannot_be_judged_gets_a_reason_and_no_score(verifier: Verifier) -> None:
    seen = seen_of(observation_of(speed=9.0), surprise=9.0, problems=("black frames",))
    verdict = verifier.judge(PLAN, event_of(), seen, [hit_of(rule_of())])
    assert (verdict.score, verdict.raw) == (None, None)
    assert "black frames" in verdict.reason


def test_the_same_evidence_gets_the_same_verdict(verifier: Verifier) -> None:
    seen = seen_of(observation_of(speed=3.0), surprise=2.0)
    hits = [hit_of(rule_of())]
    first = verifier.judge(PLAN, event_of(), seen, hits)
    assert verifier.judge(PLAN, event_of(), seen, hits) == first


def test_questions_do_not_name_the_rule_they_serve(verifier: Verifier) -> None:
    seen = seen_of(observation_of(speed=3.0, surprise=4.0), surprise=4.0)
    rule = rule_of("no-speeding", "speed > 1.5")
    for question in verifier.questions(PLAN, event_of(), seen, [hit_of(rule)]):
        assert rule.text not in question.text
        assert rule.id not in question.text
