"""Where a camera was at fault: what of the videos could not be judged, and how that is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.spans import SPANS_NAMED, joined, named
from tools.decision import Decision, Step
from tools.ledger import Ledger, Look
from tools.types import HealthEvent, Interval, clock, ordered_unique

__all__ = ["camera_faults", "camera_steps", "lost", "unjudged"]

REASONS_NAMED = 3


def camera_faults(looks: Iterable[Look]) -> tuple[HealthEvent, ...]:
    """Every fault that the looks saw, once, video by video in time order."""
    found = {fault.id: fault for look in looks for fault in look.description.health}
    return tuple(sorted(found.values(), key=lambda f: (f.video_id, f.interval.start, f.kind, f.id)))


def lost(faults: Iterable[HealthEvent], looks: Iterable[Look]) -> list[tuple[str, Interval]]:
    """The stretches that could not be judged, each with the id of its video.

    Args:
        faults: of the camera.
        looks: that were taken; some could make out nothing at all.
    """
    stretches = [(f.video_id, f.interval) for f in faults if f.kind != "cut"]
    blind = (look.event for look in looks if look.description.problems)
    return [*stretches, *((event.video_id, event.interval) for event in blind)]


def unjudged(faults: Sequence[HealthEvent], looks: Sequence[Look], ledger: Ledger) -> str:
    """All stretches that were not judged, and why, as a reason; empty where there are none."""
    stretches = lost(faults, looks)
    if not stretches:
        return ""
    told = [f.text for f in faults if f.kind != "cut"]
    for look in looks:
        if all(f.kind == "cut" for f in look.description.health):
            told += look.description.problems
    whys = ordered_unique(told)
    more = " and more" if len(whys) > REASONS_NAMED else ""
    return f"{named(stretches, ledger)} cannot be judged: {'; '.join(whys[:REASONS_NAMED])}{more}"


def camera_steps(decision: Decision, ledger: Ledger) -> list[Step]:
    """One step for each kind of fault in each video, with its stretches."""
    groups: dict[tuple[str, str], list[HealthEvent]] = {}
    for fault in decision.health:
        groups.setdefault((fault.video_id, fault.kind), []).append(fault)
    steps = []
    for (video_id, kind), faults in groups.items():
        if kind == "cut":
            spans = [clock(fault.interval.start_s) for fault in faults]
        else:
            union = joined((f.interval.start_s, f.interval.end_s) for f in faults)
            spans = [f"{clock(start)} to {clock(end)}" for start, end in union]
        told = "; ".join(spans[:SPANS_NAMED]) + ("; and later" if len(spans) > SPANS_NAMED else "")
        texts = ordered_unique(f.text for f in faults)
        what = "Camera" if kind == "cut" else "Camera at fault, not judged"
        refs = (f"video:{video_id}", *(f"health:{f.id}" for f in faults))
        name = ledger.videos[video_id].name
        text = f"{what}: {name} {told}: {'; '.join(texts)}."
        steps.append(Step(kind="limit", text=text, evidence=refs))
    return steps
