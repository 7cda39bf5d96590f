"""What was flagged, where, and how sure: figures of events, boxes and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from evals.metrics.calibration import brier, ece, reliability, risk_coverage
from evals.metrics.curves import MetricUndefined
from evals.metrics.detection import IOUS, AlarmCounts, delays, false_alarms, match_events
from evals.metrics.events import interval_hits
from evals.metrics.resampling import ScoredVideo
from evals.metrics.space import Detections, Located, Region, pointed, rbdc, tbdc
from evals.metrics.spreads import (
    calibration_error,
    percentile,
    ratio,
    risk_area,
    risk_coverage_at,
)
from evals.model import Pair, Sample
from evals.tally import Figures
from tools.decision import Label
from tools.types import Box

__all__ = ["put_calibration", "put_events", "put_space"]

RISK = 0.1
"""Share of wrong answers allowed in ``coverage_at_risk_10``."""


def put_events(made: Figures, pairs: Sequence[Pair], videos: Sequence[ScoredVideo]) -> None:
    """Flagged against true stretches, false alarms, delays. ``videos``: the same items' scores."""
    spans = [([(e.start, e.end) for e in o.flagged], s.spans) for s, o in pairs]
    for iou in IOUS:
        each = [match_events(found, true, iou)[0] for found, true in spans]
        made.share(
            f"event_f1_{round(100 * iou)}",
            [2 * m.matched for m in each],
            [m.found + m.true for m in each],
            "no stretches, true or found",
        )
    best = [match_events(found, true, 0.0)[1] for found, true in spans]
    made.share(
        "event_mean_iou", [sum(p) for p in best], [len(p) for p in best], "no true stretches"
    )
    hits = [interval_hits(found, true) for found, true in spans]
    made.share(
        "interval_recall", [h.hit for h in hits], [h.truths for h in hits], "no true stretches"
    )
    made.share(
        "flagged_precision",
        [h.flagged - h.false for h in hits],
        [h.flagged for h in hits],
        "nothing was flagged",
    )
    made.metrics["true_events"] = sum(len(true) for _, true in spans)
    made.metrics["flagged_events"] = sum(len(found) for found, _ in spans)
    _alarms(made, videos, [s.fps for s, _ in pairs])
    late = [delays([_in_seconds(p)]) for p in pairs]
    whole = delays([_in_seconds(p) for p in pairs])
    made.put("delay_median_s", lambda: whole.median)
    made.put("delay_p90_s", lambda: whole.p90)
    for key, percent in (("delay_median_s", 50), ("delay_p90_s", 90)):
        made.spread(key, len(pairs), percentile([d.seconds for d in late], percent))
    made.metrics["delay_missed"] = whole.missed


def _alarms(made: Figures, videos: Sequence[ScoredVideo], fps: Sequence[float]) -> None:
    try:
        alarms = false_alarms(videos, fps)
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
    made.spread(
        "false_alarms_per_hour", len(videos), lambda c: AlarmCounts.of(videos, fps).per_hour(c)
    )


def _in_seconds(pair: Pair) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    sample, outcome = pair
    flagged = [
        ((e.start if e.first_flag is None else e.first_flag) / sample.fps, e.end / sample.fps)
        for e in outcome.flagged
    ]
    return flagged, [(a / sample.fps, b / sample.fps) for a, b in sample.spans]


def put_space(made: Figures, pairs: Sequence[Pair]) -> None:
    """Boxes of what was flagged against true boxes."""
    boxed = [bool(p.sample.boxes or p.sample.tracks) for p in pairs]
    hits = [known and _top_box(p) for p, known in zip(pairs, boxed, strict=True)]
    made.share("top_box_hit", hits, boxed, "no true boxes")
    made.metrics["top_boxes"] = sum(boxed)
    # A video without true boxes would call every found region false: it enters with nothing.
    places = [
        _located(p) if known else Located(0, ()) for p, known in zip(pairs, boxed, strict=True)
    ]
    made.put("rbdc", lambda: rbdc(places))
    made.spread("rbdc", len(pairs), lambda c: Detections.of_regions(places).area(c))
    made.put("tbdc", lambda: tbdc(places))
    made.spread("tbdc", len(pairs), lambda c: Detections.of_tracks(places).area(c))


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


