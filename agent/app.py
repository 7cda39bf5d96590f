"""For ``langgraph.json`` only: the graph as ``langgraph dev`` and Studio load it.

The platform keeps its own checkpoints, so none are bound here.
"""

from __future__ import annotations

from agent.runtime import build_agent

__all__ = ["graph"]

graph = build_agent(checkpoints=False)
