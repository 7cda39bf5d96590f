"""How the run went: what it explained, which way it took, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.metrics.curves import MetricUndefined
from evals.metrics.explanations import (
    Citations,
    DoublyRight,
    choice_cells,
    citations,
    doubly_right,
    rouge_l,
    similarity,
)
from evals.metrics.trajectory import Waste, matches, waste
from evals.model import Pair
from evals.tally import Figures, mean, over
from tools.decision import Label

__all__ = ["Embed", "put_cost", "put_explanations", "put_trajectory"]

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def put_explanations(
    made: Figures,
    pairs: Sequence[Pair],
    embed: Embed | None,
    judged: Mapping[str, bool | None] | None,
) -> None:
    """Doubly right, citations, likeness to references."""
    choices = [choice_cells(s, o) if s.choice is not None else DoublyRight() for s, o in pairs]
    free = [_freely(p, judged) for p in pairs]
    for cell in ("rr", "rw", "wr", "ww", "unanswered"):
        for kind, cells, why in (
            ("choice", choices, "no questions"),
            ("free", free, "no judge of free text is configured"),
        ):
            made.share(
                f"{kind}_{cell}", [getattr(c, cell) for c in cells], [c.total for c in cells], why
            )
    cited = [citations(p) if p.sample.labelled else Citations() for p in pairs]
    made.share(
        "citation_precision",
        [c.times_right + c.rules_right for c in cited],
        [c.times + c.rules + c.unresolved for c in cited],
        "nothing is cited",
    )
    if any(o.steps for _, o in pairs):
        made.share(
            "citation_recall",
            [c.true_cited for c in cited],
            [c.true for c in cited],
            "no true stretches",
        )
    else:
        made.share("citation_recall", (), (), "no answer has an explanation")
    made.metrics["citations_unresolved"] = sum(c.unresolved for c in cited)
    told = [bool(s.references and o.answer) for s, o in pairs]

    def best(of: Callable[[str, Sequence[str]], float]) -> list[float]:
        return [
            of(p.outcome.answer, p.sample.references) if known else 0.0
            for p, known in zip(pairs, told, strict=True)
        ]

    made.shares("rouge_l", lambda: (best(rouge_l), told), "no reference answers")

    def alike() -> tuple[Sequence[float], Sequence[float]]:
        if embed is None:
            raise MetricUndefined("no sentence embedder is configured")
        return best(lambda text, references: similarity(text, references, embed)), told

    made.shares("similarity", alike, "no reference answers")


def _freely(pair: Pair, judged: Mapping[str, bool | None] | None) -> DoublyRight:
    sample, outcome = pair
    if judged is None or sample.id not in judged or not sample.labelled:
        return DoublyRight()
    decided = outcome.label in (Label.NORMAL, Label.ANOMALOUS)
    right = (outcome.label is Label.ANOMALOUS) == bool(sample.abnormal.any())
    return doubly_right(right if decided else None, judged[sample.id])


def put_trajectory(made: Figures, pairs: Sequence[Pair]) -> None:
    """Tool calls against those expected, and waste."""
    expected = [
        ([c.tool for c in o.trajectory], s.expected) for s, o in pairs if s.expected is not None
    ]
    for mode in ("strict", "unordered", "subset", "superset"):
        made.put(
            f"tools_{mode}",
            lambda mode=mode: mean(  # type: ignore[misc]
                [matches(have, want, mode) for have, want in expected],
                "no sample states the tools expected",
            ),
        )
    total = Waste(0, 0, 0, 0, 0)
    for _, outcome in pairs:
        total += waste(outcome.trajectory)
    made.metrics |= {
        "tool_calls": total.calls,
        "calls_invalid": total.invalid,
        "calls_failed": total.failed,
        "calls_repeated": total.repeated,
        "calls_redundant": total.redundant,
    }


def put_cost(made: Figures, pairs: Sequence[Pair]) -> None:
    """Calls, tokens, seconds."""
    costs = [o.cost for _, o in pairs]
    for key in ("looks", "questions", "verdicts", "model_calls", "tokens", "cache_hits"):
        made.metrics[key] = sum(int(getattr(c, key)) for c in costs)
    hours = sum(s.frames / s.fps for s, _ in pairs) / 3600
    wall = sum(o.seconds for _, o in pairs)
    made.metrics |= {
        "tool_seconds": round(sum(c.tool_seconds for c in costs), 3),
        "wall_seconds": round(wall, 3),
        "video_hours": round(hours, 6),
    }
    made.put("wall_s_per_video_hour", lambda: over(wall, hours, "no video"))
    spent: Counter[str] = Counter()
    for _, outcome in pairs:
        for call in outcome.trajectory:
            spent[call.tool] += call.seconds  # type: ignore[assignment]
    made.tool_seconds = {tool: round(float(s), 3) for tool, s in sorted(spent.items())}
