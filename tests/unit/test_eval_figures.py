"""From samples and outcomes to figures: policies, controls, groups, reasons."""

import numpy as np
import pytest

from evals.datasets.recorded import plain_outcome
from evals.figures import CONTROLS, figures, measured
from evals.metrics.definitions import DEFINITIONS, definition
from evals.metrics.resampling import draws
from evals.model import Found, Outcome, Pair, Sample, ToolCall, frame_runs
from tools.decision import Cost, Label
from tools.errors import UserError
from tools.types import Box

BOX = Box(x0=10, y0=10, x1=20, y1=30)


def sample(name, spans=(), **changes):
    values = {"frames": 10, "fps": 10.0, "truth": (tuple(spans),)} | changes
    return Sample(name, name, **values)


def pair(name, scores, spans=(), changes=None, **outcome):
    made = sample(name, spans, frames=len(scores), **(changes or {}))
    values = {"label": Label.NORMAL, "score": max(scores)} | outcome
    return Pair(made, Outcome(name, np.array(scores, float), np.ones(len(scores), bool), **values))


def a_run():
    found = Found(4, 8, 0.9, Label.ANOMALOUS, box=BOX, key_frame=5)
    return [
        pair(
            "bad",
            [0.1] * 4 + [0.9] * 4 + [0.1] * 2,
            [(4, 8)],
            {"category": "fight", "kind": "cart", "boxes": {5: (BOX,)}},
            label=Label.ANOMALOUS,
            score=0.9,
            events=(found,),
            trajectory=(ToolCall("look", "h", seconds=2.0),),
            cost=Cost(looks=3, rounds=2),
            seconds=4.0,
        ),
        pair("good", [0.2] * 10, changes={"kind": "normal"}, cost=Cost(looks=1, rounds=1)),
    ]


def test_a_run_by_hand():
    made = figures(a_run(), samples=50)
    assert made.metrics["micro_auroc"] == made.metrics["event_f1_70"] == 1.0
    # Within: 4 · 6 pairs of the 4 · 16.
    assert made.metrics["auroc_within_weight"] == pytest.approx(24 / 64)
    assert made.metrics["macro_auroc_videos"] == 1
    assert made.metrics["top_box_hit"] == made.metrics["rbdc"] == 1.0
    assert made.metrics["delay_median_s"] == 0.0
    assert (made.metrics["looks"], made.metrics["rounds_mean"]) == (4, 1.5)
    # 4 s of wall clock for 2 s of video.
    assert made.metrics["wall_s_per_video_hour"] == pytest.approx(4 / (2 / 3600))
    assert made.tool_seconds == {"look": 2.0}
    assert made.by_kind["cart"]["auroc"] == 1.0
    assert made.by_kind["normal"]["auroc"] is None
    counted = {"items": 1, "anomalous": 1, "uncertain": 0, "failed": 0, "auroc": 1.0}
    # One video of two is missing from a quarter of the draws: no interval.
    assert made.by_category == {"fight": counted | {"auroc_95_low": None, "auroc_95_high": None}}


def test_every_metric_is_defined_and_every_gap_has_its_reason():
    made = figures(a_run(), samples=20)
    assert [key for key in made.metrics if definition(key) is None] == []
    for key, value in made.metrics.items():
        if value is None:
            name = key.removesuffix("_low").removesuffix("_high")
            assert made.undefined.get(name), key
    assert all(d.text and d.unit for d in DEFINITIONS.values())


def test_controls_stand_beside_the_headline():
    made = figures(a_run(), samples=20, others={"no_rules": a_run(), "shuffled_rules": "no rules"})
    assert tuple(made.controls) == CONTROLS
    # Constant .42 in the abnormal video, .2 in the other: won 4 · 10 pairs, tied 4 · 6.
    assert made.controls["video_constant"]["micro_auroc"] == pytest.approx((40 + 12) / 64)
    assert made.controls["no_rules"]["micro_auroc"] == 1.0
    assert made.controls["shuffled_rules"] == "no rules"
    assert made.controls["single_look"].startswith("not applicable")


