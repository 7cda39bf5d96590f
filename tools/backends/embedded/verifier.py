"""The embedded verifier: rules are the authority, measurements are the witnesses.

An event is suspect when its frames surprise for half a second or longer. The suspicion counts only
where an active rule covers it (after HyCoVAD: rules validate suspects); otherwise the verdict says
so and stays open. For a question about something named, the question's own predicate is the rule.
A look that gave words and measured nothing is judged by its words (``wording.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tools.backends.embedded.wording import WordJudge, target_ref
from tools.decision import Intent, Plan
from tools.deduction import words_only
from tools.ports import Reading, Told, Verifier
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import PredicateResult, describe, evaluate
from tools.rulebook.priors import AUTHOR
from tools.rulebook.scoping import tried
from tools.scoring import sustained
from tools.testimony import MAX_RAW, excused_by, past_normal, raw_of, without
from tools.types import (
    Answer,
    Box,
    Claim,
    Description,
    Event,
    Match,
    Observation,
    Point,
    Predicate,
    Question,
    RuleHit,
    RuleKind,
    Verdict,
    content_id,
)

__all__ = ["EmbeddedVerifier", "target_ref"]

LEAST_SEEN_S = 0.8
"""An induced rule is not tested on what was seen for less: its numbers are too uncertain."""

QUESTIONS: Mapping[str, str] = {
    "speed": "How fast does what is in this box move, against the usual walking speed?",
    "glide": "How much of the motion in this box is rigid, against the usual walking speed?",
    "size": "How tall is what is in this box, against a person there?",
    "dwell": "For how long does what is in this box stay?",
    "direction": "In which direction does what is in this box move?",
}


@dataclass(frozen=True)
class _Applied:
    """A statement that holds of an observation: a rule, or the question's own definition."""

    match: Match
    observation: Observation
    predicate: Predicate | None
    text: str
    induced: bool


