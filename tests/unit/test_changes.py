"""Scenes of known changes, the metric that judges boundaries, and how the detector does on both."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.metrics.gebd import gebd_counts, gebd_f1
from evals.scenes import render_changes
from evals.scenes.changes import STORIES
from tools.boundaries import boundaries, embedded_detector
from tools.errors import UserError
from tools.video import open_video


def test_one_found_boundary_answers_for_one_true_one() -> None:
    counts = gebd_counts([1.0, 1.2, 5.0], [1.1, 5.4, 9.0], 10.0)
    assert (counts.right, counts.found, counts.true) == (2, 3, 3)
    assert counts.f1 == pytest.approx(2 / 3)
    assert gebd_counts([0.9, 1.4], [1.0, 0.6], 10.0).right == 2, "the best match, not the nearest"
    assert gebd_counts([1.51], [1.0], 10.0).right == 0
    assert gebd_f1([([], [], 10.0), ([1.0], [], 10.0)]) == 0.5
    with pytest.raises(UserError, match="no tolerance"):
        gebd_counts([], [], 0.0)


def test_scenes_are_the_same_for_one_seed_and_tell_their_changes(tmp_path: Path) -> None:
    one = render_changes(tmp_path / "a.mp4", seed=3, place=3, seconds=12.0)
    other = render_changes(tmp_path / "b.mp4", seed=3, place=3, seconds=12.0)
    assert one.changes == other.changes
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert one.changes
    assert all(0 < c.at_s < 12 for c in one.changes)
    gaps = [b - a for a, b in zip(one.boundaries, one.boundaries[1:], strict=False)]
    assert all(g >= 1.0 for g in gaps)
    assert set(STORIES) == {"crosses", "leaves", "runs", "stops", "meets", "drops"}


def test_most_changes_are_found(tmp_path: Path) -> None:
    scene = render_changes(tmp_path / "a.mp4", seed=1, place=1)
    with open_video(scene.path) as source:
        signal = embedded_detector().signal(source)
        tick = float(source.info.time_base.fraction)
        found = [p * tick for p in boundaries(signal, source.info)]
    assert gebd_counts(found, scene.boundaries, scene.seconds).f1 >= 0.75
