"""Where a camera was at fault: what of the videos could not be judged, and how that is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.spans import SPANS_NAMED, joined, named
from tools.decision import Decision, Label, Plan, Step
from tools.deduction import words_only
from tools.ledger import Ledger, Look
from tools.types import HealthEvent, Interval, clock, ordered_unique

__all__ = [
    "asked_for",
    "camera_faults",
    "camera_headline",
    "camera_label",
    "camera_steps",
    "lost",
    "told_of_camera",
    "unjudged",
]

LOOKS_CITED = 4
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


def asked_for(made: Plan, faults: Iterable[HealthEvent]) -> tuple[HealthEvent, ...]:
    """The faults that a question about the camera asks for; those of any kind where it says none,
    but for cuts, which an edited film has by nature."""
    wanted = made.faults
    return tuple(f for f in faults if (f.kind in wanted if wanted else f.kind != "cut"))


def camera_label(
    made: Plan, faults: Sequence[HealthEvent], looks: Iterable[Look]
) -> tuple[Label, str]:
    """Whether the camera was at fault as asked; *uncertain* where pictures could not be told."""
    if asked_for(made, faults):
        return Label.ANOMALOUS, ""
    unclear = next((x.description for x in looks if not _examined(x)), None)
    if unclear is None:
        return Label.NORMAL, ""
    words = "the captioner gives words alone and examines no camera"
    return Label.UNCERTAIN, "; ".join(unclear.problems) or words


def camera_headline(decision: Decision, ledger: Ledger, *, negated: bool = False) -> str:
    """What was wrong and when, or that nothing of the kind was seen.

    Args:
        negated: it was asked whether nothing was wrong.
    """
    yes, no = ("No", "Yes") if negated else ("Yes", "No")
    if decision.label is Label.ANOMALOUS:
        asked = [f for f in decision.health if f.id in decision.faulty]
        told = [_told(faults, ledger) for faults in _alike(asked)]
        return f"{yes}, the camera was at fault: {'; '.join(told)}."
    others = ", but others were" if any(f.kind != "cut" for f in decision.health) else ""
    return f"{no}, no such fault of the camera was seen{others}."


def told_of_camera(decision: Decision, ledger: Ledger) -> list[Step]:
    """The steps that answer a question about the camera: its faults, or what was looked at."""
    steps = camera_steps(decision, ledger, frames=True)
    faulty = {f.video_id for f in decision.health}
    for video in ledger.videos.values():
        looks = [x for x in ledger.looks.values() if x.event.video_id == video.id]
        unclear = [x for x in looks if not _examined(x)]
        refs = [f"caption:{x.description.caption.id}" for x in (unclear or looks)[:LOOKS_CITED]]
        if unclear:
            text = f"{video.name}: {unclear[0].description.caption.text}."
            steps.append(Step(kind="limit", text=text, evidence=(f"video:{video.id}", *refs)))
        elif looks and video.id not in faulty:
            text = (
                f"{video.name}: light, colours, sharpness, edges and motion of the whole picture "
                "are as usual wherever it was looked at."
            )
            steps.append(Step(kind="what", text=text, evidence=(f"video:{video.id}", *refs)))
    return steps


def _examined(look: Look) -> bool:
    """Whether a look could tell anything of the camera."""
    seen = look.description
    return bool(seen.health) or not (seen.problems or words_only(seen))


def camera_steps(decision: Decision, ledger: Ledger, *, frames: bool = False) -> list[Step]:
    """One step for each kind of fault in each video, with its stretches.

    Args:
        frames: cite the first and last frame of each fault, too.
    """
    steps = []
    for faults in _alike(decision.health):
        video_id, kind = faults[0].video_id, faults[0].kind
        what = "Camera" if kind == "cut" else "Camera at fault, not judged"
        refs = (f"video:{video_id}", *(f"health:{f.id}" for f in faults))
        if frames:
            shown = sorted({n for f in faults for n in f.frames})
            refs += tuple(f"frame:{video_id}:{n}" for n in shown)
        text = f"{what}: {_told(faults, ledger)}."
        steps.append(Step(kind="limit", text=text, evidence=refs))
    return steps


def _alike(faults: Iterable[HealthEvent]) -> list[list[HealthEvent]]:
    """Faults of one kind in one video together."""
    groups: dict[tuple[str, str], list[HealthEvent]] = {}
    for fault in faults:
        groups.setdefault((fault.video_id, fault.kind), []).append(fault)
    return list(groups.values())


def _told(faults: Sequence[HealthEvent], ledger: Ledger) -> str:
    """Faults of one kind in one video in words: where, when, what."""
    if faults[0].kind == "cut":
        spans = [clock(fault.interval.start_s) for fault in faults]
    else:
        union = joined((f.interval.start_s, f.interval.end_s) for f in faults)
        spans = [f"{clock(start)} to {clock(end)}" for start, end in union]
    told = "; ".join(spans[:SPANS_NAMED]) + ("; and later" if len(spans) > SPANS_NAMED else "")
    texts = ordered_unique(f.text for f in faults)
    return f"{ledger.videos[faults[0].video_id].name} {told}: {'; '.join(texts)}"