class EmbeddedVerifier(Verifier, Reading):
    """Predicates, lexical concepts and the calibrated surprise of the frames."""

    name = "embedded-rules/1"

    def __init__(self) -> None:
        self._words = WordJudge(self.name)

    def questions(
        self, plan: Plan, event: Event, seen: Description, rules: Sequence[RuleHit]
    ) -> tuple[Question, ...]:
        """For each culprit, its decisive numeric attributes, asked without naming the suspicion."""
        asked: dict[str, Question] = {}
        for found in self._apply(plan, seen, rules)[:2]:
            for condition in found.predicate.all if found.predicate else ():
                text = QUESTIONS.get(condition.attribute)
                if text is None or isinstance(condition.value, tuple):
                    continue
                box = found.observation.box
                identity = content_id(event.id, condition.attribute, box)
                asked[identity] = Question(
                    id=identity, text=text, attribute=condition.attribute, box=box
                )
        return tuple(asked.values())

    def judge(
        self,
        plan: Plan,
        event: Event,
        seen: Description,
        rules: Sequence[RuleHit],
        answers: Sequence[Answer] = (),
    ) -> Verdict:
        """See the module docstring. Deterministic."""
        if seen.problems:
            return self._verdict(event, seen, answers, score=None, reason="; ".join(seen.problems))
        if words_only(seen):
            said = tuple(
                hit.rule
                for hit in rules
                if not hit.rule.scope.zone and hit.rule.author != AUTHOR  # priors are all measures
            )
            return self.judge_told(plan, event, seen, Told("", said, ()))
        applied = self._apply(plan, seen, rules)
        upheld, contradicted = _uphold(applied, answers)
        if contradicted and not upheld:
            return self._verdict(
                event, seen, answers, score=None, reason=contradicted[0], applied=applied
            )
        if plan.intent in {Intent.FIND, Intent.CHECK}:
            return self._judge_target(plan, event, seen, answers, upheld)
        return self._judge_event(event, seen, rules, answers, upheld)

    def judge_told(self, plan: Plan, event: Event, seen: Description, told: Told) -> Verdict:
        """The caption's clauses against rules and normal captions. Deterministic."""
        return self._words.judge(plan, event, seen, told)

    # -- the two kinds of judgement ----------------------------------------------

    def _judge_target(
        self,
        plan: Plan,
        event: Event,
        seen: Description,
        answers: Sequence[Answer],
        applied: Sequence[_Applied],
    ) -> Verdict:
        if applied:
            score = max(a.match.strength for a in applied)
            return self._verdict(event, seen, answers, score=score, applied=applied)
        outcomes = [
            [evaluate(target.predicate, observation) for observation in _things(seen)]
            for target in plan.targets
        ]
        missing = sorted(
            {
                margin.condition.attribute
                for of_target in outcomes
                if of_target and all(o.holds is None for o in of_target)
                for outcome in of_target
                for margin in outcome.margins
                if margin.holds is None
            }
        )
        if missing:
            reason = f"{', '.join(missing)} could not be measured here"
            return self._verdict(event, seen, answers, score=None, reason=reason)
        near = max((o.strength for of_target in outcomes for o in of_target), default=0.0)
        return self._verdict(event, seen, answers, score=min(near, 0.49))

    def _judge_event(
        self,
        event: Event,
        seen: Description,
        rules: Sequence[RuleHit],
        answers: Sequence[Answer],
        applied: Sequence[_Applied],
    ) -> Verdict:
        excused = excused_by(seen, rules)
        points = without(seen, excused)
        base = float(event.interval.time_base.fraction)
        suspicion = _held(points, base)
        told: list[_Applied] = []
        for found in applied:
            if found.induced:
                raw = max(_told(found), _held(_carried(points, [found.observation]), base))
                match = found.match.model_copy(update={"raw": min(raw, MAX_RAW)})
                told.append(replace(found, match=match))
            else:
                told.append(found)
        culprits = [a.observation for a in told if a.induced]
        covered = max(
            _held(_carried(points, culprits), base),
            max((a.match.raw or 0.0 for a in told if a.induced), default=0.0),
        )
        return self._verdict(
            event,
            seen,
            answers,
            score=max((a.match.strength for a in told if not a.induced), default=None),
            raw=min(max(suspicion, covered), MAX_RAW),
            covered=min(covered, MAX_RAW),
            applied=told,
        )

    # -- pieces ------------------------------------------------------------------

    def _apply(
        self, plan: Plan, seen: Description, rules: Sequence[RuleHit]
    ) -> tuple[_Applied, ...]:
        """Statements that hold, strongest first."""
        found: list[_Applied] = []
        for observation in _things(seen, whole_scene=True):
            if any(evaluate(t.predicate, observation).holds for t in plan.ignores):
                continue
            if plan.intent in {Intent.FIND, Intent.CHECK}:
                for target in plan.targets if observation.subject != "scene" else ():
                    ref = target_ref(target.concept)
                    result = evaluate(target.predicate, observation)
                    hit = _match(ref, RuleKind.ANOMALOUS, result, observation, "predicate")
                    if hit is not None:
                        found.append(
                            _Applied(hit, observation, target.predicate, target.concept, False)
                        )
                continue
            brief = observation.interval.seconds < LEAST_SEEN_S
            for given in rules:
                rule = given.rule
                induced = rule.source == "induced"
                if rule.kind is not RuleKind.ANOMALOUS or (brief and induced):
                    continue
                how = "lexical" if rule.predicate is None else "predicate"
                for predicate in tests_of(rule):
                    result = tried(given, predicate, observation)
                    hit = _match(rule.ref, rule.kind, result, observation, how)
                    if hit is not None:
                        found.append(_Applied(hit, observation, predicate, rule.text, induced))
        if plan.intent is Intent.ANOMALY:
            excused = excused_by(seen, rules)
            found = [a for a in found if a.observation.id not in excused]
        return tuple(
            sorted(found, key=lambda a: (-a.match.strength, a.match.rule, a.observation.id))
        )

    def _verdict(
        self,
        event: Event,
        seen: Description,
        answers: Sequence[Answer],
        *,
        score: float | None,
        reason: str = "",
        raw: float | None = None,
        covered: float | None = None,
        applied: Sequence[_Applied] = (),
    ) -> Verdict:
        claims = [
            Claim(
                text=f"{a.observation.text}: {a.text}",
                evidence=(f"obs:{a.observation.id}", a.match.rule)
                if a.match.rule.startswith("rule:")
                else (f"obs:{a.observation.id}",),
                checked_by=f"{a.match.how}: {describe(a.predicate)}"
                if a.predicate
                else a.match.how,
            )
            for a in applied
        ]
        claims.append(
            Claim(
                text=seen.caption.text,
                evidence=(f"caption:{seen.caption.id}",),
                checked_by=seen.caption.captioner,
            )
        )
        matches = tuple(a.match for a in applied)
        identity = content_id(
            event.id, seen.caption.id, score, raw, reason, matches, [a.id for a in answers]
        )
        return Verdict(
            id=identity,
            event_id=event.id,
            score=score,
            reason=reason,
            raw=raw,
            covered=covered,
            claims=tuple(claims),
            matches=matches,
            verifier=self.name,
        )


