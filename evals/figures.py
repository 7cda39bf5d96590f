"""From samples and outcomes to figures: every metric, its interval, and the controls beside it.

A metric without a value is None, with the reason in ``undefined``; nothing is ever filled in.
Items without a label are asked about and counted, but enter no metric that needs the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.conduct import Embed, put_cost, put_explanations, put_trajectory
from evals.metrics.calibration import brier, ece, reliability, risk_coverage
from evals.metrics.curves import Curve, MetricUndefined
from evals.metrics.detection import IOUS, Matching, delays, false_alarms, match_events
from evals.metrics.frames import (
    joined_curve,
    latency_aware_ap,
    probabilistic_curve,
    scaled_per_video,
)
from evals.metrics.resampling import (
    Histograms,
    PairCounts,
    ScoredVideo,
    draws,
    interval_of,
)
from evals.metrics.space import Located, Region, pointed, rbdc, tbdc
from evals.model import Pair, Sample
from evals.tally import ACTED, Figures, over, real
from tools.decision import Label
from tools.errors import UserError
from tools.types import Box

__all__ = ["CONTROLS", "Figures", "figures", "scored"]

CONTROLS = ("random", "video_constant", "no_rules", "shuffled_rules", "single_look")


def scored(pairs: Sequence[Pair]) -> list[ScoredVideo]:
    """The labelled items as scores and truth. Raises UserError where frame counts differ."""
    videos = []
    for sample, outcome in pairs:
        if outcome.scores.size != sample.frames:
            raise UserError(f"{sample.id}: {outcome.scores.size} scores for {sample.frames} frames")
        if sample.labelled:
            videos.append(ScoredVideo(sample.id, outcome.scores, sample.abnormal))
    return videos


def figures(
    pairs: Sequence[Pair],
    *,
    samples: int = 1000,
    seed: int = 0,
    others: Mapping[str, Sequence[Pair] | str] | None = None,
    embed: Embed | None = None,
    judged: Mapping[str, bool | None] | None = None,
) -> Figures:
    """Every figure of a run.

    Args:
        samples: draws of the bootstrap over videos.
        seed: of the bootstrap and of the random control.
        others: the same items run as a control (``no_rules``, ``shuffled_rules``,
            ``single_look``), or why a control does not apply.
        embed: sentence vectors for ``similarity``; without it that has no value.
        judged: sample → whether a judge calls the free-text reason right, None where it gave no
            readable answer (:mod:`evals.judging`); without it those figures have no value.
    """
    made = Figures()
    _labels(made, pairs)
    videos = scored(pairs)
    counts = PairCounts.of(videos)
    labelled = [p for p in pairs if p.sample.labelled]
    _frames(made, labelled, videos, counts)
    _intervals(made, videos, counts, samples, seed)
    _controls(made, labelled, videos, seed, others or {})
    _groups(made, labelled, counts)
    _rounds(made, labelled)
    _events(made, labelled, videos)
    _space(made, labelled)
    _calibration(made, labelled, videos)
    put_explanations(made, pairs, embed, judged)
    put_trajectory(made, pairs)
    put_cost(made, pairs)
    if pairs and all(s.choice is not None for s, _ in pairs):
        made.withdraw(frozenset({"Events"}), "single frames: there is no time", given=True)
    if pairs and not any(_acted(p) for p in pairs):
        made.withdraw(ACTED, "frame scores only: nothing was run, flagged or explained")
    return made


def _acted(pair: Pair) -> bool:
    """Whether something answered, rather than frame scores having been handed over."""
    o = pair.outcome
    return o.label is not Label.UNCERTAIN or bool(o.events or o.steps or o.trajectory or o.chosen)


def _labels(made: Figures, pairs: Sequence[Pair]) -> None:
    labels = Counter(o.label for _, o in pairs)
    made.metrics["items"] = len(pairs)
    made.metrics["anomalous"] = labels[Label.ANOMALOUS]
    made.metrics["uncertain"] = labels[Label.UNCERTAIN]
    made.metrics["failed"] = labels[None]
    made.stop_reasons = dict(sorted(Counter(o.stop_reason for _, o in pairs).items()))


def _frames(
    made: Figures, pairs: Sequence[Pair], videos: Sequence[ScoredVideo], counts: PairCounts
) -> None:
    total = sum(v.scores.size for v in videos)
    made.metrics["frames"] = total
    made.put(
        "coverage",
        lambda: over(sum(float(o.answered.sum()) for _, o in pairs), total, "no labelled frames"),
    )
    line: Curve | None = None
    try:
        line = joined_curve(videos)
        made.roc, made.precision_recall = line.roc_points(), line.pr_points()
    except MetricUndefined as reason:
        why = str(reason)

    def of(part: Callable[[Curve], float]) -> Callable[[], float]:
        def value() -> float:
            if line is None:
                raise MetricUndefined(why)
            return part(line)

        return value

    once = np.ones((1, len(videos)), np.int64)
    made.put("micro_auroc", of(lambda c: c.auroc))
    made.put("macro_auroc", lambda: real(counts.macro(once), "no video holds both classes"))
    made.metrics["macro_auroc_videos"] = int((counts.positives * counts.negatives > 0).sum())
    made.put("auroc_within", lambda: real(counts.within(once), "no video holds both classes"))
    made.put("auroc_cross", lambda: real(counts.cross(once), "no pairs across videos"))
    made.put("auroc_within_weight", lambda: real(counts.weight(once), "one class only"))
    made.put("average_precision", of(lambda c: c.average_precision))
    made.put("pr_trapezoid", of(lambda c: c.pr_trapezoid))
    abnormal = (counts.positives > 0).astype(np.int64)[None]
    made.put("auroc_abnormal_videos", lambda: real(counts.micro(abnormal), "no normal frames"))
    made.put("per_video_scaled_auroc", lambda: joined_curve(scaled_per_video(videos)).auroc)
    made.metrics["distinct_scores"] = len(line.thresholds) if line else _distinct(videos)
    several = any(len(s.truth) > 1 for s, _ in pairs)

    def prob() -> Curve:
        if not several:
            raise MetricUndefined("no sample has several annotators")
        return probabilistic_curve([o.scores for _, o in pairs], [s.votes for s, _ in pairs])

    made.put("prob_auc", lambda: prob().auroc)
    made.put("prob_ap", lambda: prob().average_precision)
    rates = [s.fps for s, _ in pairs]
    made.put("latency_aware_ap", of(lambda c: latency_aware_ap(videos, rates, line=c)))


def _intervals(
    made: Figures, videos: Sequence[ScoredVideo], counts: PairCounts, samples: int, seed: int
) -> None:
    parts: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
        "micro_auroc": counts.micro,
        "macro_auroc": counts.macro,
        "auroc_within": counts.within,
        "auroc_cross": counts.cross,
    }
    if videos:
        parts["average_precision"] = Histograms.of(videos).average_precision
        drawn = draws(len(videos), samples=samples, seed=seed)
    for key, part in parts.items():
        made.metrics[f"{key}_95_low"] = made.metrics[f"{key}_95_high"] = None
        if made.metrics.get(key) is None or not videos:
            made.undefined[f"{key}_95"] = made.undefined.get(key, "no videos")
            continue
        try:
            spread = interval_of(part(drawn))
        except MetricUndefined as reason:
            made.undefined[f"{key}_95"] = str(reason)
            continue
        made.metrics[f"{key}_95_low"] = round(spread.low, 6)
        made.metrics[f"{key}_95_high"] = round(spread.high, 6)


def _controls(
    made: Figures,
    pairs: Sequence[Pair],
    videos: Sequence[ScoredVideo],
    seed: int,
    others: Mapping[str, Sequence[Pair] | str],
) -> None:
    rng = np.random.default_rng(seed)
    made.controls["random"] = _ranked(
        [replace(v, scores=rng.random(v.scores.size)) for v in videos]
    )
    made.controls["video_constant"] = _ranked(
        [replace(v, scores=np.full(v.scores.size, v.scores.mean())) for v in videos]
    )
    for name in CONTROLS[2:]:
        given = others.get(name)
        if given is None:
            made.controls[name] = "not applicable: the traces hold no such run"
        else:
            made.controls[name] = given if isinstance(given, str) else _ranked(scored(given))


def _ranked(videos: Sequence[ScoredVideo]) -> dict[str, float | None]:
    try:
        line = joined_curve(videos)
    except MetricUndefined:
        return {"micro_auroc": None, "average_precision": None, "pr_trapezoid": None}
    return {
        "micro_auroc": round(line.auroc, 6),
        "average_precision": round(line.average_precision, 6),
        "pr_trapezoid": round(line.pr_trapezoid, 6),
    }


def _groups(made: Figures, pairs: Sequence[Pair], counts: PairCounts) -> None:
    normal = counts.positives == 0

    def rows(of: Callable[[Sample], str]) -> dict[str, dict[str, float | int | None]]:
        table: dict[str, dict[str, float | int | None]] = {}
        names = np.array([of(s) for s, _ in pairs], dtype=object)
        for name in sorted({n for n in names if n}):
            group = names == name
            against = (group | normal).astype(np.int64)[None]
            value = float(counts.micro(against)[0]) if len(pairs) else float("nan")
            members = [p for p, inside in zip(pairs, group, strict=True) if inside]
            table[name] = {
                "items": len(members),
                "anomalous": sum(o.label is Label.ANOMALOUS for _, o in members),
                "uncertain": sum(o.label is Label.UNCERTAIN for _, o in members),
                "failed": sum(o.label is None for _, o in members),
                "auroc": None if np.isnan(value) else round(value, 6),
            }
        return table

    made.by_category = rows(lambda s: s.category)
    made.by_kind = rows(lambda s: s.kind or "")
    if not all(s.complete for s, _ in pairs):
        whole = np.array([s.complete for s, _ in pairs])
        for name, group in (("complete", whole), ("truncated", ~whole)):
            value = float(counts.micro(group.astype(np.int64)[None])[0])
            made.by_completeness[name] = {
                "items": int(group.sum()),
                "auroc": None if np.isnan(value) else round(value, 6),
            }


def _rounds(made: Figures, pairs: Sequence[Pair]) -> None:
    most = max((len(o.rounds) for _, o in pairs), default=0)
    for n in range(most):
        videos = [
            ScoredVideo(
                s.id, o.rounds[min(n, len(o.rounds) - 1)] if o.rounds else o.scores, s.abnormal
            )
            for s, o in pairs
        ]
        running = sum(len(o.rounds) > n for _, o in pairs)
        made.rounds.append({"round": n + 1, "items": running, **_ranked(videos)})
    made.put(
        "rounds_mean",
        lambda: over(sum(o.cost.rounds for _, o in pairs), len(pairs), "nothing was asked about"),
    )


def _events(made: Figures, pairs: Sequence[Pair], videos: Sequence[ScoredVideo]) -> None:
    spans = [([(e.start, e.end) for e in o.flagged], s.spans) for s, o in pairs]
    for iou in IOUS:
        total = Matching(0, 0, 0)
        for found, true in spans:
            total += match_events(found, true, iou)[0]
        made.put(f"event_f1_{round(100 * iou)}", lambda total=total: total.f1)  # type: ignore[misc]
    best = [p for found, true in spans for p in match_events(found, true, 0.0)[1]]
    made.put("event_mean_iou", lambda: over(sum(best), len(best), "no true stretches"))
    made.metrics["true_events"] = sum(len(true) for _, true in spans)
    made.metrics["flagged_events"] = sum(len(found) for found, _ in spans)
    try:
        alarms = false_alarms(videos, [s.fps for s, _ in pairs])
        made.metrics |= {
            "false_alarms_per_hour": round(alarms.per_hour, 4),
            "false_alarm_threshold": round(alarms.threshold, 6),
            "false_alarm_recall": round(alarms.recall, 6),
            "normal_hours": round(alarms.hours, 6),
        }
    except MetricUndefined as reason:
        for key in (
            "false_alarms_per_hour",
            "false_alarm_threshold",
            "false_alarm_recall",
            "normal_hours",
        ):
            made.metrics[key], made.undefined[key] = None, str(reason)
    late = delays(
        [
            (
                [
                    ((e.start if e.first_flag is None else e.first_flag) / s.fps, e.end / s.fps)
                    for e in o.flagged
                ],
                [(a / s.fps, b / s.fps) for a, b in s.spans],
            )
            for s, o in pairs
        ]
    )
    made.put("delay_median_s", lambda: late.median)
    made.put("delay_p90_s", lambda: late.p90)
    made.metrics["delay_missed"] = late.missed


def _space(made: Figures, pairs: Sequence[Pair]) -> None:
    boxed = [p for p in pairs if p.sample.boxes or p.sample.tracks]
    hits = [_top_box(p) for p in boxed]
    made.put("top_box_hit", lambda: over(sum(hits), len(hits), "no true boxes"))
    made.metrics["top_boxes"] = len(hits)
    places = [_located(p) for p in boxed]
    made.put("rbdc", lambda: rbdc(places))
    made.put("tbdc", lambda: tbdc(places))


def _boxes_at(sample: Sample, frame: int) -> list[Box]:
    return [*sample.boxes.get(frame, ()), *(t[frame] for t in sample.tracks.values() if frame in t)]


def _top_box(pair: Pair) -> bool:
    sample, outcome = pair
    top = max(outcome.flagged, key=lambda e: e.score or 0.0, default=None)
    if top is None or top.box is None or top.key_frame is None:
        return False
    return pointed(top.box, _boxes_at(sample, top.key_frame))


def _located(pair: Pair) -> Located:
    sample, outcome = pair
    regions = []
    for event in outcome.events:
        if event.score is None:
            continue
        boxes = dict(event.boxes)
        if not boxes and event.box is not None and event.key_frame is not None:
            boxes = {event.key_frame: event.box}
        regions += [Region(frame, box, event.score) for frame, box in boxes.items()]
    tracks: list[Mapping[int, Box]] = list(sample.tracks.values())
    if not tracks:
        deep = max((len(b) for b in sample.boxes.values()), default=0)
        for start, end in sample.spans:
            for i in range(deep):
                track = {
                    f: b[i] for f, b in sample.boxes.items() if start <= f < end and len(b) > i
                }
                if track:
                    tracks.append(track)
    return Located(sample.frames, regions, tracks)


def _calibration(made: Figures, pairs: Sequence[Pair], videos: Sequence[ScoredVideo]) -> None:
    decided = [p for p in pairs if p.outcome.label in (Label.NORMAL, Label.ANOMALOUS)]
    wrong = [(o.label is Label.ANOMALOUS) != bool(s.abnormal.any()) for s, o in decided]
    made.put("accuracy", lambda: over(len(wrong) - sum(wrong), len(wrong), "no item has a label"))
    sure = [p for p in decided if p.outcome.score is not None]
    scores = [float(o.score) for _, o in sure if o.score is not None]
    truth = [bool(s.abnormal.any()) for s, _ in sure]
    made.put("ece", lambda: ece(scores, truth))
    made.put("brier", lambda: brier(scores, truth))
    try:
        made.reliability = [asdict(b) for b in reliability(scores, truth)]
    except MetricUndefined as reason:
        made.undefined["reliability"] = str(reason)
    joined = np.concatenate([v.scores for v in videos]) if videos else np.zeros(0)
    marks = np.concatenate([v.truth for v in videos]) if videos else np.zeros(0, bool)
    inside = bool(((joined >= 0) & (joined <= 1)).all())

    def frame(part: Callable[[Any, Any], float]) -> float:
        if not inside:
            raise MetricUndefined("frame scores are not on a scale from 0 to 1")
        return part(joined, marks)

    made.put("frame_ece", lambda: frame(ece))
    made.put("frame_brier", lambda: frame(brier))
    mistakes = [(o.label is Label.ANOMALOUS) != t for (_, o), t in zip(sure, truth, strict=True)]
    try:
        curve = risk_coverage([abs(x - 0.5) for x in scores], mistakes, total=len(pairs))
        made.risk_coverage = list(curve.points)
        made.metrics["aurc"] = round(curve.area, 6)
        made.metrics["coverage_at_risk_10"] = round(curve.coverage_at(0.1), 6)
    except MetricUndefined as reason:
        for key in ("aurc", "coverage_at_risk_10"):
            made.metrics[key], made.undefined[key] = None, str(reason)


def _distinct(videos: Sequence[ScoredVideo]) -> int:
    return len(np.unique(np.concatenate([v.scores for v in videos]))) if videos else 0
