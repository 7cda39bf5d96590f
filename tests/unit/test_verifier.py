"""The embedded verifier: rules are the authority, measurements are the witnesses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.builders import (
    answer_of,
    event_of,
    find_plan,
    hit_of,
    observation_of,
    rule_of,
    seen_of,
)
from tools.backends.embedded.planner import EmbeddedPlanner
from tools.backends.embedded.verifier import EmbeddedVerifier, target_ref
from tools.decision import Intent, Plan
from tools.ports import PlanningContext
from tools.rulebook.plainwords import QUESTION
from tools.scoring import Thresholds
from tools.types import (
    Answer,
    Box,
    Description,
    Observation,
    Rule,
    RuleHit,
    RuleKind,
    Scope,
    Verdict,
)
from tools.verification import calibrated

ANOMALY = Plan(query="Anything unusual?", intent=Intent.ANOMALY, planner="test/1")
LIMITS = Thresholds(normal_below=1.0, alarm_at=1.5, false_alarm_rate=0.01, extrapolated=False)
RIDING = "activity in {glides} and speed > 1.5"
EVERYWHERE = ((0.0, 0.0), (360.0, 0.0), (360.0, 240.0), (0.0, 240.0))
ELSEWHERE = Box(x0=200, y0=80, x1=220, y1=140)


def judged(
    seen: Description, *rules: Rule, plan: Plan = ANOMALY, answers: Sequence[Answer] = ()
) -> Verdict:
    return EmbeddedVerifier().judge(plan, event_of(), seen, [hit_of(r) for r in rules], answers)


def rider(speed: float = 3.0, **more: float | str) -> Observation:
    return observation_of(
        "rider", activity="glides", speed=speed, surprise=4.0, text="A rider glides", **more
    )


# ---------------------------------------------------------------- anything unusual


def test_a_normal_event_measures_nothing_and_matches_nothing() -> None:
    verdict = judged(seen_of(observation_of(speed=1.0), surprise=0.1), rule_of())
    assert (verdict.score, verdict.raw, verdict.matches) == (None, pytest.approx(0.1), ())
    assert calibrated(verdict, LIMITS).score == pytest.approx(1 - 2 ** (-0.1 / 1.5))


def test_what_cannot_be_judged_stays_open_whatever_was_measured() -> None:
    seen = seen_of(rider(), surprise=9.0, problems=("the camera moved", "12 black frames"))
    verdict = judged(seen, rule_of())
    assert (verdict.score, verdict.raw, verdict.matches) == (None, None, ())
    assert verdict.reason == "the camera moved; 12 black frames"
    assert calibrated(verdict, LIMITS) == verdict


def test_a_suspicion_that_no_rule_covers_accuses_nobody() -> None:
    verdict = calibrated(judged(seen_of(rider(), surprise=4.5)), LIMITS)
    assert verdict.score is None
    assert verdict.reason == ("measured 4.5× the normal limit, but no active rule accounts for it")


def test_a_suspicion_that_a_rule_covers_counts_with_its_own_strength() -> None:
    verdict = judged(seen_of(rider(speed=3.0), surprise=4.5), rule_of(when="speed > 1.5"))
    assert verdict.raw == pytest.approx(4.5)  # more than the rule's own 2 = 3.0 / 1.5
    assert calibrated(verdict, LIMITS).score == pytest.approx(1 - 2**-3.0)
    (match,) = verdict.matches
    assert (match.rule, match.observation, match.how) == ("rule:fast@1", "rider", "predicate")
    assert match.strength == 0.75


def test_a_rule_counts_by_its_bound_or_the_normal_limit_whichever_is_less_far_passed() -> None:
    seen = seen_of(rider(speed=3.0), surprise=0.2)
    verdict = judged(seen, rule_of(when="speed > 1.5"))
    assert verdict.raw == pytest.approx(2.0)  # 3.0 is twice the bound, though its surprise is 4
    assert calibrated(verdict, LIMITS).score == pytest.approx(1 - 2 ** (-2 / 1.5))


def test_what_never_occurs_in_normal_footage_counts_as_twice_its_limit() -> None:
    seen = seen_of(rider(), surprise=0.2)
    assert judged(seen, rule_of(when="activity == glides")).raw == pytest.approx(2.0)


def test_an_induced_rule_is_not_tested_on_what_was_seen_for_a_moment_only() -> None:
    whole = rider()
    end = whole.interval.start + round(0.5 / whole.interval.time_base.fraction)
    brief = whole.model_copy(update={"interval": whole.interval.model_copy(update={"end": end})})
    assert judged(seen_of(brief), rule_of(when="speed > 1.5")).matches == ()
    by_user = rule_of(when="speed > 1.5", source="user")
    assert len(judged(seen_of(brief), by_user).matches) == 1


def test_a_single_odd_frame_raises_no_suspicion() -> None:
    seen = seen_of(rider())
    series = [
        p.model_copy(update={"surprise": 9.0 if p.frame == 150 else 0.0}) for p in seen.series
    ]
    verdict = judged(seen.model_copy(update={"series": tuple(series)}))
    assert verdict.raw == pytest.approx(9.0 / 5)


def test_a_rule_without_a_test_is_applied_by_the_concepts_its_words_name() -> None:
    verdict = judged(seen_of(rider()), rule_of("no-bikes", None, text="Nobody may cycle here."))
    (match,) = verdict.matches
    assert (match.rule, match.how) == ("rule:no-bikes@1", "lexical")
    assert judged(seen_of(rider()), rule_of("x", None, text="No umbrellas.")).matches == ()


def test_an_attribute_that_was_not_measured_breaks_no_rule() -> None:
    seen = seen_of(observation_of(activity="glides"))
    assert judged(seen, rule_of(when="speed > 1.5")).matches == ()


def test_a_rule_that_a_person_wrote_sets_the_score() -> None:
    rule = rule_of("keep-off", "activity == stands", source="user", text="No standing.")
    verdict = judged(seen_of(observation_of(activity="stands"), surprise=0.1), rule)
    assert verdict.score == 1.0  # words are met or not
    assert verdict.raw == pytest.approx(0.1)
    assert calibrated(verdict, LIMITS).score == 1.0


def test_a_person_calling_it_normal_excuses_it() -> None:
    normal = rule_of("bikes-ok", RIDING, kind=RuleKind.NORMAL, source="user", text="Bikes are ok.")
    seen = seen_of(rider(), surprise=4.5)
    verdict = judged(seen, rule_of(), normal)
    assert verdict.matches == ()
    # The frames surprise for ten seconds and only three of them hold the rider.
    assert verdict.raw == pytest.approx(4.5)
    assert calibrated(verdict, LIMITS).score is None
    calm = [
        p.model_copy(update={"surprise": 4.5 if 120 <= p.frame < 150 else 0.0}) for p in seen.series
    ]
    alone = judged(seen.model_copy(update={"series": tuple(calm)}), rule_of(), normal)
    assert alone.raw == 0.0
    assert calibrated(alone, LIMITS).score == 0.0


def test_an_excuse_holds_for_nobody_else() -> None:
    normal = rule_of("bikes-ok", RIDING, kind=RuleKind.NORMAL, source="user", text="Bikes are ok.")
    runner = observation_of("runner", activity="runs", speed=4.0, surprise=6.0, box=ELSEWHERE)
    verdict = judged(seen_of(rider(), runner, surprise=6.0), rule_of(), normal)
    assert [m.observation for m in verdict.matches] == ["runner"]
    assert verdict.raw == pytest.approx(6.0)


def test_an_induced_normal_rule_excuses_nobody() -> None:
    normal = rule_of("usual", "speed <= 5", kind=RuleKind.NORMAL, text="People move.")
    assert judged(seen_of(rider()), rule_of(), normal).matches != ()


NIGHT = Scope(hours=("22:00", "06:00"))


@pytest.mark.parametrize(
    "scope",
    [NIGHT, Scope(cameras=("n",)), Scope(weekdays=("sat",)), Scope(zone="a", polygon=EVERYWHERE)],
)
def test_a_persons_rule_of_a_narrower_scope_outranks_the_excuse(scope: Scope) -> None:
    fine = rule_of("fine", RIDING, kind=RuleKind.NORMAL, source="user", text="Bikes are ok.")
    never = rule_of("never", RIDING, source="user", text="No bikes there and then.")
    there = never.model_copy(update={"scope": scope})
    assert judged(seen_of(rider()), fine, never).matches == (), "in the same scope excused"
    verdict = judged(seen_of(rider(), surprise=4.5), fine, there)
    assert [m.rule for m in verdict.matches] == ["rule:never@1"]
    assert verdict.score == verdict.matches[0].strength
    assert verdict.raw == pytest.approx(4.5), "its surprise counts again"
    back = fine.model_copy(update={"id": "back", "scope": scope})
    assert judged(seen_of(rider()), fine, there, back).matches == ()
    assert judged(seen_of(rider()), never, back).matches == (), "the other way round"


def test_out_of_its_hours_an_exception_is_none() -> None:
    fine = rule_of("fine", RIDING, kind=RuleKind.NORMAL, source="user", text="Bikes are ok.")
    never = rule_of("never", RIDING, source="user").model_copy(update={"scope": NIGHT})
    by_day = RuleHit(rule=never, score=0.9, reason="", within=())
    hits = (hit_of(fine), by_day)
    verdict = EmbeddedVerifier().judge(ANOMALY, event_of(), seen_of(rider()), hits)
    assert verdict.matches == ()


def test_of_two_rules_of_people_the_narrower_test_counts() -> None:
    fine = rule_of("fine", RIDING, kind=RuleKind.NORMAL, source="user", text="Bikes are ok.")
    racing = rule_of("racing", RIDING + " and speed > 2", source="user", text="No racing.")
    assert [m.rule for m in judged(seen_of(rider()), fine, racing).matches] == ["rule:racing@1"]
    induced = rule_of("induced", RIDING + " and speed > 2")
    assert judged(seen_of(rider()), fine, induced).matches == ()


def test_what_a_question_says_goes_before_the_book() -> None:
    fine = rule_of("fine", RIDING, kind=RuleKind.NORMAL, source="user", text="Bikes are ok.")
    never = rule_of("never", RIDING, source="user").model_copy(update={"scope": NIGHT})
    asked = {"author": QUESTION}
    ignored = fine.model_copy(update=asked)
    assert judged(seen_of(rider(), surprise=4.5), ignored, never).matches == ()
    counted = rule_of("counted", RIDING, source="user").model_copy(update=asked)
    assert [m.rule for m in judged(seen_of(rider()), fine, counted).matches] == ["rule:counted@1"]


def test_claims_cite_the_observation_and_the_rule() -> None:
    verdict = judged(seen_of(rider()), rule_of())
    first, last = verdict.claims
    assert first.evidence == ("obs:rider", "rule:fast@1")
    assert first.text == "A rider glides: Something moves faster than people walk."
    assert first.checked_by == "predicate: speed > 1.5"
    assert (last.evidence, last.checked_by) == (("caption:c1",), "test/1")


def test_the_same_event_gets_the_same_verdict() -> None:
    seen = seen_of(rider(), surprise=4.0)
    assert judged(seen, rule_of()) == judged(seen, rule_of())
    assert judged(seen, rule_of()).id != judged(seen).id


# ---------------------------------------------------------------- something named


def test_what_was_asked_for_is_found_by_its_own_test() -> None:
    verdict = judged(seen_of(rider(speed=3.0)), plan=find_plan(RIDING))
    assert verdict.score == 0.75
    (match,) = verdict.matches
    assert match.rule == target_ref("riding") == "query:riding"
    assert verdict.claims[0].evidence == ("obs:rider",)


def test_scene_rules_do_not_answer_a_question_about_something_else() -> None:
    plan = find_plan("activity in {runs}", concept="running", phrase="running")
    verdict = judged(seen_of(rider(), surprise=9.0), rule_of(), plan=plan)
    assert verdict.matches == ()
    assert verdict.score is not None
    assert verdict.score < 0.5


def test_something_near_stays_below_the_threshold() -> None:
    slow, nearly = (seen_of(observation_of(activity="glides", speed=s)) for s in (0.75, 1.4999))
    assert judged(slow, plan=find_plan(RIDING)).score == pytest.approx(1 - 2**-0.5)
    assert judged(nearly, plan=find_plan(RIDING)).score == 0.49


def test_what_could_not_be_measured_is_uncertain_not_absent() -> None:
    seen = seen_of(observation_of(activity="stands"))
    verdict = judged(seen, plan=find_plan("dwell > 20", concept="loitering"))
    assert verdict.score is None
    assert verdict.reason == "dwell could not be measured here"


def test_an_empty_picture_holds_nothing() -> None:
    assert judged(seen_of(), plan=find_plan(RIDING)).score == 0.0


def test_one_who_was_measured_and_does_not_fit_decides_nothing_about_the_other() -> None:
    # A walker is known not to fit; whether the other stayed cannot be told.
    walker = observation_of("walker", dwell=1.0)
    verdict = judged(seen_of(walker, observation_of("other")), plan=find_plan("dwell > 20"))
    assert verdict.score is None or verdict.score < 0.5


# ---------------------------------------------------------------- independent questions


def test_questions_ask_for_measures_in_a_box_and_never_name_the_suspicion() -> None:
    seen = seen_of(rider(size=1.5))
    rules = [hit_of(rule_of(when="speed > 1.5 and size > 1.2 and activity == glides"))]
    questions = EmbeddedVerifier().questions(ANOMALY, event_of(), seen, rules)
    assert [q.attribute for q in questions] == ["speed", "size"]
    assert all(q.box == rider().box for q in questions)
    text = " ".join(q.text.lower() for q in questions)
    assert not any(word in text for word in ("anomal", "unusual", "rid", "bike", "1.5", "glides"))


def test_there_is_nothing_to_ask_about_a_calm_event() -> None:
    seen = seen_of(observation_of(speed=1.0))
    assert EmbeddedVerifier().questions(ANOMALY, event_of(), seen, [hit_of(rule_of())]) == ()


def test_an_answer_that_contradicts_leaves_it_open_and_says_what_it_said() -> None:
    verdict = judged(seen_of(rider()), rule_of(), answers=[answer_of("speed", 1.1)])
    assert verdict.score is None
    assert verdict.raw is None
    assert verdict.reason == (
        "asked again, the frames say speed is 1.1, which contradicts: A rider glides"
    )


def test_an_answer_that_agrees_changes_nothing() -> None:
    plain = judged(seen_of(rider()), rule_of())
    verdict = judged(seen_of(rider()), rule_of(), answers=[answer_of("speed", 2.9)])
    assert (verdict.score, verdict.raw, verdict.matches) == (plain.score, plain.raw, plain.matches)
    assert verdict.id != plain.id


def test_an_answer_about_another_place_contradicts_nothing() -> None:
    answers = [answer_of("speed", 1.1, box=ELSEWHERE)]
    assert judged(seen_of(rider()), rule_of(), answers=answers).raw is not None


def test_a_contradicted_witness_goes_and_the_others_stay() -> None:
    other = observation_of("other", activity="glides", speed=2.0, box=ELSEWHERE, text="Another")
    answers = [answer_of("speed", 1.1)]
    verdict = judged(seen_of(rider(), other), rule_of(), answers=answers)
    assert [m.observation for m in verdict.matches] == ["other"]


# ---------------------------------------------------------------- calibration of a verdict


def test_calibration_keeps_a_higher_score_and_renames_the_verdict() -> None:
    verdict = judged(seen_of(rider(), surprise=4.5), rule_of())
    scaled = calibrated(verdict, LIMITS)
    assert scaled.id != verdict.id
    stated = verdict.model_copy(update={"score": 0.99})
    assert calibrated(stated, LIMITS).score == 0.99


def test_exactly_at_the_threshold_is_an_alarm() -> None:
    at = judged(seen_of(rider(), surprise=1.0), rule_of(when="speed > 2")).model_copy(
        update={"raw": LIMITS.alarm_at}
    )
    assert calibrated(at, LIMITS).score == 0.5


# ---------------------------------------------------------------- whose suspicion it is


def test_a_suspicion_on_one_thing_is_not_charged_to_another() -> None:
    """The frames surprise where nothing matched; what did match is elsewhere and barely odd."""
    walker = observation_of("walker", speed=1.6, surprise=1.02)
    aside = Box(x0=300, y0=10, x1=320, y1=50)
    walker = walker.model_copy(
        update={"points": tuple(p.model_copy(update={"box": aside}) for p in walker.points)}
    )
    seen = seen_of(walker, surprise=8.0)
    here = Box(x0=0, y0=150, x1=40, y1=200)
    series = tuple(p.model_copy(update={"box": here}) for p in seen.series)
    raw = judged(seen.model_copy(update={"series": series}), rule_of(when="speed > 1.5"))
    assert raw.raw == pytest.approx(8.0)
    assert raw.covered is not None
    assert raw.covered < 1.5
    verdict = calibrated(raw, LIMITS)
    assert verdict.score is None
    assert "no active rule accounts for it" in verdict.reason


def test_each_match_has_its_own_strength_on_the_calibrated_scale() -> None:
    verdict = calibrated(
        judged(seen_of(rider(speed=3.0), surprise=4.5), rule_of(when="speed > 1.5")), LIMITS
    )
    (match,) = verdict.matches
    assert match.raw is not None
    assert match.strength == pytest.approx(1 - 2 ** (-match.raw / 1.5))


def test_what_cannot_be_measured_is_not_absent() -> None:
    """Two things asked for: one is measured and absent, the other cannot be told."""
    plan = EmbeddedPlanner().plan(
        "Was anyone riding or on the grass?", PlanningContext(scene="gate")
    )
    verdict = EmbeddedVerifier().judge(plan, event_of(), seen_of(observation_of(speed=1.0)), ())
    assert verdict.score is None
    assert verdict.reason == "place could not be measured here"


# ---------------------------------------------------------------- words alone


def told(text: str) -> Description:
    seen = seen_of()
    caption = seen.caption.model_copy(update={"text": text})
    return seen.model_copy(update={"caption": caption, "series": ()})


RULE_ON_RIDING = rule_of(
    "no-wheels", None, text="Riding a bicycle or scooter", source="user", version=3
)


def test_words_alone_are_judged_clause_by_clause_and_cite_the_rule() -> None:
    seen = told("Two people walk, and a third person is riding a tricycle.")
    verdict = judged(seen, RULE_ON_RIDING)
    assert verdict.score == pytest.approx(1.0)
    (match,) = verdict.matches
    assert (match.rule, match.how, match.observation) == ("rule:no-wheels@3", "lexical", "c1")
    claim = verdict.claims[0]
    assert "tricycle" in claim.text
    assert claim.evidence == ("caption:c1", "rule:no-wheels@3")


def test_words_that_break_no_rule_are_normal_and_without_rules_nothing_is_told() -> None:
    seen = told("Two people walk past a parked bicycle.")
    assert judged(seen, RULE_ON_RIDING).score == 0.0
    nothing = judged(seen)
    assert nothing.score is None
    assert "no rule" in nothing.reason


def test_a_question_about_something_named_is_put_to_the_words() -> None:
    plan = find_plan("activity in {glides}")
    verdict = judged(told("A man is riding a bicycle."), plan=plan)
    assert verdict.score == pytest.approx(1.0)
    assert verdict.matches[0].rule == target_ref("riding")
    assert verdict.claims[0].evidence == ("caption:c1",)
    assert judged(told("A man is walking."), plan=plan).score == 0.0
