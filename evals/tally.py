"""The figures of a run as they are gathered: values, and why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from evals.metrics.definitions import definition

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
    """What each round of iteration bought."""
    stop_reasons: dict[str, int] = field(default_factory=dict)
    tool_seconds: dict[str, float] = field(default_factory=dict)
    reliability: list[dict[str, float | int | None]] = field(default_factory=list)
    risk_coverage: list[tuple[float, float]] = field(default_factory=list)
    roc: list[tuple[float, float]] = field(default_factory=list)
    precision_recall: list[tuple[float, float]] = field(default_factory=list)

    def put(self, key: str, make: Callable[[], float | int]) -> None:
        """Record a metric, or why it has no value."""
        try:
            value = make()
        except MetricUndefined as reason:
            self.metrics[key], self.undefined[key] = None, str(reason)
        else:
            self.metrics[key] = value if isinstance(value, int) else round(float(value), 6)

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
        return asdict(self)


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
