"""Two or more runs side by side: paired differences, what got worse, and gates.

The first run is the baseline. Only items that both runs scored are compared; each must have the
same truth in both. Intervals: the same draws of videos for both runs, percentiles of the
difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.conduct import Embed
from evals.embedders import open_embedder
from evals.figures import measured
from evals.judgements import load_judgements
from evals.metrics.curves import MetricUndefined
from evals.metrics.definitions import DEFINITIONS
from evals.metrics.resampling import ScoredVideo, draws, interval_of
from evals.model import Pair
from evals.page import Entry, lost
from evals.page.extra import EXTRA
from evals.scoring import Scored, load_run, put_beside
from evals.scrutiny import verdicts
from evals.tally import Figures
from tools.decision import Label
from tools.errors import UserError

__all__ = ["Comparison", "Difference", "Gate", "Regression", "compare", "parse_gate"]

KNOWN = {**DEFINITIONS, **EXTRA}
TOLERANCE = 1e-9
Interval = tuple[float, float]


@dataclass(frozen=True)
class Gate:
    """How much a figure may change against the baseline.

    A limit below 0 is the least allowed change (``micro_auroc:-0.005``), one above 0 the largest
    (``brier:+0.01``); 0 allows none for the worse, as the figure's definition says which way that
    is.
    """

    metric: str
    limit: float

    def failed(self, change: float | None) -> bool:
        """Whether the gate stops this; an undefined change does."""
        if change is None:
            return True
        known = KNOWN.get(self.metric)
        lower = known is not None and known.better == "lower"
        if self.limit > 0 or (self.limit == 0 and lower):
            return change > self.limit + TOLERANCE
        return change < self.limit - TOLERANCE

    def __str__(self) -> str:
        return f"{self.metric}:{self.limit:+g}"


@dataclass(frozen=True)
class Difference:
    """A figure of both runs over their common items. ``low``/``high``: 95 % of the difference."""

    metric: str
    base: float | None
    other: float | None
    low: float | None = None
    high: float | None = None

    @property
    def change(self) -> float | None:
        return None if self.base is None or self.other is None else self.other - self.base


@dataclass(frozen=True)
class Regression:
    """An item and what it costs in micro AUROC: its loss in either run (see evals.page.lost)."""

    name: str
    base: float
    other: float
    base_label: str
    other_label: str
    mislabelled: bool = False
    """The baseline's label was right and this run's is not (wrong, *uncertain* or failed)."""

    @property
    def worse(self) -> float:
        return self.other - self.base


@dataclass(frozen=True)
class Comparison:
    """One run against the baseline."""

    base: str
    other: str
    items: tuple[Regression, ...]
    """Those that lost a right label first, then the most worsened."""
    differences: tuple[Difference, ...]
    common: int
    missing: tuple[str, ...]
    """Items the baseline scored and this run did not."""
    added: tuple[str, ...]
    failed: tuple[str, ...]
    """Why gates stop this run, one line each."""

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """Items with a greater loss, or whose right label is gone."""
        return tuple(i for i in self.items if i.worse > TOLERANCE or i.mislabelled)


def parse_gate(text: str) -> Gate:
    """``METRIC:CHANGE``, such as ``micro_auroc:-0.005``. Raises UserError, also for a limit on the
    side where the figure gets better: nothing that gets worse would fail it."""
    metric, _, limit = text.partition(":")
    try:
        value = float(limit)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"gate {text!r} is not METRIC:CHANGE", remedy="for example --gate micro_auroc:-0.005"
        )
    if metric not in KNOWN:
        raise UserError(
            f"gate {text!r}: there is no metric {metric!r}",
            remedy="metrics are listed in docs/evaluation.md",
        )
    better = KNOWN[metric].better
    if (better, value > 0) in {("higher", True), ("lower", False)} and value:
        raise UserError(
            f"gate {text!r} would let any loss pass: of {metric}, {better} is better",
            remedy=f"write {metric}:{-value:+g}",
        )
    return Gate(metric, value)


def compare(
    folders: Sequence[Path], gates: Sequence[Gate] = (), *, samples: int = 2000, seed: int = 0
) -> list[Comparison]:
    """Every further run against the first.

    Raises UserError where there are fewer than two runs, a folder holds none, nothing is common to
    both, or a common item has another truth in one.
    """
    if len(folders) < 2:
        raise UserError("two runs are needed to compare", remedy="name the --out folders of both")
    base, *others = [load_run(folder) for folder in folders]
    return [_pair(base, other, gates, samples, seed) for other in others]


def _pair(
    base: Scored, other: Scored, gates: Sequence[Gate], samples: int, seed: int
) -> Comparison:
    left = {e.sample.id: e for e in base.section("test")}
    right = {e.sample.id: e for e in other.section("test")}
    common = [name for name in left if name in right]
    if not common:
        raise UserError(f"{base.folder} and {other.folder} have no scored item in common")
    for name in common:
        a, b = left[name].sample, right[name].sample
        if a.frames != b.frames or not np.array_equal(a.votes, b.votes):
            raise UserError(
                f"{name} has another truth in {other.folder} than in {base.folder}",
                remedy="compare runs over the same data",
            )
    sides = [[left[n] for n in common], [right[n] for n in common]]
    table = _differences((base, other), sides, samples, seed)
    missing = tuple(n for n in left if n not in right)
    by_name = {d.metric: d for d in table}
    failed = [
        f"{gate}: {_said(by_name.get(gate.metric))}"
        for gate in gates
        if gate.failed(by_name[gate.metric].change if gate.metric in by_name else None)
    ]
    if gates and missing:
        failed.append(
            f"{len(missing)} items of the baseline are not scored in {other.folder}: "
            + ", ".join(missing[:5])
            + (" …" if len(missing) > 5 else "")
        )
    return Comparison(
        base=str(base.folder),
        other=str(other.folder),
        items=_items(sides),
        differences=table,
        common=len(common),
        missing=missing,
        added=tuple(n for n in right if n not in left),
        failed=tuple(failed),
    )


def _said(difference: Difference | None) -> str:
    if difference is None or difference.change is None:
        return "no value in one of the runs"
    return f"{difference.base:.4f} → {difference.other:.4f} ({difference.change:+.4f})"


def _differences(
    runs: Sequence[Scored], sides: Sequence[Sequence[Entry]], samples: int, seed: int
) -> tuple[Difference, ...]:
    """Every figure that ``results.json`` has, over the common items."""
    names = {run.plan.suite.embedder for run in runs}
    name = names.pop() if len(names) == 1 else None  # vectors of two embedders do not compare
    embed = open_embedder(name).embed if name else None
    base, other = (
        _figures(run, [Pair(e.sample, e.outcome) for e in side], embed)
        for run, side in zip(runs, sides, strict=True)
    )
    spreads = _spreads(base, other, samples, seed)
    return tuple(
        Difference(
            key, _real(value), _real(other.metrics.get(key)), *spreads.get(key, (None, None))
        )
        for key, value in base.metrics.items()
    )


def _figures(run: Scored, pairs: Sequence[Pair], embed: Embed | None) -> Figures:
    judged = load_judgements(run.folder)
    made = measured(pairs, embed=embed, judged=verdicts(judged, pairs))
    put_beside(made, run, pairs, judged)
    return made


def _spreads(base: Figures, other: Figures, samples: int, seed: int) -> dict[str, Interval]:
    """95 % of every difference that both runs have a value for."""
    drawn: dict[int, NDArray[np.int64]] = {}
    found: dict[str, Interval] = {}
    for key, (items, before) in base.spreads.items():
        again, after = other.spreads.get(key, (0, before))
        if again != items or base.metrics.get(key) is None or other.metrics.get(key) is None:
            continue
        if items not in drawn:
            drawn[items] = draws(items, samples=samples, seed=seed)
        with suppress(MetricUndefined):
            spread = interval_of(after(drawn[items]) - before(drawn[items]))
            found[key] = (spread.low, spread.high)
    return found


def _items(sides: Sequence[Sequence[Entry]]) -> tuple[Regression, ...]:
    losses = []
    for side in sides:
        try:
            losses.append(lost(_videos(side)))
        except MetricUndefined:
            losses.append({})
    rows = [
        Regression(
            name=a.sample.id,
            base=losses[0].get(a.sample.id, 0.0),
            other=losses[1].get(a.sample.id, 0.0),
            base_label=str(a.outcome.label or "failed"),
            other_label=str(b.outcome.label or "failed"),
            mislabelled=_right(a) and not _right(b),
        )
        for a, b in zip(*sides, strict=True)
    ]
    return tuple(sorted(rows, key=lambda r: (not r.mislabelled, -r.worse, r.name)))


def _right(entry: Entry) -> bool:
    label = entry.outcome.label
    if not entry.sample.labelled or label not in (Label.NORMAL, Label.ANOMALOUS):
        return False
    return (label is Label.ANOMALOUS) == bool(entry.sample.spans)


def _videos(side: Sequence[Entry]) -> list[ScoredVideo]:
    return [e.scored for e in side if e.sample.labelled]


def _real(value: Any) -> float | None:
    return None if value is None else float(value)
