"""The chain of an explanation: when, where, what, which rule, how sure, and what was left out.

Every sentence is made from recorded fields and cites them; :mod:`tools.citations` checks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.camera import camera_steps, told_of_camera
from graphs.clauses import clause_steps
from graphs.witnesses import broken_by
from tools.decision import Decision, EventScore, Intent, Label, Step
from tools.ledger import Ledger, Look, SceneView
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.rulebook.priors import AUTHOR
from tools.rulebook.scoping import tried
from tools.types import (
    Attribute,
    Box,
    Caption,
    Event,
    Observation,
    Rule,
    RuleHit,
    RuleKind,
    Timestamp,
    VideoInfo,
    clock,
    ordered_unique,
)

__all__ = [
    "EPISODES_EXPLAINED",
    "closed",
    "count",
    "episode_steps",
    "explain",
    "lower",
    "place_in_picture",
    "threshold_text",
]

EPISODES_EXPLAINED = 5
MEASURES_NAMED = 3
REASONS_NAMED = 3
RULES_NAMED = 3


def explain(decision: Decision, ledger: Ledger) -> tuple[Step, ...]:
    """The steps for a decision: a chain per thing found, or why nothing was, and the limits."""
    if decision.intent is Intent.CAMERA:
        return (*told_of_camera(decision, ledger), *_limits(decision, ledger))
    steps: list[Step] = []
    found = [e for e in decision.events if e.label is Label.ANOMALOUS]
    for episode in found[:EPISODES_EXPLAINED]:
        steps.extend(episode_steps(episode, decision, ledger))
    if not found:
        steps.extend(_nothing(decision, ledger))
    steps.extend(_open(decision, ledger))
    steps.extend(camera_steps(decision, ledger))
    steps.extend(_limits(decision, ledger))
    if any(step.kind == "judgement" for step in steps):
        steps.extend(_threshold(decision, ledger))
    return tuple(steps)


# ---------------------------------------------------------------- one thing found


def episode_steps(episode: EventScore, decision: Decision, ledger: Ledger) -> list[Step]:
    """The chain for one thing found: when, where, what, which rule, how sure."""
    video = ledger.videos[episode.video_id]
    sightings = [o for i in episode.observations if (o := ledger.observation(i)) is not None]
    best = max(
        sightings,
        key=lambda o: (o.text == episode.summary, o.surprise, len(o.points)),
        default=None,
    )
    refs = tuple(f"obs:{o.id}" for o in sightings)
    frames = _frames(sightings, episode)
    joined = f", joined from {len(refs)} sightings" if len(refs) > 1 else ""
    steps = [
        Step(
            kind="when",
            text=f"{video.name}: from {clock(episode.interval.start_s)} to "
            f"{clock(episode.interval.end_s)}{joined}.",
            evidence=(f"video:{video.id}", *_parts(episode, ledger), *frames, *refs),
        )
    ]
    if best is None:
        look = ledger.looks[episode.event_id]
        caption = look.description.caption
        steps.append(
            Step(kind="what", text=f"Seen: {caption.text}", evidence=(f"caption:{caption.id}",))
        )
    else:
        steps.extend(_culprit(best, video))
    beside = [event.id for event in _inside(episode, ledger)]
    broken = broken_by(episode, best, beside, ledger, at_most=RULES_NAMED)
    named = [rule.ref for _, rules in broken for rule in rules]
    steps.extend(clause_steps(episode.event_id, ledger, rules=named, beside=beside))
    for witness, rules in broken:
        if best is not None and isinstance(witness, Observation) and witness.id != best.id:
            steps.extend(_culprit(witness, video, taken="Taken for the same thing: "))
        steps.extend(_rule(rule, witness) for rule in rules)
    steps.append(_judgement(episode, decision, ledger))
    return steps


def _parts(episode: EventScore, ledger: Ledger) -> tuple[str, ...]:
    """The event that tells an episode, and those at whose ends it begins and ends."""
    edges = {episode.interval.start, episode.interval.end}
    others = (
        f"event:{e.id}"
        for e in _inside(episode, ledger)
        if edges & {e.interval.start, e.interval.end}
    )
    own = f"event:{episode.event_id}"
    return (own,) if episode.observations else ordered_unique((own, *others))


def _inside(episode: EventScore, ledger: Ledger) -> list[Event]:
    """The events of its video that count and lie within an episode, in order."""
    whole = episode.interval
    return [
        e
        for e in ledger.segmentations[episode.video_id].tree.events
        if e.id in ledger.scores and whole.start <= e.interval.start < e.interval.end <= whole.end
    ]


def _frames(sightings: Sequence[Observation], episode: EventScore) -> tuple[str, ...]:
    """First, clearest and last frame in which it was seen."""
    seen = sorted({p.frame for o in sightings for p in o.points})
    chosen = [seen[0], seen[-1]] if seen else []
    if episode.key_frame is not None:
        chosen.append(episode.key_frame)
    return tuple(f"frame:{episode.video_id}:{n}" for n in sorted(set(chosen)))


def _culprit(best: Observation, video: VideoInfo, taken: str = "") -> list[Step]:
    """Where something is and what it does; ``taken`` comes first."""
    steps = []
    key = f"frame:{video.id}:{best.key_frame}"
    if best.box is not None:
        point = next((p for p in best.points if p.frame == best.key_frame), None)
        moment = Timestamp(pts=point.pts, time_base=video.time_base) if point else None
        when = f"At {moment} it" if moment else "It"
        box = best.box
        steps.append(
            Step(
                kind="where",
                text=f"{when} is {place_in_picture(box, video)}, in the box "
                f"x {box.x0} to {box.x1}, y {box.y0} to {box.y1} (pixels).",
                evidence=(key, f"obs:{best.id}"),
            )
        )
    measured = "; ".join(_measure(a) for a in _telling(best.attributes))
    words = closed(taken + best.text) if taken else _sentence(best.text)
    text = words + (f" Measured: {measured}." if measured else "")
    steps.append(Step(kind="what", text=text, evidence=(f"obs:{best.id}", key)))
    return steps


def place_in_picture(box: Box, video: VideoInfo) -> str:
    """Where a box is in the picture, in words: thirds across and down."""
    x, y = box.center
    across = ("left", "centre", "right")[min(2, int(3 * x / video.width))]
    down = ("upper", "middle", "lower")[min(2, int(3 * y / video.height))]
    if across == "centre" and down == "middle":
        return "in the centre of the picture"
    if across == "centre":
        return f"in the {down} centre of the picture"
    return f"at the {down} {across} of the picture"


def _telling(attributes: Iterable[Attribute]) -> list[Attribute]:
    """Numeric attributes past their normal limit, most surprising first."""
    numeric = [
        a
        for a in attributes
        if isinstance(a.value, float | int) and a.surprise is not None and a.surprise >= 1
    ]
    return sorted(numeric, key=lambda a: -(a.surprise or 0.0))[:MEASURES_NAMED]


def _measure(attribute: Attribute) -> str:
    unit = f" {attribute.unit}" if attribute.unit else ""
    name = attribute.name.replace("_", " ")
    text = f"{name} {_number(float(attribute.value))}{unit}"
    if attribute.usual is not None and attribute.limit is not None:
        text += f" (usually {_number(attribute.usual)}, normal limit {_number(attribute.limit)})"
    return text


def _number(value: float) -> str:
    """Two significant decimals for small shares, one decimal otherwise."""
    if 0 < abs(value) < 0.1:
        return f"{value:.4f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def _rule(rule: Rule, witness: Observation | Caption | None = None) -> Step:
    """A rule with where it comes from and, where it is broken, by whom and by how much."""
    if rule.author == AUTHOR:
        origin = "a general prior"
    elif rule.source == "induced":
        origin = f"induced; {rule.support} of {rule.batches} batches of normal clips agree"
    else:
        origin = f"written by {rule.author or 'a person'}"
    return Step(
        kind="rule",
        text=f"Rule {rule.id}@{rule.version} ({origin}): {_sentence(rule.text)}"
        + (_tested(rule, witness) if isinstance(witness, Observation) else ""),
        evidence=(rule.ref, *_ref(witness)),
    )


def _ref(witness: Observation | Caption | None) -> tuple[str, ...]:
    if witness is None:
        return ()
    return (f"{'caption' if isinstance(witness, Caption) else 'obs'}:{witness.id}",)


def _tested(rule: Rule, witness: Observation) -> str:
    """What a rule's test found of whoever breaks it."""
    if rule.scope.polygon:
        return ""  # how long it was in the zone is not what was measured of the whole
    tests = [test for test in tests_of(rule) if evaluate(test, witness).holds]
    found = ordered_unique(c.attribute for test in tests[:1] for c in test.all)
    said = []
    for name in found:
        value = witness.value(name)
        attribute = witness.attribute(name)
        if isinstance(value, float | int):
            unit = f" {attribute.unit}" if attribute is not None and attribute.unit else ""
            said.append(f"{name.replace('_', ' ')} {_number(float(value))}{unit}")
        elif value is not None:
            said.append(f"{name.replace('_', ' ')} “{value}”")
    return f" Here: {', '.join(said)}." if said else ""


