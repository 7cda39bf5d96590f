"""The scene generator: deterministic, truthful, and moving as people and bicycles move."""

import hashlib
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from evals.__main__ import app
from evals.scenes import KINDS, render, render_set
from evals.scenes.truth import runs
from tools.errors import MediaError, UserError


def decode(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        ok, frame = capture.read()
        if not ok:
            return frames
        frames.append(frame)


def only(truth, role):
    return next(t for t in truth.tracks if t.role == role)


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    for name, seed in (("a.mp4", 5), ("b.mp4", 5), ("c.mp4", 6)):
        render(tmp_path / name, kind="cyclist", seconds=1.5, seed=seed)
    a, b, c = ((tmp_path / n).read_bytes() for n in ("a.mp4", "b.mp4", "c.mp4"))
    assert a == b
    assert a != c


def test_bytes_do_not_depend_on_what_lay_in_memory_before(tmp_path):
    """glibc fills fresh memory with a byte of our choice: an encoder that reads it shows."""
    program = (
        "import sys; from evals.scenes import render;"
        "render(sys.argv[1], kind='cyclist', seconds=1.5, seed=5)"
    )
    render(tmp_path / "here.mp4", kind="cyclist", seconds=1.5, seed=5)
    digests = {hashlib.sha256((tmp_path / "here.mp4").read_bytes()).hexdigest()}
    for fill in ("17", "200"):
        there = tmp_path / f"{fill}.mp4"
        env = os.environ | {"MALLOC_PERTURB_": fill}
        subprocess.run([sys.executable, "-c", program, str(there)], env=env, check=True)
        digests.add(hashlib.sha256(there.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_clip_has_the_promised_frames_and_size(tmp_path):
    truth = render(tmp_path / "a.mp4", seconds=2.0, fps=12, size=(320, 200))
    frames = decode(tmp_path / "a.mp4")
    assert len(frames) == truth.frames == 24
    assert frames[0].shape == (200, 320, 3)
    assert truth.intervals == ()
    assert truth.boxes == {}


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "normal"])
def test_every_kind_has_one_interval_with_a_box_in_each_frame(tmp_path, kind):
    truth = render(tmp_path / "a.mp4", kind=kind, seconds=9.0, seed=2, start_s=2.0, density=0.3)
    assert len(truth.intervals) == 1
    (start, end) = truth.intervals[0]
    assert sorted(truth.boxes) == list(range(start, end))
    assert start >= 19
    assert all(0 <= b.x0 < b.x1 <= 360 and 0 <= b.y0 < b.y1 <= 240 for b in truth.boxes.values())
    assert truth.intervals_s[0] == (start / 10, end / 10)


def test_the_start_is_when_the_cyclist_comes_into_view(tmp_path):
    truth = render(tmp_path / "a.mp4", kind="cyclist", seconds=5.0, seed=4, start_s=2.0)
    # A quarter of rider and bicycle is in view a moment after the front wheel.
    assert 20 <= truth.intervals[0][0] <= 24


def test_a_cyclist_rides_three_times_as_fast_as_people_walk(tmp_path):
    truth = render(tmp_path / "a.mp4", kind="cyclist", seconds=5.0, seed=4, start_s=0.5, speed=3.0)
    track = only(truth, "cyclist")
    height = float(track.facts["body_height_px"])
    inside = [i for i, b in track.boxes.items() if b.x0 > 2 and b.x1 < 358]
    centres = {i: track.boxes[i].center[0] for i in (inside[0], inside[-1])}
    pace = abs(centres[inside[-1]] - centres[inside[0]]) / (inside[-1] - inside[0]) * 10
    assert pace / height == pytest.approx(3.0 * 0.76, rel=0.08)


def test_nearer_people_are_taller(tmp_path):
    truth = render(tmp_path / "a.mp4", seconds=2.0, seed=1)
    points = [(b.y1, b.y1 - b.y0) for t in truth.tracks for b in t.boxes.values() if b.x0 > 5]
    rows, heights = np.array(points, float).T
    slope = np.polyfit(rows, heights, 1)[0]
    assert 0.10 < slope < 0.25
    assert heights.min() > 18
    assert heights.max() < 55


def test_limbs_swing_while_a_rider_stays_rigid(tmp_path):
    """The width of a walker's box pulses with the gait; a cyclist's box keeps its width."""
    calm = {"seconds": 5.0, "density": 0.0, "noise": 0.0, "seed": 8, "start_s": 0.0}
    walking = render(tmp_path / "w.mp4", kind="wrong_way", **calm)
    riding = render(tmp_path / "r.mp4", kind="cyclist", **calm)

    def pulse(truth):
        widths = [b.x1 - b.x0 for b in truth.boxes.values() if b.x0 > 3 and b.x1 < 357]
        return np.std(widths) / np.mean(widths)

    assert pulse(walking) > 0.15
    assert pulse(riding) < 0.08


def test_an_abandoned_case_stays_after_its_owner_left(tmp_path):
    truth = render(tmp_path / "a.mp4", kind="abandoned", seconds=6.0, seed=1, start_s=2.0)
    case, owner = only(truth, "abandoned"), only(truth, "carrier")
    assert min(case.boxes) == 20
    assert len({b.center for b in case.boxes.values()}) == 1
    # It counts as left behind once its owner is more than 1.75 body heights (3 m) away.
    first = truth.intervals[0][0]
    size = float(case.facts["body_height_px"])
    apart = [
        abs(owner.boxes[i].center[0] - case.boxes[i].center[0]) / size
        for i in (first - 3, first + 3)
    ]
    assert apart[0] < 1.9 < apart[1] + 0.2
    last = max(owner.boxes)
    assert abs(owner.boxes[last].center[0] - case.boxes[last].center[0]) > 40


def test_loitering_counts_once_it_exceeds_any_pause(tmp_path):
    truth = render(tmp_path / "a.mp4", kind="loitering", seconds=12.0, seed=3, start_s=3.0)
    assert truth.intervals == ((70, 95),)
    assert only(truth, "loitering").facts["arrives_s"] == 3.0


def test_clips_of_one_place_share_the_background_and_other_places_do_not(tmp_path):
    empty = {"seconds": 0.4, "density": 0.0, "noise": 0.0, "light": 0.0}
    for name, seed, place in (("a", 1, 0), ("b", 2, 0), ("c", 1, 3)):
        render(tmp_path / f"{name}.mp4", seed=seed, place=place, **empty)
    a, b, c = (decode(tmp_path / f"{n}.mp4")[0].astype(float) for n in "abc")
    assert np.abs(a - b).mean() < 1.0
    assert np.abs(a - c).mean() > 5.0


def test_set_is_laid_out_like_ucsd(tmp_path):
    render_set(tmp_path, kinds=("cyclist", "normal"), seeds=(0,), normals=1, seconds=3.0)
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert set(labels) == {"Train001.mp4", "Test001.mp4", "Test002.mp4"}
    keys = {"split", "frames", "fps", "width", "height", "anomalous", "boxes"}
    assert all(keys <= set(entry) for entry in labels.values())
    assert labels["Train001.mp4"]["split"] == "train"
    assert labels["Test001.mp4"]["kind"] == "cyclist"
    assert labels["Test001.mp4"]["anomalous"]
    assert labels["Test002.mp4"]["anomalous"] == []
    assert all((tmp_path / name).is_file() for name in labels)


def test_unknown_kind_and_impossible_size_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="unknown kind of scene 'ufo'"):
        render(tmp_path / "a.mp4", kind="ufo", seconds=1.0)
    with pytest.raises(UserError, match="even sides"):
        render(tmp_path / "a.mp4", size=(361, 240), seconds=1.0)
    assert not (tmp_path / "a.mp4").exists()


def test_unwritable_target_is_a_media_error_naming_the_file(tmp_path):
    with pytest.raises(MediaError, match="absent"):
        render(tmp_path / "absent" / "a.mp4", seconds=0.5)


def test_runs_joins_consecutive_frames():
    assert runs([4, 1, 2, 7]) == ((1, 3), (4, 5), (7, 8))
    assert runs([]) == ()


def test_command_line_renders_a_set(tmp_path):
    args = ["scenes", str(tmp_path), "--kinds", "runner", "--normals", "1", "--seconds", "3"]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    assert "runner" in result.output
    assert (tmp_path / "Test001.mp4").is_file()
