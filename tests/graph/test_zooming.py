"""Zooming in: it refines what and when, and costs the ranking of frames nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from agent import Agent, Decision, build_agent, induce_scene
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.video import open_video


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


@pytest.mark.slow
def test_online_the_timeline_of_a_beginning_is_the_beginning_of_the_timeline(
    walkway: Walkway, tmp_path: Path
) -> None:
    """Frames after a moment change nothing before it: from the pixels to the score."""
    whole, cut = open_video(walkway.bike), tmp_path / "cut"
    cut.mkdir()
    with whole as source:
        frames = [f.image for f in source.frames()]
    rate = walkway.truth.fps
    for name, shown in (("whole", frames), ("cut", frames[: 5 * rate])):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for n, image in enumerate(shown):
            cv2.imwrite(str(folder / f"{n:04d}.png"), image)
    home = tmp_path / "home"
    induce_scene(walkway.normal, SCENE, home=home, smoothing="causal")
    lines = []
    with closing(build_agent(home=home, smoothing="causal")) as agent:
        for name in ("whole", "cut"):
            given = {"query": ANYTHING, "videos": [str(tmp_path / name)], "scene": SCENE}
            (line,) = agent.invoke(given)["decision"].timelines
            assert line.smoothing == "causal"
            lines.append(dict(zip(line.frames, line.scores, strict=True)))
    known = sorted(lines[1])
    assert len(known) > 10
    assert [lines[0].get(f) for f in known] == pytest.approx([lines[1][f] for f in known])


def test_zooming_in_finds_the_same_culprit(shared_agent: Agent, walkway: Walkway) -> None:
    single, whole = asked(shared_agent, walkway, max_rounds=1), asked(shared_agent, walkway)
    assert (single.label, whole.label) == ("anomalous", "anomalous")
    assert whole.events[0].interval.iou(single.events[0].interval) > 0.5
