"""Event trees of recorded boundary confidences: the published ones, and ours beside them."""

import gzip
import json
import time

import numpy as np
import pytest

from evals.datasets.recorded import load_recorded
from evals.suite import data_root
from tools.boundaries import build_tree, reference_spans

pytestmark = pytest.mark.data


def folder(name):
    path = data_root() / "recorded" / name
    if not path.is_dir():
        pytest.skip(f"no data in {path}: set VIDOCQ_DATA")
    return path


def raw(name):
    with gzip.open(folder(name) / "traces.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def spans(video, level):
    return [(n.start, n.end) for n in video.level(level)]


def test_published_trees_come_out_exactly():
    videos = {v.video_id: v for v in load_recorded(folder("msad"))}
    began = time.process_time()
    for row in raw("msad"):
        signal, info = videos.pop(row["video_id"]).boundary_signal()
        found = reference_spans(signal.confidence, row["tree"]["gamma"])
        for level in ("coarse", "fine"):
            made = [[int(signal.frames[i]) for i in span] for span in getattr(found, level)]
            assert made == row["tree"][level], row["video_id"]
        tree = build_tree(signal, info, gamma=row["tree"]["gamma"], reference=True)
        starts = [e.interval.start // 1000 for e in tree.coarse]
        assert starts == [start for start, _ in row["tree"]["coarse"]]
    assert not videos
    assert time.process_time() - began < 60


def test_our_trees_have_fewer_events_and_every_sure_boundary():
    ours = recorded = sure = 0
    for video in load_recorded(folder("msad")):
        signal, info = video.boundary_signal()
        tree = build_tree(signal, info)
        seen = [(e.interval.start, e.interval.end) for e in tree.events]
        assert len(set(seen)) == len(seen)
        for level in (tree.coarse, tree.leaves):
            ends = [0, *(e.interval.end for e in level)]
            assert [e.interval.start for e in level] == ends[:-1]
            assert ends[-1] == info.duration
        assert min(e.interval.seconds for e in tree.events) >= 0.5 - 1e-9
        ours += len(tree.events)
        recorded += len(video.nodes)
        strength = dict(zip(signal.frames.tolist(), signal.confidence.tolist(), strict=True))
        marks = np.array([0, *(e.interval.end for e in tree.leaves)]) / 1000 / video.fps
        for start, _ in spans(video, "fine"):
            if start and strength.get(start, 0) >= 0.5:
                sure += 1
                assert np.abs(marks - start / video.fps).min() <= 0.5 + 1e-9, video.video_id
    assert sure > 150
    assert ours <= 0.75 * recorded


def recovered(tree):
    """Marks of a recorded tree, and confidences on every second sample that split as it did."""
    given = [{tuple(span) for span in tree[name]} for name in ("coarse", "fine", "redundant")]
    nodes = set.union(*given)
    marks = sorted({end for node in nodes for end in node})
    confidence = np.zeros(2 * len(marks) - 1)
    if given[0] == given[1] == given[2]:  # clustering was impossible: all splits are alike
        confidence[2:-2:2] = 0.6
        return marks, confidence
    strong = {end for node in given[0] for end in node}
    waiting = [(marks[0], marks[-1], 0)]
    while waiting:
        start, end, depth = waiting.pop()
        inner = [m for m in marks if start < m < end]
        if inner:
            (at,) = [m for m in inner if {(start, m), (m, end)} <= nodes]
            confidence[2 * marks.index(at)] = (0.99 if at in strong else 0.6) - depth / 1000
            waiting += [(start, at, depth + 1), (at, end, depth + 1)]
    return marks, confidence


def test_redundant_spans_come_out_exactly():
    trees = [row["tree"] for row in raw("ucf_crime")]
    assert len(trees) == 145
    for tree in trees:
        marks, confidence = recovered(tree)
        found = reference_spans(confidence, tree["gamma"])
        for name in ("coarse", "fine", "redundant"):
            made = [[marks[a // 2], marks[b // 2]] for a, b in getattr(found, name)]
            assert made == tree[name]
