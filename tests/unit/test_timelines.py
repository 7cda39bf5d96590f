"""The score over time: one density, what rules add, what is held below, causal and offline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from graphs.episodes import episodes
from graphs.standing import long_views, standing
from graphs.timelines import timeline
from tests.builders import (
    event_of,
    filled_ledger,
    find_plan,
    hit_of,
    observation_of,
    rule_of,
    scene_of,
    seen_of,
    span,
    video_of,
)
from tools.decision import Intent, Label, Plan
from tools.deduction import smoothed
from tools.ledger import Known, Ledger, Look, Recall, Segmentation
from tools.scoring import CAUSAL, METHODS, Method, Smoothing, Thresholds, score_of
from tools.types import (
    ClauseVerdict,
    Description,
    EventTree,
    Level,
    Match,
    NormalCaption,
    Point,
    Rule,
    RuleKind,
    Verdict,
)

LIMITS = Thresholds(normal_below=0.8, alarm_at=1.0, false_alarm_rate=0.01, extrapolated=False)
ANOMALY = Plan(query="Anything unusual?", intent=Intent.ANOMALY)
DWELL = rule_of("dwell", "dwell > 8 s", text="Someone stays for more than 8 s.")


def line_of(
    ledger: Ledger, *, smoothing: Smoothing = "none", width_s: float = 1.0, plan: Plan = ANOMALY
) -> dict[float, float]:
    """Score by second."""
    line = timeline(ledger, "v1", plan, LIMITS, smoothing=smoothing, width_s=width_s)
    assert line is not None
    assert line.smoothing == smoothing
    return dict(zip(line.seconds, line.scores, strict=True))


def coarse(surprise: float | Sequence[float], start_s: float = 10.0) -> Description:
    """A coarse look of ten seconds: every second frame of ten a second."""
    seen = seen_of(start_s=start_s, end_s=start_s + 10.0)
    values = [surprise] * 50 if isinstance(surprise, float) else list(surprise)
    series = tuple(
        Point(frame=p.frame, pts=p.pts, surprise=v)
        for p, v in zip(seen.series[::2], values, strict=True)
    )
    return seen.model_copy(update={"series": series})


def verdict(
    ledger: Ledger, event: str, raw: float, *matches: Match, score: float | None = -1.0
) -> None:
    judged = score_of(raw, LIMITS) if score == -1.0 else score
    ledger.note(
        Verdict(
            id=f"v-{event}", event_id=event, score=judged, raw=raw, matches=matches, verifier="t/1"
        )
    )


def matched(rule: Rule, observation: str, raw: float | None = 2.0, strength: float = 0.75) -> Match:
    return Match(
        rule=rule.ref,
        kind=RuleKind.ANOMALOUS,
        observation=observation,
        strength=strength,
        how="predicate",
        raw=raw,
    )


def zoomed(
    first: Description, fine: Sequence[Description], *, rules: Sequence[Rule] = ()
) -> Ledger:
    """A coarse event of 10 to 20 s and looks at its two halves. Verdicts are the test's."""
    ledger = Ledger("run1")
    parts = [
        event_of(f"f{n}", 10.0 + 5 * n, 15.0 + 5 * n, level=Level.FINE, parent="e1")
        for n in range(2)
    ]
    events = (event_of(), *parts)
    ledger.note(video_of())
    ledger.note(Segmentation(tree=EventTree(video_id="v1", events=events), detector="test/1"))
    for event, seen in zip(events, (first, *fine), strict=False):
        detail = "coarse" if event.level is Level.COARSE else "fine"
        ledger.note(Look(event=event, detail=detail, description=seen))
        hits = tuple(hit_of(r) for r in rules)
        ledger.note(Recall(event_id=event.id, query=event.id, k=8, hits=hits))
    return ledger


def looked(seen: Description, *, rules: Sequence[Rule] = ()) -> Ledger:
    """One coarse event of 10 to 20 s, looked at once."""
    return zoomed(seen, (), rules=rules)


