"""From verdicts to what happened: which stand, whose strength is whose, scores over time."""

from __future__ import annotations

import pytest

from graphs.episodes import episodes
from graphs.explaining import episode_steps
from graphs.standing import standing
from graphs.timelines import timeline
from tests.builders import event_of, filled_ledger, find_plan, observation_of, rule_of, seen_of
from tools.citations import check_step
from tools.decision import Decision, Intent, Label, Plan, Step
from tools.ledger import Ledger, Look, Segmentation
from tools.scoring import Thresholds, score_of
from tools.types import (
    Box,
    Caption,
    Clause,
    EventTree,
    Level,
    Match,
    Observation,
    RuleKind,
    Verdict,
)

LIMITS = Thresholds(normal_below=0.8, alarm_at=1.0, false_alarm_rate=0.01, extrapolated=False)
ANOMALY = Plan(query="Anything unusual?", intent=Intent.ANOMALY)
AWAY = Box(x0=300, y0=10, x1=320, y1=50)


def matched(rule: str, observation: str, raw: float) -> Match:
    return Match(
        rule=rule,
        kind=RuleKind.ANOMALOUS,
        observation=observation,
        strength=score_of(raw, LIMITS),
        how="predicate",
        raw=raw,
    )


def judged(ledger: Ledger, raw: float, *matches: Match, event: str = "e1") -> None:
    ledger.note(
        Verdict(
            id=f"v-{event}",
            event_id=event,
            score=score_of(raw, LIMITS),
            raw=raw,
            covered=raw,
            matches=matches,
            verifier="test/1",
        )
    )


@pytest.fixture
def ledger() -> Ledger:
    """A rider from 12 to 15 s, and a tall walker from 17.5 to 19 s who breaks a rule only just."""
    rider = observation_of("rider", activity="glides", speed=4.0, surprise=4.0)
    tall = observation_of("tall", start_s=17.5, end_s=19.0, size=1.7, surprise=1.1, box=AWAY)
    rules = (rule_of("fast", "speed > 1.5"), rule_of("size", "size > 1.6"))
    made = filled_ledger(rider, tall, rules=rules)
    judged(made, 4.0, matched(rules[0].ref, "rider", 4.0), matched(rules[1].ref, "tall", 1.1))
    return made


def test_each_culprit_has_its_own_score(ledger: Ledger) -> None:
    items = standing(ledger)
    found = episodes(ledger, items, [i.verdict.score for i in items], LIMITS)
    scores = {e.observations[0]: e.score for e in found if e.label is Label.ANOMALOUS}
    assert scores == {
        "rider": pytest.approx(score_of(4.0, LIMITS)),
        "tall": pytest.approx(score_of(1.1, LIMITS)),
    }


def steps_of(ledger: Ledger) -> list[Step]:
    """The chain of the first thing found."""
    items = standing(ledger)
    found = episodes(ledger, items, [i.verdict.score for i in items], LIMITS)
    decision = Decision(
        run_id="run1",
        query="Anything unusual?",
        intent=Intent.ANOMALY,
        label=Label.ANOMALOUS,
        score=found[0].score,
        events=found,
    )
    return episode_steps(found[0], decision, ledger)


def test_nobody_is_charged_with_what_another_sighting_of_the_same_thing_did() -> None:
    """A rider, tall before: they are one thing, but each breaks a rule of its own."""
    tall = observation_of("tall", start_s=10.5, end_s=11.9, size=1.7, surprise=3.0)
    rider = observation_of("rider", activity="glides", speed=4.0, surprise=4.0)
    rules = (rule_of("fast", "speed > 1.5"), rule_of("size", "size > 1.6"))
    ledger = filled_ledger(tall, rider, rules=rules)
    judged(ledger, 4.0, matched(rules[0].ref, "rider", 4.0), matched(rules[1].ref, "tall", 3.0))
    items = standing(ledger)
    (found,) = episodes(ledger, items, [i.verdict.score for i in items], LIMITS)
    assert (found.summary, found.rules) == (rider.text, (rules[0].ref,))
    assert found.observations == ("tall", "rider")
    steps = steps_of(ledger)
    assert all(check_step(step, ledger) == () for step in steps)
    told = [(s.kind, s.evidence[0], s.evidence[-1]) for s in steps if s.kind in {"what", "rule"}]
    assert told == [
        ("what", "obs:rider", "frame:v1:135"),
        ("rule", rules[0].ref, "obs:rider"),
        ("what", "obs:tall", "frame:v1:112"),
        ("rule", rules[1].ref, "obs:tall"),
    ]
    assert steps[3].text.endswith("Here: speed 4.00 × usual walking speed.")
    assert steps[5].text.startswith("Taken for the same thing: person walks.")


def test_who_was_elsewhere_at_the_same_time_is_not_taken_for_the_same_thing() -> None:
    """A walker leads to a rider and, beside him, to someone tall: one chain, but two people."""
    beside = Box(x0=160, y0=80, x1=180, y1=140)
    walker = observation_of("walker", start_s=10.5, end_s=11.9, speed=2.0, surprise=2.0)
    rider = observation_of("rider", activity="glides", speed=4.0, surprise=4.0)
    tall = observation_of("tall", size=1.7, surprise=3.0, box=beside)
    rules = (rule_of("fast", "speed > 1.5"), rule_of("size", "size > 1.6"))
    ledger = filled_ledger(walker, rider, tall, rules=rules)
    judged(
        ledger,
        4.0,
        *(matched(rules[0].ref, o, raw) for o, raw in (("walker", 2.0), ("rider", 4.0))),
        matched(rules[1].ref, "tall", 3.0),
    )
    steps = steps_of(ledger)
    assert "joined from 3 sightings" in steps[0].text
    assert [s.evidence for s in steps if s.kind == "rule"] == [(rules[0].ref, "obs:rider")]


