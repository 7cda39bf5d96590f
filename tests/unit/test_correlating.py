"""Events inform each other: neighbours, the two levels of the tree, and what they may not do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphs.correlating import correlated
from graphs.standing import Standing
from tests.builders import event_of, seen_of
from tools.ledger import Look
from tools.scoring import Thresholds, label_of, score_of
from tools.types import Level, Verdict

LIMITS = Thresholds(normal_below=0.8, alarm_at=1.0, false_alarm_rate=0.01, extrapolated=False)


def alike(texts: Sequence[str]) -> NDArray[np.float32]:
    """All captions say the same."""
    return np.ones((len(texts), 1), np.float32)


def judged(
    name: str,
    raw: float | None,
    start_s: float,
    end_s: float,
    *,
    level: Level = Level.COARSE,
    parent: str | None = None,
    measured: bool = True,
    score: float | None = -1.0,
) -> Standing:
    event = event_of(name, start_s, end_s, level=level, parent=parent)
    seen = seen_of(start_s=start_s, end_s=end_s)
    if not measured:
        seen = seen.model_copy(update={"series": ()})
    own = None if raw is None else score_of(raw, LIMITS)
    verdict = Verdict(
        id=f"v-{name}",
        event_id=name,
        raw=raw,
        score=own if score == -1.0 else score,
        verifier="test/1",
    )
    return Standing(Look(event=event, detail="fine", description=seen), verdict)


def test_neighbours_in_time_draw_each_other() -> None:
    near = [judged("a", 0.0, 0, 10), judged("b", 0.8, 10, 20)]
    far = [judged("a", 0.0, 0, 10), judged("b", 0.8, 100, 110)]
    by_near = correlated(near, alike, LIMITS, 0.5)
    by_far = correlated(far, alike, LIMITS, 0.5)
    # e^(−10 s / 10 s) × 0.5 of the way to the other.
    assert by_near["a"] == pytest.approx(score_of(0.5 * np.exp(-1) * 0.8, LIMITS))
    assert by_far["a"] == pytest.approx(0.0, abs=1e-4)
    assert correlated(near, alike, LIMITS, 0.0)["b"] == pytest.approx(score_of(0.8, LIMITS))


@given(
    st.lists(st.floats(0, 5), min_size=2, max_size=6),
    st.floats(0, 0.95),
    st.booleans(),
    st.booleans(),
)
def test_neighbours_never_change_a_label(
    raws: list[float], weight: float, measured: bool, causal: bool
) -> None:
    items = [judged(f"e{n}", r, n, n + 1, measured=measured) for n, r in enumerate(raws)]
    scores = correlated(items, alike, LIMITS, weight, causal=causal)
    for item in items:
        own, final = item.verdict.score, scores[item.look.event.id]
        assert own is not None
        assert final is not None
        assert label_of(own, LIMITS) is label_of(final, LIMITS)


def test_opinions_of_two_levels_are_averaged_measurements_are_not() -> None:
    for measured, expected in ((False, 1.5), (True, 0.5)):
        items = [
            judged("top", 2.5, 0, 20, measured=measured),
            judged("part", 0.5, 0, 10, level=Level.FINE, parent="top", measured=measured),
        ]
        scores = correlated(items, alike, LIMITS, 0.0)
        assert scores["part"] == pytest.approx(score_of(expected, LIMITS))
        assert scores["top"] == pytest.approx(score_of(2.5, LIMITS))
        causal = correlated(items, alike, LIMITS, 0.0, causal=True)
        assert causal["part"] == pytest.approx(score_of(0.5, LIMITS))


def test_levels_do_not_draw_each_other_and_an_uncertain_verdict_stays_so() -> None:
    items = [
        judged("top", 2.5, 0, 20),
        judged("part", 0.5, 0, 10, level=Level.FINE, parent="top"),
        judged("open", 3.0, 10, 20, level=Level.FINE, parent="top", score=None),
        judged("unread", None, 20, 30),
    ]
    scores = correlated(items, alike, LIMITS, 0.5)
    assert scores == {
        "top": pytest.approx(score_of(2.5, LIMITS)),
        "part": pytest.approx(score_of(0.5, LIMITS)),
        "open": None,
        "unread": None,
    }


def test_causally_only_what_was_over_informs() -> None:
    items = [judged(f"e{n}", raw, 5.0 * n, 5.0 * n + 5) for n, raw in enumerate((0.1, 0.9, 0.2))]
    changed = [*items[:2], judged("e2", 0.9, 10, 15)]
    one = correlated(items, alike, LIMITS, 0.5, causal=True)
    other = correlated(changed, alike, LIMITS, 0.5, causal=True)
    assert (one["e0"], one["e1"]) == (other["e0"], other["e1"])
    assert one["e0"] == pytest.approx(score_of(0.1, LIMITS))
    assert (
        correlated(items, alike, LIMITS, 0.5)["e1"] != correlated(changed, alike, LIMITS, 0.5)["e1"]
    )


def test_what_a_persons_rule_decided_is_not_drawn() -> None:
    items = [judged("a", 0.1, 0, 5, score=0.8), judged("b", 0.9, 5, 10)]
    assert correlated(items, alike, LIMITS, 0.5)["a"] == 0.8
