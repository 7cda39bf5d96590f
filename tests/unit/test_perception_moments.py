"""What is said of one frame, on small rendered scenes with known truth."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from evals.scenes import SceneTruth, render, render_changes
from tools.backends.embedded.perception.captioner import EmbeddedCaptioner
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.backends.embedded.perception.wording import Alike, clauses_of_frame
from tools.ports import Clip, FrameCaptioner, SceneProfile
from tools.types import Attribute, Box, Description, Observation, Timestamp
from tools.video import OpenedVideo, open_video

SIZE = (360, 240)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moments")


@pytest.fixture(scope="module")
def captioner(folder: Path) -> EmbeddedCaptioner:
    return EmbeddedCaptioner(folder / "cache")


@pytest.fixture(scope="module")
def profile(captioner: EmbeddedCaptioner, folder: Path) -> SceneProfile:
    render(folder / "normal.mp4", seconds=20, size=SIZE, seed=101)
    with open_video(folder / "normal.mp4") as source:
        return captioner.learn("walkway", [Clip(source)])


@pytest.fixture(scope="module")
def cyclist(folder: Path) -> tuple[OpenedVideo, SceneTruth]:
    truth = render(
        folder / "cyclist.mp4", kind="cyclist", seconds=10, size=SIZE, seed=8, density=0.5,
        start_s=2.0,
    )  # fmt: skip
    return open_video(folder / "cyclist.mp4"), truth


def at(source: OpenedVideo, frame: int) -> Timestamp:
    return Timestamp(pts=int(source.pts[frame]), time_base=source.info.time_base)


def walkers(seen: Description) -> int:
    return sum((o.subject, o.activity) == ("person", "walks") for o in seen.observations)


def test_a_frame_is_told_with_the_observations_behind_each_clause(
    captioner: EmbeddedCaptioner, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, truth = cyclist
    assert isinstance(captioner, FrameCaptioner)
    seen = captioner.describe_frame(source, at(source, 40), profile=profile)
    first = seen.caption.clauses[0].text
    assert re.match(r"a person(-sized object)? glides (left to right|right to left) at ", first)
    assert first.endswith(", 00:04.0")
    assert re.search(r"about \d people walk .*× the usual walking speed", seen.caption.text)
    cited = [i for c in seen.caption.clauses for i in c.observations]
    assert cited == [o.id for o in seen.observations], "numbers ascend as the text is read"
    rider = seen.observations[0]
    assert rider.box is not None
    x, y = rider.box.center
    box = truth.boxes[40]
    assert box.x0 <= x <= box.x1
    assert box.y0 <= y <= box.y1
    for one in seen.observations:
        assert one.key_frame == 40
        assert [p.frame for p in one.points] == [40]
        assert one.interval == seen.caption.interval
        assert one.attribute("speed") is not None
    assert seen.caption.interval.contains(int(source.pts[40]))
    assert not seen.caption.interval.contains(int(source.pts[41]))
    assert captioner.describe_frame(source, at(source, 40), profile=profile) == seen


def test_counts_are_of_who_is_there_and_exact_only_where_they_are_sure(
    captioner: EmbeddedCaptioner, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, truth = cyclist
    exact = 0
    for frame in range(30, 95, 10):
        seen = captioner.describe_frame(source, at(source, frame), profile=profile)
        there = [t for t in truth.tracks if frame in t.boxes and not t.abnormal]
        assert 0.5 * len(there) <= walkers(seen) <= len(there) + 1
        for number in re.findall(r"(?:^|; )(\d+) people walk", seen.caption.text):
            exact += 1
            assert int(number) == len(there)
    assert exact, "nobody hides anybody in some of these frames"


def test_who_stands_is_counted_and_was_seen_to_be_a_person(
    captioner: EmbeddedCaptioner, profile: SceneProfile, folder: Path
) -> None:
    made = render_changes(folder / "stops.mp4", seed=8, size=SIZE)
    assert [round(c.at_s) for c in made.changes if c.what == "stop"] == [6, 9]
    with open_video(made.path) as source:
        before = captioner.describe_frame(source, at(source, 50), profile=profile)
        after = captioner.describe_frame(source, at(source, 105), profile=profile)
    assert walkers(before) == 2
    assert "stand" not in before.caption.text
    stand = [(o.subject, o.activity) for o in after.observations if o.activity == "stands"]
    assert stand == [("person", "stands")] * 2


def test_online_a_frame_is_told_from_the_past_alone(
    folder: Path, profile: SceneProfile, cyclist: tuple[OpenedVideo, SceneTruth]
) -> None:
    source, _ = cyclist
    for frame in source.frames(None):
        for name, last in (("whole", 100), ("begun", 46)):
            (folder / name).mkdir(exist_ok=True)
            if frame.index < last:
                cv2.imwrite(str(folder / name / f"{frame.index:04d}.png"), frame.image)
    told = []
    for name in ("whole", "begun"):
        online = EmbeddedCaptioner(None, PerceptionSettings(causal=True))
        with open_video(folder / name) as video:
            told.append(online.describe_frame(video, at(video, 45), profile=profile))
            first = online.describe_frame(video, at(video, 0), profile=profile)
        assert first.problems == ("too few frames to see motion",)
    assert told[0].caption.clauses[0].text == told[1].caption.clauses[0].text
    assert [o.model_dump(exclude={"id", "video_id"}) for o in told[0].observations] == [
        o.model_dump(exclude={"id", "video_id"}) for o in told[1].observations
    ]
    assert "glides" in told[0].caption.text
    assert walkers(told[0]) >= 2


def test_without_a_scene_or_a_picture_it_says_so(
    captioner: EmbeddedCaptioner,
    profile: SceneProfile,
    folder: Path,
    cyclist: tuple[OpenedVideo, SceneTruth],
) -> None:
    source, _ = cyclist
    free = captioner.describe_frame(source, at(source, 60), profile=None)
    assert free.caption.text.endswith("not by this scene's own normal footage")
    (folder / "dark").mkdir()
    for frame in source.frames(None):
        image = np.zeros_like(frame.image) if 40 <= frame.index < 70 else frame.image
        cv2.imwrite(str(folder / "dark" / f"{frame.index:04d}.png"), image)
    with open_video(folder / "dark") as video:
        dark = captioner.describe_frame(video, at(video, 42), profile=profile)
        assert dark.problems[0].startswith("the picture is nearly black")
        assert not dark.observations
        light = captioner.describe_frame(video, at(video, 85), profile=profile)
        assert not light.problems


def test_the_words_for_several_who_do_the_same(cyclist: tuple[OpenedVideo, SceneTruth]) -> None:
    info = cyclist[0].info

    def one(
        n: int, subject: str, activity: str, way: str | None = None, speed: float = 1.0
    ) -> Observation:
        found = [Attribute(name="speed", value=speed)]
        found += [Attribute(name="direction", value=way)] if way else []
        return Observation(
            id=f"{subject}-{activity}-{n}", video_id="v", interval=info.interval, subject=subject,
            activity=activity, text=f"one {activity}", attributes=tuple(found), key_frame=0,
            box=Box(x0=120 * n, y0=0, x1=120 * n + 20, y1=40),
        )  # fmt: skip

    def said(*members: Observation, about: bool = False) -> str:
        group = [Alike(members, about=about)]
        return clauses_of_frame([], group, None, info=info, scale="walkers here")[0].text

    walk = [one(n, "person", "walks", "left", 0.8 + n / 10) for n in range(3)]
    assert said(*walk) == ("3 people walk right to left at 0.8× to 1.0× the usual walking speed")
    mixed = [*walk, one(0, "person", "walks", "right"), one(1, "person", "walks")]
    assert said(*mixed, about=True) == (
        "about 5 people walk (3 right to left, 1 left to right) at 0.8× to 1.0× the usual walking "
        "speed"
    )
    stand = [one(n, "person", "stands") for n in range(3)]
    assert said(*stand) == "3 people stand, in the upper left, upper middle and upper right"
    assert said(stand[0], stand[0]) == "2 people stand, in the upper left"
    assert said(walk[0]) == "one walks"
    order = clauses_of_frame(
        [one(0, "object", "glides")],
        [Alike(tuple(stand), False), Alike((one(0, "object", "moves"),), True),
         Alike((walk[0],), False)],
        None, info=info, scale="walkers here",
    )  # fmt: skip
    assert [c.text.split(",")[0] for c in order] == [
        "one glides", "one walks", "3 people stand", "one moves",
    ]  # fmt: skip
