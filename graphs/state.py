"""State of the investigation graph: small, made of references; frames and results stay elsewhere.

What the tools returned lies in the run's ledger (:mod:`tools.ledger`), so a checkpoint has the same
size at the first round and at the thousandth.
"""

from __future__ import annotations

from typing import Annotated

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict  # before Python 3.12 schemas are made from no other

from tools.decision import Action, Budget, Decision, Plan

__all__ = ["Input", "LookTask", "Output", "State"]


class Input(TypedDict, total=False):
    """What a caller gives. One of ``query`` and ``messages`` is needed."""

    query: str | None
    """The question; without it, the last human message is the question."""
    videos: list[str]
    """Files or folders of frames; paths in the question's text count too. A turn that names none
    speaks of those of the turn before."""
    scene: str | None
    """The scene whose rules apply. Kept for follow-ups."""
    scene_free: bool
    """Judge by general priors, without any scene's rules."""
    started: str | None
    """When the video's first frame was taken (ISO 8601, the camera's clock): rules may have hours.
    """
    camera: str | None
    """Which camera took the videos: rules may be for some cameras only."""
    budget: Budget | dict[str, float | int | None] | None
    """What the run may spend."""
    run_id: str | None
    """Name of the run; made up where it is missing."""
    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation."""


class Output(TypedDict, total=False):
    """What a caller gets."""

    decision: Decision
    """The decision with its events, timelines, explanation and costs."""
    answer: str
    """The decision as readable text."""
    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation with the answer added."""


class State(TypedDict, total=False):
    """Everything a checkpoint holds."""

    query: str | None
    """The question of this run; cleared at its end."""
    videos: list[str]
    """Paths given with this question; cleared at its end."""
    scene: str | None
    """Name of the scene."""
    scene_free: bool
    """Whether general priors stand in for a scene."""
    started: str | None
    """When the video was taken; cleared at the end of the run."""
    camera: str | None
    """Which camera took the videos; cleared at the end of the run."""
    budget: Budget | dict[str, float | int | None] | None
    """The caller's budget; cleared at the end of the run."""
    run_id: str | None
    """The run in progress; cleared at its end."""
    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation."""

    run: str
    """The run whose ledger the nodes use."""
    plan: Plan
    """The question turned into work."""
    paths: list[str]
    """Paths in scope, as the user gave them."""
    video_ids: tuple[str, ...]
    """Videos in scope that could be opened, in the user's order."""
    judgeable: bool
    """Whether there are rules, or accepted priors, to judge by."""
    round: int
    """Rounds of the loop begun."""
    wanted: tuple[Action, ...]
    """What the last reflection asks for."""
    actions: tuple[Action, ...]
    """What this round does."""
    stop_reason: str
    """Why the loop ended."""
    previous: Decision | None
    """The decision that a follow-up question speaks of."""
    decision: Decision
    """The decision, once made."""
    repairs: int
    """How often the explanation was repaired."""
    problems: tuple[str, ...]
    """Citations and numbers of the explanation that do not resolve."""
    answer: str
    """The decision as readable text."""


class LookTask(TypedDict):
    """One parallel look: what is sent to the ``look`` node."""

    run: str
    """The run whose ledger is used."""
    action: Action
    """What to look at, and how."""
    plan: Plan
    """The plan it serves."""
