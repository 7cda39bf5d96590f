"""From verdicts to what happened: which stand, whose strength is whose, scores over time."""

from __future__ import annotations

import pytest

from graphs.episodes import episodes
from graphs.standing import standing
from graphs.timelines import timeline
from tests.builders import event_of, filled_ledger, find_plan, observation_of, rule_of, seen_of
from tools.decision import Intent, Label, Plan
from tools.ledger import Ledger, Look, Segmentation
from tools.scoring import Thresholds, score_of
from tools.types import Box, EventTree, Level, Match, RuleKind, Verdict

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
