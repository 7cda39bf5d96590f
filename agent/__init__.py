"""Vidocq's public face: ``build_agent()`` and its company. Importing it loads nothing heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.graph import Agent
    from agent.runtime import Stores, build_agent, induce_scene, open_stores
    from agent.settings import Settings, load_settings
    from tools.decision import Budget, Decision, EventScore, Label, Step
    from tools.errors import VidocqError

_HOMES = {
    "Agent": "agent.graph",
    "Budget": "tools.decision",
    "Decision": "tools.decision",
    "EventScore": "tools.decision",
    "Label": "tools.decision",
    "Settings": "agent.settings",
    "Step": "tools.decision",
    "Stores": "agent.runtime",
    "VidocqError": "tools.errors",
    "build_agent": "agent.runtime",
    "induce_scene": "agent.runtime",
    "load_settings": "agent.settings",
    "open_stores": "agent.runtime",
}

__all__ = [
    "Agent",
    "Budget",
    "Decision",
    "EventScore",
    "Label",
    "Settings",
    "Step",
    "Stores",
    "VidocqError",
    "build_agent",
    "induce_scene",
    "load_settings",
    "open_stores",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
