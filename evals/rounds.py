"""Scores held constant over events: after each round, and where nothing finer was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics.timeline import NEUTRAL
from evals.model import Sample
from tools.ledger import Ledger
from tools.types import Event, EventTree, Interval

__all__ = ["held_scores", "round_scores"]


def held_scores(ledger: Ledger, sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Final event scores as shape ``(frames,)``, constant on each event, and where there is one.

    For runs that looked at events as wholes and measured no series within them (recorded or
    language-model captioners). An *uncertain* event keeps the neutral score but counts as
    answered; one not looked at has the neutral score, a frame outside the tree (a truncated
    recording) 0, and neither is answered.
    """
    return _held(ledger, {name: final.score for name, final in ledger.scores.items()}, sample)


def round_scores(
    lines: Iterable[Mapping[str, Any]], ledger: Ledger, sample: Sample
) -> tuple[NDArray[np.float64], ...]:
    """What the verdicts said after each round, each of shape ``(frames,)``, before correlation.

    A round ends where a look, recall or question follows a judgement. Scores are constant on the
    events whose verdict stands (a parent gives way to its children once all are judged).
    """
    rounds: list[NDArray[np.float64]] = []
    scores: dict[str, float | None] = {}
    judged = False
    for line in lines:
        if line.get("kind") != "result":
            continue
        if line["tool"] == "judge":
            record = line["record"]
            scores[record["event_id"]] = record["score"]
            judged = True
        elif judged:
            rounds.append(_snapshot(ledger, scores, sample))
            judged = False
    if judged:
        rounds.append(_snapshot(ledger, scores, sample))
    return tuple(rounds)


def _snapshot(
    ledger: Ledger, scores: Mapping[str, float | None], sample: Sample
) -> NDArray[np.float64]:
    standing = {
        e.id: scores[e.id]
        for segmentation in ledger.segmentations.values()
        for e in _standing(segmentation.tree, frozenset(scores))
    }
    return _held(ledger, standing, sample)[0]


def _held(
    ledger: Ledger, scores: Mapping[str, float | None], sample: Sample
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    out, answered = np.zeros(sample.frames), np.zeros(sample.frames, bool)
    for segmentation in ledger.segmentations.values():
        for event in segmentation.tree.coarse:
            start, end = _frames(event.interval, sample)
            out[start:end] = NEUTRAL
        for event in segmentation.tree.events:
            if event.id in scores:
                start, end = _frames(event.interval, sample)
                value = scores[event.id]
                out[start:end] = NEUTRAL if value is None else value
                answered[start:end] = True
    return out, answered


def _standing(tree: EventTree, judged: frozenset[str]) -> list[Event]:
    whole = {
        e.id: all(c.id in judged for c in children)
        for e in tree.events
        if (children := tree.children(e.id))
    }
    return [
        e
        for e in tree.events
        if e.id in judged
        and not whole.get(e.id, False)
        and (e.parent is None or whole.get(e.parent, False))
    ]


def _frames(interval: Interval, sample: Sample) -> tuple[int, int]:
    start = min(max(round(interval.start_s * sample.fps), 0), sample.frames)
    return start, min(max(round(interval.end_s * sample.fps), start), sample.frames)
