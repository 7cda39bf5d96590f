"""A language model behind a server proposes rules: what it is shown, what comes of its replies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evals.bench.modelserver import Reply, chat_body
from tests.brain import Brain, text_of
from tools.backends.served.client import ServedModel
from tools.errors import BackendError
from tools.models.drafter import ModelDrafter
from tools.ports import Draft
from tools.types import RuleCategory, RuleKind

RULES = {
    "rules": [
        {"kind": "normal", "category": "activity", "text": "People walk on the path."},
        {"kind": "anomalous", "category": "object", "text": "A car is on the path."},
    ]
}
DRAFTS = (
    Draft(RuleKind.NORMAL, RuleCategory.ACTIVITY, "People walk on the path."),
    Draft(RuleKind.ANOMALOUS, RuleCategory.OBJECT, "A car is on the path."),
)


def says(*replies: object) -> Any:
    left = [r if isinstance(r, str) else json.dumps(r) for r in replies]
    return lambda _: Reply(chat_body(left.pop(0) if len(left) > 1 else left[0]))


def test_rules_come_back_typed(brain: Brain, model: ServedModel) -> None:
    brain.always = says(RULES)
    assert ModelDrafter(model).draft(["A man\nwalks.", "Two women stand."]) == DRAFTS
    asked = text_of(brain.asked[0])
    assert "- A man walks.\n- Two women stand." in asked


def test_a_reply_that_does_not_fit_is_asked_for_again(brain: Brain, model: ServedModel) -> None:
    brain.always = says({"rules": [{"kind": "odd"}]}, RULES)
    assert ModelDrafter(model).draft(["A man walks."]) == DRAFTS
    assert len(brain.asked) == 2


def test_what_cannot_be_read_is_an_error(brain: Brain, model: ServedModel) -> None:
    brain.always = says("I am afraid I cannot do that.")
    with pytest.raises(BackendError, match="declined"):
        ModelDrafter(model).draft(["A man walks."])


def test_groups_name_places_from_nought(brain: Brain, model: ServedModel) -> None:
    brain.always = says({"groups": [{"text": "People walk.", "members": [1]},
                                    {"text": "Cars.", "members": [2]}]})  # fmt: skip
    groups = ModelDrafter(model).group(DRAFTS)
    assert groups == (("People walk.", (0,)), ("Cars.", (1,)))
    assert "1. (normal) People walk on the path.\n2. (anomalous) A car" in text_of(brain.asked[0])