def test_zooming_in_measures_again_and_changes_nothing_on_the_timeline() -> None:
    rng = np.random.default_rng(0)
    first = coarse(list(rng.random(50)))
    alone = zoomed(first, ())
    verdict(alone, "e1", 1.5)
    fine = [seen_of(start_s=10.0 + 5 * n, end_s=15.0 + 5 * n, surprise=3.0 - n) for n in range(2)]
    both = zoomed(first, fine)
    verdict(both, "e1", 1.5)
    for n in range(2):
        verdict(both, f"f{n}", 3.0 - n)
    for how in ("none", "offline", "causal"):
        assert line_of(alone, smoothing=how) == line_of(both, smoothing=how)


def test_an_event_without_parts_keeps_its_first_look_when_it_is_looked_at_again() -> None:
    ledger = Ledger("run1")
    event = event_of()
    ledger.note(video_of())
    ledger.note(Segmentation(tree=EventTree(video_id="v1", events=(event,)), detector="test/1"))
    ledger.note(Look(event=event, detail="coarse", description=coarse(0.5)))
    verdict(ledger, "e1", 0.9)
    ledger.note(Look(event=event, detail="fine", description=seen_of(surprise=3.0)))
    verdict(ledger, "e1", 3.0)
    line = line_of(ledger)
    assert len(line) == 50
    assert set(line.values()) == {round(score_of(0.5, LIMITS), 6)}


def test_smoothing_does_not_stop_at_the_ends_of_events() -> None:
    ledger = Ledger("run1")
    events = (event_of("e0", 0.0, 10.0), event_of())
    ledger.note(video_of())
    ledger.note(Segmentation(tree=EventTree(video_id="v1", events=events), detector="test/1"))
    for event, surprise in zip(events, (0.0, 2.0), strict=True):
        seen = coarse(surprise, event.interval.start_s)
        ledger.note(Look(event=event, detail="coarse", description=seen))
    verdict(ledger, "e0", 0.0)
    verdict(ledger, "e1", 2.0)
    line = line_of(ledger, smoothing="offline")
    assert 0.05 < line[9.4] < 0.5 < line[10.8]
    assert line[5.0] == pytest.approx(0.0, abs=1e-6)


def test_a_rule_adds_what_it_tests_besides_motion_where_it_was_seen() -> None:
    size = rule_of("size", "size > 1.5")
    tall = observation_of("tall", start_s=12.0, end_s=14.0, size=2.25)
    ledger = looked(coarse(0.2).model_copy(update={"observations": (tall,)}), rules=[size])
    verdict(ledger, "e1", 2.0, matched(size, "tall"))
    line = line_of(ledger)
    # 2.25 / 1.5: how far past the rule's bound, whatever else the match was worth.
    assert line[13.0] == pytest.approx(score_of(1.5, LIMITS), abs=1e-6)
    assert line[11.0] == line[17.0] == pytest.approx(score_of(0.2, LIMITS), abs=1e-6)


def test_what_a_rule_told_counts_from_when_it_shows() -> None:
    size = rule_of("size", "size > 1.5")
    grows = observation_of("grows", start_s=12.0, end_s=14.0, size=2.25)
    strength = np.linspace(0.0, 3.0, len(grows.points))
    points = tuple(
        p.model_copy(update={"surprise": float(v)})
        for p, v in zip(grows.points, strength, strict=True)
    )
    grows = grows.model_copy(update={"points": points})
    ledger = looked(coarse(0.2).model_copy(update={"observations": (grows,)}), rules=[size])
    verdict(ledger, "e1", 2.0, matched(size, "grows"))
    line = line_of(ledger)
    assert line[12.0] == pytest.approx(score_of(0.2, LIMITS), abs=1e-6)
    assert line[12.0] < line[12.8] < line[13.4] == pytest.approx(score_of(1.5, LIMITS), abs=1e-6)