def test_controls_have_every_figure_that_means_something_for_them():
    made = figures(many_videos(), samples=20, others={"no_rules": many_videos()})
    for name in ("random", "video_constant"):
        table = made.controls[name]
        assert {k for k, v in table.items() if v is not None} == {
            "micro_auroc",
            "macro_auroc",
            "auroc_within",
            "auroc_cross",
            "average_precision",
            "pr_trapezoid",
            "auroc_abnormal_videos",
            "false_alarms_per_hour",
        }
    # A constant score orders nothing within a video.
    assert made.controls["video_constant"]["auroc_within"] == 0.5
    again = made.controls["no_rules"]
    assert {k: again[k] for k in again} == {k: made.metrics.get(k) for k in again}
    assert again["event_f1_30"] is not None
    assert again["accuracy"] is not None


def test_single_frames_have_no_video_constant_control():
    items = [pair(n, [s], [(0, 1)] if s > 0.5 else []) for n, s in (("a", 0.9), ("b", 0.2))]
    assert figures(items, samples=5).controls["video_constant"].startswith("not applicable")


def many_videos():
    rng = np.random.default_rng(3)
    run = []
    for i in range(9):
        scores = np.round(rng.random(40), 2)
        spans = [(5, 12), (20, 30)] if i % 3 else []
        scores[5:9] += 0.3 * bool(spans)
        scores = np.clip(scores, 0, 1)
        events = tuple(
            Found(int(a), int(a) + 6, float(scores[a]), Label.ANOMALOUS, box=BOX, key_frame=int(a))
            for a in rng.integers(0, 34, 2)
        )
        boxes = {f: (BOX,) for a, b in spans for f in range(a, b)}
        run.append(
            pair(
                f"v{i}",
                scores,
                spans,
                {"boxes": boxes},
                label=Label.ANOMALOUS if i % 2 else Label.NORMAL,
                score=float(np.round(rng.random(), 1)),
                events=events,
                cost=Cost(rounds=i),
            )
        )
    return run


def test_intervals_are_those_of_figures_made_anew_of_every_draw():
    run, samples = many_videos(), 40
    made = figures(run, samples=samples, seed=2)
    drawn = draws(len(run), samples=samples, seed=2)
    anew = [
        measured([p for p, n in zip(run, row, strict=True) for _ in range(n)]).metrics
        for row in drawn
    ]
    keys = {k.removesuffix("_95_low") for k in made.metrics if k.endswith("_95_low")}
    checked = set()
    for key in keys:
        if made.metrics[f"{key}_95_low"] is None:
            assert made.undefined[f"{key}_95"]
            continue
        values = [m[key] for m in anew if m[key] is not None]
        low, high = np.percentile(values, [2.5, 97.5])
        # A video drawn twice is two videos when made anew, and one counted twice in the draw: pairs
        # of its two copies are cross pairs there and within pairs here.
        near = 0.06 if key in {"auroc_within", "auroc_cross", "auroc_within_weight"} else 2e-5
        assert made.metrics[f"{key}_95_low"] == pytest.approx(low, abs=near, rel=1e-6), key
        assert made.metrics[f"{key}_95_high"] == pytest.approx(high, abs=near, rel=1e-6), key
        checked.add(key)
    assert checked >= {
        "micro_auroc",
        "macro_auroc",
        "average_precision",
        "pr_trapezoid",
        "auroc_abnormal_videos",
        "event_f1_10",
        "event_mean_iou",
        "interval_recall",
        "flagged_precision",
        "false_alarms_per_hour",
        "delay_median_s",
        "delay_p90_s",
        "top_box_hit",
        "rbdc",
        "tbdc",
        "accuracy",
        "ece",
        "brier",
        "frame_ece",
        "frame_brier",
        "aurc",
        "coverage_at_risk_10",
        "rounds_mean",
    }


def test_one_video_has_no_interval():
    made = figures(a_run()[:1], samples=10)
    assert made.metrics["micro_auroc"] == 1.0
    assert made.metrics["micro_auroc_95_low"] is None
    assert made.undefined["micro_auroc_95"] == "one item cannot be resampled"


def test_figures_are_the_same_every_time():
    assert figures(a_run(), samples=30).as_dict() == figures(a_run(), samples=30).as_dict()


def test_nothing_is_filled_in_where_there_is_nothing():
    made = figures([], samples=10)
    assert made.metrics["items"] == 0
    assert made.metrics["micro_auroc"] is None
    assert made.undefined["micro_auroc"] == "no videos"
    assert made.metrics["coverage"] is None


def test_all_normal_videos_have_no_auroc():
    made = figures([pair("a", [0.1, 0.2]), pair("b", [0.3, 0.1])], samples=10)
    assert made.metrics["micro_auroc"] is None
    assert "normal" in made.undefined["micro_auroc"]
    assert made.metrics["average_precision_95_low"] is None


