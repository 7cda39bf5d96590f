"""Importers: each tree once as drawn, and every misfit named with its line."""

import json
import re

import numpy as np
import pytest

from evals.figures import figures
from evals.importers import IMPORTERS, anomalyruler, frames_csv, intervals_csv, ucsd, vadtree
from tools.errors import UserError


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def error(importer, path):
    with pytest.raises(UserError) as caught:
        importer(path)
    return str(caught.value)


@pytest.fixture
def tree(tmp_path):
    write(tmp_path / "anomaly_test.txt", "Fight1 0 9 0\nNormal2 0 4 0\n")
    write(
        tmp_path / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
        "Fight1.mp4  Fighting  4  6  9  10  \nNormal2.mp4 Normal -1 -1 -1 -1\nOther.mp4 X 1 2\n",
    )
    for name, score in (("coarse", 0.2), ("fine", 0.6)):
        nodes = {
            "Fight1.mp4": {"0, 4": [0.0, "text"], "4, 9": [score, "text"]},
            "Normal2.mp4": {"0, 4": 0.1},
        }
        write(tmp_path / f"{name}.json", json.dumps({"vid_score": nodes}, indent=1))
    return tmp_path


def test_vadtree_averages_levels_and_clips_an_end(tree):
    made = vadtree(tree)
    fight = made.samples[0]
    assert (fight.id, fight.category, fight.frames) == ("Fight1", "Fighting", 10)
    assert fight.truth == (((4, 7), (9, 10)),)
    # Both levels score 0 up to frame 3; frame 4 is shared and goes to the later node.
    assert made.outcomes[0].scores.tolist() == pytest.approx([0] * 4 + [0.4] * 6)
    assert made.samples[1].truth == ((),)
    assert figures(made.pairs, samples=10).metrics["micro_auroc"] is not None


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("coarse.json", '"4, 9"', '"4 - 9"', r"coarse.json:8: .*4 - 9"),
        ("coarse.json", '"4, 9"', '"4, 90"', r"coarse.json:8: \[4, 90\] does not fit"),
        ("coarse.json", '"vid_score"', '"scores"', r"coarse.json:1: no object vid_score"),
        ("coarse.json", "}\n}", "}", r"coarse.json:\d+: not JSON"),
        ("coarse.json", "Normal2", "Normal3", r"coarse.json: no scores of Normal2"),
        ("anomaly_test.txt", "Normal2 0 4 0", "Normal2 0", r"anomaly_test.txt:2: expected"),
        ("Temporal*", "4  6", "4  60", r"Temporal\w+.txt:1: \[4, 60\] does not fit"),
        ("Temporal*", "Normal2.mp4", "Normal3.mp4", r"Temporal\w+.txt: no annotation of Normal2"),
    ],
)
def test_vadtree_names_what_does_not_fit(tree, file, old, new, message):
    target = next(tree.glob(file))
    write(target, target.read_text().replace(old, new))
    assert re.search(message, error(vadtree, tree))


def test_anomalyruler_pairs_captions_with_labels(tmp_path):
    write(tmp_path / "test_frame/test_01.csv", "image_path,label\na.jpg,0\nb.jpg,1\nc.jpg,1\n")
    captions = tmp_path / "modified_test_frame_description/test_01.txt"
    write(captions, "A man.\nA bike.\nA bike.\n")
    made = anomalyruler(tmp_path)
    assert made.samples[0].truth == (((1, 3),),)
    assert made.captions["01"] == ("A man.", "A bike.", "A bike.")
    write(captions, "A man.\nA bike.\n")
    assert "test_01.txt:3: 2 captions for the 3 frames" in error(anomalyruler, tmp_path)
    write(tmp_path / "test_frame/test_01.csv", "image_path,label\na.jpg,0\nb.jpg,maybe\n")
    assert "test_01.csv:3: label 'maybe' is neither 0 nor 1" in error(anomalyruler, tmp_path)


def test_ucsd_reads_frames_and_masks(tmp_path):
    cv2 = pytest.importorskip("cv2")
    for split in ("Train", "Test"):
        folder = tmp_path / split / f"{split}001"
        folder.mkdir(parents=True)
        for i in range(1, 4):
            cv2.imwrite(str(folder / f"{i:03d}.tif"), np.zeros((8, 8), np.uint8))
    masks = tmp_path / "Test/Test001_gt"
    masks.mkdir()
    for i in range(1, 4):
        mask = np.zeros((8, 8), np.uint8)
        mask[2:5, 1:7] = 255 * (i == 2)
        cv2.imwrite(str(masks / f"{i:03d}.bmp"), mask)
    train, test = ucsd(tmp_path).samples
    assert (train.split, train.truth) == ("train", ((),))
    assert test.truth == (((1, 2),),)
    box = test.boxes[1][0]
    assert (box.x0, box.y0, box.x1, box.y1) == (1, 2, 7, 5)
    (masks / "003.bmp").unlink()
    assert "Test001_gt: 2 masks for 3 frames" in error(ucsd, tmp_path)
    assert "no folders Train001" in error(ucsd, tmp_path / "Test")


def test_frames_csv_with_two_annotators_and_scores(tmp_path):
    file = tmp_path / "frames.csv"
    write(file, "video,frame,label,label2,score\na,0,0,0,.1\na,1,1,0,.8\nb,0,0,0,.3\n")
    made = frames_csv(file)
    assert made.samples[0].truth == (((1, 2),), ())
    assert [o.scores.tolist() for o in made.outcomes] == [[0.1, 0.8], [0.3]]
    for old, new, message in (
        ("a,1,", "a,2,", "frames.csv:3: frame 2 of a, not 1"),
        (".8", "nan", "frames.csv:3: score 'nan' is no finite number"),
        ("label,", "truth,", "frames.csv:1: the header has no label"),
        ("b,0,0,0,.3", "b,0", "frames.csv:4: 5 columns expected"),
    ):
        bad = tmp_path / "bad" / "frames.csv"
        write(bad, file.read_text().replace(old, new, 1))
        assert message in error(frames_csv, bad)


def test_intervals_csv_with_scores_between(tmp_path):
    write(tmp_path / "videos.csv", "video,frames,fps,category\na,5,10,fire\nb,3,10,\n")
    write(tmp_path / "intervals.csv", "video,start,end,annotator\na,1,3,x\na,2,4,y\n")
    write(tmp_path / "scores.csv", "video,frame,score\na,0,0\na,4,1\nb,1,.5\n")
    made = intervals_csv(tmp_path)
    first = made.samples[0]
    assert (first.truth, first.category, first.fps) == ((((1, 3),), ((2, 4),)), "fire", 10.0)
    assert made.outcomes[0].scores.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert made.outcomes[1].scores.tolist() == [0.5] * 3
    write(tmp_path / "intervals.csv", "video,start,end\na,1,3\na,4,6\n")
    assert "intervals.csv:3: the interval [4, 6) does not fit the 5 frames" in error(
        intervals_csv, tmp_path
    )
    write(tmp_path / "intervals.csv", "video,start,end\nc,1,3\n")
    assert "intervals.csv:2: no video c" in error(intervals_csv, tmp_path)


def test_every_importer_draws_its_tree_and_names_a_missing_one(tmp_path):
    for importer in IMPORTERS.values():
        assert "PATH" in (importer.__doc__ or "")
        assert str(tmp_path) in error(importer, tmp_path)
