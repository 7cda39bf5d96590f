"""The headline of an answer and what is said once for all of it."""

from __future__ import annotations

import pytest

from graphs.answering import answer_text, headline
from graphs.camera import unjudged
from graphs.conclude import left_open
from graphs.explaining import explain
from graphs.followup import why_answer
from tests.builders import (
    event_of,
    filled_ledger,
    find_plan,
    observation_of,
    scene_of,
    seen_of,
    span,
    video_of,
)
from tools.decision import Decision, EventScore, Intent, Label
from tools.ledger import FinalScore, Ledger, Look
from tools.types import HealthEvent, HealthKind, Verdict


def thing(
    start_s: float, end_s: float, *, video_id: str = "v1", label: str = "anomalous"
) -> EventScore:
    return EventScore(
        video_id=video_id,
        event_id="e1",
        interval=span(start_s, end_s),
        label=Label(label),
        score=0.8,
        summary="person walks",
    )


def fault(start_s: float, end_s: float, kind: HealthKind = "black") -> HealthEvent:
    return HealthEvent(
        id=f"{kind}{start_s}",
        video_id="v1",
        kind=kind,
        interval=span(start_s, end_s),
        text=f"it is {kind}",
        frames=(0, 1),
    )


def decided(*events: EventScore, label: Label = Label.ANOMALOUS, **more: object) -> Decision:
    values = {
        "run_id": "run1",
        "query": "Anything unusual?",
        "intent": Intent.ANOMALY,
        "label": label,
        "score": 0.8,
        "events": events,
    }
    return Decision.model_validate(values | more)


@pytest.fixture
def ledger() -> Ledger:
    return filled_ledger(observation_of())


def test_things_at_the_same_time_are_told_as_one_stretch_with_how_many_there_are(
    ledger: Ledger,
) -> None:
    ledger.note(video_of("v2", path="clips/yard.mp4"))
    found = thing(12, 15), thing(3, 5, video_id="v2"), thing(2, 4), thing(14, 18), thing(1, 13)
    assert headline(decided(*found), ledger) == (
        "Yes, out of the ordinary (score 0.80): "
        "gate.mp4 00:01.0–00:18.0 (4 things); yard.mp4 00:03.0–00:05.0."
    )


def test_only_the_first_things_are_counted_and_the_others_are_more(ledger: Ledger) -> None:
    found = [thing(3.0 * n, 3.0 * n + 2) for n in range(7)]
    assert headline(decided(*found), ledger).endswith("00:12.0–00:14.0 and 2 more.")


def test_what_could_not_be_judged_is_told_whole(ledger: Ledger) -> None:
    """Faults of several kinds, and a look that could make out nothing at all."""
    blind = Look(
        event=event_of("e2", 20, 30), detail="fine", description=seen_of(problems=("another view",))
    )
    faults = fault(2, 6), fault(6, 11), fault(8, 9, "cut"), fault(10, 12, "frozen"), fault(40, 41)
    told = unjudged(faults, [ledger.looks["e1"], blind], ledger)
    assert told == (
        "gate.mp4 00:02.0–00:12.0, 00:20.0–00:30.0, 00:40.0–00:41.0 cannot be judged: "
        "it is black; it is frozen; another view"
    )
    assert (
        headline(decided(label=Label.UNCERTAIN, reason=told), ledger) == f"I cannot tell: {told}."
    )
    assert unjudged([fault(8, 9, "cut")], [ledger.looks["e1"]], ledger) == ""


def test_what_was_found_does_not_hide_what_could_not_be_judged(ledger: Ledger) -> None:
    told = headline(decided(thing(12, 15), health=(fault(2, 6), fault(6, 9, "frozen"))), ledger)
    assert told.endswith("gate.mp4 00:12.0–00:15.0. Not judged: gate.mp4 00:02.0–00:09.0.")


def test_all_that_remained_open_is_told(ledger: Ledger) -> None:
    events = [
        thing(a, b, label="uncertain").model_copy(update={"reason": why})
        for a, b, why in ((0, 5, "too dim"), (5, 8, "too far"), (20, 22, "too dim"))
    ]
    assert left_open(events, ledger) == (
        "gate.mp4 00:00.0–00:08.0, 00:20.0–00:22.0 remained open: too dim, and for other reasons"
    )