def test_a_persons_rule_counts_by_its_own_margin() -> None:
    slow = rule_of("slow", "speed > 0.5", source="user")
    ledger = filled_ledger(observation_of("walker", speed=0.75), rules=[slow])
    verdict(ledger, "e1", 0.1, matched(slow, "walker", raw=None, strength=0.65), score=0.65)
    line = line_of(ledger)
    assert line[13.0] == pytest.approx(0.65, abs=1e-6)
    assert line[17.0] == 0.0


def test_a_persons_normal_rule_takes_its_thing_off_the_timeline() -> None:
    fine = rule_of(
        "bikes", "activity == glides", kind=RuleKind.NORMAL, source="user", text="Riders are fine."
    )
    rider = observation_of("rider", activity="glides", start_s=12.0, end_s=15.0, surprise=4.0)
    ledger = looked(seen_of(rider, surprise=4.0), rules=[fine])
    verdict(ledger, "e1", 4.0, score=None)
    line = line_of(ledger)
    assert line[13.0] == 0.0
    assert line[17.0] == pytest.approx(score_of(4.0, LIMITS), abs=1e-6)


def test_what_was_judged_normal_stays_below_an_alarm_what_is_open_does_not() -> None:
    calm = looked(seen_of(surprise=2.0))
    verdict(calm, "e1", 0.9)
    assert 0.48 < max(line_of(calm).values()) < 0.5
    still_open = looked(seen_of(surprise=2.0))
    verdict(still_open, "e1", 2.0, score=None)
    assert max(line_of(still_open).values()) == pytest.approx(score_of(2.0, LIMITS), abs=1e-6)


def test_causally_nothing_later_counts_neither_frames_nor_verdicts() -> None:
    size = rule_of("size", "size > 1.5")
    tall = observation_of("tall", start_s=11.0, end_s=19.0, size=2.25)
    rng = np.random.default_rng(3)
    values = list(rng.random(50) * 2)
    changed = [*values[:25], *(rng.random(25) * 5)]
    lines = []
    for series, matches in ((values, ()), (changed, (matched(size, "tall"),))):
        first = coarse(series).model_copy(update={"observations": (tall,)})
        ledger = zoomed(first, (), rules=[size])
        verdict(ledger, "e1", 2.0 if matches else 0.3, *matches)
        lines.append(line_of(ledger, smoothing="causal", width_s=0.8))
    before = {t: s for t, s in lines[0].items() if t < 15.0}
    assert before == {t: s for t, s in lines[1].items() if t < 15.0}
    assert lines[0] != lines[1]


def test_causal_smoothing_does_not_concern_what_was_asked_for() -> None:
    ledger = filled_ledger(observation_of("rider", speed=4.0))
    verdict(ledger, "e1", 0.0, matched(rule_of(), "rider", raw=None, strength=0.8), score=0.8)
    line = timeline(ledger, "v1", find_plan("speed > 1.5"), LIMITS, smoothing="causal", width_s=1.0)
    assert line is not None
    assert line.smoothing == "none"
    assert set(line.scores) == {0.0, 0.8}


# ---------------------------------------------------------------- the long view


def stayed() -> Ledger:
    """Someone stays for nine seconds, which the looks at its halves cannot see."""
    long = observation_of("long", start_s=10.5, end_s=19.5, dwell=9.0)
    halves = [
        observation_of("half0", start_s=10.5, end_s=15.0, dwell=4.5),
        observation_of("half1", start_s=15.0, end_s=19.5, dwell=4.5),
    ]
    fine = [
        seen_of(half, start_s=10.0 + 5 * n, end_s=15.0 + 5 * n) for n, half in enumerate(halves)
    ]
    first = coarse(0.1).model_copy(update={"observations": (long,)})
    ledger = zoomed(first, fine, rules=[DWELL])
    verdict(ledger, "e1", 2.0, matched(DWELL, "long"))
    for n in range(2):
        verdict(ledger, f"f{n}", 0.1)
    return ledger


