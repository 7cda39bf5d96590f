"""Routers: pure functions of the state that name the next node."""

from __future__ import annotations

from typing import Literal

from langgraph.types import Send

from graphs.conclude import MAX_REPAIRS
from graphs.nodes import FOLLOW_UPS
from graphs.state import LookTask, State
from tools.decision import Intent

__all__ = ["after_check", "after_choose", "after_plan"]


def after_plan(state: State) -> Literal["segment", "follow_up", "correlate"]:
    """Look at the videos, answer about the last decision, or conclude with nothing to look at."""
    made = state["plan"]
    if made.intent in FOLLOW_UPS:
        return "follow_up"
    if made.intent is Intent.UNSUPPORTED or not state["video_ids"] or not state["judgeable"]:
        return "correlate"
    return "segment"


def after_choose(state: State) -> list[Send] | Literal["correlate"]:
    """Each chosen action as a look of its own, side by side; or conclude."""
    if not state["actions"]:
        return "correlate"
    return [
        Send("look", LookTask(run=state["run"], action=action, plan=state["plan"]))
        for action in state["actions"]
    ]


def after_check(state: State) -> Literal["answer", "repair"]:
    """Repair an explanation that does not hold, at most twice."""
    return "repair" if state["problems"] and state["repairs"] < MAX_REPAIRS else "answer"
