"""Which of a normal and an anomalous rule counts where both hold.

A rule is the other's *exception* where its scope is a part of the other's; or, where a person wrote
both and both have the same scope, where its test admits a part of what the other's does. Beside
exceptions, a person's normal rule excuses whatever it holds for. What a question says for itself
goes before what the book says.
"""

from __future__ import annotations

from tools.decision import Plan
from tools.rulebook.plainwords import QUESTION
from tools.rulebook.predicates import describe
from tools.rulebook.regions import common, empty, lies_within, region_of
from tools.rulebook.scoping import covers, narrower
from tools.types import Predicate, Rule

__all__ = ["cancelled", "is_exception", "outranks"]


def is_exception(one: Rule, its: Predicate, other: Rule, others: Predicate) -> bool:
    """Whether the first rule, by this test, is an exception to the second."""
    if narrower(one.scope, other.scope):
        return True
    if {one.source, other.source} != {"user"}:
        return False
    alike = covers(one.scope, other.scope) and covers(other.scope, one.scope)
    mine, theirs = region_of(its), region_of(others)
    return alike and lies_within(mine, theirs) and not lies_within(theirs, mine)


def outranks(anomalous: Rule, its: Predicate, normal: Rule, others: Predicate) -> bool:
    """Whether an anomalous rule counts although a person's normal rule holds, too.

    What was induced never does: a person's permission is there to correct it.
    """
    asked = [rule.author == QUESTION for rule in (anomalous, normal)]
    if any(asked):
        return asked == [True, False]
    return anomalous.source == "user" and is_exception(anomalous, its, normal, others)


def cancelled(plan: Plan) -> list[str]:
    """What of a question's own words cancels itself, being measured alike: in words, for the
    answer. What is to be ignored goes first, always."""
    notes = []
    for wanted in (*plan.counts, *plan.targets):
        for ignored in plan.ignores:
            mine, theirs = region_of(wanted.predicate), region_of(ignored.predicate)
            both = f"“{wanted.phrase}” and “{ignored.phrase}”, which is to be ignored,"
            if lies_within(mine, theirs):
                notes.append(
                    f"{both} cannot be told apart: whatever is measured as the first "
                    f"({describe(wanted.predicate)}) is ignored as the second, which goes first, "
                    f"so nothing of “{wanted.phrase}” could be reported; ask without ignoring it"
                )
            elif set(mine) & set(theirs) and not empty(common(mine, theirs)):
                notes.append(
                    f"{both} overlap in what is measured: where both hold, it was ignored, which "
                    "goes first"
                )
    return notes
