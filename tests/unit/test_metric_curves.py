"""Ranking figures: by hand, against scikit-learn, and on inputs that have no value."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from evals.metrics.curves import MetricUndefined, curve
from evals.metrics.frames import (
    abnormal_only,
    decomposition,
    distinct_scores,
    latency_aware_ap,
    pr_trapezoid,
    probabilistic_curve,
    scaled_per_video,
)
from evals.metrics.resampling import (
    Histograms,
    PairCounts,
    ScoredVideo,
    bootstrap,
    draws,
    interval_of,
)
from tools.errors import UserError


def video(scores, truth, name="v"):
    return ScoredVideo(name, np.array(scores, float), np.array(truth, bool))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    # Few distinct values make ties, floats make none.
    scores=st.one_of(
        st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9]), min_size=2, max_size=60),
        st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60),
    ),
    data=st.data(),
)
def test_agrees_with_scikit_learn(scores, data):
    truth = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    assume(any(truth) and not all(truth))
    made = curve(np.array(scores), np.array(truth))
    assert made.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert made.average_precision == pytest.approx(
        average_precision_score(truth, scores), abs=1e-12
    )
    precision, recall, _ = precision_recall_curve(truth, scores)
    assert made.pr_trapezoid == pytest.approx(auc(recall, precision), abs=1e-12)


def test_the_two_areas_under_precision_and_recall_differ():
    # Ranked: abnormal, normal, abnormal. Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.
    made = curve(np.array([0.9, 0.5, 0.1]), np.array([1, 0, 1]))
    assert made.average_precision == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    # Trapezoids: (0, 1)-(1/2, 1) gives 1/2; (1/2, 1/2)-(1, 2/3) gives 1/2 · 7/12.
    assert made.pr_trapezoid == pytest.approx(1 / 2 + 7 / 24)
    assert pr_trapezoid([video([0.9, 0.5, 0.1], [1, 0, 1])]) == pytest.approx(19 / 24)


@pytest.mark.parametrize(
    ("scores", "truth", "why"),
    [
        ([], [], "no frames"),
        ([0.1, 0.2], [1, 1], "all 2 frames are abnormal"),
        ([0.1, 0.2], [0, 0], "all 2 frames are normal"),
    ],
)
def test_one_class_has_no_value(scores, truth, why):
    with pytest.raises(MetricUndefined, match=why):
        curve(np.array(scores), np.array(truth))


@pytest.mark.parametrize(("scores", "truth"), [([0.1, np.nan], [0, 1]), ([0.1], [0, 1])])
def test_unusable_arrays_are_errors(scores, truth):
    with pytest.raises(UserError):
        curve(np.array(scores), np.array(truth))


def test_decomposition_by_hand():
    # Within a: .9 > .1 is won. Within b: .3 < .4 is lost. Across: .9 > .4 is won, .3 > .1 is won.
    videos = [video([0.9, 0.1], [1, 0], "a"), video([0.3, 0.4], [1, 0], "b")]
    made = decomposition(videos)
    assert (made.micro, made.within, made.cross, made.weight) == (0.75, 0.5, 1.0, 0.5)
    assert made.micro == made.weight * made.within + (1 - made.weight) * made.cross


def test_decomposition_without_pairs_across_or_of_one_class():
    alone = decomposition([video([0.9, 0.1], [1, 0])])
    assert (alone.within, alone.cross, alone.weight) == (1.0, None, 1.0)
    with pytest.raises(MetricUndefined):
        decomposition([video([0.9, 0.1], [0, 0])])


def test_pair_counts_are_exact_over_block_edges():
    rng = np.random.default_rng(1)
    videos = [
        video(np.round(rng.random(5000), 4), rng.random(5000) < 0.3, str(i)) for i in range(3)
    ]
    counts = PairCounts.of(videos)
    joined = np.concatenate([v.scores for v in videos])
    truth = np.concatenate([v.truth for v in videos])
    once = np.ones((1, 3), int)
    assert counts.micro(once)[0] == pytest.approx(roc_auc_score(truth, joined), abs=1e-12)
    assert counts.macro(once)[0] == pytest.approx(
        np.mean([roc_auc_score(v.truth, v.scores) for v in videos]), abs=1e-12
    )


def test_fast_bootstrap_equals_the_plain_one():
    rng = np.random.default_rng(2)
    videos = [video(np.round(rng.random(30), 1), rng.random(30) < 0.4, str(i)) for i in range(6)]
    drawn = draws(6, samples=50, seed=3)
    assert (drawn.sum(1) == 6).all()

    def joined(metric):
        return lambda some: metric(
            np.concatenate([v.truth for v in some]), np.concatenate([v.scores for v in some])
        )

    for fast, metric in (
        (PairCounts.of(videos).micro, roc_auc_score),
        (Histograms.of(videos).average_precision, average_precision_score),
    ):
        plain = bootstrap(videos, joined(metric), samples=50, seed=3)
        made = interval_of(fast(drawn))
        assert (made.low, made.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


def test_resamples_of_one_class_are_counted_and_left_out():
    videos = [video([0.9, 0.8], [1, 1], f"a{i}") for i in range(3)]
    videos += [video([0.1, 0.2], [0, 0], f"b{i}") for i in range(3)]
    made = interval_of(PairCounts.of(videos).micro(draws(6, samples=200, seed=0)))
    assert 0 < made.undefined < 40
    assert made.low == made.high == 1.0
    with pytest.raises(MetricUndefined, match="only 0 of 1 resamples"):
        interval_of([float("nan")])


def test_a_figure_missing_from_too_many_resamples_has_no_interval():
    assert interval_of([1.0] * 8 + [float("nan")] * 2).undefined == 2
    with pytest.raises(MetricUndefined, match="only 7 of 10"):
        interval_of([1.0] * 7 + [float("nan")] * 3)


def test_scaling_per_video_hides_what_videos_say_of_each_other():
    videos = [video([0.9, 0.8], [1, 0]), video([0.5, 0.1], [1, 0])]
    assert decomposition(videos).micro == 0.75
    assert decomposition(scaled_per_video(videos)).micro == 1.0
    flat = scaled_per_video([video([0.7, 0.7], [1, 0])])
    assert flat[0].scores.tolist() == [0.0, 0.0]


def test_abnormal_videos_and_distinct_scores():
    videos = [video([0.9, 0.1], [1, 0], "a"), video([0.1, 0.2], [0, 0], "b")]
    assert [v.name for v in abnormal_only(videos)] == ["a"]
    assert distinct_scores(videos) == 3


def test_votes_weigh_a_frame_on_both_sides():
    # .8 voted 1, .5 voted 1/2, .2 voted 0. Abnormal weight 1.5, normal 1.5. Pairs won:
    # .8 over .5's half and .2: 1 · 1.5; .5's half over itself: a tie, .5 · .5 / 2; over .2: .5.
    made = probabilistic_curve([np.array([0.8, 0.5, 0.2])], [np.array([1.0, 0.5, 0.0])])
    assert made.auroc == pytest.approx((1.5 + 0.125 + 0.5) / 2.25)
    # Recall 2/3 at precision 1, then 1 at precision .75.
    assert made.average_precision == pytest.approx(2 / 3 + 1 / 3 * 0.75)
    with pytest.raises(UserError, match="votes"):
        probabilistic_curve([np.array([0.5])], [np.array([1.5])])


def test_latency_halves_a_late_detection():
    # One stretch of frames 1 and 2 at 1 frame/s, half-life 1 s. At .9 its second frame is flagged,
    # one second late: worth 1/2 at precision 1. At .6 its first: worth 1, again at precision 1.
    late = video([0.1, 0.6, 0.9], [0, 1, 1])
    assert latency_aware_ap([late], [1.0], half_life_s=1.0) == pytest.approx(1.0)
    # With a normal frame between, the other half comes at precision 2/3.
    noisy = video([0.7, 0.6, 0.9], [0, 1, 1])
    assert latency_aware_ap([noisy], [1.0], half_life_s=1.0) == pytest.approx(0.5 + 0.5 * 2 / 3)
    with pytest.raises(UserError):
        latency_aware_ap([late], [1.0], half_life_s=0.0)
