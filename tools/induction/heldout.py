"""The held-out test: rules made without an event are tried on it, and what is left calibrates.

Cross-conformal (Vovk, *Annals of Mathematics and Artificial Intelligence* 2015): each normal event
is judged by a profile and by rules that have not seen its clip, so the strengths are those that new
normal footage may show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf, log2, sqrt

from pydantic import Field

from tools.decision import Intent, Plan
from tools.induction.proposals import Proposal
from tools.ports import Verifier
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.scoring import Calibration
from tools.sidebyside import side_by_side, waits
from tools.types import (
    Description,
    Event,
    Frozen,
    Observation,
    Predicate,
    Rule,
    RuleHit,
    RuleKind,
    RuleStatus,
    Verdict,
)
from tools.verification import covered_raw

__all__ = ["LEAST_SEEN_S", "FalseAlarms", "Held", "calibrate", "false_alarms", "tested"]

LEAST_SEEN_S = 0.8
"""What was seen for less is not tested, as in :mod:`tools.backends.embedded.verifier`."""
FIRING_RATE = 0.02
"""Share of held-out normal events on which an anomalous rule may fire."""
MAX_RELAXATION = 2.0
"""A bound that would have to move out further than this says nothing: the rule is retired."""
UNCOVERED = 1.5
"""Most that a held-out suspicion which no active rule covers may count for: asked about, it would
stay open, so one event seen wrongly must not set the alarm threshold of a small scene."""
QUESTION = Plan(query="Did anything out of the ordinary happen?", intent=Intent.ANOMALY)
_TELLS_S = 600.0
"""Seconds of held-out footage from which on false alarms are given by the hour."""


class FalseAlarms(Frozen):
    """How often a rule book fires on normal events that its rules had not seen."""

    fired: int = Field(default=0, ge=0)
    """Held-out normal events on which an anomalous rule holds."""
    events: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0)
    """Length of those events."""

    @property
    def rate(self) -> float | None:
        """Share of normal events; None where none was held out."""
        return self.fired / self.events if self.events else None

    @property
    def at_most(self) -> float | None:
        """Upper end of the share's 95 % interval (Wilson, JASA 1927)."""
        if not self.events:
            return None
        n, p, z = self.events, self.fired / self.events, 1.959964
        spread = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return min(1.0, (p + z * z / (2 * n) + spread) / (1 + z * z / n))

    def text(self, *, in_words: bool = False) -> str:
        """In words for a person.

        Args:
            in_words: what fired are captions, judged by rules and by how new they are.
        """
        if self.rate is None or self.at_most is None:
            return "Expected false alarms: not known for this book."
        hourly = f"{3600 * self.fired / self.seconds:.0f} an hour"
        if self.seconds < _TELLS_S:
            hourly = f"{self.seconds:.0f} s of footage are too few to say how many an hour"
        share = (
            f"({100 * self.rate:.1f} %, at most {100 * self.at_most:.1f} % with 95 % confidence; "
            f"{hourly})"
        )
        if in_words:
            return (
                f"Expected false alarms: {self.fired} of {self.events} captions of held-out normal "
                f"footage {share}."
            )
        return (
            f"Expected false alarms of the rules' tests alone: one holds on {self.fired} of "
            f"{self.events} held-out normal events {share}. Answers weigh by how much it holds, "
            "against the calibrated threshold."
        )


@dataclass(frozen=True)
class Held:
    """A held-out normal event as seen, and the rules made without its footage."""

    event: Event
    description: Description
    proposals: tuple[Proposal, ...]
    fold: int = 0
    """Events of one fold were held out together."""


def tested(
    final: Sequence[Proposal], held: Sequence[Held]
) -> tuple[tuple[Proposal, ...], Mapping[str, float], tuple[str, ...]]:
    """Relax or retire rules that fire on held-out normal events.

    Returns the rules, the factor by which each bound has to move so that rules made without an
    event do not fire on it, and what is to be said of it.
    """
    allowed = int(FIRING_RATE * len(held))
    factors: dict[str, float] = {}
    outcome: dict[str, Proposal | None] = {}  # by what is bounded; None: retired
    notes: list[str] = []
    for proposal in final:
        rule, bound = proposal.rule, proposal.bound
        if rule.kind is not RuleKind.ANOMALOUS:
            continue
        excesses = sorted((_excess(rule.id, h) for h in held), key=lambda e: e.ratio, reverse=True)
        fired = sum(e.ratio > 1.0 for e in excesses)
        if fired <= allowed:
            continue
        rate = f"{fired} of {len(held)} held-out normal events"
        needed = excesses[allowed]
        slot = bound.slot if bound else rule.id
        if bound is None or needed.ratio > MAX_RELAXATION:
            outcome[slot] = None
            notes.append(f"retired, for it fired on {rate}: “{rule.text}”")
            continue
        factors[rule.id] = needed.ratio
        outcome[slot] = moved = proposal.relaxed(needed.ratio, needed.value)
        if moved.limit != proposal.limit:
            notes.append(
                f"bound on {bound.attribute} moved from {proposal.numbers['limit']} to "
                f"{moved.numbers['limit']}, for without their clips the rule fired on {rate}"
            )
    return tuple(_settled(p, outcome) for p in final), factors, tuple(notes)


