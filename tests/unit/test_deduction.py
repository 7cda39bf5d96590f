"""Recorded captions judged: references, events that cite, choices."""

import pytest

from evals.datasets.captions import CaptionVideo, ChoiceItem, NormalCaption
from evals.deduction import Deduction, References, given
from evals.figures import figures
from evals.model import Choice, Pair, Sample
from tools.decision import Label
from tools.types import Rule

NORMAL = tuple(
    NormalCaption(video, frame, text)
    for frame, (video, text) in enumerate(
        (
            ("01_0001", "One man walks past a tree."),
            ("01_0002", "A woman stands near a tree."),
            ("02_0001", "Two men walk."),
        )
    )
)


def rule(number, text, kind="anomalous", category="activity"):
    return Rule(
        id=f"captions-gate-{number}", scene="gate", version=1, kind=kind, category=category,
        text=text,
    )  # fmt: skip


RULES = (
    rule(0, "Riding a bicycle or scooter, skateboarding"),
    rule(1, "Abandoned luggage", category="object"),
    rule(2, "Walking alone", kind="normal"),
    rule(3, "Trees along the street", kind="normal", category="object"),
)


@pytest.fixture
def deduction():
    return Deduction(RULES, References("gate", NORMAL))


def test_a_judged_video_knows_none_of_its_own_captions():
    def known(video, which):
        return [c.caption for c in References("shanghaitech", NORMAL, which).of([video])]

    first, second, third = (c.caption for c in NORMAL)
    assert known("01_0001", "all") == [first, second, third]
    assert known("01_0001", "others") == [second, third]
    assert known("01_0001", "camera") == [second]
    assert known("02_0001", "camera") == [first, second], "no other video of that camera"


def video(captions, truth=()):
    sample = Sample("v", "v", len(captions), 10.0, truth=(tuple(truth),))
    return CaptionVideo(sample, tuple(captions))


@pytest.mark.parametrize(("smoothing", "causal"), [("two_way", False), ("ema", True)])
def test_a_stretch_is_flagged_with_the_rule_and_the_caption(smoothing, causal):
    clip = video(["A man walks."] * 20 + ["A man rides a bicycle."] * 20, [(20, 40)])
    judge = Deduction(RULES, References("gate", NORMAL), smoothing=smoothing, causal=causal)
    made = judge.judge(clip)
    assert made.label is Label.ANOMALOUS
    event = made.events[0]
    assert 20 - (not causal) <= event.start <= 24
    assert event.end == 40
    assert event.rules == ("rule:captions-gate-0@1",)
    assert [s.kind for s in made.steps] == ["when", "what", "rule"]
    figure = figures([Pair(clip.sample, made)], samples=10).metrics
    assert figure["micro_auroc"] == figure["citation_precision"] == 1.0


def test_a_normal_video_stays_normal(deduction):
    made = deduction.judge(video(["A man walks past a tree."] * 10))
    assert (made.label, made.events, made.score) == (Label.NORMAL, (), 0.0)


@pytest.mark.parametrize(
    ("caption", "chosen"),
    [
        ("A man is riding a bicycle.", "B"),
        ("A man is possibly riding a bicycle.", "B"),
        ("A man walks past a tree.", "C"),
        ("A man walks past a bag.", "C"),
    ],
)
def test_a_choice_rests_on_the_caption(deduction, caption, chosen):
    options = {
        "A": "Anomaly, since 'abandoned luggage' matches anomaly objects 'Abandoned luggage'.",
        "B": "Anomaly, since 'riding bicycle' matches anomaly activities 'Riding a bicycle'.",
        "C": "Normal, since no rules match.",
    }
    verdicts = {"A": Label.ANOMALOUS, "B": Label.ANOMALOUS, "C": Label.NORMAL}
    sample = Sample("q", "q", 1, 1.0, choice=Choice(options, "B", verdicts))
    made = deduction.choose(ChoiceItem(sample, caption))
    assert made.chosen == chosen
    assert made.label is verdicts[chosen]


def test_a_choice_must_name_a_rule_that_is_given(deduction):
    options = {
        "A": "Anomaly, since 'riding bicycle' matches anomaly activities 'Riding scooters'.",
        "B": "Anomaly, since 'zebra' matches anomaly objects 'Animals on the loose'.",
        "C": "Normal, since no rules match.",
        "D": "Anomaly, since 'riding bicycle' matches anomaly objects 'Abandoned luggage'.",
    }
    verdicts = dict.fromkeys("ABD", Label.ANOMALOUS) | {"C": Label.NORMAL}
    sample = Sample("q", "q", 1, 1.0, choice=Choice(options, "A", verdicts))
    deducer = deduction.deducer(["q"])
    assert given("Riding scooters", deducer) == 1.0
    assert given("Animals on the loose", deducer) == 0.0
    assert given("Walking alone", deducer) == 0.0, "that is a normal rule"
    assert deduction.choose(ChoiceItem(sample, "A zebra stands there.")).chosen == "C"
    assert deduction.choose(ChoiceItem(sample, "A man is riding a bicycle.")).chosen == "A"
    none = Deduction([r for r in RULES if r.kind == "normal"], References("gate", NORMAL))
    assert none.choose(ChoiceItem(sample, "A man is riding a bicycle.")).chosen == "C"