def put_calibration(made: Figures, pairs: Sequence[Pair], videos: Sequence[ScoredVideo]) -> None:
    """Right labels, what scores mean, what abstaining buys. ``videos``: the same items' scores."""
    decided = [o.label in (Label.NORMAL, Label.ANOMALOUS) for _, o in pairs]
    truth = [bool(s.abnormal.any()) for s, _ in pairs]
    wrong = [(o.label is Label.ANOMALOUS) != t for (_, o), t in zip(pairs, truth, strict=True)]
    right = [d and not w for d, w in zip(decided, wrong, strict=True)]
    made.share("accuracy", right, decided, "no item has a label")
    scores = [o.score if d else None for (_, o), d in zip(pairs, decided, strict=True)]
    sure = [float(s) for s in scores if s is not None]
    marks = [t for s, t in zip(scores, truth, strict=True) if s is not None]
    made.put("ece", lambda: ece(sure, marks))
    made.put("brier", lambda: brier(sure, marks))
    one = [np.array([] if s is None else [s], np.float64) for s in scores]
    true = [np.full(p.size, t, bool) for p, t in zip(one, truth, strict=True)]
    made.spread("ece", len(pairs), lambda c: calibration_error(one, true)(c))
    made.spread("brier", len(pairs), lambda c: _brier(one, true)(c))
    try:
        made.reliability = [asdict(b) for b in reliability(sure, marks)]
    except MetricUndefined as reason:
        made.undefined["reliability"] = str(reason)
    _frame_calibration(made, videos)
    mistakes = [w for w, s in zip(wrong, scores, strict=True) if s is not None]
    confidence = [None if s is None else abs(s - 0.5) for s in scores]
    try:
        curve = risk_coverage([c for c in confidence if c is not None], mistakes, total=len(pairs))
        made.risk_coverage = list(curve.points)
        made.metrics["aurc"] = round(curve.area, 6)
        made.metrics["coverage_at_risk_10"] = round(curve.coverage_at(RISK), 6)
    except MetricUndefined as reason:
        for key in ("aurc", "coverage_at_risk_10"):
            made.metrics[key], made.undefined[key] = None, str(reason)
    made.spread("aurc", len(pairs), risk_area(confidence, wrong))
    made.spread("coverage_at_risk_10", len(pairs), risk_coverage_at(RISK, confidence, wrong))


def _frame_calibration(made: Figures, videos: Sequence[ScoredVideo]) -> None:
    inside = all(((v.scores >= 0) & (v.scores <= 1)).all() for v in videos)

    @cache
    def joined() -> tuple[Any, Any]:
        if not videos:
            return np.zeros(0), np.zeros(0, bool)
        return np.concatenate([v.scores for v in videos]), np.concatenate([v.truth for v in videos])

    def of(part: Callable[[Any, Any], float]) -> float:
        if not inside:
            raise MetricUndefined("frame scores are not on a scale from 0 to 1")
        return part(*joined())

    made.put("frame_ece", lambda: of(ece))
    made.put("frame_brier", lambda: of(brier))
    scores, truth = [v.scores for v in videos], [v.truth for v in videos]
    made.spread("frame_ece", len(videos), lambda c: calibration_error(scores, truth)(c))
    made.spread("frame_brier", len(videos), lambda c: _brier(scores, truth)(c))


def _brier(scores: Sequence[Any], truth: Sequence[Any]) -> Any:
    squares = [float(((p - t) ** 2).sum()) for p, t in zip(scores, truth, strict=True)]
    return ratio(squares, [p.size for p in scores])
