"""kill -9 at any node, then ``vidocq ask --resume``: the same decision, nothing done twice."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from agent import build_agent
from agent.cli import app
from agent.trace import read_lines
from tests.conftest import WriteClip
from tests.dying import killed_at
from tests.walkway import ANYTHING, SCENE, Walkway
from tools.archive import Archive
from tools.backends.embedded.embedder import HashedEmbedder

POINTS = [
    ("plan", 1, "before"),
    ("plan", 1, "after"),
    ("segment", 1, "before"),
    ("segment", 1, "after"),
    ("choose", 1, "after"),
    ("choose", 2, "after"),
    ("look", 1, "after"),
    ("look", 2, "before"),
    ("recall", 2, "before"),
    ("judge", 1, "after"),
    ("reflect", 1, "after"),
    ("correlate", 1, "after"),
    ("decide", 1, "after"),
    ("explain_decision", 1, "after"),
    ("check", 1, "before"),
    ("answer", 1, "before"),
    ("_called", 6, "after"),  # in the middle of the sixth tool call
    ("_finished", 7, "before"),  # the work is done and not yet recorded
    ("_finished", 7, "after"),
]


def essence(decision: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in decision.items() if k not in {"cost", "run_id"}}


def resume(home: Path, run: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        app, ["ask", "--resume", run, "--json"], env={"VIDOCQ_HOME": str(home)}
    )
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def lines(home: Path, run: str) -> list[dict[str, Any]]:
    return [line for line, _ in read_lines(home / "runs" / run / "trace.jsonl")]


@pytest.fixture(scope="module")
def whole(walkway: Walkway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The decision of a run that nobody interrupted."""
    home = walkway.copy_home(tmp_path_factory.mktemp("whole") / "home")
    with closing(build_agent(home=home)) as agent:
        given = {"query": ANYTHING, "videos": [walkway.bike], "scene": SCENE}
        decision = agent.invoke(given)["decision"]
    return essence(decision.model_dump(mode="json"))


@pytest.mark.parametrize(("where", "visit", "when"), POINTS)
def test_a_killed_run_goes_on_to_the_same_decision(
    where: str, visit: int, when: str, home: Path, walkway: Walkway, whole: dict[str, Any]
) -> None:
    ask = ["ask", ANYTHING, walkway.bike, "--scene", SCENE]
    died = killed_at(where, visit, when, ask, {"VIDOCQ_HOME": str(home)})
    assert died == -signal.SIGKILL
    if where == "plan" and when == "before":
        assert not (home / "runs").exists()  # nothing had begun, so there is nothing to go on with
        return
    (run,) = [p.name for p in (home / "runs").iterdir()]
    before = lines(home, run)
    assert before[-1]["kind"] != "decision"
    finished = {line["hash"] for line in before if line["kind"] == "result"}

    out = resume(home, run)

    assert essence(out["decision"]) == whole
    after = lines(home, run)
    assert after[: len(before)] == before
    calls = Counter(line["hash"] for line in after if line["kind"] == "call")
    assert [key for key in finished if calls[key] > 1] == []
    results = Counter(line["hash"] for line in after if line["kind"] == "result")
    assert max(results.values()) == 1
    assert [line["kind"] for line in after].count("decision") == 1
    # A finished run is told as it was recorded, and nothing is done for it.
    again = resume(home, run)
    assert again["decision"] == out["decision"]
    assert lines(home, run) == after


def test_an_unknown_run_cannot_be_resumed(home: Path) -> None:
    done = CliRunner().invoke(app, ["ask", "--resume", "nobody"], env={"VIDOCQ_HOME": str(home)})
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no run nobody in" in done.stderr


def test_an_index_of_another_embedder_is_refused_before_anything_is_looked_at(
    home: Path, walkway: Walkway
) -> None:
    ask = ["ask", ANYTHING, walkway.bike, "--scene", SCENE]
    assert killed_at("segment", 1, "before", ask, {"VIDOCQ_HOME": str(home)}) == -signal.SIGKILL
    with closing(Archive(home, HashedEmbedder(64))) as small:
        small.rules.reindex([SCENE])
    (run,) = [p.name for p in (home / "runs").iterdir()]
    before = lines(home, run)
    env = {"VIDOCQ_HOME": str(home), "VIDOCQ_EMBEDDER": "hashed"}
    done = CliRunner().invoke(app, ["ask", "--resume", run], env=env)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "indexed with the embedder hashed-ngrams-64/1" in done.stderr
    assert lines(home, run) == before
    with closing(Archive(home, HashedEmbedder())) as usual:
        usual.rules.reindex([SCENE])
    assert CliRunner().invoke(app, ["ask", "--resume", run], env=env).exit_code == 0


# ---------------------------------------------------------------- size of the checkpoints


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory, write_clip: WriteClip) -> Path:
    """Sixteen shots of two seconds: a video of many events, each cheap to look at."""
    rng = np.random.default_rng(3)
    shots = [cv2.resize(rng.integers(0, 255, (4, 6, 3), np.uint8), (96, 64)) for _ in range(16)]
    frames = (
        np.clip(shot.astype(int) + rng.integers(-3, 3, shot.shape), 0, 255).astype(np.uint8)
        for shot in shots
        for _ in range(16)
    )
    return write_clip(tmp_path_factory.mktemp("long") / "shots.mp4", frames, fps=8.0)


def checkpoint_bytes(home: Path, clip: Path, looks: int) -> int:
    with closing(build_agent(home=home, batch=1)) as agent:
        out = agent.invoke(
            {
                "query": ANYTHING,
                "videos": [str(clip)],
                "scene_free": True,
                "budget": {"max_looks": looks},
            }
        )
        assert out["decision"].cost.looks == looks
    return sum(p.stat().st_size for p in home.glob("checkpoints.db*"))


def test_the_checkpoint_file_grows_linearly(tmp_path: Path, long_clip: Path) -> None:
    few = checkpoint_bytes(tmp_path / "few", long_clip, 6)
    many = checkpoint_bytes(tmp_path / "many", long_clip, 12)
    assert few < many < 2.5 * few
