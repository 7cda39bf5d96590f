"""The event tree: a partition at every level, whatever the signal; and the reference tree."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.boundaries import (
    boundaries,
    build_tree,
    peaks,
    plateaus,
    reference_spans,
    two_means_threshold,
)
from tools.ports import BoundarySignal
from tools.types import EventTree, TimeBase, VideoInfo

TICK = TimeBase(num=1, den=100)


def video(seconds: float) -> VideoInfo:
    duration = max(1, round(seconds * 100))
    return VideoInfo(
        id="v" * 16,
        path="v.mp4",
        sha256="v" * 64,
        kind="file",
        width=64,
        height=48,
        frames=max(1, duration // 10),
        time_base=TICK,
        duration=duration,
        fps=10,
    )


def signal(confidence: list[float], cuts: tuple[int, ...] = ()) -> BoundarySignal:
    """One sample per frame, ten frames a second."""
    frames = np.arange(len(confidence), dtype=np.int64)
    values = np.array(confidence, dtype=np.float64)
    return BoundarySignal("v" * 16, frames, frames * 10, values, values * 0, "test", cuts)


def partition(tree: EventTree, info: VideoInfo) -> None:
    """Coarse events partition the video, children their parent; no stretch appears twice."""
    marks = [e.interval.start for e in tree.coarse] + [info.duration]
    assert marks[0] == 0
    assert [e.interval.end for e in tree.coarse] == marks[1:]
    for event in tree.coarse:
        children = tree.children(event.id)
        assert len(children) != 1, "a single child would repeat its parent"
        if children:
            assert children[0].interval.start == event.interval.start
            assert children[-1].interval.end == event.interval.end
            assert all(a.interval.end == b.interval.start for a, b in pairwise(children))
    ends = [e.interval.start for e in tree.leaves] + [info.duration]
    assert [e.interval.end for e in tree.leaves] == ends[1:], "leaves partition the video"
    spans = [(e.interval.start, e.interval.end) for e in tree.events]
    assert len(set(spans)) == len(spans)
    assert len({e.id for e in tree.events}) == len(tree.events)


confidences = st.lists(st.floats(0, 1).map(lambda v: round(v, 2)), min_size=1, max_size=600)


@given(confidences, st.floats(0.3, 3.0), st.sets(st.integers(1, 599), max_size=6))
@settings(max_examples=150, deadline=None)
def test_tree_is_a_partition(values: list[float], least: float, cuts: set[int]) -> None:
    info = video(len(values) / 10)
    found = signal(values, tuple(sorted(c for c in cuts if c < len(values))))
    tree = build_tree(found, info, min_event_s=least)
    partition(tree, info)
    assert tree == build_tree(found, info, min_event_s=least), "the same signal, the same tree"
    assert max(e.interval.seconds for e in tree.coarse) <= 20.0 + 1e-9
    if not found.cuts and info.seconds > least:
        assert min(e.interval.seconds for e in tree.events) >= least - 1e-9


@given(confidences)
@settings(max_examples=100, deadline=None)
def test_no_sure_peak_is_far_from_a_boundary(values: list[float]) -> None:
    info = video(len(values) / 10)
    found = signal(values)
    ours = np.array([0, *(e.interval.end for e in build_tree(found, info).leaves)]) / 100
    for first, last in plateaus(found.confidence, 0.5):
        assert np.abs(ours - (first + last) / 20).min() <= 0.5 + (last - first) / 20 + 1e-9


def test_a_plateau_is_one_boundary() -> None:
    values = [0.0] * 60
    values[20:31] = [0.6] * 11
    assert boundaries(signal(values), video(6)) == (250,)
    values[5:7] = [0.7] * 2
    assert boundaries(signal(values), video(6)) == (50, 250), "the end of it that has room"


def test_unsure_boundaries_keep_a_second() -> None:
    values = [0.0] * 60
    values[20], values[27], values[40], values[47] = 0.4, 0.45, 0.6, 0.7
    assert boundaries(signal(values), video(6)) == (270, 400, 470)


@given(confidences)
@settings(max_examples=100, deadline=None)
def test_reference_tree_is_a_partition(values: list[float]) -> None:
    info = video(len(values) / 10)
    tree = build_tree(signal(values), info, reference=True)
    marks = [e.interval.start for e in tree.coarse] + [info.duration]
    assert [e.interval.end for e in tree.coarse] == marks[1:]
    for event in tree.coarse:
        children = tree.children(event.id)
        assert children[0].interval.start == event.interval.start
        assert children[-1].interval.end == event.interval.end
        assert all(a.interval.end == b.interval.start for a, b in pairwise(children))


def test_strong_boundaries_are_coarse_and_weak_ones_fine() -> None:
    values = [0.0] * 150
    values[30], values[50], values[100] = 0.9, 0.4, 0.85
    tree = build_tree(signal(values), video(15))
    assert [e.interval.start_s for e in tree.coarse] == [0, 3, 10]
    assert [e.start_strength for e in tree.coarse] == [1.0, 0.9, 0.85]
    middle = tree.coarse[1]
    assert [e.interval.start_s for e in tree.children(middle.id)] == [3, 5]
    assert tree.children(tree.coarse[0].id) == (), "three seconds are not divided"
    assert len(tree.children(tree.coarse[2].id)) == 2, "five seconds are halved"


def test_of_two_close_peaks_the_stronger_stays() -> None:
    values = [0.0] * 60
    values[20], values[25] = 0.5, 0.8
    tree = build_tree(signal(values), video(6), min_event_s=1.0)
    assert [e.interval.start_s for e in tree.coarse] == [0, 2.5]


def test_cuts_may_be_close() -> None:
    values = [0.0] * 60
    tree = build_tree(signal(values, cuts=(20, 25)), video(6), min_event_s=1.0)
    assert [e.interval.start_s for e in tree.coarse] == [0, 2.0, 2.5]


def test_a_still_hour_is_looked_at_too() -> None:
    info = video(3600)
    tree = build_tree(signal([0.0] * 36_000), info)
    partition(tree, info)
    assert 180 <= len(tree.coarse) <= 400
    assert max(e.interval.seconds for e in tree.coarse) <= 20
    assert all(tree.children(e.id) for e in tree.coarse)


def test_a_restless_hour_stays_bounded() -> None:
    values = np.random.default_rng(0).random(36_000).round(3).tolist()
    info = video(3600)
    tree = build_tree(signal(values), info)
    partition(tree, info)
    assert len(tree.coarse) <= 700


@pytest.mark.parametrize("still", [True, False])
def test_a_day_is_navigable(still: bool) -> None:
    count = 86_400
    dice = np.random.default_rng(1)
    values = np.zeros(count) if still else dice.random(count).round(3)
    info = video(86_400)
    frames = np.arange(count, dtype=np.int64)
    found = BoundarySignal(info.id, frames, frames * 100, values, values, "test")
    tree = build_tree(found, info)
    assert [e.interval.start for e in tree.leaves][1:] == [e.interval.end for e in tree.leaves][:-1]
    assert 500 <= len(tree.coarse) <= 5000
    assert len(tree.leaves) <= 45_000


def test_one_frame_is_one_event() -> None:
    tree = build_tree(signal([0.0]), video(0.04))
    assert len(tree.events) == 1


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="min_event_s"):
        build_tree(signal([0.0] * 30), video(3), min_event_s=0)
    other = video(3).model_copy(update={"id": "w" * 16})
    with pytest.raises(ValueError, match="signal is of video"):
        build_tree(signal([0.0] * 30), other)


# ---------------------------------------------------------------- parts


def test_peaks_are_interior_and_include_plateaus() -> None:
    values = np.array([1.0, 0.2, 0.5, 0.5, 0.1, 0.3, 0.29, 1.0])
    assert peaks(values, 0.3).tolist() == [2, 3, 5]
    assert peaks(values[:2], 0.3).tolist() == []


@given(st.lists(st.integers(0, 20).map(float), min_size=2, max_size=12))
def test_two_means_is_the_best_split(values: list[float]) -> None:
    found = two_means_threshold(values)
    if len(set(values)) < 2:
        assert found is None
        return
    assert found is not None

    def error(threshold: float) -> float:
        low = np.array([v for v in values if v < threshold])
        high = np.array([v for v in values if v >= threshold])
        return float(((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum())

    best = min(error(t) for t in set(values) - {min(values)})
    assert error(found) == pytest.approx(best, abs=1e-6)


def test_reference_spans_by_hand() -> None:
    values = np.zeros(11)
    values[[2, 5, 8]] = 0.4, 0.9, 0.8
    spans = reference_spans(values, 0.3)
    assert spans.coarse == ((0, 5), (5, 8), (8, 10))
    assert spans.fine == ((0, 2), (2, 5), (5, 8), (8, 10)), "gaps are filled with coarse nodes"
