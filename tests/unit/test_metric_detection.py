"""Event, space, calibration, explanation and trajectory figures, each worked out by hand."""

import sys

import numpy as np
import pytest

from evals.metrics import explanations
from evals.metrics.calibration import brier, ece, reliability, risk_coverage
from evals.metrics.curves import MetricUndefined
from evals.metrics.detection import AlarmCounts, delays, event_f1, false_alarms, match_events
from evals.metrics.explanations import (
    DoublyRight,
    agreement,
    choice_cells,
    citations,
    doubly_right,
    rouge_l,
    similarity,
)
from evals.metrics.resampling import ScoredVideo
from evals.metrics.space import Located, Region, box_iou, pointed, rbdc, tbdc
from evals.metrics.trajectory import matches, recovery, waste
from evals.model import Choice, Found, Outcome, Pair, Sample, Told, ToolCall, frame_runs
from tools.decision import Label
from tools.errors import UserError
from tools.types import Box


def video(scores, truth, name="v"):
    return ScoredVideo(name, np.array(scores, float), np.array(truth, bool))


def outcome(frames=100, **changes):
    values = {"label": Label.NORMAL} | changes
    return Outcome("s", np.zeros(frames), np.ones(frames, bool), **values)


# ---------------------------------------------------------------- events


def test_one_true_event_is_matched_once():
    # Two findings of IoU 0.5 and 0.4 with one true stretch: one match, one left over.
    made, partners = match_events([(0, 5), (6, 10)], [(0, 10)], 0.3)
    assert (made.matched, made.found, made.true) == (1, 2, 1)
    assert partners == (0.5,)
    assert made.f1 == pytest.approx(2 / 3)
    assert event_f1([([(0, 5), (6, 10)], [(0, 10)])], 0.5) == pytest.approx(2 / 3)
    assert event_f1([([(0, 5), (6, 10)], [(0, 10)])], 0.7) == 0.0


def test_the_matching_is_the_largest_not_the_greediest():
    # Found a = [0, 10) overlaps both true ones, b = [0, 4) only the first: two matches exist.
    made, _ = match_events([(0, 10), (0, 4)], [(0, 6), (6, 10)], 0.3)
    assert made.matched == 2


def test_events_without_any_stretch_have_no_f1_and_empty_ones_are_errors():
    with pytest.raises(MetricUndefined):
        event_f1([([], [])], 0.5)
    assert event_f1([([], [(0, 1)])], 0.5) == 0.0
    with pytest.raises(UserError):
        match_events([(3, 3)], [], 0.1)


def test_delay_counts_from_the_beginning_and_misses_apart():
    made = delays([([(2.0, 9.0)], [(1.0, 5.0), (20.0, 22.0)]), ([(0.0, 4.0)], [(3.0, 6.0)])])
    assert made.seconds == (1.0, 0.0)
    assert made.missed == 1
    assert made.median == 0.5
    assert made.p90 == pytest.approx(0.9)
    with pytest.raises(MetricUndefined):
        _ = delays([([], [(0.0, 1.0)])]).median


def test_false_alarms_per_hour_at_a_recall():
    # 1 frame/s. Peaks of the two true stretches: .9 and .5. For 80 % both are needed: .5.
    # At .5 one normal run (frames 0, 1) is an alarm; that touching the truth is none.
    scores = [0.6, 0.7, 0.1, 0.9, 0.2, 0.6, 0.5]
    truth = [0, 0, 0, 1, 0, 0, 1]
    made = false_alarms([video(scores, truth)], [1.0])
    assert (made.threshold, made.alarms, made.recall) == (0.5, 1, 1.0)
    assert made.per_hour == pytest.approx(3600 / 5)
    half = false_alarms([video(scores, truth)], [1.0], recall=0.5)
    assert (half.threshold, half.alarms, half.recall) == (0.9, 0, 0.5)
    with pytest.raises(MetricUndefined):
        false_alarms([video([0.1], [0])], [1.0])


# ---------------------------------------------------------------- space


