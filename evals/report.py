"""From answers to figures: the content of ``results.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.datasets import Item
from evals.items import ItemResult
from evals.metrics import (
    NEUTRAL,
    Dense,
    Hits,
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
from evals.suite import Suite
from tools.decision import EventScore, Label

__all__ = ["report"]

POLICY = (
    f"Scores are compared as they are, never scaled per video. Linear between analysed frames, "
    f"held at the ends; frames further from an analysed one than max_gap_s, and all frames of "
    f"failed items, score {NEUTRAL} (the alarm threshold) and count as unanswered."
)


@dataclass(frozen=True, eq=False)
class _Judged:
    """An item with its answer, brought to one score per frame."""

    item: Item
    result: ItemResult
    dense: Dense

    @property
    def label(self) -> Label | None:
        return self.result.decision.label if self.result.decision else None

    @property
    def flagged(self) -> tuple[EventScore, ...]:
        if self.result.decision is None:
            return ()
        return tuple(e for e in self.result.decision.events if e.label is Label.ANOMALOUS)

    @property
    def spans(self) -> list[tuple[float, float]]:
        return [(e.interval.start_s, e.interval.end_s) for e in self.flagged]

    @property
    def video(self) -> ScoredVideo:
        truth = frame_truth(self.item.frames, self.item.anomalous)
        return ScoredVideo(self.item.name, self.dense.scores, truth)


def report(
    suite: Suite,
    tests: Sequence[tuple[Item, ItemResult]],
    heldout: Sequence[tuple[Item, ItemResult]] = (),
) -> dict[str, Any]:
    """All figures of a run, ready for JSON. A metric without a value is null, with its reason."""
    judged = [_judge(item, result, suite) for item, result in tests]
    others = [_judge(item, result, suite) for item, result in heldout]
    metrics: dict[str, float | int | None] = {}
    undefined: dict[str, str] = {}

    def put(name: str, make: Callable[[], float]) -> None:
        try:
            metrics[name] = round(make(), 5)
        except MetricUndefined as reason:
            metrics[name], undefined[name] = None, str(reason)

    videos = [j.video for j in judged]
    put("micro_auroc", lambda: micro_auroc(videos))
    put("macro_auroc", lambda: macro_auroc(videos).value)
    put("macro_auroc_videos", lambda: macro_auroc(videos).videos)
    put("average_precision", lambda: average_precision(videos))
    try:
        spread = bootstrap(
            videos, micro_auroc, samples=suite.bootstrap.samples, seed=suite.bootstrap.seed
        )
        metrics |= {
            "micro_auroc_95_low": round(spread.low, 5),
            "micro_auroc_95_high": round(spread.high, 5),
        }
    except MetricUndefined as reason:
        metrics |= {"micro_auroc_95_low": None, "micro_auroc_95_high": None}
        undefined["micro_auroc_95"] = str(reason)
    frames = sum(j.item.frames for j in judged)
    metrics["frames"] = frames
    metrics["coverage"] = (
        round(sum(float(j.dense.answered.sum()) for j in judged) / frames, 5) if frames else None
    )
    metrics |= _events(judged)
    metrics |= _labels("test", judged)
    if others:
        metrics |= _labels("heldout_normal", others)
    return {
        "suite": suite.name,
        "metrics": metrics,
        "undefined": undefined,
        "policy": POLICY,
        "items": [_row(j) for j in judged],
        "heldout": [_row(j) for j in others],
        "by_kind": _by_kind(judged),
    }


def _judge(item: Item, result: ItemResult, suite: Suite) -> _Judged:
    at: list[int] = []
    scores: list[float] = []
    for line in result.decision.timelines if result.decision else ():
        at += line.frames
        scores += line.scores
    gap = max(1, round(suite.max_gap_s * item.fps))
    return _Judged(item, result, densify(item.frames, at, scores, max_gap=gap))


def _hits(judged: Sequence[_Judged]) -> Hits:
    total = Hits(0, 0, 0, 0)
    for j in judged:
        total += interval_hits(j.spans, j.item.anomalous_s)
    return total


def _events(judged: Sequence[_Judged]) -> dict[str, float | int | None]:
    hits = _hits(judged)
    overlaps = [
        interval_iou(j.spans, j.item.anomalous_s) for j in judged if j.item.anomalous and j.spans
    ]
    where = [w for j in judged for w in _where(j)]
    return {
        "true_intervals": hits.truths,
        "interval_recall": _rounded(hits.recall),
        "flagged_events": hits.flagged,
        "flagged_precision": _rounded(hits.precision),
        "interval_iou": _rounded(sum(overlaps) / len(overlaps) if overlaps else None),
        "boxes_compared": len(where),
        "box_hit": _rounded(sum(where) / len(where) if where else None),
    }


def _where(judged: _Judged) -> list[bool]:
    """For each flagged event whose key frame has a true box: does its own box touch it?"""
    found = []
    for event in judged.flagged:
        truth = None if event.key_frame is None else judged.item.boxes.get(event.key_frame)
        if truth is not None:
            found.append(event.box is not None and boxes_overlap(event.box, truth))
    return found


def _labels(prefix: str, judged: Sequence[_Judged]) -> dict[str, int]:
    counts = count_labels([j.label for j in judged])
    return {
        f"{prefix}_items": len(judged),
        f"{prefix}_anomalous": counts.anomalous,
        f"{prefix}_uncertain": counts.uncertain,
        f"{prefix}_failed": counts.failed,
    }


def _by_kind(judged: Sequence[_Judged]) -> dict[str, Mapping[str, Any]]:
    kinds = sorted({j.item.kind for j in judged if j.item.kind})
    table: dict[str, Mapping[str, Any]] = {}
    for kind in kinds:
        group = [j for j in judged if j.item.kind == kind]
        hits = _hits(group)
        table[kind] = {
            **_labels("decisions", group),
            "interval_recall": _rounded(hits.recall),
            "false_events": hits.false,
            "auroc": _auroc([j.video for j in group]),
        }
    return table


def _row(judged: _Judged) -> dict[str, Any]:
    decision = judged.result.decision
    return {
        "name": judged.item.name,
        "kind": judged.item.kind,
        "frames": judged.item.frames,
        "label": judged.label,
        "score": _rounded(decision.score) if decision else None,
        "reason": decision.reason if decision else "",
        "error": judged.result.error,
        "auroc": _auroc([judged.video]),
        "coverage": _rounded(judged.dense.coverage),
        "truth_s": [list(span) for span in judged.item.anomalous_s],
        "flagged": [
            {
                "seconds": [round(e.interval.start_s, 3), round(e.interval.end_s, 3)],
                "score": _rounded(e.score),
                "summary": e.summary,
                "rules": list(e.rules),
            }
            for e in judged.flagged
        ],
        "failures": [f.reason for f in decision.failures] if decision else [],
        "seconds": judged.result.seconds,
    }


def _auroc(videos: Sequence[ScoredVideo]) -> float | None:
    try:
        return round(micro_auroc(videos), 5)
    except MetricUndefined:
        return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
