"""What every figure in ``results.json`` means: its unit, its definition, its source."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFINITIONS", "Definition", "definition"]


@dataclass(frozen=True)
class Definition:
    """``group`` is the heading under which a page lists it; ``better`` says which way is up."""

    group: str
    unit: str
    text: str
    source: str = ""
    better: str = "higher"


def _of(group: str, *rows: tuple[str, str, str, str, str]) -> dict[str, Definition]:
    return {
        key: Definition(group, unit, text, source, better)
        for key, unit, text, source, better in rows
    }


_HM = "Hanley & McNeil 1982"
_LIU = "after Liu et al. 2025 (Rethinking Metrics and Benchmarks of Video Anomaly Detection)"
_RJ = "Ramachandra & Jones 2020 (Street Scene)"
_MAO = "Mao et al. 2023 (Doubly Right Object Recognition)"

DEFINITIONS: dict[str, Definition] = {
    **_of(
        "Frames",
        ("frames", "frames", "Labelled frames scored.", "", ""),
        ("coverage", "share", "Frames near enough to something looked at.", "", "higher"),
        (
            "micro_auroc",
            "0–1",
            "Area under the ROC curve over the frames of all videos together, no scaling.",
            _HM,
            "higher",
        ),
        (
            "macro_auroc",
            "0–1",
            "Mean AUROC of the videos that hold both classes; a video of one class has none and is "
            "left out.",
            "",
            "higher",
        ),
        ("macro_auroc_videos", "videos", "Videos that macro_auroc is the mean of.", "", ""),
        (
            "auroc_within",
            "0–1",
            "Share of rightly ordered pairs (abnormal, normal frame) within one video, ties half.",
            "",
            "higher",
        ),
        ("auroc_cross", "0–1", "The same for pairs of frames of two videos.", "", "higher"),
        (
            "auroc_within_weight",
            "share",
            "w in micro = w · within + (1 − w) · cross: share of pairs within one video.",
            "",
            "",
        ),
        (
            "average_precision",
            "0–1",
            "Σ recall step × precision, without interpolation.",
            "as scikit-learn's average_precision_score",
            "higher",
        ),
        (
            "pr_trapezoid",
            "0–1",
            "Area under straight lines between precision–recall points; some papers call it AP.",
            "Davis & Goadrich 2006 on why it is too optimistic",
            "higher",
        ),
        (
            "auroc_abnormal_videos",
            "0–1",
            "Micro AUROC over the videos with an anomaly only: when, not which video.",
            "",
            "higher",
        ),
        (
            "per_video_scaled_auroc",
            "0–1",
            "Micro AUROC after scaling each video to its own [0, 1]. Inflated; for comparison with "
            "papers that do it, never the headline.",
            "",
            "",
        ),
        ("distinct_scores", "values", "Number of distinct scores over all frames.", "", "higher"),
        (
            "prob_auc",
            "0–1",
            "AUROC in which a frame that a share p of annotators call abnormal weighs p among the "
            "abnormal and 1 − p among the normal. Needs a sample with several annotators.",
            _LIU,
            "higher",
        ),
        ("prob_ap", "0–1", "Average precision with the weights of prob_auc.", _LIU, "higher"),
        (
            "latency_aware_ap",
            "0–1",
            "Average precision in which a stretch first flagged d seconds late is worth "
            "2^(−d / 2 s); 2 s is the half-life used.",
            _LIU,
            "higher",
        ),
    ),
    **_of(
        "Events",
        *(
            (
                f"event_f1_{p}",
                "0–1",
                f"F1 of flagged against true stretches, matched one to one at temporal "
                f"IoU ≥ 0.{p // 10}.",
                "",
                "higher",
            )
            for p in (10, 20, 30, 50, 70)
        ),
        (
            "event_mean_iou",
            "0–1",
            "Mean temporal IoU of the true stretches with their partner in the best one-to-one "
            "matching, 0 where there is none.",
            "",
            "higher",
        ),
        ("true_events", "events", "Stretches abnormal in truth.", "", ""),
        ("flagged_events", "events", "Stretches flagged.", "", ""),
        (
            "false_alarms_per_hour",
            "1/h",
            "Runs of frames at or above the threshold that touch no abnormal frame, per hour of "
            "frames labelled normal; the threshold is the highest that finds 80 % of true "
            "stretches.",
            "",
            "lower",
        ),
        ("false_alarm_threshold", "score", "The threshold of false_alarms_per_hour.", "", ""),
        ("false_alarm_recall", "share", "Share of true stretches found at it.", "", ""),
        ("normal_hours", "h", "Length of the frames labelled normal.", "", ""),
        (
            "delay_median_s",
            "s",
            "Median time from the beginning of a true stretch to its first flagged instant, over "
            "the stretches found.",
            "",
            "lower",
        ),
        ("delay_p90_s", "s", "90th percentile of the same.", "", "lower"),
        ("delay_missed", "events", "True stretches never flagged; not in the delays.", "", "lower"),
        (
            "interval_recall",
            "share",
            "True stretches touched by a flagged event, however briefly.",
            "",
            "higher",
        ),
        (
            "flagged_precision",
            "share",
            "Flagged events that touch a true stretch, however briefly.",
            "",
            "higher",
        ),
    ),
    **_of(
        "Space",
        (
            "top_box_hit",
            "share",
            "Items with true boxes whose best flagged event has the centre of its box inside a "
            "true box of its key frame; nothing flagged is a miss.",
            "pointing game, Zhang et al. 2016",
            "higher",
        ),
        ("top_boxes", "items", "Items that top_box_hit is a share of.", "", ""),
        (
            "rbdc",
            "0–1",
            "Area under detected true regions (IoU ≥ 0.1) against false regions per frame, to 1.",
            _RJ,
            "higher",
        ),
        (
            "tbdc",
            "0–1",
            "The same for tracks, detected where 10 % of their regions are. Without track labels "
            "the boxes of one true stretch are one track.",
            _RJ,
            "higher",
        ),
    ),
    **_of(
        "Calibration and abstention",
        ("items", "items", "Items asked about.", "", ""),
        ("anomalous", "items", "Judged anomalous.", "", ""),
        ("uncertain", "items", "Answered *uncertain*: no score, no guess.", "", ""),
        ("failed", "items", "Failed with a typed error.", "", "lower"),
        ("accuracy", "share", "Right labels among the items with a label.", "", "higher"),
        (
            "ece",
            "0–1",
            "Expected calibration error of item scores, ten bins of equal width.",
            "Naeini et al. 2015; Guo et al. 2017",
            "lower",
        ),
        ("brier", "0–1", "Mean squared difference of item score and truth.", "Brier 1950", "lower"),
        ("frame_ece", "0–1", "ece over the frames of all videos.", "", "lower"),
        ("frame_brier", "0–1", "brier over the frames of all videos.", "", "lower"),
        (
            "aurc",
            "0–1",
            "Area under error among answered items against their share, surest first; confidence "
            "is the distance of the score from 0.5.",
            "Geifman & El-Yaniv 2017",
            "lower",
        ),
        (
            "coverage_at_risk_10",
            "share",
            "Largest share of items that can be answered with at most 10 % errors.",
            "",
            "higher",
        ),
    ),
    **_of(
        "Explanations",
        *(
            (f"{kind}_{cell}", "share", f"{what}: {words}.", _MAO, better)
            for kind, what in (("choice", "Four-choice"), ("free", "Free text, judged"))
            for cell, words, better in (
                ("rr", "right verdict for the right reason", "higher"),
                ("rw", "right verdict, wrong reason", "lower"),
                ("wr", "wrong verdict, right reason", "lower"),
                ("ww", "wrong verdict, wrong reason", "lower"),
                ("unanswered", "no answer", "lower"),
            )
        ),
        (
            "citation_precision",
            "share",
            "Citations that hold: cited times of accusing steps half inside a true stretch, cited "
            "rules existing at that version and retrieved; unresolved evidence is wrong.",
            "",
            "higher",
        ),
        (
            "citation_recall",
            "share",
            "True stretches met by a cited time.",
            "",
            "higher",
        ),
        ("citations_unresolved", "citations", "Cited evidence that does not exist.", "", "lower"),
        (
            "rouge_l",
            "0–1",
            "Longest common subsequence of words, F1, best reference; mean over items.",
            "Lin 2004",
            "higher",
        ),
        (
            "similarity",
            "−1–1",
            "Cosine of sentence vectors, best reference; mean over items. The embedder is named "
            "in the results.",
            "",
            "higher",
        ),
        ("judge_agreement", "share", "Judge's labels equal to the given ones.", "", "higher"),
        ("judge_kappa", "−1–1", "Cohen's kappa of the same.", "Cohen 1960", "higher"),
        ("judge_labels", "reasons", "Reasons with a given label that the judge was shown.", "", ""),
        (
            "judge_unreadable",
            "reasons",
            "Replies of the judge that could not be read: unanswered, and no agreement.",
            "",
            "lower",
        ),
    ),
    **_of(
        "Trajectory",
        *(
            (f"tools_{mode}", "share", f"Items whose tool calls are {words}.", "", "higher")
            for mode, words in (
                ("strict", "those expected, in order"),
                ("unordered", "those expected, in any order"),
                ("subset", "none but those expected"),
                ("superset", "at least those expected"),
            )
        ),
        ("tool_calls", "calls", "All tool calls.", "", ""),
        (
            "calls_invalid",
            "calls",
            "Refused for their arguments; the state machine, which words no call, makes none.",
            "",
            "lower",
        ),
        ("calls_failed", "calls", "Raised or never came back.", "", "lower"),
        ("calls_repeated", "calls", "Same call as an earlier successful one.", "", "lower"),
        ("calls_redundant", "calls", "Succeeded, but added no record.", "", "lower"),
        (
            "recovery",
            "share",
            "Items whose run met an injected tool failure and ended in the same label as without.",
            "",
            "higher",
        ),
        (
            "recovery_answered",
            "share",
            "Of these, ended in a decision, be it an *uncertain* that names the failure.",
            "",
            "higher",
        ),
        ("recovery_items", "items", "Items that recovery is a share of.", "", ""),
        ("rounds_mean", "rounds", "Mean rounds of choose–look–judge–reflect.", "", ""),
    ),
    **_of(
        "Cost",
        ("looks", "looks", "Captioned events.", "", "lower"),
        ("questions", "questions", "Independent questions to the frames.", "", "lower"),
        ("verdicts", "verdicts", "Judgements.", "", "lower"),
        ("model_calls", "calls", "Calls of a model; 0 with the embedded backends.", "", "lower"),
        ("tokens", "tokens", "Tokens in and out.", "", "lower"),
        ("cache_hits", "calls", "Calls answered from memory.", "", ""),
        ("tool_seconds", "s", "Time inside tools, added up.", "", "lower"),
        ("wall_seconds", "s", "Wall clock, items added up.", "", "lower"),
        ("video_hours", "h", "Length of the videos asked about.", "", ""),
        ("wall_s_per_video_hour", "s/h", "Wall clock per hour of video.", "", "lower"),
    ),
}
"""Key in ``results.json`` → what it means. Keys of 95 % intervals end in ``_95_low`` and
``_95_high``: percentile bootstrap over videos (over items, where a figure counts items)."""


def definition(key: str) -> Definition | None:
    """What a key means; the ends of an interval share their figure's. None for an unknown key."""
    for suffix in ("_95_low", "_95_high"):
        key = key.removesuffix(suffix)
    return DEFINITIONS.get(key)
