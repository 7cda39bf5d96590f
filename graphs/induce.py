"""Induction as a LangGraph state machine: from normal clips to a rule book on record.

::

    START → watch → vote ──→ merge → test → record → END
                      │        ▲
                      └ draft ─┘   (where a language model is set to propose rules)

What is watched and voted on is large and stays with ``SceneInduction``
(:mod:`tools.induction.inducing`), in the context of the run; state says how far it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from tools.archive import SceneRecord
from tools.induction.inducing import SceneInduction
from tools.types import RuleStatus

__all__ = ["InduceState", "Inducing", "after_vote", "build_induction"]


@dataclass(frozen=True, eq=False)
class Inducing:
    """The induction under way; its clips are open."""

    induction: SceneInduction


class InduceState(TypedDict, total=False):
    """How far an induction is."""

    scene: str
    """Name of the scene."""
    drafting: bool
    """Whether a language model proposes rules, too."""
    measured: int
    """Rules on which the batches agree, of what was measured."""
    drafted: int
    """The same, of what the language model proposed."""
    active: int
    """Rules that are left after merging, or after the test."""
    notes: tuple[str, ...]
    """What is to be said so far."""
    record: SceneRecord
    """What was put on record."""


def build_induction() -> StateGraph[InduceState, Inducing, InduceState, InduceState]:
    """The graph, not yet compiled."""
    graph: StateGraph[InduceState, Inducing, InduceState, InduceState] = StateGraph(
        InduceState, context_schema=Inducing
    )
    steps: Mapping[str, Any] = {
        "watch": watch,
        "vote": vote,
        "draft": draft,
        "merge": merge,
        "test": test,
        "record": record,
    }
    for name, step in steps.items():
        graph.add_node(name, step)
    graph.add_edge(START, "watch")
    graph.add_edge("watch", "vote")
    graph.add_conditional_edges("vote", after_vote)
    graph.add_edge("draft", "merge")
    graph.add_edge("merge", "test")
    graph.add_edge("test", "record")
    graph.add_edge("record", END)
    return graph


def watch(state: InduceState, runtime: Runtime[Inducing]) -> InduceState:
    """Learn the scene and describe the clips."""
    work = runtime.context.induction.work
    work.watch()
    drafting = work.drafter is not None
    return {"scene": work.scene, "drafting": drafting, "notes": work.notes}


def vote(state: InduceState, runtime: Runtime[Inducing]) -> InduceState:
    """Let batches of the footage vote on what was measured."""
    work = runtime.context.induction.work
    work.vote()
    return {"measured": len(work.final)}


def after_vote(state: InduceState) -> Literal["draft", "merge"]:
    """Whether a language model has its say."""
    return "draft" if state["drafting"] else "merge"


def draft(state: InduceState, runtime: Runtime[Inducing]) -> InduceState:
    """Let a language model propose rules from each batch's captions, and count the votes."""
    work = runtime.context.induction.work
    work.draft()
    return {"drafted": len(work.drafted), "notes": work.notes}


def merge(state: InduceState, runtime: Runtime[Inducing]) -> InduceState:
    """One rule of those that say the same; none of those that contradict each other."""
    work = runtime.context.induction.work
    work.merge()
    return {"active": len(work.final), "notes": work.notes}


def test(state: InduceState, runtime: Runtime[Inducing]) -> InduceState:
    """Try the rules on held-out footage: relax, retire, calibrate."""
    work = runtime.context.induction.work
    work.test()
    active = sum(p.rule.status is RuleStatus.ACTIVE for p in work.final)
    return {"active": active, "notes": work.notes}


def record(state: InduceState, runtime: Runtime[Inducing]) -> InduceState:
    """Put profile, rules and calibration on record, all or nothing."""
    return {"record": runtime.context.induction.record()}
