"""A camera at fault: the stretch is named in decision and answer, the rest of the video judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent import Agent, Label
from tests.conftest import WriteClip
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.video import open_video

Images = Sequence[NDArray[np.uint8]]


def images(path: str) -> list[NDArray[np.uint8]]:
    with open_video(path) as source:
        return [frame.image.copy() for frame in source.frames()]


def blacked(pictures: Images, first: int, last: int) -> list[NDArray[np.uint8]]:
    return [(p * 0.02).astype(np.uint8) if first <= n < last else p for n, p in enumerate(pictures)]


def test_a_blackout_is_not_called_normal(
    shared_agent: Agent, walkway: Walkway, write_clip: WriteClip, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "dark.mp4", blacked(images(walkway.calm), 20, 32))
    out = shared_agent.invoke({"query": ANYTHING, "videos": [str(clip)], "scene": SCENE})
    decision, answer = out["decision"], out["answer"]
    assert decision.label is Label.UNCERTAIN
    assert "cannot be judged: the picture is nearly black" in decision.reason
    faults = [f for f in decision.health if f.kind == "black"]
    assert min(f.interval.start_s for f in faults) == 2.0
    assert max(f.interval.end_s for f in faults) == 3.2
    assert "Camera at fault, not judged: dark.mp4 00:02.0 to 00:03.2: the picture is" in answer
    assert decision.dropped_steps == 0
    (timeline,) = decision.timelines
    assert not any(2.0 <= s < 3.1 for s in timeline.seconds)
    assert any(s < 1.9 for s in timeline.seconds)
    assert any(s > 3.4 for s in timeline.seconds)


def test_what_is_found_elsewhere_counts_and_the_fault_is_told(
    shared_agent: Agent, walkway: Walkway, write_clip: WriteClip, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "cut.mp4", blacked(images(walkway.bike), 0, 12))
    out = shared_agent.invoke({"query": ANYTHING, "videos": [str(clip)], "scene": SCENE})
    assert out["decision"].label is Label.ANOMALOUS
    assert "Camera at fault, not judged: cut.mp4 00:00.0 to" in out["answer"]


def test_a_healthy_camera_has_no_faults(shared_agent: Agent, walkway: Walkway) -> None:
    out = shared_agent.invoke({"query": ANYTHING, "videos": [walkway.calm], "scene": SCENE})
    assert out["decision"].health == ()
    assert "Camera" not in out["answer"]


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("Was the camera tampered with?", Label.ANOMALOUS),
        ("Did the picture go dark?", Label.ANOMALOUS),
        ("Was the picture frozen?", Label.NORMAL),
    ],
)
def test_a_question_about_the_camera_is_answered_from_its_health(
    query: str,
    label: Label,
    shared_agent: Agent,
    walkway: Walkway,
    write_clip: WriteClip,
    tmp_path: Path,
) -> None:
    """The cyclist, who is in the clip too, was not asked for."""
    clip = write_clip(tmp_path / "dark.mp4", blacked(images(walkway.bike), 0, 12))
    out = shared_agent.invoke({"query": query, "videos": [str(clip)], "scene": SCENE})
    decision, answer = out["decision"], out["answer"]
    assert (decision.label, decision.score, decision.events) == (label, None, ())
    assert decision.dropped_steps == 0
    (step,) = [s for s in decision.explanation if "nearly black" in s.text]
    kinds = {ref.partition(":")[0] for ref in step.evidence}
    assert kinds == {"video", "health", "frame"}
    if label is Label.ANOMALOUS:
        assert answer.startswith("Yes, the camera was at fault: dark.mp4 00:00.0 to 00:01.2: the")
    else:
        assert answer.startswith("No, no such fault of the camera was seen, but others were.")
    assert "not who or what caused it" in answer


def test_of_a_healthy_camera_that_is_said(shared_agent: Agent, walkway: Walkway) -> None:
    query = "Was the camera tampered with?"
    out = shared_agent.invoke({"query": query, "videos": [walkway.bike], "scene": SCENE})
    decision = out["decision"]
    assert decision.label is Label.NORMAL
    assert out["answer"].startswith("No, no such fault of the camera was seen.\n1. ")
    (step,) = decision.explanation
    assert any(ref.startswith("caption:") for ref in step.evidence)


def test_of_one_frame_nothing_is_said_of_the_camera(
    shared_agent: Agent, walkway: Walkway, write_clip: WriteClip, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "one.mp4", images(walkway.calm)[:1])
    query = "Was the camera tampered with?"
    out = shared_agent.invoke({"query": query, "videos": [str(clip)], "scene": SCENE})
    assert out["decision"].label is Label.UNCERTAIN
    assert "too few frames to see motion" in out["decision"].reason
