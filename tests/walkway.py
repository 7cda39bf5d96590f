"""A small rendered scene, learned once per test session: every test that needs one copies its home.

Three normal clips, a calm one and one with a cyclist, 360×240 at 10 frames a second. The workers of
pytest-xdist share one; the captioner's cache is in the home, so a copy answers in a second.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from agent import build_agent, induce_scene, open_stores
from evals.scenes import SceneTruth, render

__all__ = ["ANYTHING", "SCENE", "Walkway", "shared_walkway"]

SCENE = "gate"
ANYTHING = "Did anything out of the ordinary happen?"
SIZE = (360, 240)  # people 26 to 46 pixels tall: in smaller ones no limbs can be told


@dataclass(frozen=True)
class Walkway:
    """Where the clips and the home are. The home is for copying: see :meth:`copy_home`."""

    folder: Path
    home: Path
    truth: SceneTruth
    """What is true of ``bike.mp4``."""

    @property
    def bike(self) -> str:
        return str(self.folder / "bike.mp4")

    @property
    def calm(self) -> str:
        return str(self.folder / "calm.mp4")

    @property
    def normal(self) -> list[str]:
        return [str(self.folder / f"normal{n}.mp4") for n in range(3)]

    def copy_home(self, to: Path) -> Path:
        """A home of one's own, with the scene in it and nothing asked yet."""
        shutil.copytree(self.home, to)
        return to


def shared_walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    """The session's walkway, made by whoever comes first."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "walkway"
    with FileLock(f"{root}.lock"):
        record = root / "truth.json"
        if not record.exists():
            _make(root, record)
    truth = SceneTruth.model_validate_json(record.read_text(encoding="utf-8"))
    return Walkway(root / "clips", root / "home", truth)


def _make(root: Path, record: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    clips, home = root / "clips", root / "home"
    clips.mkdir(parents=True)
    for n in range(3):
        render(clips / f"normal{n}.mp4", seconds=6, seed=101 + n, size=SIZE)
    render(clips / "calm.mp4", seconds=5, seed=300, size=SIZE, density=0.3)
    truth = render(
        clips / "bike.mp4", kind="cyclist", seconds=7, seed=7, start_s=2.5, speed=3.2, size=SIZE
    )
    stores = open_stores(home=home)
    induce_scene([clips / f"normal{n}.mp4" for n in range(3)], SCENE, stores=stores)
    agent = build_agent(stores)
    try:  # the captioner then knows both clips, whatever later runs ask of them
        videos = [str(clips / "bike.mp4"), str(clips / "calm.mp4")]
        agent.invoke({"query": ANYTHING, "videos": videos, "scene": SCENE})
    finally:
        agent.close()
    shutil.rmtree(home / "runs")
    for file in home.glob("checkpoints.db*"):
        file.unlink()
    record.write_text(truth.model_dump_json(), encoding="utf-8")
