"""Evidence over an object's life, what is usual row by row, and the frame threshold."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.backends.embedded.perception.calibration import frame_limit
from tools.backends.embedded.perception.describing import Sighting
from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.evidence import lives, smoothed
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.percepts import Blob, FramePercept, Health
from tools.backends.embedded.perception.rows import RowHistograms
from tools.backends.embedded.perception.series import beyond_motion
from tools.backends.embedded.perception.sights import Life, Sight
from tools.backends.embedded.perception.statistics import (
    Distribution,
    FrameScale,
    Normal,
    PlaceMap,
)
from tools.backends.embedded.perception.stays import Stay, stays
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.windows import WindowMeasures
from tools.types import Box, Interval, Observation, Point, TimeBase

WALK = 0.8
GEOMETRY = Geometry(
    full=(320, 120),
    size=(320, 120),
    background=np.zeros((120, 320, 3), np.uint8),
    threshold=np.full((120, 320), 9, np.uint8),
    offset=24.0,
    slope=0.0,
    walk=WALK,
    people=True,
)


def passing(
    strength: NDArray[np.float64], speed: NDArray[np.float64], *, start: float = 40.0
) -> tuple[Track, list[Sight]]:
    """Somebody 24 pixels tall who moves to the right, seen in one window, ten times a second."""
    track, sights, x = Track(), [], start
    for n, (value, pace) in enumerate(zip(strength, speed, strict=True)):
        row = np.zeros(len(Det))
        row[: Det.TALL] = (x - 7, 60, x + 7, 84)
        row[[Det.TALL, Det.U, Det.KIND]] = (24.0, pace, Kind.WHOLE)
        track.add(n, n, n / 10, row)
        five = np.ones(5)
        sights.append(
            Sight(
                frame=n,
                seconds=n / 10,
                gap=0.1,
                x=x * five,
                foot=84 * five,
                tall=24 * five,
                strength=value * five,
                flow=np.column_stack([pace * five, 0 * five]),
            )
        )
        x += pace * 2.4
    return track, sights


def life(track: Track, sights: list[Sight], *, causal: bool) -> Life:
    found = lives([track], sights, GEOMETRY, causal=causal)
    assert len(found) == 1
    return found[0]


def test_strength_is_lent_to_the_whole_life_or_from_then_on() -> None:
    strength = np.concatenate([np.full(15, 0.2), np.full(20, 2.0), np.full(15, 0.2)])
    track, sights = passing(strength, np.full(50, 1.6))
    offline = life(track, sights, causal=False)
    assert offline.index.tolist() == list(range(50))
    assert offline.strength.min() > 1.2
    online = life(track, sights, causal=True)
    assert online.strength[:14].max() < 0.6
    assert online.strength[40:].min() > 1.0  # what has shown itself is not forgotten


def test_a_walker_inherits_nothing() -> None:
    strength = np.concatenate([np.full(20, 0.2), np.full(20, 2.0)])
    track, sights = passing(strength, np.concatenate([np.full(20, WALK), np.full(20, 2.4)]))
    assert life(track, sights, causal=False).strength[:15].max() < 0.5
    switched = passing(strength[::-1], np.concatenate([np.full(20, 2.4), np.full(20, WALK)]))
    assert life(*switched, causal=True).strength[-5:].max() < 0.7


def standing(track: Track, sights: list[Sight], x: float, start: int, end: int) -> Track:
    """Somebody else's track, who stands at ``x`` for some sights; windows show nothing."""
    other = Track()
    for sight in sights[start:end]:
        row = track.rows[0].copy()
        row[[Det.X0, Det.X1, Det.U]] = (x - 7, x + 7, 0.0)
        other.add(sight.frame, sight.frame, sight.seconds, row)
    (track.stay, track.part), (other.stay, other.part) = stays(
        [(t.times, t.array) for t in (track, other)]
    )
    return other


def test_a_rider_who_stops_is_one_still_whoever_it_is_taken_for() -> None:
    strength = np.concatenate([np.full(30, 2.0), np.full(60, 0.0)])
    speed = np.concatenate([np.full(30, 2.0), np.zeros(60)])
    whole, sights = passing(strength, speed)
    rider = Track()  # its own track ends where it stops, and another is begun there
    for n in range(30):
        rider.add(n, n, n / 10, whole.rows[n])
    stopped_at = float(whole.rows[30][[Det.X0, Det.X1]].mean())
    for end, inherits in ((70, True), (90, False)):  # gone again, or there to the last
        other = standing(rider, sights, stopped_at, 31, end)
        stands = [
            found
            for found in lives([rider, other], sights, GEOMETRY, causal=False)
            if found.index[0] >= 30
        ]
        assert any(found.strength.min() > 1.2 for found in stands) is inherits


def test_a_rider_who_goes_on_lends_nothing_to_who_stands_at_the_way() -> None:
    rider, sights = passing(np.full(50, 2.0), np.full(50, 2.4))
    middle = float(rider.rows[25][[Det.X0, Det.X1]].mean())
    other = standing(rider, sights, middle, 24, 45)
    for found in lives([rider, other], sights, GEOMETRY, causal=False):
        stands = np.abs(found.rows[:, Det.X0] - (middle - 7)) < 1
        assert not (stands & (found.strength > 1.0) & (found.index > 35)).any()


