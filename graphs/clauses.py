"""What deduction found in a caption's clauses, told: the rule each bears out, or how new it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tools.decision import Step
from tools.ledger import Ledger
from tools.types import ClauseVerdict, Rule, Verdict

__all__ = ["clause_steps", "new_here"]

CLAUSES_NAMED = 3


def clause_steps(
    event_id: str, ledger: Ledger, *, rules: Iterable[str] = (), beside: Iterable[str] = ()
) -> Iterator[Step]:
    """The strongest clauses of an event's caption, each with the rule@version, kind of match and
    strength, or with the nearest normal caption; none where the event was measured.

    Args:
        rules: that are named besides; each gets the clause that breaks it.
        beside: other events that are told with this one, to find these clauses in.
    """
    told = ledger.verdicts[event_id].clauses[:CLAUSES_NAMED]
    for clause in told:
        yield _step(event_id, clause, ledger)
    for rule in [r for r in rules if r not in {c.rule for c in told}]:
        found = (
            (other, clause)
            for other in (event_id, *beside)
            for clause in ledger.verdicts[other].clauses
            if clause.rule == rule
        )
        for other, clause in islice(found, 1):
            yield _step(other, clause, ledger)


def _step(event_id: str, clause: ClauseVerdict, ledger: Ledger) -> Step:
    said: tuple[str, ...] = (
        f"verdict:{ledger.verdicts[event_id].id}",
        f"caption:{ledger.looks[event_id].description.caption.id}",
    )
    compared, cited = _compared(clause, ledger)
    if not clause.rule:
        text = f"“{clause.clause}” is new here: novelty {clause.novelty:.2f}, {compared}."
        return Step(kind="what", text=text, evidence=(*said, *cited))
    broken, cites = "what was asked for", said
    rule = ledger.evidence(clause.rule)
    if isinstance(rule, Rule):
        broken, cites = f"rule {rule.id}@{rule.version}", (*said, rule.ref)
    words = "" if clause.how == "predicate" else f"“{clause.phrase}”, "  # there it is the clause
    text = (
        f"“{clause.clause}” falls under {broken}: {words}{clause.how} match, "
        f"strength {clause.strength:.2f}"
    )
    if clause.novelty > 0:
        text += f"; novelty {clause.novelty:.2f}, {compared}"
        cites = (*cites, *cited)
    return Step(kind="rule", text=f"{text}.", evidence=cites)


def new_here(verdict: Verdict) -> str:
    """Why an event whose words break no rule stays open; empty where nothing was new."""
    top = next(iter(verdict.clauses), None)
    if top is None or top.rule:
        return ""
    return f"“{top.clause}” is new here, and no rule speaks of it"


def _compared(clause: ClauseVerdict, ledger: Ledger) -> tuple[str, tuple[str, ...]]:
    """What the clause was compared with, and the references of that."""
    if clause.normal:
        return f"the nearest normal caption says “{clause.near}”", (clause.normal,)
    scene = ledger.scene
    if scene is None:
        return "nothing normal is like it", ()
    if scene.normal_captions == 1:
        return "the one normal caption does not say the like", (scene.ref,)
    return f"none of the {scene.normal_captions} normal captions says the like", (scene.ref,)