def _judgement(episode: EventScore, decision: Decision, ledger: Ledger) -> Step:
    verdict = ledger.verdicts[episode.event_id]
    final = ledger.scores.get(episode.event_id)
    refs = [f"verdict:{verdict.id}"]
    if final is not None:
        refs.append(f"score:{episode.event_id}")
    text = f"Score {episode.score:.2f}, where 0.50 is the alarm threshold."
    if decision.intent is not Intent.ANOMALY:
        text = f"Match strength {episode.score:.2f}; from 0.50 on, what was asked for is found."
    return Step(kind="judgement", text=text, evidence=tuple(refs))


def threshold_text(scene: SceneView) -> str:
    """What the alarm threshold of a scene means, and how well that is known."""
    if not scene.normal_events and scene.in_words:
        return "what is said reaches it only by breaking a rule; nothing was measured."
    if not scene.normal_events:
        return "the scene's normal limit, which no held-out normal footage could check."
    base = (
        f"at most about {100 * scene.false_alarm_rate:g} % of normal events would reach it, "
        f"judged from {scene.normal_events} held-out normal events ({scene.normal_seconds:.0f} s)"
    )
    if scene.own_rules:
        base += f", not counting what {scene.own_rules} rules written by people add"
    return base + ("; extrapolated from so few." if scene.extrapolated else ".")