def box(x0, y0, x1, y1):
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def test_box_overlap_and_pointing():
    assert box_iou(box(0, 0, 2, 2), box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_iou(box(0, 0, 1, 1), box(1, 0, 2, 1)) == 0.0
    assert pointed(box(0, 0, 4, 4), [box(2, 2, 3, 3)])
    assert not pointed(box(0, 0, 4, 4), [box(3, 3, 9, 9)])


def test_rbdc_and_tbdc_by_hand():
    # Ten frames; a track of ten boxes, of which one is found at .9; a false region at .5.
    # Regions: 1 of 10 detected at 0 false a frame. Track: 10 % of its regions suffice.
    track = {i: box(0, 0, 10, 10) for i in range(10)}
    found = [Region(0, box(0, 0, 10, 10), 0.9), Region(1, box(50, 50, 60, 60), 0.5)]
    place = Located(10, found, [track])
    assert rbdc([place]) == pytest.approx(0.1)
    assert tbdc([place]) == pytest.approx(1.0)


def test_a_false_region_before_the_true_one_costs_area():
    # One frame: false at .9 (rate 1), then true at .5. At rate 1 nothing was found before it.
    place = Located(
        1,
        [Region(0, box(50, 50, 60, 60), 0.9), Region(0, box(0, 0, 9, 9), 0.5)],
        [{0: box(0, 0, 9, 9)}],
    )
    assert rbdc([place]) == 0.0
    with pytest.raises(MetricUndefined):
        rbdc([Located(1, [], [])])


# ---------------------------------------------------------------- calibration


def test_calibration_by_hand():
    scores, truth = [0.05, 0.15, 0.95, 0.85], [False, False, True, False]
    # Bins of one each: gaps .05, .15, .05, .85.
    assert ece(scores, truth) == pytest.approx((0.05 + 0.15 + 0.05 + 0.85) / 4)
    assert brier(scores, truth) == pytest.approx((0.05**2 + 0.15**2 + 0.05**2 + 0.85**2) / 4)
    table = reliability(scores, truth)
    assert [b.count for b in table] == [1, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert table[2].mean_score is None
    assert reliability([1.0], [True])[-1].count == 1


@pytest.mark.parametrize("scores", [[1.2], [float("nan")]])
def test_scores_off_the_scale_are_errors(scores):
    with pytest.raises(UserError):
        ece(scores, [True])
    with pytest.raises(MetricUndefined):
        brier([], [])


def test_risk_coverage_by_hand():
    # Surest first: right, wrong, right; a fourth item abstained. Risks 0, 1/2, 1/3.
    made = risk_coverage([0.4, 0.3, 0.2], [False, True, False], total=4)
    assert made.points == ((0.25, 0.0), (0.5, 0.5), (0.75, pytest.approx(1 / 3)))
    assert made.area == pytest.approx((0 + 1 / 2 + 1 / 3) / 4)
    assert made.reached == 0.75
    assert made.coverage_at(0.1) == 0.25
    assert made.coverage_at(0.4) == 0.75
    # Equal confidence is accepted together.
    tied = risk_coverage([0.4, 0.4], [False, True], total=2)
    assert tied.points == ((1.0, 0.5),)
    assert tied.area == pytest.approx(0.5)
    with pytest.raises(MetricUndefined):
        risk_coverage([], [], total=3)


# ---------------------------------------------------------------- explanations


def test_doubly_right_keeps_four_cells_and_no_answer_apart():
    made = doubly_right(True, True) + doubly_right(True, False) + doubly_right(None, None)
    assert (made.rr, made.rw, made.unanswered, made.total) == (1, 1, 1, 3)
    assert made.share("rr") == pytest.approx(1 / 3)
    with pytest.raises(MetricUndefined):
        DoublyRight().share("rr")


@pytest.mark.parametrize(
    ("right", "chosen", "cell"),
    [("B", "B", "rr"), ("B", "A", "rw"), ("B", "D", "ww"), ("X", "A", "rw"), ("X", "D", "ww")],
)
def test_a_choice_is_right_in_verdict_or_in_both(right, chosen, cell):
    # D says normal; X stands for an anomaly that the caption does not mention.
    verdicts = dict.fromkeys("ABCX", Label.ANOMALOUS) | {"D": Label.NORMAL}
    sample = Sample("q", "q", 1, 1.0, choice=Choice(dict.fromkeys("ABCD", ""), right, verdicts))
    made = choice_cells(sample, outcome(1, chosen=chosen))
    assert getattr(made, cell) == made.total == 1


def test_citations_are_checked_against_truth_and_rules():
    sample = Sample("s", "s", 100, 10.0, truth=(((10, 20), (50, 60)),))
    steps = (
        Told("when", "", ("event:a",), spans=((10, 18),)),
        Told("what", "", ("obs:b",), spans=((70, 80),)),
        Told("rule", "", ("rule:r@1",), rules=("rule:r@1",)),
        Told("rule", "", ("rule:r@2",), rules=("rule:r@2",)),
        Told("limit", "", ("event:c", "obs:gone"), unresolved=("obs:gone",), spans=((0, 5),)),
    )
    flagged = (Found(10, 18, 0.9, Label.ANOMALOUS),)
    told = outcome(
        label=Label.ANOMALOUS,
        steps=steps,
        events=flagged,
        rules_known=frozenset({"rule:r@1", "rule:r@2"}),
        rules_retrieved=frozenset({"rule:r@1"}),
    )
    made = citations(Pair(sample, told))
    assert (made.times, made.times_right, made.rules, made.rules_right) == (2, 1, 2, 1)
    assert made.bad_rules == ("rule:r@2",)
    assert made.precision == pytest.approx(2 / 5)
    assert made.recall == 0.5
    with pytest.raises(MetricUndefined):
        _ = citations(Pair(sample, outcome())).precision


def test_rouge_l_by_hand():
    # Common: "a man ran" (3 of 4 said, 3 of 5 in the reference).
    assert rouge_l("A man quickly ran.", ["a tall man ran away"]) == pytest.approx(
        2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5)
    )
    assert rouge_l("nothing", ["x", "nothing"]) == 1.0
    assert rouge_l("", ["x"]) == 0.0
    with pytest.raises(MetricUndefined):
        rouge_l("x", [])


def test_rouge_l_reads_words_unstemmed_and_without_case():
    assert rouge_l("Two MEN fight!", ["two men; fight"]) == 1.0
    assert rouge_l("fighting", ["fight"]) == 0.0


def test_without_the_package_rouge_l_has_no_value_but_a_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    explanations._rouge.cache_clear()
    with pytest.raises(MetricUndefined, match=r"pip install 'vidocq\[evals\]'"):
        rouge_l("x", ["x"])
    explanations._rouge.cache_clear()


@pytest.mark.parametrize("seed", range(20))
def test_false_alarms_are_the_runs_one_would_count(seed):
    rng = np.random.default_rng(seed)
    videos = []
    for i in range(4):
        scores = np.round(rng.random(30), 1)
        truth = np.zeros(30, bool)
        for a in rng.integers(0, 30, 2):
            truth[a : a + rng.integers(1, 6)] = i > 0
        videos.append(ScoredVideo(f"v{i}", scores, truth))
    counts = AlarmCounts.of(videos, [10.0] * 4)
    for k, level in enumerate(counts.thresholds):
        for v, video in enumerate(videos):
            runs = [video.truth[a:b].any() for a, b in frame_runs(video.scores >= level)]
            assert counts.alarms[v, k] == runs.count(False)
            found = [video.scores[a:b].max() >= level for a, b in frame_runs(video.truth)]
            assert counts.found[v, k] == sum(found)


def test_similarity_takes_the_best_reference():
    vectors = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [0.6, 0.8]}

    def embed(texts):
        return np.array([vectors[t] for t in texts], np.float32)

    assert similarity("a", ["b", "c"], embed) == pytest.approx(0.6)


