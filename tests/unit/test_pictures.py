"""Pictures of what an answer cites: drawn once, kept beside the trace, inlined on the page."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from evals.page.album import Album
from evals.pictures import draw_pictures, pictures_of
from evals.scoring import load_run, report_dir
from tests.evalruns import FRAMES, make_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run whose clip ``a.mp4`` lies there, as a folder of frames."""
    clip = tmp_path / "clips" / "a.mp4"
    clip.mkdir(parents=True)
    for n in range(FRAMES):
        image = np.full((32, 48, 3), 4 * n, np.uint8)
        assert cv2.imwrite(str(clip / f"{n:03d}.png"), image)
    monkeypatch.chdir(tmp_path)
    return make_run(tmp_path / "run")


def draw(folder: Path) -> int:
    return draw_pictures([(e.saved, e.outcome) for e in load_run(folder).entries])


def test_the_cited_frame_is_drawn_once_and_kept(run: Path) -> None:
    assert draw(run) == 1, "the clips that are not there get none"
    [entry] = [e for e in load_run(run).entries if e.sample.id == "a.mp4"]
    [picture] = pictures_of(entry.saved)
    assert (picture.event, picture.frame) == ("e1", 25)
    image = cv2.imread(str(picture.file))
    assert image is not None
    assert image.shape[1] == 260
    assert abs(float(image.mean()) - 100) < 3, "frame 25 of a clip that grows lighter"
    assert draw(run) == 0


def test_the_page_needs_no_video(run: Path) -> None:
    draw(run)
    for file in (run.parent / "clips" / "a.mp4").iterdir():
        file.unlink()
    text = report_dir(run).read_text()
    [packed] = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert base64.b64decode(packed).startswith(b"\xff\xd8")
    assert "frame 25 · 00:02.5" in text
    assert "Open an event to see the frames" in text
    chain = text[text.index('<details class="event">') :]
    assert chain.index("data:image/jpeg") < chain.index("From 2 to 4 s.")


def test_without_pictures_the_page_says_so(run: Path) -> None:
    text = report_dir(run).read_text()
    assert "No pictures: these results hold no frames" in text
    assert "data:image" not in text


def test_pictures_of_another_answer_are_not_shown(run: Path) -> None:
    draw(run)
    [entry] = [e for e in load_run(run).entries if e.sample.id == "a.mp4"]
    index = entry.saved.path.with_suffix(".pictures") / "index.json"
    index.write_text(index.read_text().replace("key-a.mp4", "key-old"))
    assert pictures_of(entry.saved) == ()
    assert draw(run) == 1


def test_an_index_cannot_name_a_file_elsewhere(run: Path) -> None:
    draw(run)
    [entry] = [e for e in load_run(run).entries if e.sample.id == "a.mp4"]
    index = entry.saved.path.with_suffix(".pictures") / "index.json"
    index.write_text(re.sub(r'"e1-25.jpg"', '"../../../run.json"', index.read_text()))
    assert pictures_of(entry.saved) == ()


def test_the_page_stays_small(run: Path) -> None:
    draw(run)
    [entry] = [e for e in load_run(run).entries if e.sample.id == "a.mp4"]
    album = Album(room=100)
    assert album.of(entry.saved) == {}
    assert "0 of 1" in album.note()
