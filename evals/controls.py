"""Controls: the same figures where something that should matter is taken away.

``random`` and ``video_constant`` are other scores for the same frames, so they have the figures
that rest on frame scores alone. The others are the same items answered again (``no_rules``,
``shuffled_rules``, ``single_look``) and have every headline figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from evals.metrics.curves import MetricUndefined
from evals.metrics.detection import false_alarms
from evals.metrics.frames import joined_curve
from evals.metrics.resampling import PairCounts, ScoredVideo
from evals.model import Pair
from evals.tally import Figures

__all__ = ["BESIDE", "CONTROLS", "control_figures", "ranked"]

CONTROLS = ("random", "video_constant", "no_rules", "shuffled_rules", "single_look")

BESIDE = (
    "items",
    "micro_auroc",
    "macro_auroc",
    "auroc_within",
    "auroc_cross",
    "average_precision",
    "pr_trapezoid",
    "auroc_abnormal_videos",
    "false_alarms_per_hour",
    "event_f1_10",
    "event_f1_20",
    "event_f1_30",
    "event_f1_50",
    "event_f1_70",
    "event_mean_iou",
    "interval_recall",
    "flagged_precision",
    "top_box_hit",
    "rbdc",
    "tbdc",
    "accuracy",
    "anomalous",
    "uncertain",
    "failed",
    "ece",
    "brier",
    "choice_rr",
    "choice_rw",
    "choice_wr",
    "choice_ww",
    "choice_unanswered",
    "citation_precision",
    "citation_recall",
    "rounds_mean",
    "looks",
)
"""Figures that a control has where they have a meaning; None where not."""

Table = dict[str, float | int | None]


def control_figures(
    pairs: Sequence[Pair],
    videos: Sequence[ScoredVideo],
    *,
    seed: int,
    others: Mapping[str, Sequence[Pair] | str],
    measure: Callable[[Sequence[Pair]], Figures],
) -> dict[str, Table | str]:
    """Control → its figures (:data:`BESIDE`), or why it does not apply.

    Args:
        videos: scores and truth of the labelled items of ``pairs``, in their order.
        seed: of the random scores.
        others: control → the same items answered again, or why there is no such run.
        measure: gives the figures of a set of pairs.
    """
    rng = np.random.default_rng(seed)
    rates = [s.fps for s, _ in pairs if s.labelled]
    made: dict[str, Table | str] = {
        "random": _of_scores([replace(v, scores=rng.random(v.scores.size)) for v in videos], rates),
        "video_constant": _of_scores(
            [replace(v, scores=np.full(v.scores.size, v.scores.mean())) for v in videos], rates
        ),
    }
    if videos and all(v.scores.size == 1 for v in videos):
        made["video_constant"] = "not applicable: every item is a single frame"
    for name in CONTROLS[2:]:
        given = others.get(name)
        if given is None:
            made[name] = "not applicable: the traces hold no such run"
        elif isinstance(given, str):
            made[name] = given
        else:
            found = measure(given).metrics
            made[name] = {key: found.get(key) for key in BESIDE}
    return made


def ranked(videos: Sequence[ScoredVideo]) -> Table:
    """Micro AUROC, average precision and trapezoidal area; None where a class is missing."""
    try:
        line = joined_curve(videos)
    except MetricUndefined:
        return dict.fromkeys(("micro_auroc", "average_precision", "pr_trapezoid"))
    return {
        "micro_auroc": round(line.auroc, 6),
        "average_precision": round(line.average_precision, 6),
        "pr_trapezoid": round(line.pr_trapezoid, 6),
    }


def _of_scores(videos: Sequence[ScoredVideo], fps: Sequence[float]) -> Table:
    made = Figures()
    made.metrics = dict.fromkeys(BESIDE) | ranked(videos)
    if not videos:
        return made.metrics
    counts = PairCounts.of(videos)
    once = np.ones((1, len(videos)), np.int64)
    abnormal = once * (counts.positives > 0)
    for key, value in (
        ("macro_auroc", counts.macro(once)),
        ("auroc_within", counts.within(once)),
        ("auroc_cross", counts.cross(once)),
        ("auroc_abnormal_videos", counts.micro(abnormal)),
    ):
        made.metrics[key] = None if np.isnan(value[0]) else round(float(value[0]), 6)
    if any(v.scores.size > 1 for v in videos):
        made.put("false_alarms_per_hour", lambda: false_alarms(videos, fps).per_hour)
    return made.metrics
