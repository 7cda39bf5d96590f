"""Captions against rules in words: weights, deduction, events, choices."""

import math

import pytest

from evals.datasets.captions import CaptionRules, CaptionVideo, ChoiceItem
from evals.deduction import Deduction
from evals.figures import figures
from evals.model import Choice, Pair, Sample
from tools.decision import Label

NORMAL = ("One man walks past a tree.", "A woman stands near a tree.", "Two men walk.")
RULES = CaptionRules(
    "gate",
    normal=("Walking alone", "Trees along the street"),
    anomalous=("Riding a bicycle or scooter, skateboarding", "Abandoned luggage"),
)


@pytest.fixture
def deduction():
    return Deduction(RULES, NORMAL)


def test_weight_is_surprise_in_normal_captions(deduction):
    # "woman" stands in one of three: −log2(2/4) / log2(4).
    assert deduction.weight("woman") == pytest.approx(-math.log2(2 / 4) / math.log2(4))
    assert deduction.weight("zebra") == 1.0
    assert deduction.weight("tree") == 0.0, "a normal rule names it"


def test_a_rule_is_found_by_concept_and_cited(deduction):
    # The rule names a bicycle; the caption a skateboard: both are the concept *riding*.
    found = deduction.deduce(
        "There are two people. The first walks, the second is on a skateboard."
    )
    assert found.strength == 1.0
    assert found.rule == "rule:captions-gate-0@1"
    assert "skateboard" in found.clause
    nothing = deduction.deduce("A man walks past a tree.")
    assert (nothing.strength, nothing.rule) == (0.0, None)


def video(captions, truth=()):
    sample = Sample("v", "v", len(captions), 10.0, truth=(tuple(truth),))
    return CaptionVideo(sample, tuple(captions))


def test_a_stretch_is_flagged_with_the_rule_and_the_caption(deduction):
    clip = video(["A man walks."] * 20 + ["A man rides a bicycle."] * 20, [(20, 40)])
    made = deduction.judge(clip)
    assert made.label is Label.ANOMALOUS
    event = made.events[0]
    assert abs(event.start - 20) <= 1
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
    [("A man is riding a bicycle.", "B"), ("A man walks past a tree.", "C")],
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
    }
    verdicts = {"A": Label.ANOMALOUS, "B": Label.ANOMALOUS, "C": Label.NORMAL}
    sample = Sample("q", "q", 1, 1.0, choice=Choice(options, "A", verdicts))
    assert deduction.given("Riding scooters") == 1.0
    assert deduction.given("Animals on the loose") == 0.0
    assert deduction.given("Walking alone") == 0.0, "that is a normal rule"
    assert deduction.choose(ChoiceItem(sample, "A zebra stands there.")).chosen == "C"
    assert deduction.choose(ChoiceItem(sample, "A man is riding a bicycle.")).chosen == "A"
    none = Deduction(CaptionRules("gate", RULES.normal, ()), NORMAL)
    assert none.choose(ChoiceItem(sample, "A man is riding a bicycle.")).chosen == "C"
