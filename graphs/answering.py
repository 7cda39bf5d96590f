"""The answer in words: headline, chain of the explanation, and what has to be said besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.camera import camera_headline, lost
from graphs.explaining import EPISODES_EXPLAINED, closed, count, lower
from graphs.spans import named
from tools.decision import Decision, EventScore, Failure, Intent, Label, Plan, Target
from tools.ledger import Ledger
from tools.rulebook.predicates import evaluate

__all__ = ["alike", "answer_text", "headline", "notes"]


def answer_text(
    decision: Decision, ledger: Ledger, caveats: Sequence[str] = (), *, made: Plan | None = None
) -> str:
    """The decision as a person reads it: headline, chain, limits.

    Args:
        made: the plan, where the answer is to fit how the question was put.
    """
    lines = [headline(decision, ledger, negated=made is not None and made.negated)]
    if made is not None and (apart := _each_target(made, decision, ledger)):
        lines[0] += f" {apart}"
    lines.extend(f"{n}. {step.text}" for n, step in enumerate(decision.explanation, 1))
    lines.extend(notes(decision, caveats))
    return "\n".join(lines)


def notes(decision: Decision, caveats: Sequence[str] = ()) -> list[str]:
    """What has to be said besides the chain: caveats, spent budget, failures, dropped steps."""
    lines = [f"Note: {c}." for c in dict.fromkeys(caveats)]
    if decision.stop_reason.startswith("budget"):
        lines.append(f"Note: {decision.stop_reason}; looks that were still wanted were not taken.")
    for items, failure in alike(decision.failures):
        remedy = f" Remedy: {closed(failure.remedy)}" if failure.remedy else ""
        lines.append(f"Could not be judged: {items}: {failure.reason}.{remedy}")
    if any(f.again for f in decision.failures):
        lines.append(f"What was judged is kept; go on with: vidocq ask --resume {decision.run_id}")
    if decision.dropped_steps:
        lines.append(
            f"{count(decision.dropped_steps, 'statement')} left out: the evidence did not bear "
            "them out."
        )
    return lines


def alike(failures: Iterable[Failure]) -> list[tuple[str, Failure]]:
    """Failures for the same reason together: what they are of in words, and the first of them."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        groups.setdefault((failure.reason, failure.remedy), []).append(failure)
    return [
        (_item(g[0]) if len(g) == 1 else f"{len(g)} items, the first {_item(g[0])}", g[0])
        for g in groups.values()
    ]


def _item(failure: Failure) -> str:
    return failure.where or failure.item


def headline(decision: Decision, ledger: Ledger, *, negated: bool = False) -> str:
    """The answer in one sentence: when, or why it cannot be told.

    Args:
        negated: it was asked whether nothing of the kind was there.
    """
    yes, no = ("No", "Yes") if negated else ("Yes", "No")
    found = [e for e in decision.events if e.label is Label.ANOMALOUS]
    asked = decision.intent in {Intent.FIND, Intent.CHECK}
    if decision.intent is Intent.CAMERA and decision.label is not Label.UNCERTAIN:
        return camera_headline(decision, ledger, negated=negated)
    if decision.label is Label.ANOMALOUS:
        spans = "; ".join(_stretches(found[:EPISODES_EXPLAINED], ledger))
        left = len(found) - EPISODES_EXPLAINED
        what = "it was found" if negated else "found"
        if not asked:
            what = f"{'something was ' if negated else ''}out of the ordinary"
        more = f" and {left} more" if left > 0 else ""
        blind = lost(decision.health, [ledger.looks[e.event_id] for e in decision.events])
        rest = f" Not judged: {named(blind, ledger)}." if blind else ""
        return f"{yes}, {what} (score {decision.score:.2f}): {spans}{more}.{rest}"
    if decision.label is Label.NORMAL:
        what = "it was not found" if asked else "nothing out of the ordinary"
        if negated:
            what = "nothing of the kind was found" if asked else "nothing was out of the ordinary"
        return f"{no}, {what} (score {decision.score:.2f})."
    if decision.failures and not decision.events:
        return "I cannot tell."
    names = tuple(video.name for video in ledger.videos.values())
    why = decision.reason.rstrip(".")
    return f"I cannot tell: {why if why.startswith(names) else lower(why)}."


def _each_target(made: Plan, decision: Decision, ledger: Ledger) -> str:
    """Of several things asked for: which was found when, and which was not; empty where one thing
    was, or it cannot be told."""
    if len(made.targets) < 2 or decision.label is Label.UNCERTAIN:
        return ""
    found = [e for e in decision.events if e.label is Label.ANOMALOUS]
    if not found:
        return f"Not found: {', '.join(f'“{t.phrase}”' for t in made.targets)}."
    fits = {t: [e for e in found if _fits(t, e, ledger)] for t in made.targets}
    if any(all(e not in those for those in fits.values()) for e in found):
        return "Which of the things asked for it is was told in words, not measured."
    left_out = (*decision.not_looked_at, *decision.failures)
    faulty = any(f.kind != "cut" for f in decision.health)
    beyond = left_out or faulty or any(e.label is Label.UNCERTAIN for e in decision.events)
    missing = "was not found" + (" where it could be told" if beyond else "")
    told = (
        f"“{t.phrase}” "
        + (f"at {'; '.join(_stretches(those[:EPISODES_EXPLAINED], ledger))}" if those else missing)
        for t, those in fits.items()
    )
    return f"Of what was asked for: {', '.join(told)}."


def _fits(target: Target, event: EventScore, ledger: Ledger) -> bool:
    """Whether any sighting of a thing found is what a target asks for."""
    seen = (ledger.observation(i) for i in event.observations)
    return any(o is not None and evaluate(target.predicate, o).holds for o in seen)


def _stretches(found: Sequence[EventScore], ledger: Ledger) -> list[str]:
    """When things were found, the most striking first: those that overlap as one stretch."""
    groups: list[list[EventScore]] = []
    for event in found:
        beside = [g for g in groups if any(_overlap(event, other) for other in g)]
        for group in beside[1:]:
            beside[0].extend(group)
            groups.remove(group)
        if beside:
            beside[0].append(event)
        else:
            groups.append([event])
    told = []
    for group in groups:
        whole = group[0].interval
        for event in group[1:]:
            whole = whole.hull(event.interval)
        things = f" ({len(group)} things)" if len(group) > 1 else ""
        told.append(f"{ledger.videos[group[0].video_id].name} {whole}{things}")
    return told


def _overlap(a: EventScore, b: EventScore) -> bool:
    return a.video_id == b.video_id and a.interval.intersection(b.interval) is not None
