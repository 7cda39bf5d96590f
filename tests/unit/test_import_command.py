"""``python -m evals import``: what it writes, and what is named when something does not fit."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from evals.bringing import bring
from evals.datasets import load_ucsd
from evals.datasets.captions import load_captions
from evals.preparing import prepare
from evals.scoring import report_dir, score_dir
from evals.suite import load_suite
from evals.table import markdown_table
from tools.errors import UserError


def frames_csv(path: Path, *, scores: bool = True, extra: str = "") -> Path:
    head = "video,frame,label" + (",score" if scores else "")
    rows = [head]
    for frame in range(10):
        label = int(frame >= 5)
        rows.append(f"a,{frame},{label}" + (f",{0.1 * frame:.1f}" if scores else ""))
    path.write_text("\n".join(rows) + "\n" + extra)
    return path


def test_scores_become_a_run_like_any_other(tmp_path: Path) -> None:
    said = bring("frames-csv", frames_csv(tmp_path / "x.csv"), tmp_path / "out")
    assert "1 videos with scores, 30 frames per second assumed" in said
    results = score_dir(tmp_path / "out")
    assert results["metrics"]["uncertain"] is None  # it was not asked, so it did not abstain
    assert results["undefined"]["uncertain"].startswith("frame scores only")
    assert "| micro AUROC | 1.0000 |" in markdown_table(tmp_path / "out")
    assert results["metrics"]["micro_auroc"] == 1.0
    assert results["unscored"] == []
    assert 'id="roc"' in report_dir(tmp_path / "out").read_text()


def test_captions_become_a_file_of_the_captions_layout(tmp_path: Path) -> None:
    source = tmp_path / "Yard"
    (source / "test_frame").mkdir(parents=True)
    (source / "modified_test_frame_description").mkdir()
    (source / "test_frame" / "test_1.csv").write_text("image_path,label\na.jpg,0\nb.jpg,1\n")
    (source / "modified_test_frame_description" / "test_1.txt").write_text("A tree.\nA “bike”.\n")
    bring("anomalyruler", source, tmp_path / "out")
    [video] = load_captions(tmp_path / "out", "yard")
    assert video.captions == ("A tree.", "A “bike”.")
    assert video.sample.spans == ((1, 2),)
    first = (tmp_path / "out" / "yard.frames.jsonl.gz").read_bytes()
    bring("anomalyruler", source, tmp_path / "out")
    assert (tmp_path / "out" / "yard.frames.jsonl.gz").read_bytes() == first
    assert json.loads(gzip.decompress(first).splitlines()[1])["label"] == 1


def test_ucsds_own_folders_become_a_folder_of_clips(tmp_path: Path) -> None:
    blank = np.zeros((12, 16), np.uint8)
    mask = blank.copy()
    mask[2:5, 3:9] = 255
    for folder in ("Train/Train001", "Test/Test001"):
        (tmp_path / "P" / folder).mkdir(parents=True)
        for i in (1, 2):
            cv2.imwrite(str(tmp_path / "P" / folder / f"{i:03d}.tif"), blank)
    (tmp_path / "P" / "Test" / "Test001_gt").mkdir()
    for i, picture in ((1, blank), (2, mask)):
        cv2.imwrite(str(tmp_path / "P" / "Test" / "Test001_gt" / f"{i:03d}.bmp"), picture)
    for _ in range(2):
        said = bring("ucsd", tmp_path / "P", tmp_path / "out")
    assert f"--data {tmp_path / 'out'}" in said
    found = load_ucsd(tmp_path / "out")
    assert [i.name for i in found.train] == ["Train001"]
    assert found.test[0].anomalous == ((1, 2),)
    assert found.test[0].boxes[1].x1 == 9


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nonsense", "unknown format"),
        ("vadtree", "does not exist"),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bring(kind, tmp_path / "none", tmp_path / "out")


def test_labels_alone_and_a_bad_line_are_named(tmp_path: Path) -> None:
    alone = frames_csv(tmp_path / "alone.csv", scores=False)
    with pytest.raises(UserError, match=r"labels but no scores.*--clips DIR"):
        bring("frames-csv", alone, tmp_path / "out")
    bad = frames_csv(tmp_path / "bad.csv", extra="a,10,maybe,0.5\n")
    with pytest.raises(UserError, match=r"bad\.csv:12"):
        bring("frames-csv", bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def clip(path: Path, frames: int) -> None:
    path.mkdir(parents=True)
    for i in range(frames):
        cv2.imwrite(str(path / f"{i:03d}.png"), np.full((24, 32), 8 * i, np.uint8))


def labels_and_clips(folder: Path) -> Path:
    """Two annotators, a training clip, clips beside the tables."""
    folder.mkdir()
    (folder / "videos.csv").write_text(
        "video,frames,category,split,reference\n"
        "calm,6,,train,\nfight,8,Fighting,test,Two people fight.\n"
    )
    (folder / "intervals.csv").write_text("video,start,end,annotator\nfight,2,5,x\nfight,3,6,y\n")
    clip(folder / "calm", 6)
    clip(folder / "fight", 8)
    return folder


def test_labels_and_clips_become_a_suite_that_runs(tmp_path: Path) -> None:
    source = labels_and_clips(tmp_path / "yard")
    said = bring("intervals-csv", source, tmp_path / "out")
    assert said.endswith(f"run {tmp_path / 'out' / 'suite.yaml'} --data {tmp_path / 'out'}")
    suite = load_suite(tmp_path / "out" / "suite.yaml")
    prepared = prepare(
        suite, tmp_path / "run", data=tmp_path / "out", limit=None, say=lambda _: None
    )
    test = prepared.sections[0]
    assert test.induced_from == ("calm",)
    [fight] = test.samples
    assert fight.truth == (((2, 5),), ((3, 6),))
    assert fight.spans == ((3, 5),), "both annotators say so"
    assert (fight.category, fight.references) == ("Fighting", ("Two people fight.",))
    assert fight.fps == 10.0


def test_frames_and_a_folder_of_clips_elsewhere(tmp_path: Path) -> None:
    rows = [f"calm,{i},0,train" for i in range(4)] + [f"b.x,{i},{i // 2},test" for i in range(4)]
    table = tmp_path / "t.csv"
    table.write_text("video,frame,label,split\n" + "\n".join(rows) + "\n")
    clip(tmp_path / "clips" / "calm", 4)
    clip(tmp_path / "clips" / "b.x", 4)
    bring("frames-csv", table, tmp_path / "out", clips=tmp_path / "clips")
    found = load_ucsd(tmp_path / "out")
    assert [i.name for i in found.train] == ["calm"]
    assert found.test[0].anomalous == ((2, 4),)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("videos.csv", "fight,8", "fight,7", "fight has 8 frames, its labels 7"),
        ("videos.csv", "train", "test", "names no training videos"),
        ("videos.csv", "train", "both", r"videos\.csv:2: split 'both' is neither"),
        ("videos.csv", "calm,6", "quiet,6", r"holds no video quiet \(1 are missing\)"),
        ("intervals.csv", "fight,2,5", "calm,2,5", "a training video with abnormal frames"),
    ],
)
def test_labels_that_do_not_fit_their_clips(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    source = labels_and_clips(tmp_path / "yard")
    target = source / file
    text = target.read_text().replace(old, new)
    target.write_text(text.replace("fight,3,6,y", "calm,2,4,y") if "calm,2,5" in new else text)
    with pytest.raises(UserError, match=message):
        bring("intervals-csv", source, tmp_path / "out")


def test_two_files_of_one_name_are_no_guess(tmp_path: Path) -> None:
    table = frames_csv(tmp_path / "x.csv", scores=False)
    for name in ("a.mp4", "a.avi"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"a\.avi, a\.mp4: which is a\?"):
        bring("frames-csv", table, tmp_path / "out")