def test_zooming_in_does_not_lose_what_takes_a_long_look_to_see() -> None:
    ledger = stayed()
    kept = long_views(ledger, ANOMALY)
    assert [(i.look.event.id, i.partial, score) for i, score in kept] == [("e1", True, 0.75)]
    items = [*standing(ledger), *(i for i, _ in kept)]
    scores = [*(i.verdict.score for i in standing(ledger)), *(s for _, s in kept)]
    found = episodes(ledger, items, scores, LIMITS)
    assert [(e.label, e.interval.start_s, e.interval.end_s) for e in found[:1]] == [
        (Label.ANOMALOUS, 10.5, 19.5)
    ]
    assert found[1:] == ()  # next to half a second at either end nothing is left to call normal
    line = line_of(ledger)
    assert line[15.0] == pytest.approx(score_of(9 / 8, LIMITS), abs=1e-6)
    assert line[10.0] < 0.1


def test_what_finer_looks_can_see_for_themselves_is_theirs_to_judge() -> None:
    fast = rule_of()
    rider = observation_of("rider", start_s=12.0, end_s=15.0, speed=2.0)
    first = coarse(2.0).model_copy(update={"observations": (rider,)})
    ledger = zoomed(first, [seen_of(end_s=15.0), seen_of(start_s=15.0)], rules=[fast])
    verdict(ledger, "e1", 2.0, matched(fast, "rider"))
    for n in range(2):
        verdict(ledger, f"f{n}", 0.1)
    assert long_views(ledger, ANOMALY) == ()


# ---------------------------------------------------------------- smoothed already


@pytest.mark.parametrize("done", ["causal", "offline"])
def test_what_the_captioner_smoothed_is_not_smoothed_again(done: str) -> None:
    rng = np.random.default_rng(5)
    values = list(0.9 * rng.random(50))
    raw = looked(coarse(values))
    verdict(raw, "e1", 0.9)
    first = coarse(values).model_copy(update={"smoothing": done})
    ledger = looked(first)
    verdict(ledger, "e1", 0.9)
    for asked in ("causal", "offline", "none"):
        line = timeline(ledger, "v1", ANOMALY, LIMITS, smoothing=asked, width_s=0.8)
        assert line is not None
        assert line.smoothing == done  # what it is, whatever was asked for
        assert dict(zip(line.seconds, line.scores, strict=True)) == line_of(raw)


# ---------------------------------------------------------------- captions judged by their words


def said_of(score: float, *things: str) -> ClauseVerdict:
    return ClauseVerdict(clause="c", how="lexical", score=score, strength=score, things=things)


def normal_caption_of(start_s: float, end_s: float) -> NormalCaption:
    return NormalCaption(
        id="n",
        scene="gate",
        version=1,
        video_id="n1",
        clip="n1.mp4",
        interval=span(start_s, end_s),
        frame=0,
        text="People walk.",
    )


def worded(*events: tuple[ClauseVerdict, ...]) -> Ledger:
    """Events of ten seconds, one after the other, each told of in one caption."""
    ledger = Ledger("run1")
    parts = tuple(event_of(f"e{n}", 10.0 * n, 10.0 * n + 10.0) for n in range(len(events)))
    ledger.note(video_of())
    ledger.note(scene_of(in_words=True))
    ledger.note(Segmentation(tree=EventTree(video_id="v1", events=parts), detector="test/1"))
    for event, clauses in zip(parts, events, strict=True):
        seen = seen_of(start_s=event.interval.start_s, end_s=event.interval.end_s)
        seen = seen.model_copy(update={"series": ()})
        ledger.note(Look(event=event, detail="coarse", description=seen))
        score = max((c.score for c in clauses), default=0.0)
        ledger.note(
            Verdict(
                id=f"v-{event.id}", event_id=event.id, score=score, clauses=clauses, verifier="t/1"
            )
        )
    return ledger


def test_a_caption_counts_for_its_event_and_fades_over_half_a_second() -> None:
    line = line_of(worded((), (said_of(0.9),), ()), smoothing="offline")
    assert len(line) == 150
    assert line[15.1] == pytest.approx(0.9, abs=0.01)
    assert line[9.9] == pytest.approx(line[20.1], abs=0.01)
    assert 0.2 < line[9.9] < 0.5
    assert line[5.1] < 0.01


