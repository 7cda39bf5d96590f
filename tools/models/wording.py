"""What models are given to read: rules, events and answers as text, what never changes first."""

from __future__ import annotations

from collections.abc import Sequence

from prompts import Prompt
from tools.models.chat import Message, Picture, user
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.rulebook.scoping import describe_scope
from tools.types import Answer, Description, Observation, Rule, RuleHit, RuleKind

__all__ = [
    "MOST_THINGS",
    "answers_text",
    "event_text",
    "in_order",
    "rules_text",
    "things",
    "with_pictures",
]

MOST_THINGS = 9
"""Things of an event that are shown, so that each has a number of one digit."""
MOST_MEASURED = 3
"""Of measured things the most surprising: what is told of each is long."""
NEAR = 0.7
"""Surprise from which a measurement is worth telling: 1 is the normal limit."""
PLACE = "\f"


def with_pictures(prompt: Prompt, pictures: Sequence[Picture], **values: str) -> Message:
    """A prompt with pictures where it says ``{{frames}}``, what comes before them shared by all."""
    before, _, after = prompt.render(frames=PLACE, **values).partition(PLACE)
    return user(before, *pictures, after)


def in_order(rules: Sequence[RuleHit]) -> tuple[Rule, ...]:
    """Rules in an order of their own, so that the prompts of one scene begin alike."""
    unique = {hit.rule.ref: hit.rule for hit in rules}
    return tuple(
        sorted(unique.values(), key=lambda r: (r.kind is RuleKind.NORMAL, r.id, r.version))
    )


def rules_text(rules: Sequence[Rule]) -> str:
    """Numbered from 1, in the order given, each with where and when it holds."""
    lines = []
    for number, rule in enumerate(rules, 1):
        kind = "usual" if rule.kind is RuleKind.NORMAL else "out of the ordinary"
        limits = f"; {scope}" if (scope := describe_scope(rule.scope)) else ""
        lines.append(f"{number}. ({kind}{limits}) {rule.text}")
    return "\n".join(lines) or "(none)"


def things(seen: Description) -> tuple[Observation, ...]:
    """The observations shown to a model, most surprising first, the scene as a whole last.

    Of what was measured only what comes near its normal limit, or the first: the rest is ordinary.
    """
    ordered = sorted(seen.observations, key=lambda o: (o.subject == "scene", -o.surprise))
    striking = [o for o in ordered if not seen.series or o.surprise >= NEAR] or ordered[:1]
    return tuple(striking[: MOST_MEASURED if seen.series else MOST_THINGS])


def event_text(seen: Description, rules: Sequence[Rule]) -> str:
    """What was seen, in words and numbers, and which rules' tests hold."""
    shown = things(seen)
    lines = [] if seen.series else [seen.caption.text]
    if shown:
        lines.append("Things, by number:")
        lines += [f"{n}. {o.text}{_numbers(o)}" for n, o in enumerate(shown, 1)]
    others = len(seen.observations) - len(shown)
    if others and seen.series:
        lines.append(f"And {others} more, less striking.")
    return "\n".join([*lines, *_tests(seen, rules)]) or seen.caption.text


def answers_text(answers: Sequence[Answer]) -> str:
    """Questions with their answers; why a question could not be answered is left out."""
    told = [f"Q: {a.question.text}\nA: {_answer(a)}" for a in answers]
    return "\n".join(["\nIndependent questions put to the frames:", *told, ""]) if told else ""


def _answer(answer: Answer) -> str:
    return answer.text if answer.value is not None else "cannot be told from the frames"


def _numbers(observation: Observation) -> str:
    """The numbers near or past what is normal."""
    told = [
        f"{a.name} {a.value:.3g}, normal limit {a.limit:.3g}"
        for a in observation.attributes
        if isinstance(a.value, float) and a.limit is not None and (a.surprise or 0.0) >= NEAR
    ]
    return f" [{'; '.join(told)}]" if told else ""


def _tests(seen: Description, rules: Sequence[Rule]) -> list[str]:
    """Outcome of the rules that code can test on what was measured."""
    if not seen.series:
        return []
    holds, tested = [], False
    for number, rule in enumerate(rules, 1):
        if rule.kind is not RuleKind.ANOMALOUS:
            continue
        told = {evaluate(t, o).holds for t in tests_of(rule) for o in seen.observations}
        if True in told:
            holds.append(str(number))
        tested = tested or False in told
    if holds:
        return [f"Tested by code: rule {', '.join(holds)} holds; no other that has a test does."]
    return ["Tested by code: no rule that has a test holds."] if tested else []
