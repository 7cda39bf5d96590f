"""Pictures of a decision: drawn whole or not at all, and of the right frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tools.backends.embedded.drawing import boxed, close_up
from tools.contactsheet import contact_sheet
from tools.decision import Decision, EventScore, Intent, Label, Timeline
from tools.errors import StoreError
from tools.exhibits import save_exhibits, told_of
from tools.figures import timeline_plot, unseen_stretches
from tools.types import Box, HealthEvent, Interval, Observation, Point
from tools.video import OpenedVideo, open_video
from tools.wrapping import wrapped


@pytest.fixture
def source(numbered_clip: Path) -> OpenedVideo:
    return open_video(numbered_clip)


def event(source: OpenedVideo, start: float, end: float, **more: object) -> EventScore:
    values = {
        "video_id": source.info.id,
        "event_id": f"e{start}",
        "interval": Interval.from_seconds(start, end, source.info.time_base),
        "label": Label.ANOMALOUS,
        "score": 0.9,
        "summary": "a block crosses, costing $5 or $10, at 3.1× the usual speed",
        "key_frame": 25,
        "box": Box(x0=100, y0=50, x1=112, y1=81),
    }
    return EventScore.model_validate(values | more)


def decision(source: OpenedVideo, events: list[EventScore], frames: range = range(60)) -> Decision:
    line = Timeline(
        video_id=source.info.id,
        frames=tuple(frames),
        seconds=tuple(f / 10 for f in frames),
        scores=tuple(0.9 if 20 <= f < 40 else 0.1 for f in frames),
    )
    label = Label.ANOMALOUS if events else Label.NORMAL
    return Decision(
        run_id="r",
        query="Did anything out of the ordinary happen?",
        intent=Intent.ANOMALY,
        label=label,
        score=0.9 if events else 0.1,
        false_alarm_rate=0.01,
        events=tuple(events),
        timelines=(line,),
    )


def read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def hue_share(image: NDArray[np.uint8], low: int, high: int) -> float:
    """Share of clearly coloured pixels whose OpenCV hue lies within the bounds."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    return float(((hsv[..., 0] >= low) & (hsv[..., 0] <= high) & (hsv[..., 1] > 120)).mean())


def test_timeline_plot(tmp_path: Path, source: OpenedVideo) -> None:
    videos = {source.info.id: source.info}
    quiet = timeline_plot(decision(source, []), videos, tmp_path / "a" / "quiet.png")
    flagged = decision(source, [event(source, 2, 4), event(source, 3, 3.5, score=None)])
    marked = timeline_plot(flagged, videos, tmp_path / "marked.png")
    told = timeline_plot(
        flagged, videos, tmp_path / "told.png", truth={source.info.id: [(2.0, 4.0)]}
    )
    assert hue_share(read(quiet), 0, 8) < 1e-4, "nothing is red where nothing was flagged"
    assert hue_share(read(marked), 0, 8) > 1e-3
    assert hue_share(read(told), 65, 80) > hue_share(read(marked), 65, 80) + 1e-3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "marked.png", "told.png"]


def test_timeline_plot_of_many_videos(tmp_path: Path, source: OpenedVideo) -> None:
    videos = {f"v{n}": source.info.model_copy(update={"id": f"v{n}"}) for n in range(30)}
    empty = decision(source, []).model_copy(update={"timelines": ()})
    image = read(timeline_plot(empty, videos, tmp_path / "many.png"))
    assert image.shape[0] < 3000
    assert timeline_plot(empty, {}, tmp_path / "none.png").is_file()


def test_the_same_decision_gives_the_same_picture(tmp_path: Path, source: OpenedVideo) -> None:
    made = decision(source, [event(source, 2, 4)])
    videos = {source.info.id: source.info}
    one = timeline_plot(made, videos, tmp_path / "one.png").read_bytes()
    assert one == timeline_plot(made, videos, tmp_path / "two.png").read_bytes()


def test_unseen_stretches(source: OpenedVideo) -> None:
    made = decision(source, [], range(0, 60)).timelines[0]
    assert unseen_stretches(made, 6.0) == []
    assert unseen_stretches(None, 6.0) == [(0.0, 6.0)]
    ends = decision(source, [], range(20, 40)).timelines[0]
    assert unseen_stretches(ends, 6.0) == [
        (0.0, pytest.approx(1.95)),
        (pytest.approx(3.95), 6.0),
    ]
    sparse = made.model_copy(update={"seconds": (0.0, 1.0, 2.0, 5.0), "scores": (0.1,) * 4})
    assert unseen_stretches(sparse, 5.5) == []
    middle = made.model_copy(update={"seconds": (0.0, 0.1, 0.2, 5.0), "scores": (0.1,) * 4})
    assert unseen_stretches(middle, 5.0) == [(pytest.approx(0.25), pytest.approx(4.95))]


