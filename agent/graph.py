"""The agent as users hold it: a compiled LangGraph graph that can be invoked as it is."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.graph.state import CompiledStateGraph

__all__ = ["Agent"]


BLANK: Mapping[str, Any] = {
    "query": None,
    "videos": [],
    "scene_free": False,
    "budget": None,
    "run_id": None,
}
"""What a turn that does not give these gets, so that nothing of a failed turn leaks into it."""


def _whole(given: Any) -> Any:
    return {**BLANK, **given} if isinstance(given, dict) else given


class Agent(CompiledStateGraph[Any, Any, Any, Any]):
    """The compiled investigation graph.

    It differs from any compiled graph in one way: an invocation that names no thread gets one of
    its own.
    """

    on_close: Callable[[], None] | None = None

    @classmethod
    def of(cls, compiled: CompiledStateGraph[Any, Any, Any, Any]) -> Self:
        """The same graph as an agent."""
        return cls(**{k: v for k, v in vars(compiled).items() if k != "__orig_class__"})

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        return super().stream(_whole(input), self._attended(config, kwargs), **kwargs)

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        return super().astream(_whole(input), self._threaded(config), **kwargs)

    def close(self) -> None:
        """Close the stores the agent was built with."""
        if self.on_close is not None:
            self.on_close()

    def _attended(self, config: RunnableConfig | None, kwargs: Mapping[str, Any]) -> RunnableConfig:
        """LangGraph keeps one worker waiting for custom events and messages; with ``parallel`` 1
        none would be left for the work, and nothing would ever come."""
        made = self._threaded(config)
        bound = made.get("max_concurrency", (self.config or {}).get("max_concurrency"))
        mode = kwargs.get("stream_mode") or ()
        modes = {mode} if isinstance(mode, str) else set(mode)
        if bound is not None and (modes & {"custom", "messages"} or kwargs.get("subgraphs")):
            made["max_concurrency"] = bound + 1
        return made

    def _threaded(self, config: RunnableConfig | None) -> RunnableConfig:
        named = merge_configs(self.config, config).get("configurable") or {}
        thread = named.get("thread_id") or uuid.uuid4().hex
        # By hand: patch_config and its like fill in LangChain's defaults, and a recursion limit
        # of 25 that nobody asked for would outweigh the graph's own.
        given = config or RunnableConfig()
        return {**given, "configurable": {**given.get("configurable", {}), "thread_id": thread}}
