"""A language model as captioner: few small pictures, checked words, questions without a reason."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from evals.bench.modelserver import ModelServer, Reply, chat_body
from tests.brain import Brain, pictures_of, text_of
from tools.backends.pictures import cropped, encode, fitted, sheet
from tools.backends.served.client import ServedModel
from tools.errors import BackendError, UserError
from tools.models.captioner import LONGEST_PX, ModelCaptioner
from tools.ports import Clip
from tools.types import Box, Interval, Question
from tools.video import OpenedVideo, open_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedVideo]:
    """Forty frames of 640×360 that grow brighter."""
    folder = tmp_path_factory.mktemp("frames")
    for number in range(40):
        image = np.full((360, 640, 3), 5 * number, dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:04d}.png"), image)
    with open_video(folder) as source:
        yield source


@pytest.fixture
def captioner(model: ServedModel) -> ModelCaptioner:
    return ModelCaptioner(model)


def sent(brain: Brain) -> list[np.ndarray]:
    """The pictures of the last request, decoded."""
    content = brain.asked[-1]["messages"][0]["content"]
    urls = [p["image_url"]["url"] for p in content if p["type"] == "image_url"]
    return [
        cv2.imdecode(
            np.frombuffer(base64.b64decode(u.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR
        )
        for u in urls
    ]


def test_a_few_small_pictures_spread_over_the_event_are_sent(
    brain: Brain, captioner: ModelCaptioner, video: OpenedVideo
) -> None:
    seen = captioner.describe(video, video.info.interval, profile=None, detail="fine")
    pictures = sent(brain)
    assert len(pictures) == seen.frames_seen == 8
    assert all(max(p.shape[:2]) == LONGEST_PX for p in pictures)
    light = [float(p.mean()) for p in pictures]
    assert light == sorted(light)
    assert light[-1] - light[0] > 100


def test_what_never_changes_comes_before_the_pictures(
    brain: Brain, captioner: ModelCaptioner, video: OpenedVideo
) -> None:
    captioner.describe(video, video.info.interval, profile=None)
    content = brain.asked[-1]["messages"][0]["content"]
    assert content[0]["type"] == "text"
    assert len(content[0]["text"]) > 500
    assert content[-1]["type"] == "text"
    assert "taken at 00:00" in content[-1]["text"]


def test_a_model_that_takes_one_picture_gets_a_sheet(
    brain: Brain, server: ModelServer, model: ServedModel, video: OpenedVideo
) -> None:
    def limited(request: dict[str, object]) -> Reply:
        if pictures_of(request) > 1:
            return Reply({"error": {"message": "at most 1 image may be provided"}}, 400)
        return brain(request)

    server.answer = limited
    assert model.capabilities.images == 1
    ModelCaptioner(model).describe(video, video.info.interval, profile=None, detail="coarse")
    (picture,) = sent(brain)
    assert max(picture.shape[:2]) == 2 * LONGEST_PX


def test_a_model_without_eyes_is_refused_with_a_remedy(
    brain: Brain, connect: Callable[..., ServedModel], video: OpenedVideo
) -> None:
    brain.able = brain.able - {"images"}
    with pytest.raises(BackendError, match="takes no pictures") as caught:
        ModelCaptioner(connect()).describe(video, video.info.interval, profile=None)
    assert caught.value.fault == "incapable"
    assert "vision-language model" in caught.value.remedy


def test_things_become_observations_with_frames_of_the_event(
    brain: Brain, captioner: ModelCaptioner, video: OpenedVideo
) -> None:
    brain.things = [
        {"subject": "Van", "activity": "stops", "where": "left", "frame": 3},
        {"subject": "person", "activity": "walks", "where": "", "frame": 16},
    ]
    half = Interval(
        start=video.info.duration // 2, end=video.info.duration, time_base=video.info.time_base
    )
    seen = captioner.describe(video, half, profile=None, detail="coarse")
    van, person = seen.observations
    assert (van.subject, van.activity, van.text) == ("van", "stops", "Van stops, left")
    assert person.text == "Person walks"
    assert all(half.contains(int(video.pts[o.key_frame])) for o in (van, person))
    assert {c.observations for c in seen.caption.clauses} == {(van.id,), (person.id,)}
    assert seen.series == ()


def test_a_question_is_asked_alone_with_a_crop_of_its_place(
    brain: Brain, captioner: ModelCaptioner, video: OpenedVideo
) -> None:
    box = Box(x0=100, y0=100, x1=200, y1=150)
    question = Question(id="q", text="What is in the picture?", box=box)
    answer = captioner.ask(video, video.info.interval, question, profile=None)
    assert answer.value == answer.text == brain.answer
    assert answer.frames
    assert all(p.shape[:2] == (100, 200) for p in sent(brain))
    assert text_of(brain.asked[-1]).rstrip().endswith("Question: What is in the picture?")


def test_what_cannot_be_seen_is_no_answer(
    brain: Brain, captioner: ModelCaptioner, video: OpenedVideo
) -> None:
    brain.answer = ""
    question = Question(id="q", text="What does it say?")
    answer = captioner.ask(video, video.info.interval, question, profile=None)
    assert answer.value is None
    assert "cannot be told" in answer.text


@pytest.mark.parametrize("text", ["Nothing much.", '{"summary": "x", "things": [{}]}'])
def test_words_that_are_not_what_was_asked_for_are_refused(
    text: str, brain: Brain, captioner: ModelCaptioner, video: OpenedVideo
) -> None:
    brain.always = lambda _: Reply(chat_body(text))
    with pytest.raises(BackendError):
        captioner.describe(video, video.info.interval, profile=None)


def test_clips_of_different_size_are_not_one_scene(
    captioner: ModelCaptioner, video: OpenedVideo, tmp_path: Path
) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((48, 64, 3), np.uint8))
    with open_video(tmp_path) as other, pytest.raises(UserError, match="not one camera"):
        captioner.learn("gate", [Clip(video), Clip(other)])


def test_a_video_of_another_size_is_not_judged(
    captioner: ModelCaptioner, video: OpenedVideo, tmp_path: Path, brain: Brain
) -> None:
    profile = captioner.learn("gate", [Clip(video)])
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((48, 64, 3), np.uint8))
    with open_video(tmp_path) as other:
        seen = captioner.describe(other, other.info.interval, profile=profile)
    assert "another camera" in seen.problems[0]
    assert brain.asked == []


def test_pictures_keep_their_shape_and_are_never_enlarged() -> None:
    assert fitted(1920, 1080, 448) == (448, 252)
    assert fitted(100, 60, 448) == (100, 60)
    image = np.zeros((100, 200, 3), np.uint8)
    assert encode(image, 50)[:2] == b"\xff\xd8"
    assert cropped(image, Box(x0=190, y0=90, x1=200, y1=100)).size > 0
    assert sheet([image] * 5).shape == (2 * 102, 3 * 202, 3)