def test_agreement_of_a_judge():
    # 3 of 4 agree; chance: .5 · .25 + .5 · .75 = .5; kappa (.75 − .5) / .5.
    same, kappa = agreement(["y", "y", "n", "n"], ["y", "n", "n", "n"])
    assert (same, kappa) == (0.75, pytest.approx(0.5))
    with pytest.raises(MetricUndefined):
        agreement(["y"], ["y"])


# ---------------------------------------------------------------- trajectory


@pytest.mark.parametrize(
    ("called", "mode", "agrees"),
    [
        ("ab", "strict", True),
        ("ba", "strict", False),
        ("ba", "unordered", True),
        ("a", "subset", True),
        ("aa", "subset", False),
        ("abc", "superset", True),
        ("a", "superset", False),
    ],
)
def test_trajectories_against_the_expected_one(called, mode, agrees):
    assert matches(list(called), ["a", "b"], mode) is agrees


@pytest.mark.parametrize(
    ("called", "mode", "agrees"),
    [
        ("ab", "strict", True),
        ("aab", "strict", True),
        ("aabcc", "strict", True),
        ("b", "strict", False),
        ("acb", "strict", False),
        ("caab", "unordered", True),
        ("bb", "unordered", False),
        ("c", "subset", True),
        ("ab", "superset", True),
        ("cb", "superset", False),
    ],
)
def test_some_steps_may_be_repeated_or_left_out(called, mode, agrees):
    assert matches(list(called), ["a+", "b", "c*"], mode) is agrees


def test_waste_and_recovery():
    calls = (
        ToolCall("look", "h1", new_evidence=3),
        ToolCall("look", "h1", new_evidence=0),
        ToolCall("look", "h1", cached=True),
        ToolCall("ask", "h2", ok=False, invalid=True),
        ToolCall("ask", "h3", ok=False, injected=True),
        ToolCall("ask", "h3"),
    )
    made = waste(calls)
    assert (made.calls, made.invalid, made.failed) == (6, 1, 2)
    assert (made.repeated, made.redundant) == (1, 1)
    assert recovery([(calls, True), (calls[4:5], False), (calls[:1], True)]) == 0.5
    with pytest.raises(MetricUndefined):
        recovery([(calls[:1], True)])
