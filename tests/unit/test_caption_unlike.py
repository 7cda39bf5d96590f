"""Clauses unlike every normal one: calibrated on the normal captions, clip by clip."""

import numpy as np
import pytest

from tools.deduction import Deducer
from tools.types import Rule, RuleCategory, RuleKind

RULE = Rule(
    id="r1", scene="gate", version=1, kind=RuleKind.ANOMALOUS, category=RuleCategory.ACTIVITY,
    text="Riding a bicycle",
)  # fmt: skip
WALKS = "A man walks past the {}. Other than people, there is a green bench."
PLACES = ("fountain", "kiosk", "statue", "gate", "mural")
NORMAL = tuple(WALKS.format(PLACES[n % 5]) for n in range(40))
CLIPS = tuple(f"clip{n // 5}" for n in range(40))


def found(caption, **more):
    return Deducer((RULE,), NORMAL, **more).deduce(caption).found


def test_a_clause_unlike_all_normal_ones_is_reported_with_the_nearest():
    top, *_ = found("Other than people, there is a rusty green boiler.", clips=CLIPS)
    assert (top.how, top.rule) == ("unlike", None)
    assert top.near == "a green bench"
    assert 0 < top.score < 0.25, "listed things count half, and novelty alone accuses nobody"


def test_the_chance_is_that_of_normal_captions_of_other_clips():
    # Forty captions, none as far away as what shares no word with them: p = 1/41.
    top, *_ = found("Other than people, there is a boiler.", clips=CLIPS)
    assert top.novelty == pytest.approx(0.5 * (1 - 2 * (1 / 41) / 0.05), abs=1e-6)
    assert not found("Other than people, there is a green bench.", clips=CLIPS)
    few = Deducer((RULE,), NORMAL[:10], clips=CLIPS[:10])
    assert not few.deduce("Other than people, there is a boiler.").found, "p is 1/11 at least"


@pytest.mark.parametrize("clips", [None, ("one",) * 40])
def test_without_two_clips_nothing_tells_how_unlike_the_normal_is(clips):
    assert not found("Other than people, there is a boiler.", clips=clips)


def test_a_sentence_model_decides_likeness_where_there_is_one():
    read: list[str] = []

    def embed(texts):
        read.extend(texts)
        bench = [("bench" in t or "seat" in t, "walk" in t, "boiler" in t) for t in texts]
        return np.array(bench, np.float32)

    deducer = Deducer((RULE,), NORMAL, clips=CLIPS, embed=embed)
    seat, boiler = "there is a wooden seat", "there is a boiler"
    verdicts = deducer.deduce_series(
        [f"Other than people, {text}." for text in (seat, boiler)], rate=1.0, causal=True
    )
    assert not verdicts[0].found, "a seat is a bench, to the model"
    assert verdicts[1].top.how == "unlike"
    assert len(read) == len(set(read)), "each clause is read once"
