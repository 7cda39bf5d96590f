"""The investigation as a LangGraph state machine (drawn in docs/architecture.md).

::

    plan → segment → choose → look → recall → judge → reflect ─┐
      │                ▲ │                                      │
      │                └─┼──────────────────────────────────────┘
      │                  └→ correlate → decide → explain → check → answer
      │                        ▲                              ▲  │
      ├── nothing to look at ──┘                              └ repair
      └→ follow_up
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from graphs import conclude, nodes, routes
from graphs.context import Context
from graphs.state import Input, Output, State

__all__ = ["build"]

Node = Callable[[Any, Runtime[Context]], State]


def build(context: Context) -> StateGraph[State, None, Input, Output]:
    """The graph with its live handles bound, not yet compiled."""
    graph: StateGraph[State, None, Input, Output] = StateGraph(
        State, input_schema=Input, output_schema=Output
    )
    steps: Mapping[str, Node] = {
        "plan": nodes.plan,
        "segment": nodes.segment,
        "choose": nodes.choose,
        "look": nodes.look,
        "recall": nodes.recall,
        "judge": nodes.judge,
        "reflect": nodes.reflect,
        "correlate": conclude.correlate,
        "decide": conclude.decide,
        "explain": conclude.explain_decision,
        "check": conclude.check,
        "repair": conclude.repair,
        "answer": conclude.answer,
        "follow_up": conclude.follow_up,
    }
    for name, step in steps.items():
        graph.add_node(name, _bound(step, context))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", routes.after_plan)
    graph.add_edge("segment", "choose")
    graph.add_conditional_edges("choose", routes.after_choose, ["look", "correlate"])
    graph.add_edge("look", "recall")
    graph.add_edge("recall", "judge")
    graph.add_edge("judge", "reflect")
    graph.add_edge("reflect", "choose")
    graph.add_edge("correlate", "decide")
    graph.add_edge("decide", "explain")
    graph.add_edge("explain", "check")
    graph.add_conditional_edges("check", routes.after_check)
    graph.add_edge("repair", "check")
    graph.add_edge("answer", END)
    graph.add_edge("follow_up", END)
    return graph


def _bound(step: Node, context: Context) -> Callable[..., Any]:
    """The node with its handles: callers of ``invoke`` give a question, not model clients."""

    def run(state: Any, runtime: Runtime[Any]) -> State:
        try:
            return step(state, cast("Runtime[Context]", runtime.override(context=context)))
        except Exception:
            # Parallel looks share the run; what they leave open is let go with the process.
            if step is not nodes.look and isinstance(state.get("run"), str):
                context.runs.release(state["run"])
            raise

    run.__name__ = step.__name__
    run.__doc__ = step.__doc__
    return run
