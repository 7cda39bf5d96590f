"""Definitions of the figures that scoring adds to those of :mod:`evals.metrics`."""

from __future__ import annotations

from evals.metrics.definitions import Definition

__all__ = ["EXTRA"]

_HELD = "Held-out normal clips"

EXTRA: dict[str, Definition] = {
    "unscored": Definition(
        "Calibration and abstention",
        "traces",
        "Saved traces that could not be scored; named under unscored, in no other figure.",
        better="lower",
    ),
    "heldout_normal_items": Definition(
        _HELD, "items", "Normal clips kept out of induction.", "", ""
    ),
    "heldout_normal_anomalous": Definition(
        _HELD, "items", "Of these, judged anomalous: false alarms.", better="lower"
    ),
    "heldout_normal_uncertain": Definition(
        _HELD, "items", "Of these, answered *uncertain*.", better="lower"
    ),
    "heldout_normal_failed": Definition(
        _HELD, "items", "Of these, without an answer.", better="lower"
    ),
}
"""Key in ``results.json`` → what it means."""
