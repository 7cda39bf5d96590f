"""Zooming in: it refines what and when, and costs the ranking of frames nothing."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from agent import Agent, Decision
from tests.walkway import ANYTHING, SCENE, Walkway


def asked(agent: Agent, walkway: Walkway, **budget: int) -> Decision:
    given = {"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE, "budget": budget}
    decision: Decision = agent.invoke(given)["decision"]
    return decision


def test_zooming_in_ranks_frames_no_worse_than_a_single_look(
    shared_agent: Agent, walkway: Walkway
) -> None:
    def auroc(decision: Decision) -> float:
        (line,) = decision.timelines
        truth = np.zeros(walkway.truth.frames, bool)
        for start, end in walkway.truth.intervals:
            truth[start:end] = True
        return float(roc_auc_score(truth[list(line.frames)], line.scores))

    single, whole = asked(shared_agent, walkway, max_rounds=1), asked(shared_agent, walkway)
    assert whole.cost.looks > single.cost.looks
    assert whole.timelines == single.timelines
    assert auroc(whole) == auroc(single) > 0.9


def test_zooming_in_finds_the_same_culprit(shared_agent: Agent, walkway: Walkway) -> None:
    single, whole = asked(shared_agent, walkway, max_rounds=1), asked(shared_agent, walkway)
    assert (single.label, whole.label) == ("anomalous", "anomalous")
    assert whole.events[0].interval.iou(single.events[0].interval) > 0.5
