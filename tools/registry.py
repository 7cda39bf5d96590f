"""The tools as LangChain tools: the functions the graph calls, with schemas made from their types.

``langchain_tools(toolbox, ledger)`` gives tools a language model can be bound to. Each call goes
through the given ledger like the graph's own, so what a model learns is evidence too. A call the
model can correct raises :class:`~tools.errors.ToolRetry`, comes back to it as text and is recorded
as refused, as is one whose arguments do not fit the schema.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from tools.decision import Plan
from tools.errors import BudgetSpent, MediaError, ToolRetry, UserError
from tools.ledger import Ledger, SceneView
from tools.types import Event, Level, Question, VideoInfo, clock, content_id

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from tools.toolbox import Toolbox

__all__ = ["Registry", "langchain_tools"]

VideoId = Annotated[str, Field(description="Id of an opened video, as open_video returns it.")]
EventId = Annotated[str, Field(description="Id of an event, as find_events returns it.")]


class Registry:
    """The tools of one run as plain functions of simple arguments.

    Args:
        toolbox: the configured backends.
        ledger: where every result is recorded.
        plan: what the run is about; judging needs it.
    """

    def __init__(self, toolbox: Toolbox, ledger: Ledger, plan: Plan) -> None:
        self._tools = toolbox
        self._ledger = ledger
        self._plan = plan

    def open_video(self, path: Annotated[str, Field(description="File or folder.")]) -> str:
        """Open a video and say its id, length and size."""
        try:
            info = self._tools.probe(self._ledger, path)
        except MediaError as error:
            raise ToolRetry(error.message, remedy=error.remedy) from error
        return f"video {info.id}: {clock(info.seconds)}, {info.width}×{info.height}, {info.name}"

    def use_scene(self, name: Annotated[str, Field(description="Name of a scene.")]) -> str:
        """Choose the scene whose rules and normal footage everything is judged by."""
        try:
            view = self._tools.scene(self._ledger, name)
        except UserError as error:
            raise ToolRetry(error.message, remedy=error.remedy) from error
        return f"{view.ref}: {view.normal_events} normal events set the alarm threshold"

    def find_events(self, video_id: VideoId) -> str:
        """Divide a video into events, coarse and fine, each with how much goes on in it."""
        found = self._tools.segment(self._ledger, self._video(video_id))
        lines = []
        for event in found.tree.events:
            indent = "  " if event.level is Level.FINE else ""
            lively = found.novelty.get(event.id, 0.0)
            lines.append(f"{indent}{event.id} {event.interval} liveliness {lively:.2f}")
        return "\n".join(lines)

    def look(
        self,
        event_id: EventId,
        detail: Annotated[
            Literal["coarse", "fine"], Field(description="How densely to look.")
        ] = "fine",
    ) -> str:
        """Look at an event: what is seen there, in words and numbers, with references."""
        event = self._event(event_id)
        video = self._video(event.video_id)
        allowed = self._plan.budget.max_looks
        if allowed is not None and self._ledger.count("look") >= allowed:
            raise BudgetSpent(f"the {allowed} looks of this run are spent")
        seen = self._tools.look(
            self._ledger, video, event, scene=self._scene(), detail=detail
        ).description
        lines = [f"caption:{seen.caption.id} {seen.caption.text}"]
        lines += [f"obs:{o.id} {o.text}" for o in seen.observations]
        lines += [f"cannot be judged: {problem}" for problem in seen.problems]
        return "\n".join(lines)

    def ask_frames(
        self,
        event_id: EventId,
        attribute: Annotated[str, Field(description="What to measure, e.g. speed.")],
        observation_id: Annotated[
            str | None, Field(description="Measure where this observation was seen.")
        ] = None,
    ) -> str:
        """Ask the frames of an event one independent question."""
        known = self._tools.captioner.attributes
        if attribute not in known:
            raise ToolRetry(f"{attribute} is not measured", remedy=f"one of {', '.join(known)}")
        event = self._event(event_id)
        seen = self._ledger.observation(observation_id) if observation_id else None
        question = Question(
            id=content_id(event_id, attribute, observation_id),
            text=f"How much is {attribute} here?",
            attribute=attribute,
            box=seen.box if seen else None,
        )
        asked = self._tools.ask(
            self._ledger, self._video(event.video_id), event, (question,), scene=self._scene()
        )
        return "\n".join(f"answer:{a.id} {a.text}" for a in asked.answers)

    def recall_rules(
        self,
        event_id: EventId,
        query: Annotated[str, Field(description="What to look rules up for.")],
        k: Annotated[int, Field(ge=1, le=64, description="How many.")] = 8,
    ) -> str:
        """Fetch the rules of the scene that bear on an event that was looked at."""
        look = self._ledger.looks.get(event_id)
        if look is None:
            raise ToolRetry(f"event {event_id} was not looked at", remedy="call look first")
        found = self._tools.recall(self._ledger, look, query, scene=self._scene(), k=k)
        lines = [f"{h.rule.ref} ({h.rule.kind}) {h.rule.text} [{h.reason}]" for h in found.hits]
        return "\n".join(lines) or "no rules"

    def judge(self, event_id: EventId) -> str:
        """Judge an event by the rules recalled for it: a calibrated score, or uncertain and why."""
        look, recall = self._ledger.looks.get(event_id), self._ledger.recalls.get(event_id)
        if look is None or recall is None:
            raise ToolRetry(
                f"event {event_id} is not ready to be judged",
                remedy="call look, then recall_rules",
            )
        verdict = self._tools.judge(
            self._ledger,
            self._plan,
            look,
            recall,
            self._ledger.asked.get(event_id),
            scene=self._scene(),
        )
        score = "uncertain: " + verdict.reason if verdict.score is None else f"{verdict.score:.2f}"
        lines = [f"verdict:{verdict.id} {score}"]
        lines += [f"{c.text} [{', '.join(c.evidence)}; {c.checked_by}]" for c in verdict.claims]
        return "\n".join(lines)

    # -- resolving ids -----------------------------------------------------------

    def _video(self, video_id: str) -> VideoInfo:
        video = self._ledger.videos.get(video_id)
        if video is None:
            known = ", ".join(self._ledger.videos) or "none yet"
            raise ToolRetry(f"no video {video_id} is open", remedy=f"open: {known}")
        return video

    def _event(self, event_id: str) -> Event:
        event = self._ledger.event(event_id)
        if event is None:
            raise ToolRetry(f"no event {event_id}", remedy="call find_events first")
        return event

    def _scene(self) -> SceneView | None:
        return self._ledger.scene


TOOLS = ("open_video", "use_scene", "find_events", "look", "ask_frames", "recall_rules", "judge")


def langchain_tools(toolbox: Toolbox, ledger: Ledger, plan: Plan) -> tuple[BaseTool, ...]:
    """The tools, ready for ``model.bind_tools`` or a ToolNode."""
    from langchain_core.tools import StructuredTool, ToolException

    registry = Registry(toolbox, ledger, plan)

    def correctable(function: Callable[..., str], name: str) -> Callable[..., str]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> str:
            try:
                return function(*args, **kwargs)
            except ToolRetry as error:
                ledger.refuse(name, str(error))
                raise ToolException(f"Try again: {error}") from error
            except BudgetSpent as error:
                raise ToolException(f"Not possible: {error}") from error

        return run

    def misfit(name: str) -> Callable[[ValidationError], str]:
        def say(error: ValidationError) -> str:
            flaw = error.errors()[0]
            where = ".".join(str(part) for part in flaw["loc"]) or "arguments"
            reason = f"{where}: {flaw['msg'].lower()}"
            ledger.refuse(name, reason)
            return f"Try again: {reason}"

        return say

    return tuple(
        StructuredTool.from_function(
            correctable(getattr(registry, name), name),
            handle_tool_error=True,
            handle_validation_error=misfit(name),
        )
        for name in TOOLS
    )
