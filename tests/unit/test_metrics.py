"""Metrics against values worked out by hand."""

import numpy as np
import pytest

from evals.metrics import (
    Hits,
    LabelCounts,
    MetricUndefined,
    ScoredVideo,
    average_precision,
    bootstrap,
    boxes_overlap,
    count_labels,
    densify,
    frame_truth,
    interval_hits,
    interval_iou,
    macro_auroc,
    micro_auroc,
)
from tools.decision import Label
from tools.errors import UserError
from tools.types import Box


def video(scores, truth, name="v"):
    return ScoredVideo(name, np.array(scores, float), np.array(truth, bool))


def test_micro_auroc_counts_ordered_pairs_across_videos():
    # Abnormal .9 and .3, normal .1, .4, .3: pairs won 3 + 1 + half a tie = 4.5 of 6.
    videos = [video([0.9, 0.1], [1, 0]), video([0.3, 0.4, 0.3], [1, 0, 0])]
    assert micro_auroc(videos) == pytest.approx(4.5 / 6)


def test_no_video_is_rescaled():
    # Each video alone is perfect, but the abnormal frame of the second lies below a normal one.
    videos = [video([0.9, 0.8], [1, 0]), video([0.5, 0.1], [1, 0])]
    assert macro_auroc(videos).value == 1.0
    assert micro_auroc(videos) == pytest.approx(3 / 4)


def test_macro_auroc_says_which_videos_it_leaves_out():
    videos = [
        video([0.9, 0.1], [1, 0], "a"),
        video([0.1, 0.9], [1, 0], "b"),
        video([0.2], [0], "c"),
    ]
    result = macro_auroc(videos)
    assert (result.value, result.videos, result.skipped) == (0.5, 2, ("c",))


def test_average_precision_by_hand():
    # Ranking: hit (1/1), miss, hit (2/3): mean over the two abnormal frames.
    assert average_precision([video([0.9, 0.8, 0.7], [1, 0, 1])]) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("truth", [[0, 0], [1, 1]])
def test_one_class_has_no_auroc(truth):
    for metric in (micro_auroc, average_precision, macro_auroc):
        with pytest.raises(MetricUndefined):
            metric([video([0.1, 0.2], truth)])
    with pytest.raises(MetricUndefined, match="only 0 of 5"):
        bootstrap([video([0.1, 0.2], truth)], micro_auroc, samples=5)


def test_no_videos_is_undefined():
    with pytest.raises(MetricUndefined):
        micro_auroc([])
    with pytest.raises(MetricUndefined):
        bootstrap([], micro_auroc, samples=3)


def test_malformed_videos_are_refused():
    with pytest.raises(UserError, match=r"\(2,\) scores for \(3,\)"):
        video([0.1, 0.2], [0, 1, 1])
    with pytest.raises(UserError, match="no frames"):
        video([], [])
    with pytest.raises(UserError, match="finite"):
        video([0.1, float("nan")], [0, 1])


def test_bootstrap_is_seeded_ordered_and_counts_undefined_resamples():
    videos = [video([0.9, 0.1], [1, 0]), video([0.2, 0.6], [1, 0]), video([0.3], [0])]
    first = bootstrap(videos, micro_auroc, samples=200, seed=3)
    assert first == bootstrap(videos, micro_auroc, samples=200, seed=3)
    assert 0 <= first.low <= micro_auroc(videos) <= first.high <= 1
    # All three draws fall on the all-normal video in about 1/27 of the resamples.
    assert 0 < first.undefined < 30


def test_bootstrap_of_equal_videos_has_no_width():
    same = [video([0.9, 0.1, 0.5], [1, 0, 0])] * 4
    result = bootstrap(same, micro_auroc, samples=20)
    assert (result.low, result.high) == (1.0, 1.0)


def test_frame_truth_is_half_open_and_checked():
    assert frame_truth(5, [(1, 3)]).tolist() == [False, True, True, False, False]
    assert not frame_truth(2, []).any()
    for bad in ((3, 6), (-1, 2), (2, 2)):
        with pytest.raises(UserError):
            frame_truth(5, [bad])


def test_interval_hits_by_hand():
    hits = interval_hits([(0, 2), (5, 6), (9, 12)], [(1, 4), (6, 9)])
    # (0,2) meets (1,4); (5,6) and (9,12) only touch (6,9).
    assert hits == Hits(truths=2, hit=1, flagged=3, false=2)
    assert hits.recall == 0.5
    assert hits.precision == pytest.approx(1 / 3)
    assert (hits + interval_hits([], [(0, 1)])) == Hits(3, 1, 3, 2)


def test_nothing_to_find_and_nothing_flagged_have_no_rates():
    empty = interval_hits([], [])
    assert empty.recall is None
    assert empty.precision is None
    with pytest.raises(UserError):
        interval_hits([(2, 2)], [])


def test_interval_iou_by_hand():
    assert interval_iou([(0, 4)], [(2, 6)]) == pytest.approx(2 / 6)
    assert interval_iou([(0, 2), (1, 4)], [(0, 4)]) == 1.0
    assert interval_iou([], [(0, 1)]) == 0.0
    with pytest.raises(UserError):
        interval_iou([], [])


def test_labels_are_counted_with_failures_apart():
    counted = count_labels([Label.NORMAL, Label.ANOMALOUS, None, Label.UNCERTAIN, Label.NORMAL])
    assert counted == LabelCounts(normal=2, anomalous=1, uncertain=1, failed=1)


def test_boxes_overlap_shares_a_pixel():
    a = Box(x0=0, y0=0, x1=4, y1=4)
    assert boxes_overlap(a, Box(x0=3, y0=3, x1=9, y1=9))
    assert not boxes_overlap(a, Box(x0=4, y0=0, x1=9, y1=4))


def test_densify_interpolates_holds_ends_and_leaves_wide_gaps_unanswered():
    dense = densify(12, [1, 3, 9], [0.2, 0.4, 0.9], max_gap=2)
    assert dense.scores.tolist() == pytest.approx(
        [0.2, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9]
    )
    assert dense.answered.tolist() == [True] * 4 + [False] * 5 + [True] * 3
    assert dense.coverage == pytest.approx(7 / 12)


def test_densify_without_any_answer_is_neutral():
    dense = densify(3, [], [], max_gap=5)
    assert dense.scores.tolist() == [0.5, 0.5, 0.5]
    assert dense.coverage == 0.0


def test_densify_refuses_frames_outside_the_video():
    with pytest.raises(UserError, match="outside"):
        densify(3, [3], [0.1], max_gap=1)
    with pytest.raises(UserError, match="2 scores for 1 frames"):
        densify(3, [0], [0.1, 0.2], max_gap=1)
