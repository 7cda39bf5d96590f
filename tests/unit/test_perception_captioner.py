"""The embedded captioner, end to end on small rendered scenes with known truth."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from evals.scenes import SceneTruth, render
from tools.backends.embedded.perception.captioner import EmbeddedCaptioner
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.captioning import embedded_captioner
from tools.errors import UserError
from tools.ports import Clip, SceneProfile
from tools.types import Box, Interval, Question
from tools.video import OpenedVideo, open_video

SIZE = (360, 240)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def captioner(folder: Path) -> EmbeddedCaptioner:
    made = embedded_captioner(folder / "cache")
    assert isinstance(made, EmbeddedCaptioner)
    return made


@pytest.fixture(scope="module")
def normal(folder: Path) -> OpenedVideo:
    render(folder / "normal.mp4", seconds=10, size=SIZE, seed=1)
    return open_video(folder / "normal.mp4")


@pytest.fixture(scope="module")
def profile(captioner: EmbeddedCaptioner, normal: OpenedVideo) -> SceneProfile:
    return captioner.learn("walkway", [Clip(normal)])


@pytest.fixture(scope="module")
def cyclist(folder: Path) -> tuple[OpenedVideo, SceneTruth]:
    truth = render(
        folder / "cyclist.mp4", kind="cyclist", seconds=9, size=SIZE, seed=2, start_s=3.0
    )
    return open_video(folder / "cyclist.mp4"), truth


def test_profile_is_deterministic_and_says_what_it_lacks(
    profile: SceneProfile, normal: OpenedVideo
) -> None:
    again = EmbeddedCaptioner(None).learn("walkway", [Clip(normal)])
    assert again.version == profile.version
    assert {"speed", "glide", "size", "count"} <= set(profile.summary)
    assert any("stay is not known" in note for note in profile.meta["notes"])
    assert profile.summary["speed"].usual == pytest.approx(1.0, abs=0.15)
    assert "place" not in profile.summary
    assert any("place" in note for note in profile.meta["notes"])


def test_a_rider_is_one_true_observation(
    captioner: EmbeddedCaptioner, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, truth = cyclist
    seen = captioner.describe(source, source.info.interval, profile=profile)
    assert not seen.problems
    start, end = truth.intervals[0]
    inside = np.array([start <= p.frame < end for p in seen.series])
    values = np.array([p.surprise for p in seen.series])
    assert np.median(values[inside]) > 1.5
    assert np.quantile(values[~inside], 0.9) < np.median(values[inside])
    rider = seen.observations[0]
    assert rider.activity == "glides"
    assert rider.surprise > 1.3
    speed = rider.value("speed")
    assert isinstance(speed, float)
    assert speed > 2.0
    points = {p.frame: p for p in rider.points if p.frame in truth.boxes}
    assert len(points) >= 0.9 * len(truth.boxes)
    aside = []
    for frame, point in points.items():
        assert point.box is not None
        x, y = point.box.center
        box = truth.boxes[frame]
        if not (box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1):
            aside.append(frame)
    assert aside == []
    assert rider.text in seen.caption.text
    assert any(rider.id in clause.observations for clause in seen.caption.clauses)
    assert not any(w in seen.caption.text for w in ("bicycle", "cyclist", "skater", "car "))


def test_cached_percepts_are_not_measured_again(
    folder: Path, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, _ = cyclist
    part = Interval.from_seconds(2.0, 7.0, source.info.time_base)
    first = EmbeddedCaptioner(folder / "own").describe(source, part, profile=profile)
    other = EmbeddedCaptioner(folder / "own")
    again = other.describe(source, part, profile=profile)
    assert other.store.frames_decoded == 0
    assert again == first
    coarse = other.describe(source, part, profile=profile, detail="coarse")
    assert other.store.frames_decoded == 0
    assert 0 < len(coarse.series) <= len(first.series) // 2 + 1
    for path in (folder / "own").rglob("*.npz"):
        path.write_bytes(b"damaged")
    assert EmbeddedCaptioner(folder / "own").describe(source, part, profile=profile) == first


def test_base_keeps_the_geometry(
    captioner: EmbeddedCaptioner, profile: SceneProfile, normal: OpenedVideo
) -> None:
    decoded = captioner.store.frames_decoded
    half = Interval.from_seconds(0, 5, normal.info.time_base)
    learned = captioner.learn("walkway", [Clip(normal, half)], base=profile)
    assert captioner.store.frames_decoded == decoded
    assert learned.meta["geometry"] == profile.meta["geometry"]
    assert learned.version != profile.version


def test_asking(
    captioner: EmbeddedCaptioner, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, _ = cyclist
    box = captioner.describe(source, source.info.interval, profile=profile).observations[0].box
    question = Question(id="q", text="How fast?", attribute="speed", box=box)
    answer = captioner.ask(source, source.info.interval, question, profile=profile)
    assert isinstance(answer.value, float)
    assert answer.value > 2.0
    assert answer.unit == "× usual walking speed"
    assert answer.frames
    empty = question.model_copy(update={"box": Box(x0=0, y0=0, x1=4, y1=4)})
    assert captioner.ask(source, source.info.interval, empty, profile=profile).value is None
    colour = question.model_copy(update={"attribute": "colour"})
    untold = captioner.ask(source, source.info.interval, colour, profile=profile)
    assert untold.value is None
    assert "cannot be told" in untold.text


def test_how_many_walk_is_said_of_those_on_the_move(
    captioner: EmbeddedCaptioner, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, truth = cyclist
    start, end = truth.intervals[0]
    base, tick = source.info.time_base, 1 / source.info.fps
    part = Interval.from_seconds(start * tick, end * tick, base)
    said = captioner.describe(source, part, profile=profile).caption.text
    found = re.search(
        r"about (\d+) people on the move at a time, about (\d+) (?:or more )?of them walking, ",
        said,
    )
    assert found is not None, said
    moving, walking = map(int, found.groups())
    assert 0 < walking < moving, "the rider does not walk"


def test_without_a_scene_it_says_so(captioner: EmbeddedCaptioner, normal: OpenedVideo) -> None:
    seen = captioner.describe(normal, normal.info.interval, profile=None)
    assert "judged by general priors" in seen.caption.text
    assert not seen.problems


def test_other_views_and_sizes(
    captioner: EmbeddedCaptioner, profile: SceneProfile, normal: OpenedVideo, folder: Path
) -> None:
    render(folder / "elsewhere.mp4", seconds=3, size=SIZE, seed=1, place=3)
    elsewhere = open_video(folder / "elsewhere.mp4")
    seen = captioner.describe(elsewhere, elsewhere.info.interval, profile=profile)
    assert any("another scene" in p for p in seen.problems)
    with pytest.raises(UserError, match=r"elsewhere\.mp4|normal\.mp4"):
        captioner.learn("walkway", [Clip(normal), Clip(elsewhere)])
    render(folder / "large.mp4", seconds=2, size=(320, 240), seed=1)
    large = open_video(folder / "large.mp4")
    assert any(
        "320×240" in p
        for p in captioner.describe(large, large.info.interval, profile=profile).problems
    )
    with pytest.raises(UserError, match=r"large\.mp4"):
        captioner.learn("walkway", [Clip(normal), Clip(large)])
    with pytest.raises(UserError, match="no normal clips"):
        captioner.learn("walkway", [])


def test_settings_are_part_of_the_name() -> None:
    settings = replace(EmbeddedCaptioner()._settings, walk_prior=0.9)
    assert EmbeddedCaptioner(settings=settings).name != EmbeddedCaptioner().name


def test_online_nothing_rests_on_later_frames(
    folder: Path, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, _ = cyclist
    for frame in source.frames(None):
        for name, last in (("whole", 90), ("begun", 55)):
            (folder / name).mkdir(exist_ok=True)
            if frame.index < last:
                cv2.imwrite(str(folder / name / f"{frame.index:04d}.png"), frame.image)
    series = []
    for name in ("whole", "begun"):
        online = EmbeddedCaptioner(None, PerceptionSettings(causal=True))
        with open_video(folder / name) as video:
            seen = online.describe(video, video.info.interval, profile=profile)
        assert seen.smoothing == "causal"
        series.append([(p.frame, p.surprise, p.box) for p in seen.series])
    assert len(series[1]) == 54  # the first frame has nothing to be compared with
    assert series[0][:54] == series[1]


def test_a_scene_from_single_frames_with_their_successors(
    captioner: EmbeddedCaptioner, folder: Path, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    render(folder / "more.mp4", seconds=10, size=SIZE, seed=4)
    with open_video(folder / "more.mp4") as source:
        base = source.info.time_base
        pairs = [
            Clip(source, Interval.from_seconds(n, n + 2 / source.info.fps, base)) for n in range(10)
        ]
        few = captioner.learn("few", pairs)
    assert any("extrapolated" in note for note in few.meta["notes"])
    video, truth = cyclist
    seen = captioner.describe(video, video.info.interval, profile=few)
    start, end = truth.intervals[0]
    values = {p.frame: p.surprise for p in seen.series}
    assert np.median([v for f, v in values.items() if start + 5 <= f < end]) > 1.5 * np.median(
        [v for f, v in values.items() if f < start]
    )