def _settled(proposal: Proposal, outcome: Mapping[str, Proposal | None]) -> Proposal:
    """A rule after the test; what is said to be normal moves along with its contrary."""
    slot = proposal.bound.slot if proposal.bound else proposal.rule.id
    if slot not in outcome:
        return proposal
    moved = outcome[slot]
    if moved is None:
        return proposal.retired()
    return proposal.moved_to(moved.limit)


@dataclass(frozen=True)
class _Excess:
    """How far a held-out event goes beyond a rule's bound, and with which value."""

    ratio: float = 0.0
    """Above 1 the rule fires."""
    value: float = 0.0


def _excess(rule_id: str, held: Held) -> _Excess:
    proposal = next((p for p in held.proposals if p.rule.id == rule_id), None)
    worst = _Excess()
    if proposal is None:
        return worst
    for observation, test in _tried(proposal.rule, held):
        result = evaluate(test, observation)
        if not result.holds:
            continue
        # A bound's strength is 1 − 2^(−ratio); words have no margin.
        ratio = -log2(1.0 - result.strength) if result.strength < 1 else inf
        value = result.margins[0].value
        if ratio > worst.ratio:
            worst = _Excess(ratio, value if isinstance(value, float) else 0.0)
    return worst


def _tried(rule: Rule, held: Held) -> Iterator[tuple[Observation, Predicate]]:
    for observation in held.description.observations:
        if observation.interval.seconds >= LEAST_SEEN_S:
            for test in tests_of(rule):
                yield observation, test


def false_alarms(final: Sequence[Proposal], held: Sequence[Held]) -> FalseAlarms:
    """On how many held-out events the book fires that neither made nor relaxed its rules.

    Each fold is judged by rules made without it, relaxed and retired by what the other folds show.

    Args:
        final: the rules as they are before the test.
    """
    fired = 0
    for fold in {h.fold for h in held}:
        settled, factors, _ = tested(final, [h for h in held if h.fold != fold])
        active = {
            p.rule.id
            for p in settled
            if p.rule.kind is RuleKind.ANOMALOUS and p.rule.status is RuleStatus.ACTIVE
        }
        fired += sum(_fires(h, active, factors) for h in held if h.fold == fold)
    seconds = sum(h.event.interval.seconds for h in held)
    return FalseAlarms(fired=fired, events=len(held), seconds=round(seconds, 3))


def _fires(held: Held, active: AbstractSet[str], factors: Mapping[str, float]) -> bool:
    rules = [
        p.relaxed(factors.get(p.rule.id, 1.0)).rule for p in held.proposals if p.rule.id in active
    ]
    return any(
        evaluate(test, observation).holds
        for rule in rules
        for observation, test in _tried(rule, held)
    )


def calibrate(
    held: Sequence[Held],
    active: AbstractSet[str],
    factors: Mapping[str, float],
    verifier: Verifier,
) -> Calibration:
    """Raw strengths of the held-out events, judged by the rules made without them."""

    def judged(h: Held) -> Verdict:
        hits = [
            RuleHit(
                rule=p.relaxed(factors.get(p.rule.id, 1.0)).rule,
                score=1.0,
                reason="every rule is tested",
            )
            for p in h.proposals
            if p.rule.id in active
        ]
        return verifier.judge(QUESTION, h.event, h.description, hits)

    scores = [
        round(min(verdict.raw, max(covered_raw(verdict), UNCOVERED)), 6)
        for verdict in side_by_side(judged, held, waits(verifier))
        if verdict.raw is not None
    ]
    seconds = sum(h.event.interval.seconds for h in held)
    return Calibration(scores=tuple(sorted(scores)), seconds=round(seconds, 3))