# ---------------------------------------------------------------- nothing found, open, limits


def _nothing(decision: Decision, ledger: Ledger) -> list[Step]:
    scored = [e for e in decision.events if e.score is not None]
    if not scored:
        return []
    top = max(scored, key=lambda e: e.score or 0.0)
    look = ledger.looks[top.event_id]
    caption = look.description.caption
    video = ledger.videos[top.video_id]
    refs = [f"event:{e.event_id}" for e in decision.events]
    steps = [
        Step(
            kind="when",
            text=f"{count(len(refs), 'event')} looked at; the most striking that could be scored "
            f"is {clock(top.interval.start_s)} to {clock(top.interval.end_s)} in {video.name}.",
            evidence=(*refs, f"video:{video.id}"),
        ),
        Step(kind="what", text=f"Seen there: {caption.text}", evidence=(f"caption:{caption.id}",)),
        *clause_steps(top.event_id, ledger),
        _judgement(top, decision, ledger),
    ]
    verdict = ledger.verdicts[top.event_id]
    normal = [
        hit.rule
        for hit in ledger.recalls[top.event_id].hits
        if hit.rule.kind is RuleKind.NORMAL and _seen_to_hold(hit, look)
    ]
    normal.sort(key=lambda r: r.source != "user")
    if decision.intent is Intent.ANOMALY and normal and not verdict.matches:
        steps.insert(2, _rule(normal[0]))
    return steps


def _seen_to_hold(hit: RuleHit, look: Look) -> bool:
    """Whether what was seen in a look is as a normal rule says.

    A person's rule speaks of what it allows; an induced one of everything it can be tested on.
    """
    holds = [
        tried(hit, test, o).holds
        for test in tests_of(hit.rule)
        for o in look.description.observations
    ]
    return True in holds and (hit.rule.source == "user" or False not in holds)


def _open(decision: Decision, ledger: Ledger) -> list[Step]:
    """Events that stay open: by reason for the first few reasons, then the others."""
    reasons: dict[str, list[EventScore]] = {}
    for event in decision.events:
        if event.label is Label.UNCERTAIN:
            reason = event.reason or "the score lies between the thresholds"
            reasons.setdefault(reason, []).append(event)
    steps = []
    grouped = list(reasons.items())
    for reason, events in grouped[:REASONS_NAMED]:
        steps.append(_left_open(f"Left open, because {lower(reason)}", events, ledger))
        if decision.label is Label.ANOMALOUS:  # else the most striking one was told already
            steps.extend(clause_steps(events[0].event_id, ledger))
    others = [event for _, events in grouped[REASONS_NAMED:] for event in events]
    if others:
        steps.append(_left_open("Left open for other reasons", others, ledger))
    return steps


def _left_open(what: str, events: Sequence[EventScore], ledger: Ledger) -> Step:
    refs = [f"event:{e.event_id}" for e in events]
    refs += [f"verdict:{ledger.verdicts[e.event_id].id}" for e in events]
    refs += ordered_unique(f"video:{e.video_id}" for e in events)
    ordered = sorted(events, key=lambda e: (e.video_id, e.interval.start))
    spans = "; ".join(
        f"{ledger.videos[e.video_id].name} {clock(e.interval.start_s)} to {clock(e.interval.end_s)}"
        for e in ordered
    )
    return Step(kind="limit", text=f"{what}: {spans}.", evidence=tuple(refs))


def _limits(decision: Decision, ledger: Ledger) -> list[Step]:
    open_events = [e for e in decision.not_looked_at if ledger.event(e) is not None]
    if not open_events:
        return []
    refs = tuple(f"event:{e}" for e in open_events)
    why = decision.stop_reason.partition(":")[0]
    text = f"{count(len(open_events), 'event')} not looked at ({why})."
    return [Step(kind="limit", text=text, evidence=refs)]


def _threshold(decision: Decision, ledger: Ledger) -> list[Step]:
    """What the scores that were told are measured by, once for all of them."""
    scene = ledger.scene
    if scene is None or decision.intent is not Intent.ANOMALY:
        return []
    return [
        Step(
            kind="limit",
            text=f"The alarm threshold: {threshold_text(scene)}",
            evidence=(scene.ref,),
        )
    ]


# ---------------------------------------------------------------- wording


def count(number: int, noun: str) -> str:
    verb = "was" if number == 1 else "were"
    return f"{number} {noun}{'' if number == 1 else 's'} {verb}"


def lower(text: str) -> str:
    """The text as it stands inside a sentence: its first word in lower case unless a name."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _sentence(text: str) -> str:
    return closed(text[:1].upper() + text[1:])


def closed(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
