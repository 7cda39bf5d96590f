"""A camera that cannot be judged is said to be so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from evals.scenes import render
from tools.captioning import embedded_captioner
from tools.ports import Captioner, Clip, Detail, SceneProfile
from tools.types import Description, Interval, clock
from tools.video import open_video


def write(path: Path, frames: list[np.ndarray], fps: int = 10) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def look(path: Path, detail: Detail = "fine") -> Description:
    with open_video(path) as source:
        whole = source.info.interval
        return embedded_captioner().describe(source, whole, profile=None, detail=detail)


def texture(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(40, 220, (30, 50, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize(
    ("level", "words"), [(3, "nearly black"), (255, "even colour"), (120, "even colour")]
)
def test_black_and_blank(tmp_path: Path, level: int, words: str) -> None:
    seen = look(write(tmp_path / "blank.mp4", [np.full((96, 128, 3), level, np.uint8)] * 20))
    assert any(words in p for p in seen.problems)
    assert "cannot be judged" in seen.caption.text


def test_a_panning_camera(tmp_path: Path) -> None:
    wide = texture(np.random.default_rng(0))
    frames = [np.ascontiguousarray(wide[20:180, 3 * i : 3 * i + 240]) for i in range(30)]
    assert any("camera was moved" in p for p in look(write(tmp_path / "pan.mp4", frames)).problems)


def test_frozen(tmp_path: Path) -> None:
    picture = np.ascontiguousarray(texture(np.random.default_rng(1))[:160, :240])
    assert any("frozen" in p for p in look(write(tmp_path / "frozen.mp4", [picture] * 40)).problems)


@pytest.mark.parametrize("detail", ["fine", "coarse"])
def test_pictures_that_follow_one_another_are_not_frozen(tmp_path: Path, detail: Detail) -> None:
    rng = np.random.default_rng(3)
    shown = [np.ascontiguousarray(texture(rng)[:160, :240]) for _ in range(5)]
    slides = [shown[n // 13] for n in range(65)]  # every other change lies between two thin looks
    seen = look(write(tmp_path / "slides.mp4", slides), detail)
    assert "frozen" not in {e.kind for e in seen.health}
    assert "cut" in {e.kind for e in seen.health}


def test_too_few_frames(tmp_path: Path) -> None:
    picture = np.ascontiguousarray(texture(np.random.default_rng(2))[:160, :240])
    one = look(write(tmp_path / "one.mp4", [picture]))
    assert one.problems == ("too few frames to see motion",)
    slow = look(write(tmp_path / "slow.mp4", [picture] * 6, fps=1))
    assert any("too few to follow motion" in p for p in slow.problems)


def test_tiny_pictures(tmp_path: Path) -> None:
    frames = [np.full((2, 2, 3), 10 * i, np.uint8) for i in range(12)]
    assert look(write(tmp_path / "tiny.mp4", frames)).problems


# ---------------------------------------------------------------- one stretch of a known scene

FIRST, LAST = 25, 50
"""Frames of the clips below that are spoilt."""
Spoil = Callable[[np.ndarray, int], np.ndarray]


def darkened(image: np.ndarray, n: int) -> np.ndarray:
    return (image * 0.25).astype(np.uint8)


def black(image: np.ndarray, n: int) -> np.ndarray:
    return (image * 0.02).astype(np.uint8)


def blurred(image: np.ndarray, n: int) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8)


def covered(image: np.ndarray, n: int) -> np.ndarray:
    hand = np.full_like(image, 45)
    hand[-20:] = image[-20:]
    return hand


def half_covered(image: np.ndarray, n: int) -> np.ndarray:
    hand = image.copy()
    hand[:, : image.shape[1] * 6 // 10] = 35
    return hand


def turned(image: np.ndarray, n: int) -> np.ndarray:
    return np.roll(image, (14, 24), (0, 1))


def shaken(image: np.ndarray, n: int) -> np.ndarray:
    return np.roll(image, (3 * (-1) ** n, 4 * (-1) ** (n // 2)), (0, 1))


def night(image: np.ndarray, n: int) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) * 0.45
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def card(image: np.ndarray, n: int) -> np.ndarray:
    made = np.full_like(image, 12)
    cv2.putText(made, "CAMERA 4", (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (240, 240, 240), 4)
    return made


SPOILT: dict[str, tuple[Spoil, str, str]] = {
    "black": (black, "black", "nearly black"),
    "darkened": (darkened, "light", "day and night"),
    "night mode": (night, "light", "day and night"),
    "blurred": (blurred, "defocused", "out of focus"),
    "covered": (covered, "covered", "lens is covered"),
    "half covered": (half_covered, "covered", "lens is covered"),
    "turned": (turned, "view", "another scene"),
    "shaken": (shaken, "moved", "moved or shaken"),
    "title card": (card, "title", "title card"),
}


def images(path: Path) -> list[np.ndarray]:
    with open_video(path) as source:
        return [frame.image.copy() for frame in source.frames()]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("health")
    for n in range(2):
        render(folder / f"{n}.mp4", seconds=8, size=(360, 240), seed=60 + n, density=0.6)
    return known(folder / "0.mp4", folder / "1.mp4", folder)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Known:
    clips = data_dir / "ucsd_ped2"
    folder = tmp_path_factory.mktemp("filmed")
    return known(clips / "Train001.mp4", clips / "Train002.mp4", folder)


@dataclass(frozen=True, eq=False)
class Known:
    """A learned scene and the pictures of another normal clip of it."""

    captioner: Captioner
    profile: SceneProfile
    pictures: list[np.ndarray]
    folder: Path

    def seen(self, name: str, pictures: list[np.ndarray]) -> Description:
        with open_video(write(self.folder / f"{name}.mp4", pictures)) as source:
            return self.captioner.describe(source, source.info.interval, profile=self.profile)

    def spoilt(self, name: str, spoil: Spoil) -> Description:
        return self.seen(
            name.replace(" ", "-"),
            [spoil(p, n) if FIRST <= n < LAST else p for n, p in enumerate(self.pictures)],
        )


def known(normal: Path, other: Path, folder: Path) -> Known:
    captioner = embedded_captioner()
    with open_video(normal) as source:
        profile = captioner.learn("here", [Clip(source)])
    return Known(captioner, profile, images(other)[:80], folder)


def only_that_stretch(seen: Description, kind: str, words: str) -> None:
    """The stretch is said, with its times, and nothing else of the event is lost."""
    assert not seen.problems
    (told,) = [e for e in seen.health if e.kind != "cut"]
    assert told.kind == kind
    assert words in told.text
    assert told.interval.start_s == pytest.approx(FIRST / 10, abs=0.25)
    assert told.interval.end_s == pytest.approx(LAST / 10, abs=0.25)
    times = f"{clock(told.interval.start_s)}–{clock(told.interval.end_s)}"
    assert f"cannot be judged: {told.text}, {times}" in seen.caption.text
    judged = {p.frame for p in seen.series}
    lost = set(range(80)) - judged
    assert set(range(FIRST + 3, LAST - 3)) <= lost <= set(range(FIRST - 3, LAST + 3))
    assert not any(p.frame in lost for o in seen.observations for p in o.points)


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_stretch_of_a_rendered_scene(name: str, rendered: Known) -> None:
    spoil, kind, words = SPOILT[name]
    only_that_stretch(rendered.spoilt(name, spoil), kind, words)


def lettered(text: str, at: tuple[int, int], scale: float, ink: int = 240, paper: int = 0) -> Spoil:
    def made(image: np.ndarray, n: int) -> np.ndarray:
        drawn = np.full_like(image, paper)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(drawn, text, at, font, scale, (ink,) * 3, round(2 * scale) + 1, cv2.LINE_AA)
        return drawn

    return made


def framed(image: np.ndarray, n: int) -> np.ndarray:
    """Writing between two lines, edges where a scene may have some, too."""
    drawn = lettered("NEWS AT TEN", (30, 135), 1.4)(image, n)
    cv2.rectangle(drawn, (10, 80), (350, 84), (200, 200, 200), -1)
    cv2.rectangle(drawn, (10, 160), (350, 164), (200, 200, 200), -1)
    return drawn


CARDS: dict[str, Spoil] = {
    "news": lettered("BREAKING NEWS", (20, 130), 1.3),
    "large": lettered("NEWS", (40, 150), 3.4),
    "small": lettered("no signal", (130, 120), 0.8),
    "low": lettered("please stand by", (40, 220), 1.0, 255, 20),
    "on white": lettered("BREAKING NEWS", (20, 130), 1.3, 0, 250),
    "framed": framed,
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_with_writing_is_no_covered_lens(name: str, rendered: Known) -> None:
    seen = rendered.spoilt(f"card {name}", CARDS[name])
    assert [e.kind for e in seen.health if e.kind != "cut"] == ["title"]


@pytest.mark.data
@pytest.mark.parametrize("name", CARDS)
def test_a_card_with_writing_is_no_covered_lens_of_a_real_scene(name: str, filmed: Known) -> None:
    seen = filmed.spoilt(f"card {name}", CARDS[name])
    assert [e.kind for e in seen.health if e.kind != "cut"] == ["title"]


def pushed(image: np.ndarray, n: int) -> np.ndarray:
    """A white card whose lower part is pushed in for a second, and stays."""
    made = np.full_like(image, 245)
    made[: image.shape[0] - min(96, 10 * (n - FIRST))] = 12
    cv2.putText(made, "CAMERA 4", (40, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (240, 240, 240), 4)
    return made


def test_a_card_that_is_pushed_in_is_no_covered_lens(rendered: Known) -> None:
    only_that_stretch(rendered.spoilt("pushed", pushed), "title", "title card")


def faded(image: np.ndarray, n: int) -> np.ndarray:
    """A white card whose writing fades within its last 0.5 s, the last 0.2 of them blank."""
    grey = {LAST - 5: 160, LAST - 4: 195, LAST - 3: 220}.get(n, 90 if n < LAST - 5 else 249)
    made = np.full_like(image, 250)
    cv2.putText(made, "CAMERA 4", (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (grey,) * 3, 4)
    return made


def test_a_card_that_fades_is_a_card_to_its_end(rendered: Known) -> None:
    seen = rendered.spoilt("faded", faded)
    only_that_stretch(seen, "title", "title card")
    assert not any("appears" in o.text for o in seen.observations)


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(set(SPOILT) - {"night mode"}))
def test_a_spoilt_stretch_of_real_footage(name: str, filmed: Known) -> None:
    """(Night mode takes away colours, which this camera does not have.)"""
    spoil, kind, words = SPOILT[name]
    only_that_stretch(filmed.spoilt(name, spoil), kind, words)


def held(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [pictures[FIRST] if FIRST <= n < LAST else p for n, p in enumerate(pictures)]


def test_a_frozen_stretch(rendered: Known) -> None:
    only_that_stretch(rendered.seen("frozen", held(rendered.pictures)), "frozen", "stands still")


@pytest.mark.data
def test_a_frozen_stretch_of_real_footage(filmed: Known) -> None:
    only_that_stretch(filmed.seen("frozen", held(filmed.pictures)), "frozen", "stands still")


def test_a_cut_is_said_and_the_rest_judged(rendered: Known, tmp_path: Path) -> None:
    render(tmp_path / "there.mp4", seconds=3, size=(360, 240), seed=3, place=3)
    there = images(tmp_path / "there.mp4")
    seen = rendered.seen("cut", [*rendered.pictures[:45], *there])
    assert not seen.problems
    assert [e.kind for e in seen.health if e.interval.start_s > 4.3] == ["view", "cut"]
    assert "(a cut), at 00:04.5" in seen.caption.text
    assert {p.frame for p in seen.series} >= set(range(43))


def test_a_stretch_spoilt_throughout_is_not_judged(rendered: Known) -> None:
    seen = rendered.seen("all-blurred", [blurred(p, 0) for p in rendered.pictures])
    (problem,) = seen.problems
    assert problem.endswith("throughout")
    assert not seen.series
    assert seen.caption.text.startswith("cannot be judged: the picture is blurred")


def test_normal_footage_is_healthy(rendered: Known) -> None:
    assert rendered.seen("as-it-is", rendered.pictures).health == ()
    brighter = [np.clip(p.astype(int) + 3 * n, 0, 255).astype(np.uint8) for n, p in
                enumerate(rendered.pictures[:30])]  # fmt: skip
    assert rendered.seen("brighter", brighter).health == ()


@pytest.mark.data
def test_no_false_alarms_of_health(filmed: Known, data_dir: Path) -> None:
    with open_video(data_dir / "ucsd_ped2" / "Train010.mp4") as source:
        seen = filmed.captioner.describe(source, source.info.interval, profile=filmed.profile)
    assert seen.health == ()
    with open_video(data_dir / "videos" / "normal" / "car-detection.mp4") as source:
        seen = embedded_captioner().describe(
            source, Interval.from_seconds(8, 11, source.info.time_base), profile=None
        )
    assert seen.health == ()


@pytest.mark.data
def test_title_cards_and_black_frames_are_reported_as_such(data_dir: Path) -> None:
    with open_video(data_dir / "videos" / "ucf_crime" / "Explosion001_x264.mp4") as source:
        seen = embedded_captioner().describe(
            source, Interval.from_seconds(0, 6, source.info.time_base), profile=None
        )
    assert {"title", "cut"} <= {e.kind for e in seen.health}
