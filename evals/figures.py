"""From samples and outcomes to figures: every metric, its interval, and the controls beside it.

A metric without a value is None, with the reason in ``undefined``; nothing is ever filled in.
Items without a label are asked about and counted, but enter no metric that needs the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache

import numpy as np
from numpy.typing import NDArray

from evals.conduct import Embed, put_cost, put_explanations, put_trajectory
from evals.controls import CONTROLS, control_figures, ranked
from evals.findings import put_calibration, put_events, put_space
from evals.metrics.curves import Curve, MetricUndefined
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
from evals.metrics.spreads import Spread
from evals.model import Pair, Sample
from evals.tally import ACTED, Figures, real
from tools.decision import Label
from tools.errors import UserError

__all__ = ["CONTROLS", "Figures", "figures", "measured", "scored"]


SCORES_ONLY = "frame scores only: nothing was run, flagged or explained"


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
    """Every figure of a run, with intervals and controls.

    Args:
        samples: draws of the bootstrap over videos.
        seed: of the bootstrap and of the random control.
        others: the same items run as a control (``no_rules``, ``shuffled_rules``,
            ``single_look``), or why a control does not apply.
        embed: sentence vectors for ``similarity``; without it that has no value.
        judged: sample → whether a judge calls the free-text reason right, None where it gave no
            readable answer (:mod:`evals.judging`); without it those figures have no value.
    """
    made = measured(pairs, embed=embed, judged=judged)
    labelled = [p for p in pairs if p.sample.labelled]
    videos = scored(pairs)
    _groups(made, labelled, PairCounts.of(videos), samples, seed)
    made.controls = control_figures(pairs, videos, seed=seed, others=others or {}, measure=measured)
    made.intervals(samples=samples, seed=seed)
    return made


def measured(
    pairs: Sequence[Pair],
    *,
    embed: Embed | None = None,
    judged: Mapping[str, bool | None] | None = None,
) -> Figures:
    """The figures alone: without intervals, groups and controls."""
    made = Figures()
    _labels(made, pairs)
    videos = scored(pairs)
    labelled = [p for p in pairs if p.sample.labelled]
    _frames(made, labelled, videos, PairCounts.of(videos))
    _rounds(made, labelled)
    put_events(made, labelled, videos)
    put_space(made, labelled)
    put_calibration(made, labelled, videos)
    put_explanations(made, pairs, embed, judged)
    put_trajectory(made, pairs)
    put_cost(made, pairs)
    if pairs and all(s.choice is not None for s, _ in pairs):
        made.withdraw(frozenset({"Events"}), "single frames: there is no time", given=True)
    if pairs and not any(_acted(p) for p in pairs):
        made.withdraw(ACTED, SCORES_ONLY)
        for key in ("anomalous", "uncertain"):
            made.metrics[key], made.undefined[key] = None, SCORES_ONLY
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
    made.share(
        "coverage",
        [float(o.answered.sum()) for _, o in pairs],
        [s.frames for s, _ in pairs],
        "no labelled frames",
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
    made.put("per_video_scaled_auroc", lambda: _scaled(videos))
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

    levels = cache(lambda: Histograms.of(videos))
    last: list[tuple[NDArray[np.int64], tuple[NDArray[np.float64], NDArray[np.float64]]]] = []

    def area(which: int) -> Spread:
        """Both areas come of one pass, so it is kept for the other."""

        def of(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
            if not last or last[0][0] is not drawn:
                last[:] = [(drawn, levels().areas(drawn))]
            return last[0][1][which]

        return of

    ranked: dict[str, Spread] = {
        "micro_auroc": counts.micro,
        "macro_auroc": counts.macro,
        "auroc_within": counts.within,
        "auroc_cross": counts.cross,
        "auroc_within_weight": counts.weight,
        "auroc_abnormal_videos": lambda drawn: counts.micro(drawn * abnormal),
        "average_precision": area(0),
        "pr_trapezoid": area(1),
    }
    for key, spread in ranked.items():
        made.spread(key, len(videos), spread)


def _groups(
    made: Figures, pairs: Sequence[Pair], counts: PairCounts, samples: int, seed: int
) -> None:
    normal = counts.positives == 0
    drawn = draws(len(pairs), samples=samples, seed=seed) if pairs else np.zeros((0, 0), np.int64)

    def auroc(of: NDArray[np.bool_]) -> dict[str, float | int | None]:
        mask = of.astype(np.int64)[None]
        value = float(counts.micro(mask)[0]) if len(pairs) else float("nan")
        row: dict[str, float | int | None] = {"auroc": None, "auroc_95_low": None}
        row["auroc_95_high"] = None
        if not np.isnan(value):
            row["auroc"] = round(value, 6)
            with suppress(MetricUndefined):
                found = interval_of(counts.micro(drawn * mask))
                row["auroc_95_low"] = round(found.low, 6)
                row["auroc_95_high"] = round(found.high, 6)
        return row

    def rows(of: Callable[[Sample], str]) -> dict[str, dict[str, float | int | None]]:
        table: dict[str, dict[str, float | int | None]] = {}
        names = np.array([of(s) for s, _ in pairs], dtype=object)
        for name in sorted({n for n in names if n}):
            group = names == name
            members = [p for p, inside in zip(pairs, group, strict=True) if inside]
            table[name] = {
                "items": len(members),
                "anomalous": sum(o.label is Label.ANOMALOUS for _, o in members),
                "uncertain": sum(o.label is Label.UNCERTAIN for _, o in members),
                "failed": sum(o.label is None for _, o in members),
                **auroc(group | normal),
            }
        return table

    made.by_category = rows(lambda s: s.category)
    made.by_kind = rows(lambda s: s.kind or "")
    if not all(s.complete for s, _ in pairs):
        whole = np.array([s.complete for s, _ in pairs])
        for name, group in (("complete", whole), ("truncated", ~whole)):
            made.by_completeness[name] = {"items": int(group.sum()), **auroc(group)}


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
        made.rounds.append({"round": n + 1, "items": running, **ranked(videos)})
    made.share(
        "rounds_mean",
        [o.cost.rounds for _, o in pairs],
        [1] * len(pairs),
        "nothing was asked about",
    )


def _scaled(videos: Sequence[ScoredVideo]) -> float:
    if all(v.scores.size == 1 for v in videos):
        raise MetricUndefined("single frames have no range to scale")
    return joined_curve(scaled_per_video(videos)).auroc


def _distinct(videos: Sequence[ScoredVideo]) -> int:
    return len(np.unique(np.concatenate([v.scores for v in videos]))) if videos else 0