def test_what_is_listed_throughout_is_scenery_on_the_timeline() -> None:
    van = said_of(0.9, "<van>")
    throughout = line_of(worded((van,), (van,), (van,)), smoothing="none")
    assert set(throughout.values()) == {round(0.9 * (1 - 150 / 155), 6)}
    once = line_of(worded((), (van,), ()), smoothing="none")
    assert once[15.1] == pytest.approx(0.9 * (1 - 50 / 155), abs=1e-5)
    known = worded((van,), (van,), (van,))
    footage = normal_caption_of(start_s=0.0, end_s=120.0)
    known.note(Known(id="k", scene="gate", version=1, rules=(), captions=(footage,)))
    seldom = line_of(known, smoothing="none")  # what normal footage of two minutes never had
    assert set(seldom.values()) == {round(0.9 * (1 - 150 / 750), 6)}
    rider = line_of(worded(*[(said_of(0.9),)] * 3), smoothing="none")
    assert set(rider.values()) == {0.9}  # what somebody does is no scenery


def test_causally_a_caption_counts_from_the_end_of_its_event() -> None:
    line = line_of(worded((), (said_of(0.9),), ()), smoothing="causal")
    assert min(line) == 9.9  # nothing is known before the first caption
    assert max(score for t, score in line.items() if t < 19.9) == 0.0
    assert line[25.1] == pytest.approx(0.9, abs=0.01)
    later = line_of(worded((), (said_of(0.9),), (said_of(0.8),)), smoothing="causal")
    assert {t: s for t, s in later.items() if t < 29.9} == {
        t: s for t, s in line.items() if t < 29.9
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["offline", "causal"])
def test_captions_are_smoothed_by_the_method_that_is_set(how: Smoothing, method: Method) -> None:
    causal = how == "causal"
    if causal and not CAUSAL[method]:
        return
    ledger = worded((), (said_of(0.9),), ())
    line = timeline(ledger, "v1", ANOMALY, LIMITS, smoothing=how, method=method, width_s=1.0)
    assert line is not None
    assert line.smoothing == ("none" if method == "none" else how)
    scores = dict(zip(line.seconds, line.scores, strict=True))
    assert (scores == line_of(ledger, smoothing=how)) == (
        method == ("ema" if causal else "two_way")
    )
    at = np.asarray(line.seconds)
    told = (19.85, 29.85) if causal else (10.0, 20.0)  # causal: from its last frame to the next's
    raw = np.where((at > told[0]) & (at < told[1]), 0.9, 0.0)
    inside = raw > 0  # frames of events that were judged normal are held below 0.5
    expected = smoothed(at, raw, method=method, causal=causal)
    assert np.asarray(line.scores)[inside] == pytest.approx(expected[inside], abs=1e-6)


@pytest.mark.parametrize("fps", [0.1, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("smoothing", ["offline", "causal"])
def test_a_video_of_few_frames_has_no_more_points_than_frames(
    fps: float, smoothing: Smoothing
) -> None:
    ledger = worded((said_of(0.9),), (), (said_of(0.8),))
    slow = video_of(frames=round(60 * fps)).model_copy(update={"duration": 600, "fps": fps})
    ledger.note(slow)
    line = timeline(ledger, "v1", ANOMALY, LIMITS, smoothing=smoothing, width_s=1.0)
    assert line is not None
    assert len(set(line.frames)) == len(line.frames) <= 30 * fps
    assert list(line.frames) == sorted(line.frames)


def test_what_was_asked_for_in_words_is_shown_as_it_was_judged() -> None:
    van = said_of(0.9, "<van>")
    ledger = worded((van,), ())
    line = line_of(ledger, smoothing="none", plan=find_plan("speed > 1"))
    assert (line[5.1], line[15.1]) == (0.9, 0.0)