def test_a_frames_surprise_is_by_how_rare_it_is() -> None:
    scale = FrameScale(2.0, (0.5, 1.0, 1.2, 1.5, 1.8))
    assert scale.of(0.5) == pytest.approx(np.log(0.5) / np.log(0.01))
    assert scale.of(1.5) == pytest.approx(np.log(0.05) / np.log(0.01))
    assert (scale.of(0.0), scale.of(2.0), scale.of(5.0)) == (0.0, 1.0, 2.5)
    grid = [scale.of(v) for v in np.linspace(0, 4, 200)]
    assert np.all(np.diff(grid) > 0)
    assert FrameScale(2.0).of(1.0) == 0.5
    hardly_ever = FrameScale(1.0, (0.0, 0.0, 0.0, 0.0, 0.2))
    assert hardly_ever.of(0.01) > np.log(0.05) / np.log(0.01)


def test_a_stay_counts_while_whoever_stays_is_hidden() -> None:
    base = TimeBase(num=1, den=10)
    stay = Stay(start=1.0, last=11.0, x=50.0, y=84.0, seen=40, small=False)
    box = Box(x0=43, y0=60, x1=57, y1=84)
    told = Observation(
        id="o", video_id="v", interval=Interval(start=60, end=63, time_base=base),
        subject="person", activity="walks", text="", key_frame=60,
        points=tuple(Point(frame=n, pts=n, surprise=0.0, box=box) for n in (60, 61, 62)),
    )  # fmt: skip
    normal = Normal(
        walk=PlaceMap(np.ones((5, 14), np.float32), 24), windows={},
        objects={"dwell": Distribution(0.0, 5.0, 100)}, directions={}, place=None, clips=1,
        seconds=60.0, view=1.0,
    )  # fmt: skip
    nothing = np.zeros(len(Health), np.float32)
    windows = WindowMeasures(*(np.zeros(0) for _ in fields(WindowMeasures)))  # type: ignore[arg-type]
    seen = [
        FramePercept(n, n, nothing, windows, np.zeros((0, len(Blob)), np.float32))
        for n in range(150)
    ]
    found = beyond_motion([Sighting(told, {}, [stay] * 3)], seen, normal, 0.1)["dwell"]
    assert (min(found), max(found)) == (11, 110)
    assert found[80].surprise == pytest.approx(2.0, abs=0.05)  # as it turns out
    assert found[80].box == box


def test_an_instant_is_drawn_towards_the_usual() -> None:
    track, sights = passing(np.full(4, 3.0), np.full(4, 1.6))
    assert not lives([track], sights, GEOMETRY, causal=False)  # too short to count as an object
    young = life(track, sights, causal=True).strength
    assert young[0] < 1.2
    assert np.all(np.diff(young) > 0)


def test_an_object_is_followed_to_the_border_behind_others() -> None:
    track, sights = passing(np.full(30, 2.0), np.full(30, 2.4), start=100.0)
    ahead, others = passing(np.full(40, 0.1), np.full(40, 2.4), start=100.0)
    assert len(ahead.frames) == 40
    seen = life(track, sights + others[30:], causal=False)
    assert seen.index[-1] > 32
    assert seen.rows[-1, Det.X0] > seen.rows[29, Det.X0]


def test_smoothing_of_the_past_alone() -> None:
    rng = np.random.default_rng(0)
    values, times = rng.random(60), np.arange(60) / 10
    values[[4, 5, 30]] = np.nan
    whole = smoothed(values, times, causal=True)
    part = smoothed(values[:33], times[:33], causal=True)
    assert np.allclose(whole[:33], part, equal_nan=True)
    assert whole[20] == pytest.approx(values[13:21].mean())


def test_rows_have_their_own_usual_and_one_tail() -> None:
    rng = np.random.default_rng(1)
    histograms = RowHistograms(rows=4, cell=30)
    far, near = rng.normal(0.8, 0.2, 40_000), rng.normal(0.2, 0.4, 40_000)
    histograms.add(far, np.full(len(far), 35.0))
    histograms.add(near, np.full(len(near), 95.0))
    scale, tail = histograms.fitted()
    assert scale.usual[[1, 3]] == pytest.approx([0.78, 0.22], abs=0.04)
    assert scale.spread[[1, 3]] == pytest.approx([0.2, 0.4], rel=0.15)
    standard = scale.standard(np.array([0.8, 0.2]), np.array([35.0, 95.0]))
    assert np.abs(standard).max() < 0.2
    assert tail.limit == pytest.approx(3.1, abs=0.4)
    with pytest.raises(ValueError, match="no measurements"):
        RowHistograms(rows=2, cell=30).fitted()


def test_the_frame_limit_is_a_rate_or_says_that_it_is_extended() -> None:
    rng = np.random.default_rng(2)
    values = rng.exponential(1.0, 5000)
    much = frame_limit(values, seconds=500.0)
    assert much is not None
    assert not much.extrapolated
    assert (values > much.value).mean() == pytest.approx(0.01, abs=0.001)
    few = frame_limit(values[:150], seconds=15.0)
    assert few is not None
    assert few.extrapolated
    assert few.moments == 7
    assert few.value >= np.quantile(values[:150], 0.98)
    assert frame_limit(np.zeros(0), seconds=0.0) is None
