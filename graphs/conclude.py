"""Nodes that conclude: correlate, decide, explain, check, repair, answer, follow up."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from graphs.answering import alike, answer_text
from graphs.camera import asked_for, camera_faults, camera_label, unjudged
from graphs.context import Context
from graphs.correlating import correlated
from graphs.episodes import episodes
from graphs.explaining import explain
from graphs.followup import confidence_answer, why_answer
from graphs.nodes import targets_of
from graphs.spans import named
from graphs.standing import judged, long_views, standing
from graphs.state import State
from graphs.timelines import timeline
from tools.citations import check_step
from tools.decision import Cost, Decision, EventScore, Intent, Label, Plan
from tools.deduction import parts_of, words_only
from tools.ledger import FinalScore, Ledger
from tools.ports import Reading
from tools.rulebook.precedence import cancelled
from tools.types import clock, ordered_unique

__all__ = [
    "answer",
    "check",
    "correlate",
    "decide",
    "explain_decision",
    "follow_up",
    "left_open",
    "repair",
]

MAX_REPAIRS = 2


def correlate(state: State, runtime: Runtime[Context]) -> State:
    """Let events inform each other; fix the final score of each whose verdict stands."""
    context = runtime.context
    ledger = context.runs.open(state["run"])
    ledger.sync()
    scores = correlated(
        judged(ledger),
        context.tools.embedder.embed,
        context.tools.limits(ledger.scene),
        context.correlation,
        causal=context.smoothing == "causal",
    )
    for item in standing(ledger):
        event_id = item.look.event.id
        ledger.note(
            FinalScore(event_id=event_id, verdict_id=item.verdict.id, score=scores[event_id])
        )
    return {}


def decide(state: State, runtime: Runtime[Context]) -> State:
    """Answer the question from the final scores, or say why it cannot be answered."""
    context = runtime.context
    ledger = context.runs.open(state["run"])
    made = state["plan"]
    stands = [(i, ledger.scores[i.look.event.id].score) for i in standing(ledger)]
    scored = [*stands, *long_views(ledger, made)]
    items, scores = [i for i, _ in scored], [s for _, s in scored]
    limits = context.tools.limits(ledger.scene)
    if made.targets:  # their own test decides; there is nothing to abstain on
        limits = limits.model_copy(update={"normal_below": limits.alarm_at})
    found = episodes(ledger, items, scores, limits)
    top = max((e.score for e in found if e.score is not None), default=None)
    unseen = tuple(e.id for e in targets_of(ledger) if e.id not in ledger.verdicts)
    faults = camera_faults(i.look for i in items)
    seen = [i.look for i in items]
    camera = made.intent is Intent.CAMERA
    if camera:  # whatever else was seen was not asked for
        found = tuple(e.model_copy(update={"label": Label.NORMAL}) for e in found)
    blind = "" if camera else unjudged(faults, seen, ledger)
    label, reason = _label(made, ledger, found, unseen, blind, state["stop_reason"])
    if camera:
        known = camera_label(made, faults, seen)
        if label is Label.NORMAL or known[0] is Label.ANOMALOUS:
            label, reason = known
        found, top = (), None
    timelines = (
        timeline(
            ledger,
            video_id,
            made,
            limits,
            smoothing=context.smoothing,
            width_s=context.smoothing_s,
            method=context.smoothing_method,
        )
        for video_id in state["video_ids"]
        if video_id in ledger.segmentations and not camera
    )
    decision = Decision(
        run_id=state["run"],
        query=made.query,
        intent=made.intent,
        label=label,
        score=None if label is Label.UNCERTAIN else top,
        reason=reason,
        false_alarm_rate=_false_alarm_rate(made, ledger),
        events=found,
        timelines=tuple(t for t in timelines if t is not None),
        not_looked_at=unseen,
        failures=tuple(ledger.failures.values()),
        health=faults,
        faulty=tuple(f.id for f in asked_for(made, faults)) if camera else (),
        stop_reason=state["stop_reason"],
        cost=_cost(state, ledger),
    )
    return {"decision": decision}


def _false_alarm_rate(made: Plan, ledger: Ledger) -> float | None:
    """What the threshold is set to; None where it was not set from normal footage."""
    scene = ledger.scene
    if made.targets or scene is None or not scene.normal_events:
        return None
    return scene.false_alarm_rate


def _label(
    made: Plan,
    ledger: Ledger,
    found: tuple[EventScore, ...],
    unseen: tuple[str, ...],
    blind: str,
    stop_reason: str,
) -> tuple[Label, str]:
    """Label and, for *uncertain*, the reason. Nothing unseen or unread ever counts as normal."""
    if made.intent is Intent.UNSUPPORTED:
        return Label.UNCERTAIN, made.note
    if any(e.label is Label.ANOMALOUS for e in found):
        return Label.ANOMALOUS, ""
    if ledger.failures:
        names = "; ".join(f"{items}: {f.reason}" for items, f in alike(ledger.failures.values()))
        return Label.UNCERTAIN, names
    if not found:
        window = made.window
        if window is not None:
            return Label.UNCERTAIN, (
                f"no video in scope reaches the time asked for, {clock(window.start_s)}"
            )
        return Label.UNCERTAIN, stop_reason or "nothing could be looked at"
    reasons = [blind, left_open(found, ledger)]
    if unseen:
        reasons.append(f"{len(unseen)} events were not looked at ({stop_reason})")
    told = "; ".join(reason for reason in reasons if reason)
    return (Label.UNCERTAIN if told else Label.NORMAL), told


def left_open(found: Sequence[EventScore], ledger: Ledger) -> str:
    """All stretches that stay open although something could be made out, with the first reason."""
    still_open = [
        e
        for e in found
        if e.label is Label.UNCERTAIN and not ledger.looks[e.event_id].description.problems
    ]
    if not still_open:
        return ""
    why = ordered_unique(e.reason or "the score lies between the thresholds" for e in still_open)
    others = ", and for other reasons" if len(why) > 1 else ""
    spans = named(((e.video_id, e.interval) for e in still_open), ledger)
    return f"{spans} remained open: {why[0]}{others}"


def _cost(state: State, ledger: Ledger) -> Cost:
    frames = sum(look.description.frames_seen for look in ledger.looks.values())
    return Cost(
        looks=ledger.count("look"),
        questions=sum(len(a.answers) for a in ledger.asked.values()),
        rule_queries=ledger.count("recall"),
        verdicts=ledger.count("judge"),
        rounds=state["round"],
        frames_decoded=frames + sum(s.samples for s in ledger.segmentations.values()),
        model_calls=ledger.purse.calls,
        tokens=ledger.purse.tokens,
        cache_hits=ledger.reused + ledger.purse.kept,
        seconds=round(ledger.elapsed, 3),
        tool_seconds=round(ledger.tool_seconds, 3),
    )


def explain_decision(state: State, runtime: Runtime[Context]) -> State:
    """Build the chain of explanation from the ledger."""
    ledger = runtime.context.runs.open(state["run"])
    decision = state["decision"]
    return {"decision": decision.model_copy(update={"explanation": explain(decision, ledger)})}


def check(state: State, runtime: Runtime[Context]) -> State:
    """Resolve every citation and every number of the explanation against the ledger."""
    ledger = runtime.context.runs.open(state["run"])
    problems = tuple(
        f"step {n}: {problem}"
        for n, step in enumerate(state["decision"].explanation, 1)
        for problem in check_step(step, ledger)
    )
    return {"problems": problems}


def repair(state: State, runtime: Runtime[Context]) -> State:
    """Explain again; after two repairs drop the steps that still do not hold, and say so."""
    ledger = runtime.context.runs.open(state["run"])
    decision = state["decision"]
    steps = explain(decision, ledger)
    dropped = decision.dropped_steps
    if state["repairs"] + 1 >= MAX_REPAIRS:
        sound = tuple(s for s in steps if not check_step(s, ledger))
        dropped, steps = len(steps) - len(sound), sound
    return {
        "decision": decision.model_copy(update={"explanation": steps, "dropped_steps": dropped}),
        "repairs": state["repairs"] + 1,
    }


def answer(state: State, runtime: Runtime[Context]) -> State:
    """Put the decision into words and close the run."""
    context = runtime.context
    ledger = context.runs.open(state["run"])
    made = state["plan"]
    named = (*made.targets, *made.counts, *made.ignores)
    caveats = [t.caveat for t in named if t.caveat]
    if ledger.scene is not None and ledger.scene.in_words:  # nothing of it was measured
        said = [t for t in named if parts_of(f"{t.phrase}; {t.concept}")]
        caveats = [f"“{t.phrase}” was read in captions by its words" for t in said]
    else:
        caveats += cancelled(made)
    caveats += _not_applied(ledger, made)
    caveats += [made.unmet] if made.unmet else []
    if state.get("scene_free") and made.intent not in {Intent.UNSUPPORTED, Intent.CAMERA}:
        looked = [look.description for look in ledger.looks.values()]
        unread = isinstance(context.tools.verifier, Reading) and any(map(words_only, looked))
        caveats.append(
            "general priors are about measures alone and were not applied to words"
            if unread
            else "judged by general priors, not by what is normal at this place"
        )
    decision = state["decision"]
    text = answer_text(decision, ledger, caveats, made=made)
    context.runs.finish(ledger, decision, text)
    return _closing(text)


def _not_applied(ledger: Ledger, made: Plan) -> list[str]:
    """Rules that could not be applied, because it is not known when, where or by which camera, and
    what could not be compared. Words about something named are not judged by the scene's rules."""
    scene = ledger.scene
    if scene is None:
        return []
    said = []
    undated = [v.name for v in ledger.videos.values() if not v.started]
    if scene.timed_rules and undated:
        shown = ", ".join(undated[:3]) + (" …" if len(undated) > 3 else "")
        said.append(
            f"{_unapplied(scene.timed_rules, 'at some hours or days')} to {shown}, for it is not "
            "known when that was taken (--started)"
        )
    if scene.camera_rules and any(not v.camera for v in ledger.videos.values()):
        said.append(
            f"{_unapplied(scene.camera_rules, 'for some cameras')}, for no camera was named "
            "(--camera)"
        )
    if not scene.in_words or made.targets:
        return said
    if scene.zone_rules:
        said.append(
            f"{_unapplied(scene.zone_rules, 'in a zone')}, for words do not say where in the "
            "picture something is"
        )
    if not scene.captions_version:
        said.append(
            f"scene {scene.name} keeps no captions of normal footage, so nothing was judged as "
            f"new; induce it again: vidocq induce NORMAL... --scene {scene.name}"
        )
    return said


def _unapplied(rules: int, where: str) -> str:
    hold, were = ("holds", "was") if rules == 1 else ("hold", "were")
    return f"{rules} of the rules {hold} {where} only and {were} not applied"


def follow_up(state: State, runtime: Runtime[Context]) -> State:
    """Answer a question about the last decision from its own run's ledger."""
    context = runtime.context
    made, previous = state["plan"], state["previous"]
    if previous is None:
        raise LookupError("a follow-up was planned without an earlier decision")
    ledger = context.runs.read(previous.run_id)
    if made.intent is Intent.WHY:
        text = why_answer(previous, ledger, made.moment_s)
    else:
        text = confidence_answer(previous, ledger)
    if made.unmet:
        text += f"\nNote: {made.unmet}."
    context.runs.finish(context.runs.open(state["run"]), previous, text)
    return _closing(text)


def _closing(text: str) -> State:
    return {
        "answer": text,
        "messages": [AIMessage(text)],
        "query": None,
        "run_id": None,
        "videos": [],
        "scene_free": False,
        "budget": None,
        "started": None,
        "camera": None,
    }
