"""Events inform each other: alike neighbours in time, then the two levels of the tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.standing import Standing
from tools.decision import Label
from tools.scoring import Thresholds, correlate, held_within, label_of, score_of

__all__ = ["NEAR_S", "correlated"]

NEAR_S = 10.0
"""Two events this many seconds apart draw each other a third as much as two side by side."""

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class _Drawn:
    """Raw strength of an event before its neighbours drew it, and after."""

    own: float
    drawn: float

    def mean(self, other: _Drawn) -> _Drawn:
        return _Drawn((self.own + other.own) / 2, (self.drawn + other.drawn) / 2)


def correlated(
    items: Sequence[Standing],
    embed: Embed,
    limits: Thresholds,
    weight: float,
    *,
    causal: bool = False,
) -> dict[str, float | None]:
    """Final score of every event, by event id. An uncertain verdict stays uncertain.

    Within a video and a level of its tree, alike captions close in time draw each other's raw
    strength by up to ``weight``. Then the levels: where the frames were not measured, the verdicts
    on an event and on the event above it are two opinions on the same stretch, and the finer one's
    strength is the mean of both (after VADTree's inter-cluster correlation); a measurement has no
    need of that. Neighbours change how sure a score is, never the label: the thresholds were
    calibrated for events by themselves. Nor do they touch what a person's rule decided.

    Args:
        items: judged events, superseded ones too.
        embed: sentence vectors of captions, L2-normalised.
        causal: an event is informed by events alone that were over when it began.
    """
    drawn: dict[str, _Drawn] = {}
    for group in _levels(items):
        drawn |= _drawn_together(group, embed, weight, causal=causal)
    opinions = {i.look.event.id for i in items if not i.measured}
    scores: dict[str, float | None] = {}
    for item in items:
        event, verdict = item.look.event, item.verdict
        known = drawn.get(event.id)
        if known is None:
            scores[event.id] = verdict.score
            continue
        above = drawn.get(event.parent or "")
        if above is not None and not causal and {event.id, event.parent} <= opinions:
            known = known.mean(above)
        final = score_of(known.drawn, limits)
        label = label_of(score_of(known.own, limits), limits)
        if label_of(final, limits) is not label:
            final = held_within(final, *_band(label, limits))
        scores[event.id] = max(final, _stated(item, limits))
    return scores


def _levels(items: Sequence[Standing]) -> list[list[Standing]]:
    """Events that may draw each other: of one video and one level, with a measured strength."""
    groups: dict[tuple[str, str], list[Standing]] = {}
    for item in items:
        if item.verdict.raw is not None and item.verdict.score is not None:
            event = item.look.event
            groups.setdefault((event.video_id, event.level), []).append(item)
    return list(groups.values())


def _drawn_together(
    group: Sequence[Standing], embed: Embed, weight: float, *, causal: bool
) -> dict[str, _Drawn]:
    raw = np.asarray([i.verdict.raw for i in group], dtype=np.float64)
    drawn = raw
    if weight > 0 and len(group) > 1:
        vectors = embed([i.look.description.caption.text for i in group])
        alike = np.clip(vectors @ vectors.T, 0.0, 1.0).astype(np.float64)
        start = np.asarray([i.interval.start_s for i in group])
        end = np.asarray([i.interval.end_s for i in group])
        middle = (start + end) / 2
        alike *= np.exp(-np.abs(middle[:, None] - middle[None, :]) / NEAR_S)
        if causal:
            alike *= end[None, :] <= start[:, None] + 1e-9
        drawn = correlate(raw, alike, weight=weight)
    return {
        item.look.event.id: _Drawn(float(own), float(after))
        for item, own, after in zip(group, raw, drawn, strict=True)
    }


def _band(label: Label, limits: Thresholds) -> tuple[float, float]:
    """Bounds of the scores that have a label."""
    normal = score_of(limits.normal_below, limits)
    match label:
        case Label.NORMAL:
            return 0.0, normal
        case Label.UNCERTAIN:
            return normal, 0.5
        case Label.ANOMALOUS:
            return 0.5, 1.0


def _stated(item: Standing, limits: Thresholds) -> float:
    """A score that a person's rule set, which correlation must not touch; 0 where there is none."""
    score, raw = item.verdict.score, item.verdict.raw
    if score is None or raw is None:
        return score or 0.0
    return score if score > score_of(raw, limits) + 1e-9 else 0.0
