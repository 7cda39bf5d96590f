"""``vidocq look``: one frame in words, as JSON and as a numbered picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from tests.cli.conftest import Run
from tests.walkway import SCENE, Walkway


def test_a_frame_is_told_and_drawn(
    vidocq: Run, learned: Path, walkway: Walkway, tmp_path: Path
) -> None:
    start, end = walkway.truth.intervals[0]
    frame = (start + end) // 2
    moment, picture = f"00:{frame / 10:04.1f}", tmp_path / "new" / "frame.png"
    done = vidocq(
        "look", walkway.bike, "--at", moment, "--scene", SCENE, "--save", str(picture), "--json"
    )
    assert done.exit_code == 0, done.output
    seen = json.loads(done.stdout)
    assert (seen["time"], seen["frame"], seen["scene"]) == (moment, frame, SCENE)
    assert "glides" in seen["clauses"][0]["text"]
    assert seen["clauses"][0]["numbers"] == [1]
    by_id = {o["id"]: o for o in seen["observations"]}
    for clause in seen["clauses"]:
        assert clause["observations"], "no clause without what it rests on"
        assert [by_id[i]["number"] for i in clause["observations"]] == clause["numbers"]
    assert all(o["box"] for o in seen["observations"])
    assert seen["caption"] == "; ".join(c["text"] for c in seen["clauses"])
    drawn = cv2.imread(str(picture))
    assert drawn is not None
    assert drawn.shape == (720, 1080, 3)
    assert [p.name for p in picture.parent.iterdir()] == ["frame.png"]

    told = vidocq("look", walkway.bike, "--at", str(frame / 10), "--scene", SCENE).stdout
    lines = told.splitlines()
    assert lines[0] == f"bike.mp4, {moment}, frame {frame}"
    assert lines[1] == f"{seen['clauses'][0]['text']} [1]"


def test_without_a_scene_it_says_so(vidocq: Run, walkway: Walkway) -> None:
    done = vidocq("look", walkway.calm, "--at", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "calm.mp4, 00:02.0, frame 20"
    assert done.stdout.splitlines()[-1].startswith("judged by general priors")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--at", "soon"], "not a moment: 'soon'"),
        (["--at=-1"], "not a moment: '-1'"),
        (["--at", "nan"], "not a moment: 'nan'"),
        (["--at", "01:00"], "bike.mp4 is 00:07.0 long: there is no frame at 01:00.0"),
        (["--at", "1", "--save", "frame.gif"], "pictures are written as JPEG or PNG"),
        (["--at", "1", "--scene", "gone"], "no scene"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    refused: Callable[..., str], walkway: Walkway, options: list[str], said: str
) -> None:
    assert said in refused("look", walkway.bike, *options)
