"""Named methods of smoothing: what each computes, and which rest on the past alone."""

import math

import numpy as np
import pytest

from tools.deduction import METHODS, smoothed
from tools.scoring import CAUSAL

T = np.arange(40) / 10.0
STEP = np.r_[np.zeros(20), np.ones(20)]


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_stays_and_shapes_are_kept(method):
    level = 1.0 if method == "majority" else 0.7
    assert smoothed(T, np.full(40, 0.7), method=method) == pytest.approx(level)
    assert smoothed([], [], method=method).shape == (0,)
    assert smoothed([0.0], [0.9], method=method).shape == (1,)


@pytest.mark.parametrize("method", ["none", "ema", "gaussian", "majority"])
def test_causal_methods_do_not_look_ahead(method):
    rng = np.random.default_rng(0)
    before = rng.random(40)
    after = np.r_[before[:25], rng.random(15)]
    first = smoothed(T, before, method=method, causal=True)[:25]
    assert list(first) == list(smoothed(T, after, method=method, causal=True)[:25])


def test_every_method_is_causal_or_says_that_it_looks_ahead():
    assert [m for m in METHODS if not CAUSAL[m]] == ["two_way"]
    with pytest.raises(
        ValueError, match="two_way looks ahead; causal methods: none, ema, gaussian"
    ):
        smoothed(T, STEP, method="two_way", causal=True)


@pytest.mark.parametrize("method", ["two_way", "gaussian"])
def test_methods_with_a_view_of_what_comes_count_both_ways_alike(method):
    ahead = smoothed(T, STEP, method=method)
    assert ahead[18] > 0, "what comes after counts"
    assert ahead[20:] + ahead[19::-1] == pytest.approx(1.0), "both ways alike"


def test_the_exponential_average_has_its_time_constant():
    out = smoothed(T, STEP, method="ema", width_s=0.5)
    assert out[19] == 0.0
    assert out[24] == pytest.approx(1 - math.exp(-0.5 / 0.5))
    irregular = smoothed([0.0, 1.0, 3.0], [0.0, 1.0, 1.0], method="ema", width_s=2.0)
    assert irregular[2] == pytest.approx(1 - math.exp(-3 / 2))


def test_the_gaussian_weighs_by_distance():
    out = smoothed([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], method="gaussian", width_s=1.0)
    side = math.exp(-0.5)
    assert out[1] == pytest.approx(1 / (1 + 2 * side))
    past = smoothed([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], method="gaussian", width_s=1.0, causal=True)
    far = math.exp(-2.0)
    assert list(past) == pytest.approx([0, 1 / (1 + side), side / (1 + side + far)])


def test_the_majority_votes():
    scores = [0.9, 0.4, 0.6, 0.1, 0.8]
    past = smoothed(range(5), scores, method="majority", width_s=3, causal=True)
    assert list(past) == pytest.approx([1, 1 / 2, 2 / 3, 1 / 3, 2 / 3])
    around = smoothed(range(5), scores, method="majority", width_s=2)
    assert list(around) == pytest.approx([1 / 2, 2 / 3, 1 / 3, 2 / 3, 1 / 2])


@pytest.mark.parametrize(
    ("seconds", "width", "said"),
    [([0.0, 1.0], 1.0, "times for"), ([1.0, 0.0, 2.0], 1.0, "descend"), ([0, 1, 2], 0.0, "width")],
)
def test_impossible_input_is_refused(seconds, width, said):
    with pytest.raises(ValueError, match=said):
        smoothed(seconds, [0.0, 1.0, 0.0], method="ema", width_s=width)