def test_contact_sheet_shows_the_right_frames(
    tmp_path: Path, source: OpenedVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    frame = source.frame
    monkeypatch.setattr(source, "frame", lambda index: asked.append(index) or frame(index))
    made = decision(source, [event(source, 2, 4)])
    sheet = read(contact_sheet(made, {source.info.id: source}, tmp_path / "sheet.png"))
    assert asked == [10, 25, 50], "a second before the event, its key frame, a second after"
    assert hue_share(sheet, 0, 8) > 1e-3, "the box is drawn"


def test_contact_sheet_draws_paths(tmp_path: Path, source: OpenedVideo) -> None:
    box = Box(x0=20, y0=40, x1=60, y1=80)
    points = tuple(Point(frame=f, pts=int(source.pts[f]), surprise=2.0, box=box) for f in (10, 50))
    seen = Observation(
        id="o",
        video_id=source.info.id,
        interval=source.info.interval,
        subject="block",
        activity="crossing",
        text="a block crosses",
        key_frame=25,
        points=points,
    )
    made = decision(source, [event(source, 2, 4, observations=("o",), box=None)])
    sources = {source.info.id: source}
    plain = hue_share(read(contact_sheet(made, sources, tmp_path / "a.png")), 0, 8)
    boxes = contact_sheet(made, sources, tmp_path / "b.png", observations={"o": seen})
    assert hue_share(read(boxes), 0, 8) > plain + 1e-3


def test_contact_sheet_of_many_events(
    tmp_path: Path, source: OpenedVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    frame = source.frame
    monkeypatch.setattr(source, "frame", lambda index: asked.append(index) or frame(index))
    events = [
        event(source, n / 4, n / 4 + 0.2, key_frame=n, score=0.5 + n / 100) for n in range(20)
    ]
    contact_sheet(decision(source, events), {source.info.id: source}, tmp_path / "sheet.png")
    assert asked == list(range(8, 20)), "the twelve strongest, in order"


def test_contact_sheet_without_events_shows_the_highest_moment(
    tmp_path: Path, source: OpenedVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    frame = source.frame
    monkeypatch.setattr(source, "frame", lambda index: asked.append(index) or frame(index))
    made = decision(source, [])
    contact_sheet(made, {source.info.id: source}, tmp_path / "sheet.png")
    assert asked == [20]
    nothing = made.model_copy(update={"timelines": ()})
    assert contact_sheet(nothing, {source.info.id: source}, tmp_path / "none.png").is_file()


def test_boxes_are_drawn_where_they_are() -> None:
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    box = Box(x0=40, y0=20, x1=80, y1=60)
    out = boxed(image, box, width=400, colour=(255, 0, 0))
    assert out.shape == (200, 400, 3)
    rows, columns = np.nonzero(out[..., 0] > 200)
    # 15 % of the longer side is left free around the box, at twice the size.
    assert (columns.min() + columns.max()) / 2 == pytest.approx(120, abs=3)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(80, abs=3)
    assert columns.max() - columns.min() == pytest.approx(104, abs=6)
    assert not image.any(), "the image is not written to"
    full = boxed(image, Box(x0=0, y0=0, x1=200, y1=100), width=100, colour=(255, 0, 0))
    assert (full[..., 0] > 200).any()


def test_an_unwritable_place_is_a_store_error(tmp_path: Path, source: OpenedVideo) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        timeline_plot(decision(source, []), {}, tmp_path / "file" / "a.png")


def test_matplotlib_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, tools.figures; sys.exit(any(m in sys.modules for m in ('matplotlib', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------- key frames and crops as files


def test_every_told_event_has_its_key_frame_and_a_crop(tmp_path: Path, source: OpenedVideo) -> None:
    events = [
        event(source, 2, 4),
        event(source, 0, 1, label=Label.NORMAL, score=0.1),
        event(source, 3, 4, box=None, key_frame=None),
    ]
    made = decision(source, events)
    shown = save_exhibits(made, {source.info.id: source}, tmp_path)
    files = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.jpg"))
    assert files == [
        "crops/01_numbered_00-02.5.jpg",
        "frames/01_numbered_00-02.5.jpg",
        "frames/03_numbered_00-03.5.jpg",
    ]
    assert [(e.event, e.frame, e.crop_file) for e in shown] == [(1, 25, files[0]), (3, 35, None)]
    assert shown[0].caption == events[0].summary
    lines = told_of(shown).splitlines()
    assert lines[1] == f"numbered.mp4 00:02.5 (frame 25): {files[1]}, {files[0]}"
    assert all(hue_share(read(tmp_path / f), 0, 8) > 1e-3 for f in files[:2]), "boxes are drawn"
    assert hue_share(read(tmp_path / files[2]), 0, 8) < 1e-3, "none where there is none"


def test_pictures_of_an_earlier_report_go_and_nothing_else(
    tmp_path: Path, source: OpenedVideo
) -> None:
    sources = {source.info.id: source}
    save_exhibits(decision(source, [event(source, 2, 4)]), sources, tmp_path)
    (tmp_path / "frames" / "01_mine.jpg").write_bytes(b"mine")
    save_exhibits(decision(source, [event(source, 2, 4, key_frame=30)]), sources, tmp_path)
    left = sorted(p.name for p in (tmp_path / "frames").iterdir())
    assert left == ["01_mine.jpg", "01_numbered_00-03.0.jpg"]


def test_nothing_flagged_shows_what_scored_highest(tmp_path: Path, source: OpenedVideo) -> None:
    calm = [event(source, n / 4, n / 4 + 0.2, label=Label.NORMAL, score=n / 99) for n in range(20)]
    shown = save_exhibits(decision(source, calm), {source.info.id: source}, tmp_path)
    assert [e.event for e in shown] == list(range(9, 21))
    assert save_exhibits(decision(source, []), {source.info.id: source}, tmp_path) == ()
    assert told_of(()) == ""


def test_an_answer_about_the_camera_shows_the_faults_it_cites(
    tmp_path: Path, source: OpenedVideo
) -> None:
    faults = tuple(
        HealthEvent(
            id=f"{kind}{start}",
            video_id=source.info.id,
            kind=kind,
            interval=Interval.from_seconds(start, end, source.info.time_base),
            text="the picture is nearly black",
            frames=(int(10 * start), int(10 * end) - 1),
        )
        for kind, start, end in [
            ("frozen", 5, 6),
            ("black", 1, 2),
            ("black", 2, 3),
            ("cut", 1, 1.1),
        ]
    )
    made = decision(source, []).model_copy(update={"intent": Intent.CAMERA, "health": faults})
    sources = {source.info.id: source}
    asked = made.model_copy(update={"faulty": ("black1", "black2")})
    (shown,) = save_exhibits(asked, sources, tmp_path / "asked")
    assert (shown.time, shown.frame, shown.label) == ("00:02.0", 20, Label.ANOMALOUS)
    assert shown.frame_file == "frames/01_numbered_00-02.0.jpg"
    assert (tmp_path / "asked" / shown.frame_file).is_file()
    assert shown.caption == "the picture is nearly black"
    others = save_exhibits(made, sources, tmp_path / "others")
    assert [(e.time, e.label) for e in others] == [
        ("00:02.0", Label.UNCERTAIN), ("00:05.5", Label.UNCERTAIN),
    ]  # fmt: skip
    elsewhere = asked.model_copy(update={"intent": Intent.ANOMALY})
    assert save_exhibits(elsewhere, sources, tmp_path) == ()


@pytest.mark.parametrize(
    "box",
    [
        Box(x0=100, y0=60, x1=112, y1=80),
        Box(x0=0, y0=0, x1=8, y1=8),
        Box(x0=312, y0=232, x1=320, y1=240),
        Box(x0=0, y0=0, x1=320, y1=240),
    ],
)
def test_a_close_up_shows_the_box_with_its_surroundings(box: Box) -> None:
    image = np.zeros((240, 320, 3), dtype=np.uint8)
    image[box.y0 : box.y1, box.x0 : box.x1] = 255
    out = close_up(image, box, colour=(255, 0, 0))
    scale = max(out.shape[:2]) / max(48, min(320, 3 * (box.x1 - box.x0), 3 * (box.y1 - box.y0)))
    assert 380 <= max(out.shape[:2]) <= 960
    white = np.argwhere(out.min(axis=2) > 200)
    assert np.ptp(white, axis=0).max() > 0.7 * scale * min(box.x1 - box.x0, 40)
    assert (out[..., 0] > 150).sum() > (out[..., 1] > 150).sum(), "and the box is drawn"


def test_long_captions_end_where_a_clause_does() -> None:
    said = (
        "a person glides left to right at 2.1× the usual walking speed (fast and rigid, such as a "
        "rider), from the centre to the right, 00:02.6–00:11.7"
    )
    assert " ".join(wrapped(said, 60, 3).split()) == said
    assert wrapped(said, 70, 2).endswith("from the centre to the right …")
    assert wrapped(said, 80, 1).endswith("walking speed …"), "a bracket stays or goes as a whole"
    assert wrapped("one two three four five six", 12, 1) == "one two …"
    assert wrapped("a b", 2, 2, indent=1) == "a\n b"
