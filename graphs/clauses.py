"""What deduction found in a caption's clauses, told: the rule each bears out, or how new it is."""

from __future__ import annotations

from collections.abc import Iterator

from tools.decision import Step
from tools.ledger import Ledger
from tools.types import ClauseVerdict, Rule, Verdict

__all__ = ["clause_steps", "new_here"]

CLAUSES_NAMED = 3


def clause_steps(event_id: str, ledger: Ledger) -> Iterator[Step]:
    """The strongest clauses of an event's caption, each with the rule@version, kind of match and
    strength, or with the nearest normal caption; none where the event was measured."""
    verdict = ledger.verdicts[event_id]
    said: tuple[str, ...] = (
        f"verdict:{verdict.id}",
        f"caption:{ledger.looks[event_id].description.caption.id}",
    )
    for clause in verdict.clauses[:CLAUSES_NAMED]:
        rule = ledger.evidence(clause.rule)
        compared, cited = _compared(clause, ledger)
        if not clause.rule:
            text = f"“{clause.clause}” is new here: novelty {clause.novelty:.2f}, {compared}."
            yield Step(kind="what", text=text, evidence=(*said, *cited))
            continue
        broken, cites = "what was asked for", said
        if isinstance(rule, Rule):
            broken, cites = f"rule {rule.id}@{rule.version}", (*said, rule.ref)
        text = (
            f"“{clause.clause}” falls under {broken}: “{clause.phrase}”, {clause.how} match, "
            f"strength {clause.strength:.2f}"
        )
        if clause.novelty > 0:
            text += f"; novelty {clause.novelty:.2f}, {compared}"
            cites = (*cites, *cited)
        yield Step(kind="rule", text=f"{text}.", evidence=cites)


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
    return f"none of the {scene.normal_captions} normal captions says the like", (scene.ref,)