def _things(seen: Description, *, whole_scene: bool = False) -> tuple[Observation, ...]:
    if whole_scene:
        return seen.observations
    return tuple(o for o in seen.observations if o.subject != "scene")


def _match(
    ref: str, kind: RuleKind, result: PredicateResult, observation: Observation, how: str
) -> Match | None:
    if not result.holds:
        return None
    return Match(
        rule=ref,
        kind=kind,
        observation=observation.id,
        strength=result.strength,
        how="lexical" if how == "lexical" else "predicate",
    )


def _uphold(
    applied: Sequence[_Applied], answers: Sequence[Answer]
) -> tuple[tuple[_Applied, ...], tuple[str, ...]]:
    """Keep what independent answers do not contradict; say what they do."""
    told = {
        (a.question.attribute, a.question.box): a
        for a in answers
        if a.value is not None and a.question.attribute is not None
    }
    kept: list[_Applied] = []
    contradictions: list[str] = []
    for found in applied:
        against = None
        for condition in found.predicate.all if found.predicate else ():
            answer = told.get((condition.attribute, found.observation.box))
            if answer is None or isinstance(condition.value, tuple) or answer.value is None:
                continue
            again = evaluate(
                Predicate(all=(condition,)),
                _measured(found.observation, condition.attribute, answer),
            )
            if again.holds is False:
                against = (
                    f"asked again, the frames say {condition.attribute} {answer.text}, "
                    f"which contradicts: {found.observation.text}"
                )
        if against is None:
            kept.append(found)
        else:
            contradictions.append(against)
    return tuple(kept), tuple(contradictions)


def _measured(observation: Observation, attribute: str, answer: Answer) -> Observation:
    others = tuple(a for a in observation.attributes if a.name != attribute)
    old = observation.attribute(attribute)
    if old is None or answer.value is None:
        return observation
    return observation.model_copy(
        update={"attributes": (*others, old.model_copy(update={"value": answer.value}))}
    )


def _held(points: Sequence[Point], base: float) -> float:
    return sustained(points, [p.pts * base for p in points])


def _carried(points: Sequence[Point], culprits: Sequence[Observation]) -> tuple[Point, ...]:
    """The series where its strongest place is that of a culprit; elsewhere nothing.

    A frame without a place counts where any culprit is seen in it.
    """
    where: dict[int, list[Box | None]] = {}
    for culprit in culprits:
        for point in culprit.points:
            where.setdefault(point.frame, []).append(point.box)
    return tuple(
        p
        if any(_together(p.box, box) for box in where.get(p.frame, ()))
        else p.model_copy(update={"surprise": 0.0})
        for p in points
    )


def _together(a: Box | None, b: Box | None) -> bool:
    if a is None or b is None:
        return True
    return min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)


def _told(found: _Applied) -> float:
    """Raw strength of what an induced rule's test measured; its strength where it has none."""
    told = past_normal(found.predicate, found.observation) if found.predicate else 0.0
    return told or raw_of(found.match.strength)
