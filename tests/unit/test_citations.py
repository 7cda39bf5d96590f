"""The check of explanations: right steps pass, and every kind of wrong one is refused."""

from __future__ import annotations

import pytest

from tests.builders import (
    filled_ledger,
    hit_of,
    observation_of,
    rule_of,
    scene_of,
    video_of,
)
from tools.citations import check_step
from tools.decision import Step
from tools.ledger import FinalScore, Ledger, Recall
from tools.types import Match, RuleKind, Verdict

RIDER = "o1"


def accused(rule: str, observation: str = RIDER) -> Match:
    return Match(
        rule=rule,
        kind=RuleKind.ANOMALOUS,
        observation=observation,
        strength=0.9,
        how="predicate",
    )


@pytest.fixture
def ledger() -> Ledger:
    rider = observation_of(
        RIDER, activity="glides", speed=3.247, surprise=4.1, text="A person glides 3 ways"
    )
    walker = observation_of("o2", speed=1.1)
    rule = rule_of(text="Faster than 1.5× counts, in 2 places.")
    filled = filled_ledger(rider, walker, rules=(rule, rule_of("tall", "size > 1.6")))
    filled.note(
        Verdict(
            id="j1",
            event_id="e1",
            score=0.9,
            raw=4.2,
            matches=(accused(rule.ref), accused("rule:tall@1", "o2")),
            verifier="test/1",
            reason="seen 7 x",
        )
    )
    filled.note(FinalScore(event_id="e1", verdict_id="j1", score=0.874))
    filled.note(scene_of())
    return filled


def step(text: str, *evidence: str) -> Step:
    return Step(kind="what", text=text, evidence=evidence)


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("gate.mp4: from 00:12.0 to 00:15.0.", ("video:v1", "obs:o1")),
        ("At 00:13.5 it is there.", ("frame:v1:135",)),
        ("The event runs from 0:10 to 0:20.", ("event:e1",)),
        ("Its speed is 3.25, usually 1.0, limit 1.60.", ("obs:o1",)),
        ("Its speed is 3.2 or about 3.", ("obs:o1",)),
        ("In the box x 100 to 120, y 80 to 140.", ("obs:o1",)),
        ("Frame 135 shows it for 3.0 s.", ("obs:o1",)),
        ("Rule fast@1 (4 of 5 batches agree): it moves.", ("rule:fast@1", "obs:o1")),
        ("Faster than 1.5× counts, in 2 places.", ("rule:fast@1", "obs:o2", "obs:o1")),
        ("Score 0.87.", ("score:e1", "verdict:j1")),
        ("Raw strength 4.2, and the reason was: seen 7 x.", ("verdict:j1",)),
        ("By 1 % of 40 events of 61 s, threshold 1.2.", ("scene:gate@p1",)),
        ("2 events were looked at.", ("event:e0", "event:e1")),
        ("There are 600 frames in 60 s of gate.mp4.", ("video:v1",)),
        ("A person glides 3 ways at 00:13.5.", ("obs:o1", "frame:v1:135")),
    ],
)
def test_a_step_that_says_what_its_evidence_says_passes(
    text: str, evidence: tuple[str, ...], ledger: Ledger
) -> None:
    assert check_step(step(text, *evidence), ledger) == ()


@pytest.mark.parametrize(
    ("text", "evidence", "problem"),
    [
        ("Nothing to see.", (), "cites nothing"),
        ("It rides.", ("obs:nobody",), "obs:nobody does not resolve"),
        ("It rides.", ("obs:o1", "rule:fast@2"), "rule:fast@2 does not resolve"),
        ("It rides.", ("frame:v1:600",), "frame:v1:600 does not resolve"),
        ("It rides.", ("frame:v2:3",), "frame:v2:3 does not resolve"),
        ("It rides.", ("frame:v1:-1",), "frame:v1:-1 does not resolve"),
        ("It rides.", ("nonsense",), "nonsense does not resolve"),
        ("From 00:12.0 to 00:16.0.", ("obs:o1",), "the time 00:16.0 is not in the cited evidence"),
        ("At 00:13.7 it is.", ("frame:v1:135",), "the time 00:13.7 is not in the cited evidence"),
        ("At 1:00:13.5.", ("frame:v1:135",), "the time 1:00:13.5 is not in the cited evidence"),
        ("Speed 3.30.", ("obs:o1",), "the number 3.30 is not in the cited evidence"),
        ("Speed 3.3.", ("obs:o1",), "the number 3.3 is not in the cited evidence"),
        ("Speed -3.25.", ("obs:o1",), "the number -3.25 is not in the cited evidence"),
        ("Score 0.90.", ("score:e1",), "the number 0.90 is not in the cited evidence"),
        ("5 of 5 agree.", ("rule:nobody@1", "obs:o1"), "the number 5 is not in the cited evidence"),
        ("2 % false alarms.", ("scene:gate@p1",), "the number 2 is not in the cited evidence"),
        ("3 events.", ("event:e0", "event:e1"), "the number 3 is not in the cited evidence"),
        ("1.5 counts.", ("obs:o1",), "the number 1.5 is not in the cited evidence"),
    ],
)
def test_a_step_with_something_else_is_refused(
    text: str, evidence: tuple[str, ...], problem: str, ledger: Ledger
) -> None:
    assert problem in check_step(step(text, *evidence), ledger)


def test_a_frame_no_look_has_seen_supports_no_time(ledger: Ledger) -> None:
    said = step("At 00:05.0 nobody is there.", "frame:v1:50")
    assert check_step(said, ledger) == ("the time 00:05.0 is not in the cited evidence",)


def test_the_right_number_from_the_wrong_witness_is_refused(ledger: Ledger) -> None:
    ledger.note(video_of("v2", path="yard.mp4", frames=77))
    assert check_step(step("It has 77 frames.", "video:v2"), ledger) == ()
    assert check_step(step("It has 77 frames.", "video:v1"), ledger) != ()


@pytest.mark.parametrize(
    ("rule", "witness"),
    [
        ("rule:fast@1", ()),  # nobody
        ("rule:fast@1", ("verdict:j1", "caption:c1")),  # nothing of the caption was matched
        ("rule:fast@1", ("obs:o2",)),  # somebody else
        ("rule:tall@1", ("obs:o2",)),  # a verdict says so, but nothing of it was measured
    ],
)
def test_a_rule_is_cited_only_beside_whoever_breaks_it(
    rule: str, witness: tuple[str, ...], ledger: Ledger
) -> None:
    problem = f"{rule} is broken by nothing that is cited"
    assert check_step(step("It is so.", rule, *witness), ledger) == (problem,)


def test_a_rule_of_what_is_normal_accuses_nobody(ledger: Ledger) -> None:
    walking = hit_of(rule_of("walk", "speed < 1.5", kind=RuleKind.NORMAL))
    ledger.note(Recall(event_id="e0", query="x", k=8, hits=(walking,)))
    assert check_step(step("People walk.", "rule:walk@1"), ledger) == ()


def test_every_problem_of_a_step_is_named(ledger: Ledger) -> None:
    problems = check_step(step("At 00:59.0, speed 9.9.", "obs:o1", "obs:gone"), ledger)
    assert problems == (
        "obs:gone does not resolve",
        "the time 00:59.0 is not in the cited evidence",
        "the number 9.9 is not in the cited evidence",
    )
