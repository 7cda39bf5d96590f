"""Where a camera was at fault: what of the videos could not be judged, and how that is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tools.decision import Decision, Step
from tools.ledger import Ledger, Look
from tools.types import HealthEvent, clock, ordered_unique

__all__ = ["camera_faults", "camera_steps", "unjudged"]

SPANS_NAMED = 6
TOUCH_S = 0.25
"""Stretches of one fault this close are told as one."""


def camera_faults(looks: Iterable[Look]) -> tuple[HealthEvent, ...]:
    """Every fault that the looks saw, once, video by video in time order."""
    found = {fault.id: fault for look in looks for fault in look.description.health}
    return tuple(sorted(found.values(), key=lambda f: (f.video_id, f.interval.start, f.kind, f.id)))


def unjudged(faults: Sequence[HealthEvent], ledger: Ledger) -> str:
    """The stretches that were not judged, as a reason; empty where there are none."""
    lost = [f for f in faults if f.kind != "cut"]
    if not lost:
        return ""
    first = lost[0]
    more = " and elsewhere" if len(_joined([f for f in lost if f.kind == first.kind])) > 1 else ""
    name, (start, end) = ledger.videos[first.video_id].name, _joined(lost[:1])[0]
    return f"{name} {clock(start)}–{clock(end)}{more} cannot be judged: {first.text}"


def camera_steps(decision: Decision, ledger: Ledger) -> list[Step]:
    """One step for each kind of fault in each video, with its stretches."""
    groups: dict[tuple[str, str], list[HealthEvent]] = {}
    for fault in decision.health:
        groups.setdefault((fault.video_id, fault.kind), []).append(fault)
    steps = []
    for (video_id, kind), faults in groups.items():
        spans = [
            clock(start) if kind == "cut" else f"{clock(start)} to {clock(end)}"
            for start, end in _joined(faults)
        ]
        named = "; ".join(spans[:SPANS_NAMED]) + ("; and later" if len(spans) > SPANS_NAMED else "")
        texts = ordered_unique(f.text for f in faults)
        what = "Camera" if kind == "cut" else "Camera at fault, not judged"
        refs = (f"video:{video_id}", *(f"health:{f.id}" for f in faults))
        name = ledger.videos[video_id].name
        text = f"{what}: {name} {named}: {'; '.join(texts)}."
        steps.append(Step(kind="limit", text=text, evidence=refs))
    return steps


def _joined(faults: Sequence[HealthEvent]) -> list[tuple[float, float]]:
    """Start and end, in seconds, of stretches that touch, put together."""
    spans: list[tuple[float, float]] = []
    for fault in faults:
        start, end = fault.interval.start_s, fault.interval.end_s
        if spans and fault.kind != "cut" and start - spans[-1][1] <= TOUCH_S:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
