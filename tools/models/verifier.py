"""A verifier made of a language model: one token of opinion, and code that outranks it.

1. What code can measure is judged by the embedded verifier. Where a rule's test holds, that stands.
2. The model reads the scene's rules, what was seen and measured, and the answers of the frames, and
   gives one token; the score is the expected value of its probabilities (:mod:`.chances`). Only if
   it accuses is it asked, one token each, which rule and which thing.
3. In doubt the frames are asked independent questions (:meth:`ModelVerifier.questions`); still in
   doubt, the model weighs the evidence in words and is asked once more. What is then in doubt is
   *uncertain*, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from prompts import load
from tools.decision import Intent, Plan
from tools.errors import BackendError
from tools.models.asking import ask_grade, ask_json, json_request, read_json
from tools.models.chances import Graded
from tools.models.chat import ChatModel, ChatRequest, Message, user
from tools.models.wording import MOST_THINGS, answers_text, event_text, in_order, rules_text, things
from tools.ports import Verifier
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.testimony import MAX_RAW, raw_of
from tools.types import (
    Answer,
    Claim,
    Description,
    Event,
    Match,
    Observation,
    Question,
    Rule,
    RuleHit,
    RuleKind,
    Verdict,
    content_id,
)
from tools.verification import embedded_verifier

__all__ = ["ModelVerifier"]

QUESTIONS_TOKENS = 200
WEIGH_TOKENS = 500
MOST_QUESTIONS = 4
LEADING = re.compile(
    r"\b(?:anomal|unusual|suspicio|abnormal|strange|forbidden|allowed|rules?\b|normal|ordinary"
    r"|violat|illegal|crim)",
    re.IGNORECASE,
)
"""Words that tell why a question is asked."""


T = TypeVar("T")


@dataclass(frozen=True)
class _Opinion:
    """What the model said of an event, and whom it accuses of breaking which rule."""

    graded: Graded
    weighed: bool
    rule: Rule | None = None
    thing: Observation | None = None

    @property
    def accuses(self) -> bool:
        return not self.graded.doubt and self.graded.value >= 0.5


class ModelVerifier(Verifier):
    """See the module docstring.

    Args:
        model: a language model; it needs no eyes.
    """

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self._measured = embedded_verifier()

    @property
    def at_once(self) -> int:
        return self.model.at_once

    @property
    def name(self) -> str:
        versions = "-".join(load(n).version[:4] for n in ("verify", "find", "weigh", "questions"))
        return f"{self.model.name}/judge-{versions}"

    # ---------------------------------------------------------------- questions

    def questions(
        self, plan: Plan, event: Event, seen: Description, rules: Sequence[RuleHit]
    ) -> tuple[Question, ...]:
        """What was measured is asked again as numbers; the rest in words.

        Made from the rules (or what is looked for) and the claims; whoever answers sees neither.
        Raises BackendError, BudgetSpent.
        """
        measured = self._measured.questions(plan, event, seen, rules)
        statements = [t.phrase for t in plan.targets] or [r.text for r in in_order(rules)]
        prompt = load("questions")
        text = prompt.render(
            statements="\n".join(f"- {s}" for s in statements) or "(none)",
            claims="\n".join(f"- {c}" for c in _claims(seen)),
        )
        told = ask_json(
            self.model, (user(text),), prompt.output, max_tokens=QUESTIONS_TOKENS,
            purpose="questions",
        )  # fmt: skip
        texts = [" ".join(q.split()) for q in told.value["questions"]]
        neutral = [q for q in texts if not LEADING.search(q)] or _plain_questions(seen)
        worded = [Question(id=content_id(event.id, "asked", q), text=q) for q in neutral]
        return (*measured, *worded)[:MOST_QUESTIONS]

    # ---------------------------------------------------------------- judging

    def judge(
        self,
        plan: Plan,
        event: Event,
        seen: Description,
        rules: Sequence[RuleHit],
        answers: Sequence[Answer] = (),
    ) -> Verdict:
        """See the module docstring. Raises BackendError, BudgetSpent."""
        measured = self._measured.judge(plan, event, seen, rules, answers)
        if seen.problems:
            return measured
        if plan.intent in {Intent.FIND, Intent.CHECK}:
            return self._judge_target(plan, event, seen, answers, measured)
        return self._judge_event(event, seen, in_order(rules), answers, measured)

    def _judge_target(
        self,
        plan: Plan,
        event: Event,
        seen: Description,
        answers: Sequence[Answer],
        measured: Verdict,
    ) -> Verdict:
        if seen.series and not measured.uncertain:
            return measured  # the question's own test was made by code
        wanted = "\n".join(f"- {t.phrase}" for t in plan.targets)
        text = load("find").render(
            wanted=wanted, event=event_text(seen, ()), answers=answers_text(answers)
        )
        opinion = self._opinion(text, (), things(seen), answers)
        target = plan.targets[0] if plan.targets else None
        matches: tuple[Match, ...] = ()
        if opinion.accuses and opinion.thing is not None and target is not None:
            ref = f"query:{target.concept.replace(' ', '-')}"
            matches = (self._match(ref, opinion.thing, opinion.graded.value, None),)
        return self._verdict(
            event, seen, answers, opinion, matches, score=opinion.graded.value, measured=measured
        )

    def _judge_event(
        self,
        event: Event,
        seen: Description,
        rules: Sequence[Rule],
        answers: Sequence[Answer],
        measured: Verdict,
    ) -> Verdict:
        text = load("verify").render(
            rules=rules_text(rules), event=event_text(seen, rules), answers=answers_text(answers)
        )
        opinion = self._opinion(text, rules, things(seen), answers)
        against = _against(opinion, measured, seen)
        raw = min(raw_of(opinion.graded.value), MAX_RAW)
        # What code measured outranks words; what it reads in a captioner's words is no measurement.
        if (measured.matches and seen.series) or against:
            return self._outranked(measured, opinion, against, answers)
        matches: tuple[Match, ...] = ()
        if opinion.accuses and opinion.rule is not None and opinion.thing is not None:
            matches = (self._match(opinion.rule.ref, opinion.thing, opinion.graded.value, raw),)
        lively = measured.raw if seen.series and measured.raw is not None else 0.0
        return self._verdict(
            event, seen, answers, opinion, matches,
            raw=max(raw, lively), covered=raw if matches else 0.0, measured=measured,
        )  # fmt: skip

    def _opinion(
        self,
        text: str,
        rules: Sequence[Rule],
        seen: Sequence[Observation],
        answers: Sequence[Answer],
    ) -> _Opinion:
        """Short first; in words only where a doubt is left once the frames were asked."""
        messages: tuple[Message, ...] = (user(text),)
        graded = ask_grade(self.model, messages, purpose="judge")
        weighed = False
        if graded.doubt and answers:
            try:
                messages = self._weighed(text)
                graded = ask_grade(self.model, messages, purpose="judge:weighed")
                weighed = True
            except BackendError as error:  # the short opinion stands, with its doubt
                if error.passing:
                    raise
        opinion = _Opinion(graded, weighed)
        if not opinion.accuses:
            return opinion
        said = (*messages, Message("assistant", (str(round(9 * graded.value)),)))
        rule = self._which("rule", said, rules) if rules else None
        return replace(opinion, rule=rule, thing=self._which("thing", said, seen))

    def _weighed(self, text: str) -> tuple[Message, ...]:
        """The conversation after the model has weighed the evidence in words."""
        prompt = load("weigh")
        question = user(f"{text}\n{prompt.render()}")
        request = json_request(
            self.model, (question,), prompt.output, max_tokens=WEIGH_TOKENS, purpose="weigh"
        )
        reply = self.model.chat(request)
        read_json(reply, prompt.output)
        said = Message("assistant", (reply.text,))
        return (*request.messages, said, user(load("conclude").text))

    def _which(self, what: str, said: tuple[Message, ...], items: Sequence[T]) -> T | None:
        """The item the model means, by its number; None where it means none of them."""
        if not items:
            return None
        numbers = tuple(str(n) for n in range(len(items) + 1))
        text = load("which").render(what=what, count=str(len(items)))
        request = ChatRequest(
            (*said, user(text)),
            len(numbers[-1]),
            choices=numbers if self.model.capabilities.choice else None,
            purpose=f"which {what}",
        )
        told = self.model.chat(request).text.strip().rstrip(".")
        if told not in numbers:
            raise BackendError(
                f"asked for a number of 0 to {numbers[-1]}, the model answered {told[:40]!r}",
                fault="off_scale",
            )
        return items[int(told) - 1] if told != "0" else None

    # ---------------------------------------------------------------- verdicts

    def _match(self, ref: str, thing: Observation, value: float, raw: float | None) -> Match:
        return Match(
            rule=ref,
            kind=RuleKind.ANOMALOUS,
            observation=thing.id,
            strength=value,
            how="semantic",
            raw=raw,
        )

    def _outranked(
        self, measured: Verdict, opinion: _Opinion, against: str, answers: Sequence[Answer]
    ) -> Verdict:
        """The measured verdict, with what the words say beside it and any contradiction."""
        claims = [*measured.claims, self._said(opinion, measured.claims[-1].evidence)]
        if against:
            evidence = tuple(f"answer:{a.id}" for a in answers) + measured.claims[0].evidence
            claims.append(Claim(text=against, evidence=evidence, checked_by="predicate"))
        return measured.model_copy(
            update={
                "id": content_id(measured.id, self.name, [c.text for c in claims]),
                "claims": tuple(claims),
                "verifier": self.name,
                "doubt": against if not answers else "",
            }
        )

    def _verdict(
        self,
        event: Event,
        seen: Description,
        answers: Sequence[Answer],
        opinion: _Opinion,
        matches: tuple[Match, ...],
        *,
        measured: Verdict,
        score: float | None = None,
        raw: float | None = None,
        covered: float | None = None,
    ) -> Verdict:
        doubt = reason = opinion.graded.doubt
        if doubt:
            score = raw = covered = None
        elif opinion.accuses and not matches and score is None:
            reason = "the model finds it out of the ordinary, but names no rule that it breaks"
        claims = [
            Claim(
                text=f"{opinion.thing.text}: {opinion.rule.text}",
                evidence=(f"obs:{opinion.thing.id}", opinion.rule.ref),
                checked_by=f"words: {self.name}",
            )
            for _ in matches
            if opinion.rule is not None and opinion.thing is not None
        ]
        claims += [
            Claim(
                text=f"asked “{a.question.text}”, the frames say: {a.text}",
                evidence=(f"answer:{a.id}",),
                checked_by="the captioner, without knowing why",
            )
            for a in answers
        ]
        claims += [c for c in measured.claims if c.evidence == (f"caption:{seen.caption.id}",)]
        claims.append(self._said(opinion, (f"caption:{seen.caption.id}",)))
        identity = content_id(
            self.name,
            event.id,
            seen.caption.id,
            score,
            raw,
            doubt,
            matches,
            [a.id for a in answers],
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
            doubt=doubt if not answers else "",
        )

    def _said(self, opinion: _Opinion, evidence: tuple[str, ...]) -> Claim:
        graded = opinion.graded
        how = "a written number" if graded.written else f"{self.name}: token probabilities"
        after = ", after weighing it in words" if opinion.weighed else ""
        return Claim(
            text=f"the verifier's opinion is {9 * graded.value:.1f} of 9, "
            f"entropy {graded.entropy:.2f}{after}",
            evidence=evidence,
            checked_by=how,
        )


def _claims(seen: Description) -> list[str]:
    return [seen.caption.text, *(o.text for o in seen.observations[:MOST_THINGS])]


def _plain_questions(seen: Description) -> list[str]:
    """Questions made of what was seen alone, where the model's own gave away why they are asked."""
    named = dict.fromkeys(o.subject for o in seen.observations if o.subject != "scene")
    return [f"What does the {subject} do, and how does it move?" for subject in named][:3] or [
        "Who or what is in the picture, and what happens?"
    ]


def _against(opinion: _Opinion, measured: Verdict, seen: Description) -> str:
    """How words and measurements contradict each other; empty where they do not.

    They do where a test holds and the words see nothing, and where the words accuse by a rule that
    code tested on everything seen and found not to hold.
    """
    if opinion.graded.doubt:
        return ""
    tested = [m for m in measured.matches if m.how == "predicate"]
    if tested and opinion.graded.value < 0.3:
        return "the words see no rule broken, but the test of one holds; the measurement outranks"
    if not measured.matches and opinion.accuses and opinion.rule is not None and seen.series:
        told = [evaluate(t, o).holds for t in tests_of(opinion.rule) for o in seen.observations]
        if opinion.rule.kind is RuleKind.ANOMALOUS and told and set(told) == {False}:
            return (
                f"the words say that it breaks “{opinion.rule.text}”, but its test holds for "
                "nothing that was measured; the measurement outranks"
            )
    return ""
