"""Captions from their clauses, with what limits them said."""

from __future__ import annotations

from collections.abc import Sequence

from tools.backends.embedded.perception.health import Checkup, said
from tools.backends.embedded.perception.wording import PRIORS_NOTE, UNLIKE
from tools.ports import SceneProfile
from tools.types import Caption, Clause, Description, Interval, VideoInfo, content_id

__all__ = ["caption", "limited", "unjudged"]


def limited(
    found: Sequence[Clause], checkup: Checkup, interval: Interval, *, clear: bool, known: bool
) -> tuple[Clause, ...]:
    """What was found, unless nothing can be judged, and what limits it.

    Args:
        clear: the picture is mostly like its background.
        known: it is judged by a scene's own normal footage.
    """
    lost = checkup.problems or [said(e, interval) for e in checkup.events if e.kind != "cut"]
    parts = tuple(Clause(text=f"cannot be judged: {t}") for t in lost)
    if not checkup.problems:
        cuts = [said(e, interval) for e in checkup.events if e.kind == "cut"]
        unlike = () if clear else (Clause(text=UNLIKE),)
        parts = (*found, *unlike, *(Clause(text=t) for t in cuts), *parts)
    return parts if known else (*parts, Clause(text=PRIORS_NOTE))


def caption(
    captioner: str,
    info: VideoInfo,
    interval: Interval,
    parts: tuple[Clause, ...],
    profile: SceneProfile | None,
) -> Caption:
    """The caption that clauses make."""
    text = "; ".join(p.text for p in parts)
    version = profile.version if profile is not None else "priors"
    return Caption(
        id=content_id("caption", captioner, info.id, interval, version, text),
        video_id=info.id,
        interval=interval,
        text=text,
        clauses=parts,
        captioner=captioner,
    )


def unjudged(
    captioner: str,
    info: VideoInfo,
    interval: Interval,
    troubles: tuple[str, ...],
    profile: SceneProfile | None,
) -> Description:
    """What a look gives of which nothing can be judged."""
    parts = tuple(Clause(text=f"cannot be judged: {t}") for t in troubles)
    told = caption(captioner, info, interval, parts, profile)
    return Description(caption=told, problems=troubles)
