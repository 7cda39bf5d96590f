"""Small values of the vocabulary: a video of 60 s at 10 frames a second, and its parts."""

from __future__ import annotations

from collections.abc import Sequence

from tools.decision import Intent, Plan, Target
from tools.ledger import Ledger, Look, Recall, SceneView, Segmentation
from tools.rulebook.predicates import parse
from tools.types import (
    Answer,
    Attribute,
    Box,
    Caption,
    Description,
    Event,
    EventTree,
    Interval,
    Level,
    Observation,
    Point,
    Question,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    TimeBase,
    VideoInfo,
)

__all__ = [
    "TENTHS",
    "WALKING",
    "answer_of",
    "event_of",
    "filled_ledger",
    "find_plan",
    "hit_of",
    "observation_of",
    "rule_of",
    "scene_of",
    "seen_of",
    "span",
    "video_of",
]

TENTHS = TimeBase(num=1, den=10)
WALKING = "× usual walking speed"
BOX = Box(x0=100, y0=80, x1=120, y1=140)


def span(start_s: float, end_s: float) -> Interval:
    return Interval.from_seconds(start_s, end_s, TENTHS)


def video_of(video_id: str = "v1", *, path: str = "clips/gate.mp4", frames: int = 600) -> VideoInfo:
    return VideoInfo(
        id=video_id,
        path=path,
        sha256=video_id * 8,
        kind="file",
        width=360,
        height=240,
        frames=frames,
        time_base=TENTHS,
        duration=frames,
        fps=10.0,
    )


def event_of(
    event_id: str = "e1",
    start_s: float = 10.0,
    end_s: float = 20.0,
    *,
    video_id: str = "v1",
    level: Level = Level.COARSE,
    parent: str | None = None,
) -> Event:
    return Event(
        id=event_id, video_id=video_id, level=level, interval=span(start_s, end_s), parent=parent
    )


def observation_of(
    obs_id: str = "o1",
    *,
    subject: str = "person",
    activity: str = "walks",
    start_s: float = 12.0,
    end_s: float = 15.0,
    surprise: float = 0.0,
    box: Box | None = BOX,
    text: str = "",
    **numbers: float | str,
) -> Observation:
    """Numbers are attributes; speed and glide carry their unit, usual value and limit."""
    attributes = tuple(
        Attribute(
            name=name,
            value=value,
            unit=WALKING if name in {"speed", "glide"} else "s" if name == "dwell" else "",
            usual=1.0 if name == "speed" else None,
            limit=1.6 if name == "speed" else None,
            surprise=surprise if name == "speed" else None,
        )
        for name, value in numbers.items()
    )
    interval = span(start_s, end_s)
    return Observation(
        id=obs_id,
        video_id="v1",
        interval=interval,
        subject=subject,
        activity=activity,
        text=text or f"{subject} {activity}",
        attributes=attributes,
        surprise=surprise,
        key_frame=(interval.start + interval.end) // 2,
        box=box,
        points=tuple(
            Point(frame=n, pts=n, surprise=surprise, box=box)
            for n in range(interval.start, interval.end)
        ),
    )


def seen_of(
    *observations: Observation,
    surprise: float = 0.0,
    start_s: float = 10.0,
    end_s: float = 20.0,
    problems: Sequence[str] = (),
) -> Description:
    """A look whose frames surprise by ``surprise`` throughout."""
    interval = span(start_s, end_s)
    return Description(
        caption=Caption(
            id="c1", video_id="v1", interval=interval, text="People walk.", captioner="test/1"
        ),
        observations=observations,
        series=tuple(
            Point(frame=n, pts=n, surprise=surprise) for n in range(interval.start, interval.end)
        ),
        frames_seen=interval.end - interval.start,
        problems=tuple(problems),
    )


def rule_of(
    rule_id: str = "fast",
    when: str | None = "speed > 1.5",
    *,
    kind: RuleKind = RuleKind.ANOMALOUS,
    source: str = "induced",
    text: str = "Something moves faster than people walk.",
    version: int = 1,
) -> Rule:
    return Rule(
        id=rule_id,
        scene="gate",
        version=version,
        kind=kind,
        category=RuleCategory.MOTION,
        text=text,
        predicate=parse(when) if when else None,
        support=4 if source == "induced" else 0,
        batches=5 if source == "induced" else 0,
        source="user" if source == "user" else "induced",
        author="ada" if source == "user" else "",
    )


def hit_of(rule: Rule) -> RuleHit:
    return RuleHit(rule=rule, score=0.9, reason="asked for by the test")


def find_plan(
    when: str, concept: str = "riding", phrase: str = "riding", intent: Intent = Intent.FIND
) -> Plan:
    target = Target(phrase=phrase, concept=concept, predicate=parse(when))
    return Plan(query=f"Was anyone {phrase}?", intent=intent, targets=(target,), planner="test/1")


def answer_of(attribute: str, value: float | str, *, box: Box | None = BOX) -> Answer:
    question = Question(id=f"q-{attribute}", text="How?", attribute=attribute, box=box)
    return Answer(id=f"a-{attribute}", question=question, text=f"is {value}", value=value)


def scene_of(**changes: object) -> SceneView:
    values: dict[str, object] = {
        "name": "gate",
        "profile_version": "p1",
        "normal_below": 0.8,
        "alarm_at": 1.2,
        "false_alarm_rate": 0.01,
        "extrapolated": True,
        "normal_events": 40,
        "normal_seconds": 61.0,
    }
    return SceneView.model_validate(values | changes)


def filled_ledger(*observations: Observation, rules: Sequence[Rule] = ()) -> Ledger:
    """A ledger with a video, two coarse events, a look at ``e1`` and rules for it."""
    ledger = Ledger("run1")
    events = (event_of("e0", 0.0, 10.0), event_of())
    ledger.note(video_of())
    ledger.note(Segmentation(tree=EventTree(video_id="v1", events=events), detector="test/1"))
    ledger.note(Look(event=events[1], detail="fine", description=seen_of(*observations)))
    ledger.note(Recall(event_id="e1", query="x", k=8, hits=tuple(hit_of(r) for r in rules)))
    return ledger
