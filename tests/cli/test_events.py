"""``vidocq events``: what it shows, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.walkway import Walkway


def test_the_tree_is_shown_and_written(vidocq: Run, walkway: Walkway, tmp_path: Path) -> None:
    files = [tmp_path / f"events.{kind}" for kind in ("csv", "json", "edl", "otio", "vtt")]
    done = vidocq(
        "events",
        str(walkway.bike),
        "--plot",
        str(tmp_path / "plot.png"),
        "--sheet",
        str(tmp_path / "sheet.png"),
        *(part for file in files for part in ("--export", str(file))),
    )
    assert done.exit_code == 0, done.output
    assert Path(walkway.bike).name in done.stdout
    assert "boundary" in done.stdout
    first = next(line for line in done.stdout.splitlines() if "00:00.0–" in line)
    assert "start" in first
    assert "boundary" not in first, "a video's own beginning was not found"
    assert all(f.stat().st_size > 50 for f in [*files, tmp_path / "plot.png"])
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    again = vidocq(
        "events",
        str(walkway.bike),
        "--json",
        VIDOCQ_DETECTOR="recorded",
        VIDOCQ_RECORDED_SIGNALS=str(tmp_path),
    )
    told, written = json.loads(again.stdout), json.loads(files[1].read_text())
    assert told["signal"] == written["signal"], "a recorded signal gives the same tree"
    assert [e["id"] for e in told["events"]] == [e["id"] for e in written["events"]]
    assert told["events"][0]["key_frames"]


def test_streams_and_the_reference_are_variants(vidocq: Run, walkway: Walkway) -> None:
    trees = []
    for option in ("--causal", "--reference"):
        done = vidocq("events", str(walkway.bike), option, "--json", "--no-key-frames")
        trees.append(json.loads(done.stdout))
    assert "causal" in trees[0]["detector"]
    for tree in trees:
        coarse = [e for e in tree["events"] if e["level"] == "coarse"]
        assert coarse[0]["start_s"] == 0
        assert coarse[-1]["end_pts"] == tree["video"]["duration"]
        assert all(e["key_frames"] == [] for e in tree["events"])


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["missing.mp4"], {}, "missing.mp4: no such file"),
        (["CLIP", "--export", "a.xls"], {}, "a.xls: no export is known by that suffix"),
        (["CLIP", "--min-event", "15"], {}, "invalid value for '--min-event'"),
        (["CLIP"], {"VIDOCQ_MIN_EVENT_S": "15"}, "min_event_s"),
        (["CLIP", "--reference", "--causal"], {}, "leave out --reference"),
        (["CLIP", "--plot", "a.jpg"], {}, "a.jpg: pictures are written as PNG"),
        (["CLIP"], {"VIDOCQ_DETECTOR": "recorded"}, "needs a folder of signals"),
        (["CLIP", "--causal"], {"VIDOCQ_DETECTOR": "recorded"}, "as it was recorded"),
        (["CLIP"], {"VIDOCQ_DETECTOR": "transformers"}, "needs a vision model"),
        (["CLIP"], {"VIDOCQ_DETECTOR": "magic"}, "there is no backend 'magic'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    vidocq: Run,
    walkway: Walkway,
    arguments: list[str],
    environment: dict[str, str],
    said: str,
) -> None:
    given = [str(walkway.bike) if a == "CLIP" else a for a in arguments]
    done = vidocq("events", *given, **environment)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_file_that_cannot_be_written_is_told_before_the_work(
    vidocq: Run, walkway: Walkway, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for option, name in (("--export", "file/a.csv"), ("--plot", "file/a.png")):
        done = vidocq("events", str(walkway.bike), option, str(tmp_path / name))
        assert done.exit_code == 1
        assert "cannot be written" in done.stderr
        assert "finding events" not in done.stderr
