"""What every BoundaryDetector promises, checked on every backend."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tools.backends.recorded import RecordedDetector
from tools.boundaries import build_tree, embedded_detector
from tools.errors import UserError
from tools.events.export import FORMATS
from tools.ports import BoundaryDetector, BoundarySignal
from tools.video import open_video


@pytest.fixture(params=["embedded", "causal", "transformers", "recorded"], scope="module")
def detector(request: pytest.FixtureRequest) -> BoundaryDetector:
    if request.param == "transformers":
        from tools.backends.vision import VisionBoundaryDetector

        model = request.getfixturevalue("vision_model")
        return VisionBoundaryDetector(str(model), device="cpu", samples_per_s=10.0, batch=16)
    if request.param == "recorded":
        return RecordedDetector(request.getfixturevalue("recordings"))
    return embedded_detector(causal=request.param == "causal")


@pytest.fixture(scope="session")
def vision_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vision model of random weights, made here."""
    torch = pytest.importorskip("torch", reason="pip install 'vidocq[models]'")
    transformers = pytest.importorskip("transformers", reason="pip install 'vidocq[models]'")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=112,
        patch_size=14,
        layerscale_value=1.0,
        initializer_range=0.2,
    )
    folder = tmp_path_factory.mktemp("models") / "dino"
    transformers.Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def recordings(clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``vidocq events --export`` writes of every clip."""
    folder = tmp_path_factory.mktemp("recordings")
    for name, path in clips.items():
        with open_video(path) as source:
            signal = embedded_detector().signal(source)
            tree = build_tree(signal, source.info)
            told = FORMATS["json"](source.info, tree, signal, source.pts)
        (folder / f"{name}.json").write_text(told, encoding="utf-8")
    return folder


def scene(rng: np.random.Generator, shade: int) -> NDArray[np.uint8]:
    """A still, textured picture."""
    coarse = rng.integers(0, 120, (8, 12, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (192, 128), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.add(image, np.full_like(image, shade)), dtype=np.uint8)


def film(view: NDArray[np.uint8], count: int, first: int = 10**6) -> list[NDArray[np.uint8]]:
    """The view with light camera noise; from ``first`` on a block runs across it."""
    rng = np.random.default_rng(count)
    images = []
    for index in range(count):
        image = view.astype(np.int16) + rng.normal(0, 1.5, view.shape).round().astype(np.int16)
        picture = np.clip(image, 0, 255).astype(np.uint8)
        if index >= first:
            x = (index - first) * 4 % 180
            cv2.rectangle(picture, (x, 60), (x + 12, 90), (250, 250, 250), -1)
        images.append(picture)
    return images


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, write_clip) -> dict[str, Path]:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("boundaries")
    rng = np.random.default_rng(7)
    one, other = scene(rng, 30), scene(rng, 60)
    black = np.zeros_like(one)
    lit = np.asarray(cv2.add(one, np.full_like(one, 70)), dtype=np.uint8)
    films = {
        "still": film(one, 60),
        "mover": film(one, 100, first=50),
        "cut": film(one, 40) + film(other, 40),
        "lamp": film(one, 40) + film(lit, 40),
        "blink": film(one, 40) + [black] * 10 + film(one, 40),
        "covered": film(one, 30) + [black] * 40 + film(one, 30),
        "single": film(one, 1),
    }
    return {
        name: write_clip(folder / f"{name}.mp4", images, options={"crf": "12"})
        for name, images in films.items()
    }


def look(detector: BoundaryDetector, path: Path) -> BoundarySignal:
    with open_video(path) as source:
        return detector.signal(source)


@pytest.mark.parametrize("name", ["still", "mover", "cut", "single"])
def test_shape_and_range(detector: BoundaryDetector, clips: dict[str, Path], name: str) -> None:
    with open_video(clips[name]) as source:
        told: list[tuple[int, int]] = []
        signal = detector.signal(source, lambda _what, done, total: told.append((done, total)))
        assert signal.video_id == source.info.id
        np.testing.assert_array_equal(signal.pts, source.pts[signal.frames])
        assert told[-1][0] == told[-1][1]
        build_tree(signal, source.info)
    count = len(signal.frames)
    assert signal.confidence.shape == signal.novelty.shape == (count,)
    assert np.all(np.diff(signal.frames) > 0)
    assert np.all((signal.confidence >= 0) & (signal.confidence <= 1))
    assert np.all(np.isfinite(signal.novelty) & (signal.novelty >= 0))
    assert signal.detector == detector.name


def test_it_says_the_same_twice(detector: BoundaryDetector, clips: dict[str, Path]) -> None:
    one, other = look(detector, clips["mover"]), look(detector, clips["mover"])
    np.testing.assert_array_equal(one.confidence, other.confidence)
    np.testing.assert_array_equal(one.novelty, other.novelty)
    assert one.cuts == other.cuts


def test_nothing_happens(detector: BoundaryDetector, clips: dict[str, Path]) -> None:
    signal = look(detector, clips["still"])
    assert signal.cuts == ()
    assert signal.confidence.max() < 0.3, "camera noise is no boundary"


def test_something_starts_to_move(detector: BoundaryDetector, clips: dict[str, Path]) -> None:
    signal = look(detector, clips["mover"])
    assert signal.cuts == ()
    assert signal.confidence[signal.frames < 40].max() < 0.3
    assert signal.confidence[abs(signal.frames - 50) <= 3].max() > 0.5
    quiet, lively = signal.novelty[signal.frames < 48], signal.novelty[signal.frames > 52]
    assert np.median(lively) > 3 * np.median(quiet)


def test_a_cut_is_exact_and_certain(detector: BoundaryDetector, clips: dict[str, Path]) -> None:
    signal = look(detector, clips["cut"])
    assert signal.cuts == (40,)
    assert signal.confidence[signal.frames == 40] == 1.0


def test_a_lamp_is_no_cut_but_a_boundary(
    detector: BoundaryDetector, clips: dict[str, Path]
) -> None:
    signal = look(detector, clips["lamp"])
    assert signal.cuts == ()
    assert abs(int(signal.frames[signal.confidence.argmax()]) - 40) <= 1


def test_short_black_is_one_cut_long_black_an_event(
    detector: BoundaryDetector, clips: dict[str, Path]
) -> None:
    (middle,) = look(detector, clips["blink"]).cuts
    assert 40 <= middle <= 50
    start, end = look(detector, clips["covered"]).cuts
    assert abs(start - 30) <= 1
    assert abs(end - 70) <= 1


def test_another_video_is_no_match_for_a_recording(recordings: Path, numbered_clip: Path) -> None:
    with (
        open_video(numbered_clip) as source,
        pytest.raises(UserError, match="no recorded signal of it"),
    ):
        RecordedDetector(recordings).signal(source)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("video", {}, "does not say of which video"),
        ("cuts", None, "cannot be read"),
        ("signal", {"frames": [0]}, "cannot be read"),
        ("signal", {"frames": [0, 1], "confidence": [0], "novelty": [0]}, "differ in length"),
        ("signal", {"frames": [1, 0], "confidence": [0, 0], "novelty": [0, 0]}, "do not increase"),
    ],
)
def test_a_damaged_recording_is_named(
    recordings: Path, clips: dict[str, Path], tmp_path: Path, place: str, value: object, said: str
) -> None:
    told = json.loads((recordings / "still.json").read_text(encoding="utf-8"))
    (tmp_path / "bad.json").write_text(json.dumps(told | {place: value}), encoding="utf-8")
    with pytest.raises(UserError, match=f"bad.json: .*{said}"):
        look(RecordedDetector(tmp_path), clips["still"])


def test_a_causal_signal_does_not_depend_on_what_follows(
    tmp_path: Path,
    write_clip,  # type: ignore[no-untyped-def]
) -> None:
    view = scene(np.random.default_rng(3), 40)
    pictures = film(view, 160, first=60) + film(view, 160, first=20)
    signals = []
    for count in (320, 240):
        path = write_clip(tmp_path / f"{count}.mp4", pictures[:count], options={"crf": "12"}, gop=1)
        signals.append(look(embedded_detector(causal=True), path))
    # The last seconds of the shorter one lack what follows; before, nothing differs.
    same = 240 - 60
    assert signals[0].confidence.max() > 0.5
    for name in ("frames", "confidence"):
        whole, part = (getattr(s, name)[:same] for s in signals)
        np.testing.assert_array_equal(whole, part)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("cuts/testvideo.mp4", (15, 198, 377)),
        ("cuts/fades.mp4", (84, 167)),
        ("cuts/counter.mp4", ()),
        ("normal/car-detection.mp4", ()),
        ("ucf_crime/Normal_Videos_015_x264.mp4", ()),
    ],
)
def test_real_cuts(data_dir: Path, name: str, cuts: tuple[int, ...]) -> None:
    assert look(embedded_detector(), data_dir / "videos" / name).cuts == cuts


def test_a_model_that_sees_nothing_is_refused(vision_model: Path, tmp_path: Path) -> None:
    import transformers

    from tools.backends.vision import VisionBoundaryDetector

    config = transformers.BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        vocab_size=64,
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "words")
    with pytest.raises(UserError, match="takes no images"):
        VisionBoundaryDetector(str(tmp_path / "words"))
    with pytest.raises(UserError, match="no vision model can be loaded"):
        VisionBoundaryDetector(str(tmp_path / "nothing"))
