"""A language model that proposes rules from captions; the votes are counted elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from prompts import load
from tools.models.asking import ask_json
from tools.models.chat import ChatModel, user
from tools.ports import Draft, Drafter
from tools.types import RuleCategory, RuleKind

__all__ = ["ModelDrafter"]

DRAFT_TOKENS = 1600
GROUP_TOKENS = 2400


class ModelDrafter(Drafter):
    """Structured output, checked against the prompts' schemas and repaired once."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        return self.model.name

    def draft(self, captions: Sequence[str]) -> tuple[Draft, ...]:
        """See :class:`tools.ports.Drafter`."""
        prompt = load("induce")
        asked = prompt.render(captions="\n".join(f"- {' '.join(c.split())}" for c in captions))
        told = ask_json(
            self.model, (user(asked),), prompt.output, max_tokens=DRAFT_TOKENS, purpose="draft"
        )
        return tuple(
            Draft(RuleKind(r["kind"]), RuleCategory(r["category"]), str(r["text"]))
            for r in told.value["rules"]
        )

    def group(self, drafts: Sequence[Draft]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """See :class:`tools.ports.Drafter`."""
        prompt = load("aggregate")
        lines = (f"{n}. ({d.kind}) {' '.join(d.text.split())}" for n, d in enumerate(drafts, 1))
        asked = prompt.render(rules="\n".join(lines))
        told = ask_json(
            self.model, (user(asked),), prompt.output, max_tokens=GROUP_TOKENS, purpose="group"
        )
        return tuple(
            (str(g["text"]), tuple(int(m) - 1 for m in g["members"])) for g in told.value["groups"]
        )
