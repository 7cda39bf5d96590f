"""The captioner's name, and why scenes that were learned under another one cannot be used."""

from __future__ import annotations

from dataclasses import replace

from tools.backends.embedded.perception.settings import CODE_VERSION, PerceptionSettings

__all__ = ["foreign", "name_of"]

_FAMILY = "embedded-perception"


def name_of(settings: PerceptionSettings) -> str:
    """The same for scenes that may stand in for one another: code version and settings."""
    return f"{_FAMILY}/{CODE_VERSION}-{settings.key[:6]}"


def foreign(settings: PerceptionSettings, learned: str, scene: str) -> tuple[str, str] | None:
    """Why a scene learned under another name cannot be used, and what to do; None: not known."""
    if learned == name_of(replace(settings, causal=not settings.causal)):
        was, now = ("offline", "causal") if settings.causal else ("causal", "offline")
        return (
            f"it was learned for {was} smoothing, and smoothing is {now} now",
            f"set VIDOCQ_SMOOTHING={was}, or keep the scene and learn another one this way: "
            f"vidocq induce NORMAL... --scene {scene}-{now}",
        )
    family, _, version = learned.partition("/")
    if family == _FAMILY and version.partition("-")[0] != CODE_VERSION:
        return (
            "that version of Vidocq measured otherwise",
            f"induce it again: vidocq induce NORMAL... --scene {scene}",
        )
    return None
