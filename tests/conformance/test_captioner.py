"""Every captioner: intervals kept, ids that resolve, determinism, honest answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import SERVED, any_backend
from tests.walkway import SCENE, Walkway, shared_walkway
from tools.backends import CAPTIONERS
from tools.ports import Captioner, Clip, SceneProfile
from tools.types import Description, Interval, Question
from tools.video import OpenedVideo, open_video


@pytest.fixture(scope="module")
def walkway(tmp_path_factory: pytest.TempPathFactory) -> Walkway:
    return shared_walkway(tmp_path_factory)


@pytest.fixture(scope="module", params=[*sorted(CAPTIONERS), SERVED])
def captioner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Captioner]:
    folder = tmp_path_factory.mktemp("cache")
    with any_backend("captioner", request.param, CAPTIONERS, folder) as made:
        yield made


@pytest.fixture(scope="module")
def profile(captioner: Captioner, walkway: Walkway) -> SceneProfile:
    clips = [Clip(open_video(path)) for path in walkway.normal]
    return captioner.learn(SCENE, clips)


@pytest.fixture(scope="module")
def bike(walkway: Walkway) -> OpenedVideo:
    return open_video(walkway.bike)


@pytest.fixture(scope="module")
def part(bike: OpenedVideo) -> Interval:
    return Interval.from_seconds(2.0, 5.0, bike.info.time_base)


@pytest.fixture(scope="module")
def seen(
    captioner: Captioner, profile: SceneProfile, bike: OpenedVideo, part: Interval
) -> Description:
    return captioner.describe(bike, part, profile=profile)


def test_a_profile_names_its_scene_clips_and_captioner(
    captioner: Captioner, profile: SceneProfile, walkway: Walkway
) -> None:
    assert (profile.scene, profile.captioner) == (SCENE, captioner.name)
    assert len(profile.clips) == len(walkway.normal)
    assert profile.version
    assert set(profile.summary) <= set(captioner.attributes)


def test_learning_again_gives_the_same_version(
    captioner: Captioner, profile: SceneProfile, walkway: Walkway
) -> None:
    clips = [Clip(open_video(path)) for path in walkway.normal]
    assert captioner.learn(SCENE, clips).version == profile.version


def test_everything_lies_in_the_interval_asked_for(seen: Description, part: Interval) -> None:
    assert seen.frames_seen > 0
    assert seen.caption.interval == part
    assert all(part.contains(p.pts) for p in seen.series)
    for observation in seen.observations:
        assert observation.interval.intersection(part) == observation.interval
        assert all(part.contains(p.pts) for p in observation.points)


def test_the_series_runs_forward_frame_by_frame(seen: Description) -> None:
    frames = [p.frame for p in seen.series]
    assert frames == sorted(set(frames))


def test_every_clause_rests_on_observations_of_the_description(seen: Description) -> None:
    known = {o.id for o in seen.observations}
    assert seen.caption.text
    assert all(set(clause.observations) <= known for clause in seen.caption.clauses)


def test_numbers_have_the_units_the_captioner_declares(
    captioner: Captioner, seen: Description
) -> None:
    units = captioner.attributes
    for observation in seen.observations:
        assert all(a.unit == units[a.name] for a in observation.attributes)


def test_looking_twice_tells_the_same(
    captioner: Captioner,
    profile: SceneProfile,
    bike: OpenedVideo,
    part: Interval,
    seen: Description,
    tmp_path: Path,
) -> None:
    assert captioner.describe(bike, part, profile=profile) == seen


def test_without_a_scene_the_caption_says_so(
    captioner: Captioner, bike: OpenedVideo, part: Interval
) -> None:
    text = captioner.describe(bike, part, profile=None).caption.text
    assert ("general priors" in text) == bool(captioner.attributes)  # words compare with nothing


def test_an_answer_has_frames_of_the_interval_or_no_value(
    captioner: Captioner, profile: SceneProfile, bike: OpenedVideo, part: Interval
) -> None:
    for attribute in captioner.attributes:
        question = Question(id=attribute, text=f"How much is {attribute}?", attribute=attribute)
        answer = captioner.ask(bike, part, question, profile=profile)
        assert answer.question == question
        assert answer.text
        assert answer.value is None or all(
            part.contains(int(bike.pts[frame])) for frame in answer.frames
        )


def test_what_it_cannot_measure_it_does_not_answer(
    captioner: Captioner, profile: SceneProfile, bike: OpenedVideo, part: Interval
) -> None:
    question = Question(id="q", text="What colour is it?", attribute="colour")
    assert captioner.ask(bike, part, question, profile=profile).value is None
