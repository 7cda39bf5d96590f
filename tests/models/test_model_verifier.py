"""A language model as verifier: one token, code outranks words, doubt stays doubt."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from evals.bench.modelserver import Reply, chat_body
from tests.brain import Brain, peaked, text_of, uniform
from tests.builders import event_of, find_plan, hit_of, observation_of, rule_of, seen_of
from tools.backends.served.client import ServedModel
from tools.decision import Intent, Plan
from tools.errors import BackendError
from tools.models.spending import Purse, tallied
from tools.models.verifier import LEADING, ModelVerifier
from tools.scoring import Calibration, thresholds
from tools.types import Answer, Description, Question, RuleHit, RuleKind
from tools.verification import calibrated, covered_raw

PLAN = Plan(query="Anything unusual?", intent=Intent.ANOMALY)
LIMITS = thresholds(Calibration())


def words_only(activity: str = "rides a bicycle") -> Description:
    """What a captioner saw that measures nothing."""
    rider = observation_of("rider").model_copy(
        update={"activity": activity, "text": f"Person {activity}", "attributes": (), "points": ()}
    )
    return seen_of(rider).model_copy(update={"series": ()})


def no_test(text: str = "Nobody rides here.") -> RuleHit:
    rule = rule_of("riding", "speed > 1.5").model_copy(update={"predicate": None, "text": text})
    return hit_of(rule)


@pytest.fixture
def verifier(model: ServedModel) -> ModelVerifier:
    return ModelVerifier(model)


def answers() -> tuple[Answer, ...]:
    question = Question(id="q", text="What does the person do?")
    return (Answer(id="a", question=question, text="It pedals.", value="It pedals."),)


def test_a_calm_event_costs_one_token(brain: Brain, verifier: ModelVerifier) -> None:
    verifier.model.capabilities  # noqa: B018
    purse = Purse()
    with tallied(purse) as tally:
        verdict = verifier.judge(PLAN, event_of(), words_only("walks"), [no_test()])
    assert [c.generated for c in tally.calls] == [1]
    assert calibrated(verdict, LIMITS).score == pytest.approx(0.0, abs=0.05)


def test_an_accusation_names_rule_and_thing_and_costs_at_most_four_tokens(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda _: peaked(8)
    verifier.model.capabilities  # noqa: B018
    purse = Purse()
    with tallied(purse) as tally:
        verdict = verifier.judge(PLAN, event_of(), words_only(), [no_test()])
    assert sum(c.generated for c in tally.calls) <= 4
    assert [(m.rule, m.observation, m.how) for m in verdict.matches] == [
        (no_test().rule.ref, "rider", "semantic")
    ]
    assert covered_raw(verdict) == verdict.raw
    score = calibrated(verdict, LIMITS).score
    assert score is not None
    assert score > 0.8
    assert {e for c in verdict.claims for e in c.evidence} >= {"obs:rider", no_test().rule.ref}


def test_an_accusation_without_a_rule_accuses_nobody(brain: Brain, verifier: ModelVerifier) -> None:
    brain.verdict, brain.rule = lambda _: peaked(9), "0"
    verdict = verifier.judge(PLAN, event_of(), words_only(), [no_test()])
    settled = calibrated(verdict, LIMITS)
    assert (settled.score, settled.matches) == (None, ())
    assert "names no rule" in settled.reason


@pytest.mark.parametrize("seen", [words_only(), seen_of(observation_of(speed=1.0))])
@pytest.mark.parametrize("asked", [(), answers()])
def test_uniform_chances_are_uncertain_and_never_anomalous(
    seen: Description, asked: tuple[Answer, ...], brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda _: uniform()
    verdict = calibrated(verifier.judge(PLAN, event_of(), seen, [no_test()], asked), LIMITS)
    assert verdict.score is None
    assert "about as likely" in verdict.reason
    assert verdict.matches == ()


@pytest.mark.parametrize("noise", range(5))
def test_random_weights_are_uncertain(noise: int, brain: Brain, verifier: ModelVerifier) -> None:
    weights = [1.0 + 0.3 * math.sin(7 * noise + 3 * d) for d in range(10)]
    brain.verdict = lambda _: {str(d): math.log(0.001 * w) for d, w in enumerate(weights)}
    verdict = verifier.judge(PLAN, event_of(), words_only(), [no_test()], answers())
    assert (verdict.score, verdict.raw) == (None, None)


def test_a_held_test_outranks_words_and_the_contradiction_is_said(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda _: peaked(0)
    seen = seen_of(observation_of("a", speed=3.0, surprise=4.0), surprise=4.0)
    verdict = verifier.judge(PLAN, event_of(), seen, [hit_of(rule_of(when="speed > 1.5"))])
    score = calibrated(verdict, LIMITS).score
    assert score is not None
    assert score >= 0.5
    assert any("outranks" in c.text for c in verdict.claims)
    assert "outranks" in verdict.doubt


def test_words_cannot_accuse_by_a_rule_whose_test_does_not_hold(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda _: peaked(9)
    seen = seen_of(observation_of("a", speed=1.0), surprise=0.2)
    verdict = verifier.judge(PLAN, event_of(), seen, [hit_of(rule_of(when="speed > 1.5"))])
    score = calibrated(verdict, LIMITS).score
    assert score is not None
    assert score < 0.5
    assert any("its test holds for nothing" in c.text for c in verdict.claims)


def test_in_doubt_it_weighs_in_words_once_the_frames_were_asked(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda text: peaked(8) if "findings" in text else uniform()
    short = verifier.judge(PLAN, event_of(), words_only(), [no_test()])
    assert (short.score, short.raw) == (None, None)
    assert short.doubt
    long = verifier.judge(PLAN, event_of(), words_only(), [no_test()], answers())
    assert long.raw is not None
    assert long.doubt == ""
    assert any("after weighing" in c.text for c in long.claims)


def test_a_weighing_that_cannot_be_read_leaves_the_doubt(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda _: uniform()
    brain.always = lambda r: Reply(chat_body("well")) if "Do not answer yet" in text_of(r) else None
    verdict = verifier.judge(PLAN, event_of(), words_only(), [no_test()], answers())
    assert verdict.uncertain
    assert "about as likely" in verdict.reason


def test_without_token_chances_the_written_digit_counts_and_is_marked(
    brain: Brain, connect: Callable[..., ServedModel]
) -> None:
    brain.able = brain.able - {"logprobs"}
    brain.verdict = lambda _: peaked(7)
    verdict = ModelVerifier(connect()).judge(PLAN, event_of(), words_only(), [no_test()])
    assert verdict.raw is not None
    assert any(c.checked_by == "a written number" for c in verdict.claims)


def test_what_is_looked_for_is_judged_by_words_where_code_cannot(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda text: peaked(8) if "Looked for" in text else peaked(0)
    verdict = verifier.judge(find_plan("speed > 1.5"), event_of(), words_only(), ())
    assert verdict.score is not None
    assert verdict.score > 0.8
    assert verdict.matches[0].rule.startswith("query:")


def test_what_is_looked_for_is_judged_by_code_where_it_can(
    brain: Brain, verifier: ModelVerifier
) -> None:
    brain.verdict = lambda _: peaked(9)
    verdict = verifier.judge(
        find_plan("speed > 1.5"), event_of(), seen_of(observation_of(speed=1.0)), ()
    )
    assert verdict.score is not None
    assert verdict.score < 0.5
    assert brain.asked == []


def test_a_failing_server_gives_no_verdict(brain: Brain, verifier: ModelVerifier) -> None:
    brain.always = lambda _: Reply({"error": "bad"}, 400)
    with pytest.raises(BackendError):
        verifier.judge(PLAN, event_of(), words_only(), [no_test()])


def test_questions_are_made_of_rules_and_claims_and_give_nothing_away(
    brain: Brain, verifier: ModelVerifier
) -> None:
    questions = verifier.questions(PLAN, event_of(), words_only(), [no_test()])
    asked = text_of(brain.asked[-1])
    assert "Nobody rides here." in asked
    assert "rides a bicycle" in asked
    assert PLAN.query not in asked
    assert [q.text for q in questions] == ["What is the person on the path doing?"]


def test_a_leading_question_is_replaced_by_a_plain_one(
    brain: Brain, verifier: ModelVerifier
) -> None:
    leading = '{"questions": ["Is the person doing something suspicious?"]}'
    brain.always = lambda _: Reply(chat_body(leading))
    questions = verifier.questions(PLAN, event_of(), words_only(), [no_test()])
    assert questions
    assert not any(LEADING.search(q.text) for q in questions)


def test_a_broken_rule_of_what_is_usual_accuses_too(brain: Brain, verifier: ModelVerifier) -> None:
    brain.verdict = lambda _: peaked(8)
    usual = no_test("People here walk.")
    usual = usual.model_copy(
        update={"rule": usual.rule.model_copy(update={"kind": RuleKind.NORMAL})}
    )
    verdict = verifier.judge(PLAN, event_of(), words_only(), [usual])
    assert [(m.rule, m.kind) for m in verdict.matches] == [(usual.rule.ref, RuleKind.ANOMALOUS)]


def test_prompts_of_one_scene_begin_alike_whatever_the_order_of_the_rules(
    brain: Brain, verifier: ModelVerifier
) -> None:
    hits = [no_test(), hit_of(rule_of("b", "speed > 2")), hit_of(rule_of("a", "speed > 3"))]
    verifier.judge(PLAN, event_of(), words_only("walks"), hits)
    verifier.judge(PLAN, event_of(), words_only("walks"), hits[::-1])
    assert text_of(brain.asked[0]) == text_of(brain.asked[1])
