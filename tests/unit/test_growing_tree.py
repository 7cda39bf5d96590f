"""A tree that grows: the same in pieces as at once, and closed events stay."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.boundaries import build_tree, growing_tree
from tools.ports import BoundarySignal
from tools.types import EventTree, Level, TimeBase, VideoInfo

TICK = TimeBase(num=1, den=100)
ID = "v" * 16


def info(count: int) -> VideoInfo:
    return VideoInfo(
        id=ID,
        path="v.mp4",
        sha256="v" * 64,
        kind="file",
        width=64,
        height=48,
        frames=count,
        time_base=TICK,
        duration=10 * count,
        fps=10,
    )


def signal(values: list[float], cuts: tuple[int, ...] = ()) -> BoundarySignal:
    frames = np.arange(len(values), dtype=np.int64)
    confidence = np.array(values, dtype=np.float64)
    return BoundarySignal(ID, frames, frames * 10, confidence, confidence * 0, "test", cuts)


def check(tree: EventTree, duration: int, least: int = 50) -> None:
    for level in (tree.coarse, tree.leaves):
        ends = [0, *(e.interval.end for e in level)]
        assert [e.interval.start for e in level] == ends[:-1]
        assert ends[-1] == duration
    spans = [(e.interval.start, e.interval.end) for e in tree.events]
    assert len(set(spans)) == len(spans)
    if duration >= least:
        assert min(b - a for a, b in spans) >= least


values = st.lists(st.floats(0, 1).map(lambda v: round(v, 1)), min_size=1, max_size=500)


@given(values, st.sets(st.integers(1, 499), max_size=8), st.sets(st.integers(1, 499), max_size=3))
@settings(max_examples=120, deadline=None)
def test_in_pieces_as_at_once(given_: list[float], ends: set[int], cuts: set[int]) -> None:
    count = len(given_)
    inside = tuple(sorted(c for c in cuts if c < count))
    whole = build_tree(signal(given_, inside), info(count), causal=True)
    check(whole, 10 * count, 50 if not inside else 1)
    growing = growing_tree(ID, TICK)
    marks = [0, *sorted(e for e in ends if e < count), count]
    closed: list[str] = []
    for first, last in pairwise(marks):
        pts = range(10 * first, 10 * last, 10)
        growing.feed(pts, given_[first:last], [10 * c for c in inside if first <= c < last])
        now = growing.tree(10 * last)
        check(now, 10 * last, 50 if not inside else 1)
        assert [e.id for e in growing.closed][: len(closed)] == closed, "closed events stay"
        closed = [e.id for e in growing.closed]
        coarse = [e.id for e in now.coarse]
        kept = [e.id for e in growing.closed if e.level is Level.COARSE]
        assert coarse[: len(kept) - 1] == kept[: len(kept) - 1], "but for the right edge"
    assert growing.tree(10 * count) == whole


@given(values)
@settings(max_examples=60, deadline=None)
def test_the_past_does_not_depend_on_what_follows(given_: list[float]) -> None:
    count = len(given_)
    half = growing_tree(ID, TICK)
    half.feed(range(0, 10 * count, 10), given_)
    whole = growing_tree(ID, TICK)
    whole.feed(range(0, 20 * count, 10), [*given_, *reversed(given_)])
    assert list(whole.closed[: len(half.closed)]) == list(half.closed)


def test_strong_boundaries_close_coarse_events() -> None:
    told = [0.0] * 300
    told[60], told[90], told[150], told[200] = 0.9, 0.4, 0.85, 0.35
    tree = build_tree(signal(told), info(300), causal=True)
    assert [e.interval.start for e in tree.coarse] == [0, 600, 1500]
    middle = tree.children(tree.coarse[1].id)
    assert [e.interval.start for e in middle] == [600, 900]


def test_what_is_open_stays_small() -> None:
    growing = growing_tree(ID, TICK)
    dice = np.random.default_rng(0)
    for part in range(40):
        told = dice.random(900).round(2).tolist() if part % 2 else [0.0] * 900
        growing.feed(range(9000 * part, 9000 * (part + 1), 10), told)
        assert len(growing._pts) < 1200, "two minutes of samples at most"
    tree = growing.tree(360_000)
    check(tree, 360_000)
    assert 180 <= len(tree.coarse) <= 500
