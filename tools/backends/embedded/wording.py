"""Verdicts on captions alone, for captioners that give words and measure nothing.

The caption is matched to rules clause by clause and compared with what normal footage was said to
be (:mod:`tools.deduction`), exactly as recorded captions are in ``evals/deduction.py``. Where no
normal captions are kept, the rules at hand decide alone and nothing is called new. For a question
about something named, its own words are the rule.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from tools.decision import Intent, Plan
from tools.deduction import Deduced, Deducer, Found, clauses_of, readable
from tools.ports import Told
from tools.types import (
    Claim,
    ClauseVerdict,
    Description,
    Event,
    Match,
    NormalCaption,
    Rule,
    RuleCategory,
    RuleKind,
    Verdict,
    content_id,
)

__all__ = ["KEPT", "Ready", "WordJudge", "target_ref"]

KEPT = 8
"""Deducers kept ready: making one reads all normal captions of a scene."""

Key = tuple[str, tuple[tuple[str, str], ...], str]


def target_ref(concept: str) -> str:
    """Reference of the rule that a question itself states."""
    return f"query:{concept.replace(' ', '-')}"


class Ready:
    """A deducer over some rules and normal captions, and which caption has which clause."""

    def __init__(self, told: Told) -> None:
        embedder = told.embedder
        self.deducer = Deducer(
            told.rules,
            [c.text for c in told.captions],
            clips=[c.video_id for c in told.captions],
            embed=None if embedder is None else embedder.embed,
        )
        self.places: dict[str, NormalCaption] = {}
        for caption in told.captions:
            for clause, _ in clauses_of(caption.text):
                self.places.setdefault(clause, caption)
        self._lock = threading.Lock()

    def deduce(self, caption: str) -> Deduced:
        with self._lock:
            return self.deducer.deduce(caption)


class WordJudge:
    """Judges captions; what it read last is at hand. Safe to use from several threads."""

    def __init__(self, verifier: str) -> None:
        self._verifier = verifier
        self._ready: OrderedDict[Key, Ready] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, plan: Plan, event: Event, seen: Description, told: Told) -> Verdict:
        """The verdict on a caption. Uncertain where nothing that would be unusual, or that was
        asked for, can be read in words.

        A match's ``observation`` is the caption: there is nothing else to point at.
        """
        asked = plan.intent in {Intent.FIND, Intent.CHECK}
        if asked:  # how usual it is there does not matter
            told = Told(id="", rules=_stated(plan), captions=())
        ready = self.ready(told)
        deduced = ready.deduce(seen.caption.text)
        score: float | None = deduced.score
        reason = ""
        if not any(rule.kind is RuleKind.ANOMALOUS and readable(rule) for rule in told.rules):
            score = None
            reason = (
                "what was asked for cannot be read in captions, and nothing was measured"
                if asked
                else "no rule at hand says what would be unusual, and nothing was measured"
            )
        caption = f"caption:{seen.caption.id}"
        clauses = tuple(_clause(f, ready.places.get(f.near), asked=asked) for f in deduced.found)
        claims = [
            _claim(c, f.rule, caption, asked=asked)
            for c, f in zip(clauses, deduced.found, strict=True)
        ]
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
            id=content_id(event.id, seen.caption.id, score, reason, matches, clauses),
            event_id=event.id,
            score=score,
            reason=reason,
            claims=tuple(claims),
            matches=matches,
            clauses=clauses,
            verifier=self._verifier,
        )

    def ready(self, told: Told) -> Ready:
        """The deducer over these rules and captions; the last few are kept."""
        embedder = told.embedder.name if told.embedder is not None else ""
        key = (told.id, tuple((r.ref, r.text) for r in told.rules), embedder)
        with self._lock:
            ready = self._ready.get(key)
            if ready is None:
                ready = self._ready[key] = Ready(told)
                if len(self._ready) > KEPT:
                    self._ready.popitem(last=False)
            else:
                self._ready.move_to_end(key)
        return ready


def _stated(plan: Plan) -> tuple[Rule, ...]:
    """What a question asks for, as rules."""
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


def _clause(found: Found, nearest: NormalCaption | None, *, asked: bool) -> ClauseVerdict:
    return ClauseVerdict(
        clause=found.clause,
        how=found.how,
        score=found.score,
        strength=found.strength,
        novelty=found.novelty,
        rule=_ref(found.rule, asked=asked) if found.rule is not None else "",
        phrase=found.phrase,
        near=found.near if nearest is not None else "",
        normal=nearest.ref if nearest is not None else "",
        things=found.things,
    )


def _claim(clause: ClauseVerdict, rule: Rule | None, caption: str, *, asked: bool) -> Claim:
    normal = (clause.normal,) if clause.normal else ()
    if rule is None:
        near = f"the nearest normal clause is “{clause.near}”" if clause.near else "nothing is near"
        return Claim(
            text=f"{clause.clause}: new here; {near}",
            evidence=(caption, *normal),
            checked_by=f"{clause.how}: {clause.novelty:.2f}",
        )
    return Claim(
        text=f"{clause.clause}: {rule.id if asked else rule.text}",
        evidence=(caption, *normal) if asked else (caption, rule.ref, *normal),
        checked_by=f"{clause.how}: “{clause.phrase}”, {clause.strength:.2f}",
    )
