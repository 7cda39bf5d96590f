"""A planner made of a language model; what it cannot plan, the embedded one does, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prompts import load
from tools.decision import Intent, Plan, Target, Window
from tools.errors import BackendError, BudgetSpent, UserError
from tools.models.asking import ask_json
from tools.models.chat import ChatModel, user
from tools.ports import Planner, PlanningContext
from tools.rulebook.predicates import parse, validate
from tools.types import Condition, Predicate
from tools.verification import embedded_planner

__all__ = ["UNMEASURED", "ModelPlanner"]

PLAN_TOKENS = 500
MOST_RULES = 40
FOLLOW_UPS = frozenset({Intent.WHY, Intent.CONFIDENCE})
UNMEASURED = "words"
"""Attribute of a test that no captioner can make: the verifier is to judge by words."""


class ModelPlanner(Planner):
    """Structured output, checked against what the scene can measure and repaired once."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self._embedded = embedded_planner()

    @property
    def name(self) -> str:
        return f"{self.model.name}/plan-{load('plan').version[:6]}"

    def plan(self, query: str, context: PlanningContext) -> Plan:
        """A valid plan. Where the model gives none, the embedded planner's; ``planner`` says why.

        Raises UserError for a blank question.
        """
        text = " ".join(query.split())
        if not any(c.isalnum() for c in text):
            return self._embedded.plan(query, context)  # says what is wrong with it
        prompt = load("plan")
        asked = prompt.render(
            question=text,
            rules="\n".join(f"- {r}" for r in context.rule_texts[:MOST_RULES]) or "(not known)",
            attributes=_attributes(context),
        )
        try:
            told = ask_json(
                self.model,
                (user(asked),),
                prompt.output,
                max_tokens=PLAN_TOKENS,
                purpose="plan",
                check=lambda value: self._plan(text, value, context),
            )
            made = self._plan(text, told.value, context)
        except (BackendError, BudgetSpent) as error:
            stand_in = self._embedded.plan(query, context)
            why = f"{stand_in.planner}, because {self.model.name} gave no plan: {error.message}"
            return stand_in.model_copy(update={"planner": why})
        made = self._with_definitions(made, query, context)
        if not told.note:
            return made
        return made.model_copy(update={"planner": f"{self.name} ({told.note})"})

    def _with_definitions(self, made: Plan, query: str, context: PlanningContext) -> Plan:
        """What the question says for itself alone, and whether it is put in the negative, is read
        by the embedded grammar."""
        try:
            own = self._embedded.plan(query, context)
        except UserError:  # of a time window, which the model may have understood
            return made
        if own.intent is not made.intent:
            return made
        said: dict[str, object] = {"negated": own.negated}
        if len(made.targets) <= len(own.targets):  # it asks for no more than the grammar does
            said["unmet"] = own.unmet
        if made.intent is Intent.ANOMALY:
            said |= {"counts": own.counts, "ignores": own.ignores}
        return made.model_copy(update=said)

    def _plan(self, query: str, value: Mapping[str, Any], context: PlanningContext) -> Plan:
        """The plan a reply stands for. Raises UserError for one that does not hold together."""
        intent = Intent(value["intent"])
        if intent in FOLLOW_UPS and not context.has_decision:
            raise UserError(f"intent {intent}: there is no earlier answer to ask about")
        if intent in {Intent.FIND, Intent.CHECK} and not value["targets"]:
            raise UserError(f"intent {intent} needs at least one target")
        moment = None
        if intent in FOLLOW_UPS:
            moment = self._embedded.plan(query, context).moment_s
        targets = value["targets"] if intent in {Intent.FIND, Intent.CHECK} else ()
        return Plan(
            query=query,
            intent=intent,
            targets=tuple(_target(t, context) for t in targets),
            window=_window(value.get("window")),
            moment_s=moment,
            planner=self.name,
            note=value.get("note", "").strip() or _excuse(intent),
        )


def _target(told: Mapping[str, str], context: PlanningContext) -> Target:
    """A target whose test names only what is measured; without a test, words have to tell."""
    phrase, concept = told["phrase"].strip(), told["concept"].strip()
    if not phrase or not concept:
        raise UserError("a target needs a phrase and a concept")
    if not told["predicate"].strip():
        unmeasured = Condition(attribute=UNMEASURED, op="==", value=concept)
        return Target(phrase=phrase, concept=concept, predicate=Predicate(all=(unmeasured,)))
    predicate = validate(parse(told["predicate"]), context.attributes)
    return Target(phrase=phrase, concept=concept, predicate=predicate)


def _window(told: Mapping[str, float] | None) -> Window | None:
    if not told:
        return None
    start, end = float(told.get("start_s", 0.0)), told.get("end_s")
    if end is not None and end <= start:
        raise UserError(f"the time window {start:g}–{end:g} s ends before it starts")
    return Window(start_s=start, end_s=end)


def _attributes(context: PlanningContext) -> str:
    measured = [f"- {name}: {unit or 'words'}" for name, unit in context.attributes.items()]
    return "\n".join(measured) or "(nothing is measured: leave every predicate empty)"


def _excuse(intent: Intent) -> str:
    return "This cannot be answered from the footage." if intent is Intent.UNSUPPORTED else ""
