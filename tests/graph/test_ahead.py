"""One decoding pass for events and looks; several videos in processes; the same results."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import Decision, build_agent, open_stores
from evals.scenes import render
from tests.walkway import ANYTHING, SCENE, Walkway
from tools import toolbox
from tools.ahead import Job, segmented
from tools.backends.embedded.perception.captioner import EmbeddedCaptioner
from tools.boundaries import embedded_detector
from tools.ledger import Ledger
from tools.ports import Frame, Listener
from tools.toolbox import Toolbox
from tools.types import Description
from tools.video import open_video


class Silent(Listener):
    """Listens to every second frame."""

    step = 2

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.finished = False

    def feed(self, frame: Frame) -> None:
        self.heard.append(frame.index)

    def finish(self) -> None:
        self.finished = True


def test_sharing_a_pass_changes_no_signal(walkway: Walkway) -> None:
    detector, listener = embedded_detector(), Silent()
    with open_video(walkway.bike) as source:
        alone = detector.signal(source)
        shared = detector.shared_signal(source, listener)  # type: ignore[attr-defined]
    assert listener.heard == list(range(0, 70, 2))
    assert listener.finished
    assert np.array_equal(alone.confidence, shared.confidence)
    assert np.array_equal(alone.frames, shared.frames)
    assert alone.cuts == shared.cuts


@pytest.mark.parametrize("detail", ["coarse", "fine"])
def test_what_was_overheard_is_not_decoded_again(
    detail: str, walkway: Walkway, tmp_path: Path
) -> None:
    with closing(open_stores(home=walkway.home)) as stores:
        profile = stores.archive.profile(SCENE)
    alone = EmbeddedCaptioner(tmp_path / "alone")
    overhearing = EmbeddedCaptioner(tmp_path / "overhearing")
    with open_video(walkway.bike) as source:
        job = Job(
            source.info, embedded_detector(), overhearing, profile, "coarse", detail == "fine", 1.0
        )
        segmented(job, source)
        decoded = overhearing.store.frames_decoded
        assert decoded == source.info.frames
        for density in ("coarse", *(("fine",) if detail == "fine" else ())):
            seen = [
                c.describe(source, source.info.interval, profile=profile, detail=density)
                for c in (alone, overhearing)
            ]
            assert seen[0] == seen[1]
        assert overhearing.store.frames_decoded == decoded


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Two clips that nobody has seen, and one that is none."""
    render(tmp_path / "rider.mp4", kind="cyclist", seconds=5, seed=31, start_s=1.5, speed=3.2)
    render(tmp_path / "calm.mp4", seconds=4, seed=32)
    (tmp_path / "none.mp4").write_text("no video")
    return [str(tmp_path / name) for name in ("rider.mp4", "none.mp4", "calm.mp4")]


def decided(home: Path, clips: list[str], workers: int) -> tuple[Decision, str]:
    with closing(build_agent(home=home, workers=workers)) as agent:
        given = {"query": ANYTHING, "videos": clips, "scene": SCENE, "run_id": "r"}
        out = agent.invoke(given)
    return out["decision"], out["answer"]


def test_the_number_of_processes_changes_nothing(
    clips: list[str], walkway: Walkway, tmp_path: Path
) -> None:
    one, answer = decided(walkway.copy_home(tmp_path / "one"), clips, 1)
    two, same = decided(walkway.copy_home(tmp_path / "two"), clips, 2)
    assert answer == same
    assert two.model_copy(update={"cost": one.cost}) == one
    assert one.failures[0].item == clips[1]


class Watched(EmbeddedCaptioner):
    """Notes whether others would have to wait while it looks."""

    tools: Toolbox
    alone: list[bool]

    def describe(self, *args: Any, **named: Any) -> Description:
        self.alone.append(self.tools._alone.locked())
        return super().describe(*args, **named)


@pytest.mark.parametrize("large", [False, True])
def test_large_pictures_are_looked_at_one_at_a_time(
    walkway: Walkway, home: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(toolbox, "ALONE_FROM", 360 * 240)
    captioner = Watched()
    with closing(open_stores(home=home)) as stores:
        captioner.tools = replace(stores.tools, captioner=captioner)
        captioner.alone = []
        ledger = Ledger("r")
        video = captioner.tools.probe(ledger, walkway.calm)
        event = captioner.tools.segment(ledger, video).tree.coarse[0]
        looked = captioner.tools.look(ledger, video, event, scene=None, detail="coarse")
    assert captioner.alone == [large]
    assert looked.description.frames_seen
    assert not captioner.tools._alone.locked()
