"""Scores: thresholds worked out by hand, the scale, smoothing, sustained strength, correlation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.decision import Label
from tools.scoring import (
    Calibration,
    Thresholds,
    correlate,
    held_within,
    label_of,
    score_of,
    smooth,
    sustained,
    thresholds,
)
from tools.types import Point


def limits_of(alarm: float, normal: float) -> Thresholds:
    return Thresholds(
        normal_below=normal, alarm_at=alarm, false_alarm_rate=0.01, extrapolated=False
    )


def points(*values: float) -> tuple[list[Point], list[float]]:
    """Ten values a second."""
    made = [Point(frame=n, pts=n, surprise=v) for n, v in enumerate(values)]
    return made, [n / 10 for n in range(len(values))]


# ---------------------------------------------------------------- thresholds


def test_without_calibration_the_normal_limit_is_the_threshold() -> None:
    found = thresholds(Calibration())
    assert (found.normal_below, found.alarm_at, found.extrapolated) == (0.7, 1.0, True)


def test_a_large_sample_gives_the_conformal_rank() -> None:
    # 199 events 0.01 … 1.99: rank ceil(200 × 0.99) = 198 → 1.98; ceil(200 × 0.95) = 190 → 1.90.
    found = thresholds(Calibration(scores=tuple(n / 100 for n in range(1, 200))))
    assert found.alarm_at == 1.98
    assert found.normal_below == 1.90
    assert not found.extrapolated


def test_the_order_of_the_events_does_not_matter() -> None:
    values = tuple(n / 100 for n in range(1, 200))
    assert thresholds(Calibration(scores=values[::-1])) == thresholds(Calibration(scores=values))


def test_the_rank_is_the_last_one_that_holds() -> None:
    # With 99 events, ceil(100 × 0.99) = 99: the greatest of them. With 98 there is no such rank.
    scores = tuple(1 + n / 100 for n in range(99))
    assert thresholds(Calibration(scores=scores)).alarm_at == pytest.approx(1.98)
    assert not thresholds(Calibration(scores=scores)).extrapolated
    assert thresholds(Calibration(scores=scores[:98])).extrapolated


def test_a_small_sample_has_its_tail_extended_and_says_so() -> None:
    # Quartile of 1, 2, 3, 4, 5 is 4; one excess of 1, a share of 1/5: 4 + 0.2 / 0.01 − 1.
    found = thresholds(Calibration(scores=(1.0, 2.0, 3.0, 4.0, 5.0)))
    assert found.alarm_at == pytest.approx(4 + 19)
    assert found.normal_below == pytest.approx(4 + 3)
    assert found.extrapolated


def test_the_more_excesses_the_nearer_the_tail_is_to_an_exponential_one() -> None:
    # Excesses of 1 over 4 in a fifth of the events: exponentially 4 + ln(0.2 / 0.01) = 7.0.
    ends = [
        thresholds(Calibration(scores=(*([4.0] * (4 * k)), *([5.0] * k)))).alarm_at
        for k in (1, 2, 5, 19)
    ]
    assert ends == sorted(ends, reverse=True)
    assert ends[0] == pytest.approx(4 + 19)
    assert ends[-1] == pytest.approx(4 + math.log(20), rel=0.05)


def test_the_extended_tail_never_falls_below_what_was_seen() -> None:
    # The mean excess would put the 5 % point below the greatest event.
    scores = (*([1.0] * 10), 1.1, 1.1, 9.0)
    found = thresholds(Calibration(scores=scores), false_alarm_rate=0.07, abstain_rate=0.07)
    assert found.extrapolated
    assert found.alarm_at == 9.0


def test_equal_events_have_no_tail() -> None:
    found = thresholds(Calibration(scores=(1.5,) * 8))
    assert (found.alarm_at, found.normal_below, found.extrapolated) == (1.5, 1.5, True)


def test_a_quiet_scene_does_not_alarm_at_next_to_nothing() -> None:
    found = thresholds(Calibration(scores=tuple(n / 1000 for n in range(1, 200))))
    assert found.alarm_at == 1.0
    assert found.normal_below == 0.7


def test_a_lower_rate_means_a_higher_threshold() -> None:
    calibration = Calibration(scores=tuple(1 + n / 100 for n in range(1000)))
    strict = thresholds(calibration, false_alarm_rate=0.001)
    lax = thresholds(calibration, false_alarm_rate=0.05)
    assert strict.alarm_at > lax.alarm_at
    assert strict.false_alarm_rate == 0.001


@pytest.mark.parametrize(("alarm", "abstain"), [(0.0, 0.05), (0.1, 0.05), (0.01, 1.0)])
def test_rates_out_of_order_are_refused(alarm: float, abstain: float) -> None:
    with pytest.raises(ValueError, match="false_alarm_rate <= abstain_rate"):
        thresholds(Calibration(), false_alarm_rate=alarm, abstain_rate=abstain)


def test_the_stated_rate_holds_on_fresh_events_of_the_same_kind() -> None:
    rng = np.random.default_rng(4)
    calibration = Calibration(scores=tuple(1 + rng.exponential(1.0, 4000)))
    alarm_at = thresholds(calibration, false_alarm_rate=0.02).alarm_at
    share = float(np.mean(1 + rng.exponential(1.0, 20_000) >= alarm_at))
    assert share == pytest.approx(0.02, abs=0.006)


@given(
    st.lists(st.floats(0, 50, allow_nan=False), min_size=1, max_size=60),
    st.floats(0.001, 0.2),
)
def test_thresholds_are_always_in_order(scores: list[float], rate: float) -> None:
    found = thresholds(
        Calibration(scores=tuple(scores)), false_alarm_rate=rate, abstain_rate=max(rate, 0.2)
    )
    assert 0.7 <= found.normal_below <= found.alarm_at
    assert found.alarm_at >= 1.0


# ---------------------------------------------------------------- the scale


@pytest.mark.parametrize(
    ("raw", "score"), [(0.0, 0.0), (-3.0, 0.0), (1.7, 0.5), (3.4, 0.75), (5.1, 0.875)]
)
def test_the_score_is_one_half_at_the_threshold_and_three_quarters_at_twice_it(
    raw: float, score: float
) -> None:
    assert score_of(raw, limits_of(1.7, 1.0)) == score


def test_the_score_stays_below_one() -> None:
    assert 0.999 < score_of(20.0, limits_of(1.0, 0.7)) < 1.0


def test_labels_between_the_thresholds_stay_open() -> None:
    limits = limits_of(2.0, 1.0)
    at_lower = score_of(1.0, limits)
    assert label_of(0.5, limits) is Label.ANOMALOUS
    assert label_of(0.4999, limits) is Label.UNCERTAIN
    assert label_of(at_lower + 1e-6, limits) is Label.UNCERTAIN
    assert label_of(at_lower, limits) is Label.NORMAL
    assert label_of(0.0, limits) is Label.NORMAL


# ---------------------------------------------------------------- smoothing


def test_causal_smoothing_never_sees_the_future() -> None:
    rng = np.random.default_rng(1)
    t, v = np.arange(50) / 10, rng.random(50)
    changed = v.copy()
    changed[30:] += 5
    before = smooth(list(t), list(v), how="causal", width_s=0.8)
    after = smooth(list(t), list(changed), how="causal", width_s=0.8)
    assert np.array_equal(before[:30], after[:30])
    assert after[30] > before[30]


def test_causal_smoothing_rises_four_times_as_fast_as_it_falls() -> None:
    out = smooth([0.0, 1.0, 3.0, 4.0], [0.0, 1.0, 1.0, 0.0], how="causal", width_s=2.0)
    first = 1 - math.exp(-2.0)
    second = first + (1 - math.exp(-4.0)) * (1 - first)
    assert out == pytest.approx([0.0, first, second, second * math.exp(-0.5)])


def test_offline_smoothing_is_a_gaussian_and_sees_both_sides() -> None:
    out = smooth([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], how="offline", width_s=1.0)
    side = math.exp(-0.5)
    assert out[1] == pytest.approx(1 / (1 + 2 * side))
    assert out[0] == out[2] == pytest.approx(side / (1 + side + math.exp(-2.0)))


def test_a_constant_stays_constant_and_none_changes_nothing() -> None:
    t = [0.0, 0.1, 0.5, 0.6, 2.0]
    for how in ("causal", "offline"):
        assert smooth(t, [0.3] * 5, how=how, width_s=0.8) == pytest.approx([0.3] * 5)
    assert list(smooth(t, [1, 5, 2, 9, 4], how="none", width_s=0.8)) == [1, 5, 2, 9, 4]
    assert len(smooth([], [], how="offline", width_s=0.8)) == 0
    assert list(smooth([0.0], [7.0], how="causal", width_s=0.8)) == [7.0]


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([(0, 0.5), (0.48, 0.5), (0.5, 1)]))
def test_holding_keeps_the_order_and_the_bounds(
    one: float, other: float, bounds: tuple[float, float]
) -> None:
    low, high = bounds
    first, second = (held_within(s, low, high) for s in sorted((one, other)))
    assert first <= second
    assert low < first or low == first == 0
    assert second < high or second == high == 1


def test_holding_moves_nothing_well_inside() -> None:
    assert [held_within(s, 0.0, 0.5) for s in (0.0, 0.3, 0.48)] == [0.0, 0.3, 0.48]
    assert [held_within(s, 0.5, 1.0) for s in (0.52, 0.7, 1.0)] == [0.52, 0.7, 1.0]
    assert held_within(0.9, 0.0, 0.5) == pytest.approx(0.48 + 0.02 * 0.99 * 0.42 / 0.52)


# ---------------------------------------------------------------- sustained strength


def test_a_single_odd_frame_does_not_count() -> None:
    one = sustained(*points(*[0.0] * 20, 10.0, *[0.0] * 20))
    lasting = sustained(*points(*[0.0] * 20, *[10.0] * 5, *[0.0] * 20))
    assert one == pytest.approx(2.0)  # one frame of the five in half a second
    assert lasting == pytest.approx(10.0)


def test_a_series_shorter_than_the_hold_gives_its_mean() -> None:
    assert sustained(*points(1.0, 3.0)) == 2.0
    assert sustained([], []) == 0.0


def test_the_strongest_stretch_counts_wherever_it_is() -> None:
    start = sustained(*points(*[4.0] * 5, *[0.0] * 10))
    end = sustained(*points(*[0.0] * 10, *[4.0] * 6))
    assert start == end == pytest.approx(4.0)


# ---------------------------------------------------------------- correlation


def test_alike_events_draw_each_other_by_the_weight() -> None:
    out = correlate([0.0, 1.0], np.array([[1.0, 1.0], [1.0, 1.0]]), weight=0.2)
    assert out == pytest.approx([0.2, 0.8])


def test_an_event_without_alike_neighbours_stays() -> None:
    assert list(correlate([0.3, 0.9], np.eye(2), weight=0.5)) == [0.3, 0.9]


def test_weak_likeness_pulls_less() -> None:
    out = correlate([0.0, 1.0], np.array([[1.0, 0.5], [0.5, 1.0]]), weight=0.2)
    assert out == pytest.approx([0.1, 0.9])


@given(st.lists(st.floats(0, 10), min_size=2, max_size=8), st.floats(0, 0.9))
def test_correlation_lowers_no_event_by_more_than_the_weight(
    raw: list[float], weight: float
) -> None:
    rng = np.random.default_rng(len(raw))
    alike = rng.random((len(raw), len(raw)))
    out = correlate(raw, alike, weight=weight)
    assert np.all(out >= (1 - weight) * np.asarray(raw) - 1e-9)
    assert out.max() <= max(raw) + 1e-9