def test_an_unlabelled_item_is_counted_but_enters_no_figure_of_truth():
    free = Pair(
        Sample("free", "free", 10, 10.0),
        Outcome("free", np.full(10, 0.99), np.ones(10, bool), label=Label.ANOMALOUS),
    )
    made = figures([*a_run(), free], samples=20)
    assert (made.metrics["items"], made.metrics["frames"]) == (3, 20)
    assert made.metrics["micro_auroc"] == 1.0


def test_failures_and_abstention_are_counted_never_guessed():
    lost = Pair(
        sample("lost", [(0, 5)]),
        Outcome("lost", np.full(10, 0.5), np.zeros(10, bool), failure="cannot be read"),
    )
    unsure = pair("unsure", [0.5] * 10, label=Label.UNCERTAIN, score=None, uncertain="dark")
    made = figures([*a_run(), lost, unsure], samples=20)
    assert (made.metrics["failed"], made.metrics["uncertain"]) == (1, 1)
    assert made.metrics["coverage"] == pytest.approx(30 / 40)
    assert made.metrics["coverage_at_risk_10"] == 0.5


def test_scores_alone_flag_nothing_and_cost_nothing():
    one = sample("a", [(0, 5)])
    made = figures([Pair(one, plain_outcome(one, np.linspace(1, 0, 10)))], samples=10)
    assert made.metrics["micro_auroc"] == 1.0
    for key in ("event_f1_50", "wall_seconds", "tool_calls", "citation_recall"):
        assert made.metrics[key] is None
        assert "frame scores only" in made.undefined[key]


def test_several_annotators_vote():
    both = sample("a", truth=(((0, 6),), ((4, 8),), ((4, 6),)))
    assert both.spans == ((4, 6),)
    assert both.votes.tolist() == pytest.approx([1 / 3] * 4 + [1] * 2 + [1 / 3] * 2 + [0] * 2)
    made = figures([Pair(both, plain_outcome(both, both.votes))], samples=10)
    assert made.metrics["prob_auc"] is not None
    assert figures(a_run(), samples=10).metrics["prob_auc"] is None


def test_overlapping_stretches_of_one_annotator_count_once():
    assert sample("a", [(0, 5), (3, 7)]).spans == ((0, 7),)


def test_rounds_show_what_iteration_bought():
    first, last = np.array([0.5, 0.5, 0.4, 0.4]), np.array([0.9, 0.1, 0.1, 0.1])
    one = sample("a", [(0, 1)], frames=4)
    made = figures(
        [Pair(one, Outcome("a", last, np.ones(4, bool), label=Label.NORMAL, rounds=(first, last)))],
        samples=10,
    )
    assert [r["micro_auroc"] for r in made.rounds] == [pytest.approx(2.5 / 3, abs=1e-6), 1.0]


def test_truncated_recordings_are_reported_apart():
    run = a_run()
    short = pair("short", [0.1] * 5 + [0.9] * 5, [(5, 10)], {"complete": False})
    made = figures([*run, short], samples=10)
    rows = {name: (r["items"], r["auroc"]) for name, r in made.by_completeness.items()}
    assert rows == {"complete": (2, 1.0), "truncated": (1, 1.0)}


@pytest.mark.parametrize("span", [(5, 11), (5, 5), (-1, 3)])
def test_an_interval_that_does_not_fit_is_an_error(span):
    with pytest.raises(UserError, match="does not fit"):
        sample("a", [span])


def test_scores_of_another_length_are_an_error():
    bad = Pair(sample("a", [(0, 5)]), plain_outcome(sample("a", frames=9), np.zeros(9)))
    bad = Pair(bad.sample, Outcome("a", np.zeros(9), np.ones(9, bool), label=Label.NORMAL))
    with pytest.raises(UserError, match="9 scores for 10 frames"):
        figures([bad])


def test_an_outcome_is_a_label_or_a_failure_and_finite():
    with pytest.raises(UserError, match="either"):
        Outcome("a", np.zeros(2), np.ones(2, bool))
    with pytest.raises(UserError, match="finite"):
        Outcome("a", np.array([0.1, np.nan]), np.ones(2, bool), label=Label.NORMAL)


def test_runs_of_a_mask():
    assert frame_runs([True, False, True, True]) == ((0, 1), (2, 4))
    assert frame_runs([]) == ()
