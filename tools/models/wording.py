"""What models are given to read: rules, events and answers as text, what never changes first."""

from __future__ import annotations

from collections.abc import Sequence

from prompts import Prompt
from tools.concepts import tests_of
from tools.models.chat import Message, Picture, user
from tools.predicates import evaluate
from tools.types import Answer, Attribute, Description, Observation, Rule, RuleHit, RuleKind

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
    """Numbered from 1, in the order given."""
    lines = []
    for number, rule in enumerate(rules, 1):
        kind = "usual" if rule.kind is RuleKind.NORMAL else "out of the ordinary"
        lines.append(f"{number}. ({kind}) {rule.text}")
    return "\n".join(lines) or "(none)"


def things(seen: Description) -> tuple[Observation, ...]:
    """The observations shown to a model, most surprising first, the scene as a whole last."""
    ordered = sorted(seen.observations, key=lambda o: (o.subject == "scene", -o.surprise))
    return tuple(ordered[:MOST_THINGS])


def event_text(seen: Description, rules: Sequence[Rule]) -> str:
    """What was seen, in words and numbers, and which rules' tests hold."""
    lines = [seen.caption.text]
    shown = things(seen)
    if shown:
        lines.append("Things, by number:")
        lines += [f"{n}. {o.text}{_numbers(o)}" for n, o in enumerate(shown, 1)]
    lines += _tests(seen, rules)
    return "\n".join(lines)


def answers_text(answers: Sequence[Answer]) -> str:
    return "\n".join(f"Q: {a.question.text}\nA: {a.text}" for a in answers) or "(none asked)"


def _numbers(observation: Observation) -> str:
    told = [_number(a) for a in observation.attributes if isinstance(a.value, float)]
    return f" [{', '.join(told)}]" if told else ""


def _number(attribute: Attribute) -> str:
    text = f"{attribute.name} {attribute.value:.3g} {attribute.unit}".rstrip()
    return text if attribute.limit is None else f"{text}, normal limit {attribute.limit:.3g}"


def _tests(seen: Description, rules: Sequence[Rule]) -> list[str]:
    """Outcome of the rules that code can test on what was measured."""
    if not seen.series:
        return []
    holds, fails = [], []
    for number, rule in enumerate(rules, 1):
        if rule.kind is not RuleKind.ANOMALOUS:
            continue
        told = [evaluate(t, o).holds for t in tests_of(rule) for o in seen.observations]
        if True in told:
            holds.append(str(number))
        elif False in told:
            fails.append(str(number))
    lines = []
    if holds:
        lines.append(f"Tested by code, holds: rule {', '.join(holds)}.")
    if fails:
        lines.append(f"Tested by code, does not hold: rule {', '.join(fails)}.")
    return lines