def test_what_the_threshold_means_is_said_once_and_last(ledger: Ledger) -> None:
    ledger.note(scene_of())
    ledger.note(Verdict(id="v", event_id="e1", score=0.8, verifier="test/1"))
    ledger.note(FinalScore(event_id="e1", verdict_id="v", score=0.8))
    decision = decided(thing(12, 13), thing(14, 15))
    steps = explain(decision, ledger)
    assert [s.text for s in steps if s.kind == "judgement"] == [
        "Score 0.80, where 0.50 is the alarm threshold."
    ] * 2
    assert steps[-1].text == (
        "The alarm threshold: at most about 1 % of normal events would reach it, judged from 40 "
        "held-out normal events (61 s); extrapolated from so few."
    )
    ledger.note(scene_of(extrapolated=False))
    assert explain(decision, ledger)[-1].text.endswith("held-out normal events (61 s).")


def test_a_moment_beside_what_was_found_was_looked_at(ledger: Ledger) -> None:
    decision = decided(thing(12, 13))
    assert why_answer(decision, ledger, 18.0) == (
        "00:18.0 of gate.mp4 was not flagged: what was found is not there then. "
        "Flagged: gate.mp4 00:12.0–00:13.0."
    )
    assert "00:05.0 of gate.mp4 was not looked at" in why_answer(decision, ledger, 5.0)


# ---------------------------------------------------------------- as the question was put


@pytest.mark.parametrize(
    ("intent", "label", "said"),
    [
        (Intent.FIND, Label.ANOMALOUS, "No, it was found (score 0.80): gate.mp4 00:12.0–00:15.0."),
        (Intent.FIND, Label.NORMAL, "Yes, nothing of the kind was found (score 0.80)."),
        (Intent.ANOMALY, Label.ANOMALOUS, "No, something was out of the ordinary (score 0.80): "),
        (Intent.ANOMALY, Label.NORMAL, "Yes, nothing was out of the ordinary (score 0.80)."),
        (Intent.CAMERA, Label.ANOMALOUS, "No, the camera was at fault: gate.mp4 00:02.0 to"),
        (Intent.CAMERA, Label.NORMAL, "Yes, no such fault of the camera was seen, but others"),
    ],
)
def test_a_question_in_the_negative_is_answered_the_other_way_round(
    ledger: Ledger, intent: Intent, label: Label, said: str
) -> None:
    events = [thing(12, 15)] if label is Label.ANOMALOUS and intent is not Intent.CAMERA else []
    more = {"intent": intent, "health": (fault(2, 6),), "faulty": ("black2",)}
    if intent is not Intent.CAMERA:
        more = {"intent": intent}
    made = decided(*events, label=label, **more)
    assert headline(made, ledger, negated=True).startswith(said)


def test_of_several_things_asked_for_each_is_told() -> None:
    rider = observation_of("o1", activity="glides", speed=2.5)
    ledger = filled_ledger(rider)
    riding, running = find_plan("speed > 1.5"), find_plan("activity in {runs}", "running", "run")
    both = riding.model_copy(update={"targets": (*riding.targets, *running.targets)})
    found = thing(12, 15).model_copy(update={"observations": ("o1",)})
    made = decided(found, intent=Intent.FIND)
    told = answer_text(made, ledger, made=both).splitlines()[0]
    assert told.endswith(
        "Of what was asked for: “riding” at gate.mp4 00:12.0–00:15.0, “run” was not found."
    )
    assert "Of what" not in answer_text(made, ledger, made=riding)
    unseen = made.model_copy(update={"not_looked_at": ("e0",)})
    assert "“run” was not found where it could be told" in answer_text(unseen, ledger, made=both)
    in_words = decided(thing(12, 15), intent=Intent.FIND)
    assert "told in words, not measured" in answer_text(in_words, ledger, made=both)
    none = decided(label=Label.NORMAL, intent=Intent.FIND)
    assert answer_text(none, ledger, made=both).endswith(" Not found: “riding”, “run”.")
