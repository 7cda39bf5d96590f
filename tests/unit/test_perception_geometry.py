"""Perspective, background and camera health, on numbers made here."""

from __future__ import annotations

import numpy as np
import pytest

from tools.backends.embedded.perception.background import Segmenter, edges, learn_background
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.perspective import fit_perspective, prior_perspective
from tools.backends.embedded.perception.settings import DEFAULTS
from tools.backends.embedded.perception.store import frame_step
from tools.backends.embedded.perception.survey import analysis_size


def people(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    feet = rng.uniform(100, 220, n)
    return feet, (8 + 0.19 * feet) * np.exp(rng.normal(0, 0.06, n))


def test_perspective_of_single_people() -> None:
    line = fit_perspective(*people(np.random.default_rng(0), 200), image_height=240)
    assert line is not None
    assert line.slope == pytest.approx(0.19, abs=0.05)
    assert line.offset + line.slope * 160 == pytest.approx(8 + 0.19 * 160, rel=0.06)


def test_merged_crowds_do_not_tilt_the_perspective() -> None:
    rng = np.random.default_rng(1)
    feet, tall = people(rng, 200)
    merged = rng.uniform(150, 220, 120)  # two in depth seen as one: taller, and only lower down
    heights = (8 + 0.19 * merged) * rng.uniform(1.4, 2.4, 120)
    line = fit_perspective(
        np.concatenate([feet, merged]), np.concatenate([tall, heights]), image_height=240
    )
    assert line is not None
    assert line.slope == pytest.approx(0.19, abs=0.07)
    least_squares = np.polyfit(np.concatenate([feet, merged]), np.concatenate([tall, heights]), 1)
    assert least_squares[0] > 0.3  # what it is robust against


def test_too_few_silhouettes_give_no_perspective() -> None:
    assert fit_perspective(np.arange(5.0), np.full(5, 20.0), image_height=240) is None
    prior = prior_perspective(240)
    assert prior.support == 0
    assert prior.offset + prior.slope * 120 == pytest.approx(0.14 * 240)


def still_scene(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    base = rng.integers(60, 180, (120, 160, 1)).repeat(3, axis=2)
    return [np.clip(base + rng.normal(0, 2, base.shape), 0, 255).astype(np.uint8) for _ in range(n)]


def test_foreground_survives_light_and_finds_objects() -> None:
    rng = np.random.default_rng(2)
    frames = still_scene(rng, 12)
    background, threshold = learn_background(frames, DEFAULTS)
    segment = Segmenter(background, threshold, person_px=24.0)
    brighter = np.clip(frames[0].astype(int) + 15, 0, 255).astype(np.uint8)
    assert segment(brighter).mean() < 0.01
    brighter[40:70, 60:75] = 250
    mask = segment(brighter)
    assert mask[42:68, 62:73].mean() > 0.9
    assert mask.mean() < 0.06


def test_edges_tell_viewpoints_apart() -> None:
    rng = np.random.default_rng(3)
    here, there = (f[..., 0] for f in (still_scene(rng, 1)[0], still_scene(rng, 1)[0]))
    assert float((edges(here) * edges(here)).sum()) == pytest.approx(1.0, abs=1e-3)
    assert abs(float((edges(here) * edges(there)).sum())) < 0.2
    assert not edges(np.full((20, 20), 7, np.uint8)).any()


@pytest.mark.parametrize(
    ("fps", "step"), [(10, 1), (12.5, 1), (15, 2), (25, 2), (29.97, 3), (30, 3)]
)
def test_frame_step(fps: float, step: int) -> None:
    assert frame_step(fps, DEFAULTS) == step


def test_analysis_size() -> None:
    assert analysis_size(360, 240, 480) == (360, 240)
    assert analysis_size(1920, 1080, 480) == (480, 270)


def test_geometry_round_trip() -> None:
    geometry = Geometry(
        full=(720, 480),
        size=(360, 240),
        background=np.zeros((240, 360, 3), np.uint8),
        threshold=np.full((240, 360), 9, np.uint8),
        offset=8.0,
        slope=0.19,
        walk=0.6,
        people=True,
        support=99,
    )
    arrays, meta = geometry.to_store()
    assert Geometry.from_store(arrays, meta).key == geometry.key
    assert float(geometry.height(np.array(100.0))) == pytest.approx(27.0)
    assert geometry.scale == (2.0, 2.0)
