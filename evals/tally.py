"""The figures of a run as they are gathered: values, and why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from evals.metrics.definitions import definition
from evals.metrics.resampling import draws, interval_of
from evals.metrics.spreads import Spread, ratio

__all__ = ["ACTED", "Figures", "mean", "over", "real"]

ACTED = frozenset({"Events", "Space", "Explanations", "Trajectory", "Cost"})
GIVEN = frozenset(
    {
        "true_events",
        "false_alarms_per_hour",
        "false_alarm_threshold",
        "false_alarm_recall",
        "normal_hours",
        "video_hours",
    }
)
"""Of these groups, what follows from frame scores and truth alone."""


@dataclass
class Figures:
    """All figures of a set of items, ready for JSON."""

    metrics: dict[str, float | int | None] = field(default_factory=dict)
    """See :data:`evals.metrics.definitions.DEFINITIONS`."""
    undefined: dict[str, str] = field(default_factory=dict)
    """Why a metric is None."""
    controls: dict[str, dict[str, float | None] | str] = field(default_factory=dict)
    """Control → its figures, or why it does not apply."""
    by_category: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    by_kind: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    by_completeness: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    """Whole and truncated recordings apart; empty where all are whole."""
    rounds: list[dict[str, float | int | None]] = field(default_factory=list)
    """How well the verdicts alone ranked the frames after each round (:mod:`evals.rounds`)."""
    stop_reasons: dict[str, int] = field(default_factory=dict)
    tool_seconds: dict[str, float] = field(default_factory=dict)
    reliability: list[dict[str, float | int | None]] = field(default_factory=list)
    risk_coverage: list[tuple[float, float]] = field(default_factory=list)
    roc: list[tuple[float, float]] = field(default_factory=list)
    precision_recall: list[tuple[float, float]] = field(default_factory=list)
    spreads: dict[str, tuple[int, Spread]] = field(default_factory=dict)
    """Figure → the number of items it is made of, and its values under draws of them. Not for
    JSON: :meth:`intervals` turns them into figures."""

    def put(self, key: str, make: Callable[[], float | int]) -> None:
        """Record a metric, or why it has no value."""
        try:
            value = make()
        except MetricUndefined as reason:
            self.metrics[key], self.undefined[key] = None, str(reason)
        else:
            self.metrics[key] = value if isinstance(value, int) else round(float(value), 6)

    def share(self, key: str, above: Sequence[float], below: Sequence[float], why: str) -> None:
        """Record Σ above / Σ below over items, with its spread; ``why`` there is none."""
        self.put(key, lambda: over(float(sum(above)), float(sum(below)), why))
        self.spread(key, len(above), ratio(above, below))

    def shares(
        self, key: str, make: Callable[[], tuple[Sequence[float], Sequence[float]]], why: str
    ) -> None:
        """:meth:`share` of sums that may raise MetricUndefined themselves."""
        try:
            above, below = make()
        except MetricUndefined as reason:
            above, below, why = (), (), str(reason)
        self.share(key, above, below, why)

    def spread(self, key: str, items: int, spread: Spread) -> None:
        """How the figure ``key``, made of so many ``items``, varies under draws of them."""
        self.spreads[key] = (items, spread)

    def intervals(self, *, samples: int, seed: int) -> None:
        """Put the ends of the 95 % interval of every figure with a spread beside it.

        Figures of the same number of items share their draws.
        """
        drawn: dict[int, NDArray[np.int64]] = {}
        for key, (items, spread) in self.spreads.items():
            low = high = None
            if self.metrics.get(key) is None:
                self.undefined[f"{key}_95"] = self.undefined.get(key, "no videos")
            elif items < 2:
                self.undefined[f"{key}_95"] = "one item cannot be resampled"
            else:
                if items not in drawn:
                    drawn[items] = draws(items, samples=samples, seed=seed)
                try:
                    found = interval_of(spread(drawn[items]))
                    low, high = round(found.low, 6), round(found.high, 6)
                except MetricUndefined as reason:
                    self.undefined[f"{key}_95"] = str(reason)
            self.metrics[f"{key}_95_low"], self.metrics[f"{key}_95_high"] = low, high

    def withdraw(self, groups: frozenset[str], why: str, *, given: bool = False) -> None:
        """Take back every metric of these groups of definitions: a 0 there would be no finding.

        ``given``: also those that follow from scores and truth alone.
        """
        for key in self.metrics:
            known = definition(key)
            if known is not None and known.group in groups and (given or key not in GIVEN):
                self.metrics[key] = None
                self.undefined[key] = why

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "spreads"}


def over(above: float, below: float, why: str) -> float:
    if not below:
        raise MetricUndefined(why)
    return above / below


def mean(values: Sequence[float], why: str) -> float:
    return over(float(sum(values)), len(values), why)


def real(values: NDArray[np.float64], why: str) -> float:
    if values.size == 0 or np.isnan(values[0]):
        raise MetricUndefined(why)
    return float(values[0])
