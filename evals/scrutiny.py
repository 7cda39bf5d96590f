"""What is scored beside the runs themselves: runs with a failure put in, and a judge's opinions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evals.judgements import Judgements
from evals.metrics.explanations import agreement
from evals.metrics.trajectory import recovery
from evals.model import Outcome, Pair
from evals.tally import Figures
from tools.decision import Label

__all__ = ["put_judge", "put_recovery", "verdicts"]


def put_recovery(
    made: Figures, tests: Sequence[Pair], struck: Mapping[str, Sequence[Pair]]
) -> dict[str, dict[str, Any]]:
    """Put ``recovery`` and its kin; return what happened, tool by tool.

    Args:
        tests: the same items as they ran undisturbed.
        struck: tool → the runs whose first call of it was made to fail.

    An item recovered if its label is that of its undisturbed run.
    """
    calm = {sample.id: outcome for sample, outcome in tests}
    hit = [p for found in struck.values() for p in found if _hit(p.outcome)]
    compared = [(o.trajectory, _same(o, calm[s.id])) for s, o in hit if s.id in calm]
    made.metrics["recovery_items"] = len(hit)
    made.put("recovery", lambda: recovery(compared))
    made.put(
        "recovery_answered",
        lambda: recovery([(o.trajectory, o.label is not None) for _, o in hit]),
    )
    return {tool: _row(found, calm) for tool, found in struck.items()}


def _hit(outcome: Outcome) -> bool:
    return any(call.injected for call in outcome.trajectory)


def _same(outcome: Outcome, calm: Outcome) -> bool:
    return outcome.label is not None and outcome.label is calm.label


def _row(pairs: Sequence[Pair], calm: Mapping[str, Outcome]) -> dict[str, Any]:
    hit = [p for p in pairs if _hit(p.outcome)]
    ends = Counter(_name(o) for _, o in hit)
    stops = Counter(o.stop_reason or "no decision" for _, o in hit)
    changed = [(s, o) for s, o in hit if s.id in calm and not _same(o, calm[s.id])]
    return {
        "items": len(pairs),
        "struck": len(hit),
        "labels": {name: ends[name] for name in (*map(str, Label), "failed")},
        "stop_reasons": dict(sorted(stops.items())),
        "changed": [
            {
                "name": s.id,
                "before": _name(calm[s.id]),
                "after": _name(o),
                "reason": o.failure or o.uncertain,
            }
            for s, o in changed
        ],
    }


def _name(outcome: Outcome) -> str:
    return "failed" if outcome.label is None else str(outcome.label)


def verdicts(judged: Judgements | None, tests: Sequence[Pair]) -> dict[str, bool | None] | None:
    """Sample → whether its reason is right, None where that is not known; None without a judge."""
    if judged is None:
        return None
    return {s.id: judged.of(s, o) for s, o in tests if judged.covers(s, o)}


def put_judge(made: Figures, judged: Judgements | None) -> dict[str, Any]:
    """Put how far the judge agrees with given labels; return who judged, and what."""
    if judged is None:
        for key in ("judge_agreement", "judge_kappa", "judge_labels", "judge_unreadable"):
            made.metrics[key], made.undefined[key] = None, "no judge of free text is configured"
        return {}
    labelled = judged.labelled
    said, known = [verdict for verdict, _ in labelled], [label for _, label in labelled]
    made.metrics["judge_labels"] = len(labelled)
    made.metrics["judge_unreadable"] = sum(row.verdict is None for row in judged.rows)
    made.put("judge_agreement", lambda: agreement(said, known)[0])
    made.put("judge_kappa", lambda: agreement(said, known)[1])
    return {
        "model": judged.model,
        "rubric": judged.rubric,
        "judged": len(judged.rows),
        "labelled": len(labelled),
        "unreadable": made.metrics["judge_unreadable"],
    }
