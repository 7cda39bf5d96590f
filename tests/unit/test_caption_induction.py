"""Rules from normal captions by vote: what is usual, what is not, and the held-out test."""

import pytest

from tools.deduction import Deducer
from tools.deduction.induction import NormalClip, induce_from_captions
from tools.types import RuleKind, RuleStatus

USUAL = (
    "There are two people. One person is walking with a bag. Other than people, there are trees.",
    "A woman is walking with a bag. Other than people, there are trees and a bench.",
    "A man is walking towards the door. Other than people, there are trees.",
)


def clips(count=6, length=9, odd=()):
    """``odd``: (clip, frame, caption) put into the usual ones."""
    made = []
    for c in range(count):
        captions = {f: USUAL[(c + f) % 3] for f in range(length)}
        captions |= {f: text for clip, f, text in odd if clip == c}
        made.append(NormalClip(f"v{c}", f"v{c}.mp4", tuple(captions.items())))
    return made


def rules_of(book, kind, status=RuleStatus.ACTIVE):
    return {r.text: r for r in book.rules if r.kind is kind and r.status is status}


def test_the_usual_is_named_abstractly_and_concretely_with_its_votes():
    normal = rules_of(induce_from_captions("gate", clips()), RuleKind.NORMAL)
    assert {"People: walk", "Present: tree"} <= normal.keys()
    concrete = normal["People: walk, as in “walking with a bag”"]
    assert (concrete.support, concrete.batches) == (5, 5)
    assert concrete.provenance[0].clip == "v0.mp4"
    assert concrete.provenance[0].frames


def test_what_is_never_said_becomes_a_rule_by_contrast():
    book = induce_from_captions("gate", clips())
    anomalous = rules_of(book, RuleKind.ANOMALOUS)
    riding = anomalous["Riding, such as on a bicycle, scooter or skateboard"]
    assert riding.support == 5
    normal = [text for clip in clips() for _, text in clip.captions]
    deducer = Deducer(book.rules, normal)
    top = deducer.deduce("A man is riding a bicycle.").top
    assert top.rule == riding
    assert top.score >= 0.5
    assert not deducer.deduce(USUAL[0]).anomalous
    assert book.false_alarm_rate == 0.0


def test_what_a_place_is_used_to_is_no_anomaly():
    bikes = [(c, f, "A man is riding a bicycle.") for c in range(6) for f in range(3)]
    book = induce_from_captions("gate", clips(odd=bikes))
    assert "People: ride" in rules_of(book, RuleKind.NORMAL)
    assert not {t for t in rules_of(book, RuleKind.ANOMALOUS) if t.startswith("Riding")}


def test_one_slip_of_the_captioner_makes_nothing_usual():
    slip = [(2, 4, "A man is riding a bicycle.")]
    book = induce_from_captions("gate", clips(odd=slip))
    assert {t for t in rules_of(book, RuleKind.ANOMALOUS) if t.startswith("Riding")}
    assert book.false_alarm_rate == pytest.approx(1 / 54)


def test_a_rule_that_held_out_clips_refute_is_retired_and_said():
    # One clip full of dogs: four batches of five never saw one, and the held-out clip refutes it.
    dogs = [(3, f, "A man is walking with a dog.") for f in range(9)]
    book = induce_from_captions("gate", clips(odd=dogs))
    assert "Animals" in rules_of(book, RuleKind.ANOMALOUS, RuleStatus.RETIRED)
    assert any("Animals" in note for note in book.notes)
    assert not Deducer(book.rules).deduce("A man is walking with a dog.").anomalous


def test_the_same_captions_give_the_same_book():
    assert induce_from_captions("gate", clips()) == induce_from_captions("gate", clips())


def test_a_single_clip_is_cut_and_cannot_be_held_out():
    book = induce_from_captions("gate", clips(1, 30))
    assert book.batches == 5
    assert book.false_alarm_rate is None


def test_no_captions_are_refused():
    with pytest.raises(ValueError, match="no captions of scene gate"):
        induce_from_captions("gate", [NormalClip("v", "v.mp4", ())])
