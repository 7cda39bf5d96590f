"""Verdicts on captions alone, for captioners that give words and measure nothing.

The rules at hand are matched to the caption clause by clause (:mod:`tools.deduction`). For a
question about something named, its own words are the rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from tools.decision import Intent, Plan
from tools.deduction import Deduced, Deducer, Found
from tools.types import (
    Claim,
    Description,
    Event,
    Match,
    Rule,
    RuleCategory,
    RuleHit,
    RuleKind,
    Verdict,
    content_id,
)

__all__ = ["judge_words", "target_ref"]


def target_ref(concept: str) -> str:
    """Reference of the rule that a question itself states."""
    return f"query:{concept.replace(' ', '-')}"


def judge_words(
    plan: Plan, event: Event, seen: Description, rules: Sequence[RuleHit], *, verifier: str
) -> Verdict:
    """The verdict on a caption. Uncertain where no rule says what would be unusual.

    A match's ``observation`` is the caption: there is nothing else to point at.
    """
    caption = f"caption:{seen.caption.id}"
    wanted = _wanted(plan, rules)
    if not any(rule.kind is RuleKind.ANOMALOUS for rule in wanted):
        score, reason = None, "no rule at hand says what would be unusual, and nothing was measured"
        deduced = Deduced()
    else:
        deduced = Deducer(wanted).deduce(seen.caption.text)
        score, reason = deduced.score, ""
    asked = plan.intent in {Intent.FIND, Intent.CHECK}
    claims = [_claim(found, caption, asked=asked) for found in deduced.found]
    claims.append(
        Claim(text=seen.caption.text, evidence=(caption,), checked_by=seen.caption.captioner)
    )
    strongest: dict[str, Match] = {}
    for found in deduced.found:
        if found.rule is not None:
            match = Match(
                rule=_ref(found.rule, asked=asked),
                kind=found.rule.kind,
                observation=seen.caption.id,
                strength=found.strength,
                how="lexical" if found.how in ("novel", "unlike") else found.how,
            )
            strongest.setdefault(match.rule, match)
    matches = tuple(strongest.values())
    return Verdict(
        id=content_id(event.id, seen.caption.id, score, reason, matches),
        event_id=event.id,
        score=score,
        reason=reason,
        claims=tuple(claims),
        matches=matches,
        verifier=verifier,
    )


def _wanted(plan: Plan, rules: Sequence[RuleHit]) -> tuple[Rule, ...]:
    if plan.intent not in {Intent.FIND, Intent.CHECK}:
        return tuple(hit.rule for hit in rules)
    return tuple(
        Rule(
            id=target.concept,
            scene="query",
            version=1,
            kind=RuleKind.ANOMALOUS,
            category=RuleCategory.ENVIRONMENT,
            text=f"{target.phrase}; {target.concept}",
            source="user",
        )
        for target in plan.targets
    )


def _ref(rule: Rule, *, asked: bool) -> str:
    return target_ref(rule.id) if asked else rule.ref


def _claim(found: Found, caption: str, *, asked: bool) -> Claim:
    rule = found.rule
    if rule is None:
        return Claim(text=f"{found.clause}: new here", evidence=(caption,), checked_by="novelty")
    return Claim(
        text=f"{found.clause}: {rule.id if asked else rule.text}",
        evidence=(caption,) if asked else (caption, rule.ref),
        checked_by=f"{found.how}: “{found.phrase}”, {found.strength:.2f}",
    )