def split(first: float, second: float, *observations: Observation) -> Ledger:
    """Two fine events of e1, to 15 s and from then on, with a look each and these raw strengths."""
    ledger = filled_ledger(*observations, rules=(rule_of("fast", "speed > 1.5"),))
    whole = ledger.looks["e1"].description
    ends = ((10.0, 15.0, first), (15.0, 20.0, second))
    fine = [
        event_of(f"f{n}", a, b, level=Level.FINE, parent="e1") for n, (a, b, _) in enumerate(ends)
    ]
    tree = EventTree(video_id="v1", events=(event_of(), *fine))
    ledger.note(Segmentation(tree=tree, detector="test/1"))
    judged(
        ledger,
        max(first, second),
        *(matched("rule:fast@1", o.id, 4.0) for o in observations if o.surprise),
    )
    for event, (_, _, raw) in zip(fine, ends, strict=True):
        seen = [o for o in whole.observations if o.interval.intersection(event.interval)]
        parts = [
            o.model_copy(
                update={
                    "id": f"{o.id}-{event.id}",
                    "interval": o.interval.intersection(event.interval),
                    "points": tuple(p for p in o.points if event.interval.contains(p.pts)),
                }
            )
            for o in seen
        ]
        caption = Caption(
            id=f"c-{event.id}",
            video_id="v1",
            interval=event.interval,
            text="; ".join(o.text for o in parts),
            clauses=tuple(Clause(text=o.text, observations=(o.id,)) for o in parts),
            captioner="test/1",
        )
        series = tuple(p for p in whole.series if event.interval.contains(p.pts))
        description = whole.model_copy(
            update={"caption": caption, "observations": tuple(parts), "series": series}
        )
        ledger.note(Look(event=event, detail="fine", description=description))
        matches = [matched("rule:fast@1", o.id, raw) for o in parts if o.surprise]
        judged(ledger, raw, *matches, event=event.id)
    return ledger


def test_what_an_episode_covers_is_not_called_normal_and_the_rest_accuses_nobody() -> None:
    """A rider from 12 to 19 s stays below the threshold in the look at the first half."""
    rider = observation_of("rider", start_s=12.0, end_s=19.0, speed=4.0, surprise=4.0, text="rides")
    away = observation_of("away", start_s=10.0, end_s=10.8, box=AWAY, text="a walker")
    ledger = split(0.5, 4.0, rider, away)
    items = standing(ledger)
    found = episodes(ledger, items, [i.verdict.score for i in items], LIMITS)
    assert [(e.label, e.interval.start_s, e.interval.end_s, e.summary) for e in found] == [
        (Label.ANOMALOUS, 12.0, 19.0, "rides"),
        (Label.NORMAL, 10.0, 12.0, "a walker"),
    ]
    assert found[1].rules == ()
    assert (found[1].key_frame, found[1].box) == (away.key_frame, AWAY)


def test_a_normal_event_names_no_rule_that_something_only_just_fails() -> None:
    rider = observation_of("rider", speed=1.6, surprise=0.5)
    ledger = split(0.5, 0.1, rider)
    items = standing(ledger)
    found = episodes(ledger, items, [i.verdict.score for i in items], LIMITS)
    assert [(e.label, e.rules) for e in found] == [(Label.NORMAL, ())] * 2


def test_a_match_adds_to_the_timeline_what_it_tests_besides_motion(ledger: Ledger) -> None:
    line = timeline(
        ledger,
        "v1",
        ANOMALY,
        LIMITS,
        smoothing="none",
        width_s=1.0,
    )
    assert line is not None
    late = [s for t, s in zip(line.seconds, line.scores, strict=True) if 17.5 <= t < 19.0]
    assert late
    assert max(late) == pytest.approx(score_of(1.7 / 1.6, LIMITS), abs=1e-6)


def test_what_was_asked_for_counts_while_it_is_there_also_where_it_was_lost() -> None:
    rider = observation_of("rider", activity="glides", speed=4.0)
    rider = rider.model_copy(update={"points": rider.points[::5]})
    ledger = filled_ledger(rider)
    strength = 0.8
    match = matched("query:riding", "rider", 1.0).model_copy(
        update={"raw": None, "strength": strength}
    )
    ledger.note(Verdict(id="v", event_id="e1", score=strength, matches=(match,), verifier="test/1"))
    line = timeline(
        ledger,
        "v1",
        find_plan("speed > 1.5"),
        LIMITS,
        smoothing="none",
        width_s=1.0,
    )
    assert line is not None
    there = {s for t, s in zip(line.seconds, line.scores, strict=True) if 12.0 <= t < 15.0}
    before = {s for t, s in zip(line.seconds, line.scores, strict=True) if t < 12.0}
    assert (there, before) == ({strength}, {0.0})


def test_a_fine_verdict_stands_before_its_siblings_have_one(ledger: Ledger) -> None:
    coarse = event_of()
    fine = [
        event_of(f"f{n}", 10.0 + 5 * n, 15.0 + 5 * n, level=Level.FINE, parent="e1")
        for n in range(2)
    ]
    tree = EventTree(video_id="v1", events=(coarse, *fine))
    ledger.note(Segmentation(tree=tree, detector="test/1"))
    ledger.note(Look(event=fine[0], detail="fine", description=seen_of(end_s=15.0)))
    judged(ledger, 2.0, event="f0")
    assert [s.look.event.id for s in standing(ledger)] == ["e1", "f0"]
    ledger.note(Look(event=fine[1], detail="fine", description=seen_of(start_s=15.0)))
    judged(ledger, 0.1, event="f1")
    assert [s.look.event.id for s in standing(ledger)] == ["f0", "f1"]
