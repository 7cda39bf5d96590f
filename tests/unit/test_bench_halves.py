"""A video is cut into halves by frames, and what they were called stands in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.bench.halves import Half, halved, halves, table
from evals.scenes import render
from tools.errors import MediaError, UserError
from tools.video import open_video


def test_halves_hold_every_frame_from_time_nought(tmp_path: Path) -> None:
    render(tmp_path / "whole.mp4", seconds=2.1, size=(160, 120), seed=1)
    with open_video(tmp_path / "whole.mp4") as source:
        whole = len(source.pts)
    first, second, seconds = halved(tmp_path / "whole.mp4", tmp_path)
    with open_video(first) as a, open_video(second) as b:
        assert (len(a.pts), len(b.pts)) == (whole // 2, whole - whole // 2)
        assert b.pts[0] == 0
        assert seconds == pytest.approx(b.info.seconds, abs=0.01)


def test_what_cannot_be_halved_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no videos in"):
        halves(tmp_path)
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(MediaError, match=r"text\.mp4: cannot be halved"):
        halved(tmp_path / "text.mp4", tmp_path)


def test_the_table_names_alarms_and_counts_them() -> None:
    alarm = Half(video="a.mp4", seconds=3, label="anomalous", score=0.7, reason="x", events=("y",))
    open_ = Half(video="b.mp4", seconds=3, label="uncertain", score=None, reason="z" * 200)
    lines = table([alarm, open_]).splitlines()
    assert lines[2].strip() == "over the threshold: y"
    assert "–" in lines[3]
    assert lines[3].endswith("…")
    assert lines[-1] == "2 videos: 1 alarmed, 1 uncertain"
