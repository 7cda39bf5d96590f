"""Pure functions from scores, labels and intervals to figures."""

from evals.metrics.events import (
    Hits,
    LabelCounts,
    boxes_overlap,
    count_labels,
    interval_hits,
    interval_iou,
)
from evals.metrics.frames import (
    Estimate,
    MacroAuroc,
    MetricUndefined,
    ScoredVideo,
    average_precision,
    bootstrap,
    frame_truth,
    macro_auroc,
    micro_auroc,
)
from evals.metrics.timeline import NEUTRAL, Dense, densify

__all__ = [
    "NEUTRAL",
    "Dense",
    "Estimate",
    "Hits",
    "LabelCounts",
    "MacroAuroc",
    "MetricUndefined",
    "ScoredVideo",
    "average_precision",
    "bootstrap",
    "boxes_overlap",
    "count_labels",
    "densify",
    "frame_truth",
    "interval_hits",
    "interval_iou",
    "macro_auroc",
    "micro_auroc",
]
