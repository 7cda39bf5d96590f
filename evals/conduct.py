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
from evals.metrics.trajectory import Waste, matches, recovery, waste
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
    cells = DoublyRight()
    for sample, outcome in pairs:
        if sample.choice is not None:
            cells += choice_cells(sample, outcome)
    for cell in ("rr", "rw", "wr", "ww", "unanswered"):
        made.put(f"choice_{cell}", lambda cell=cell: cells.share(cell))  # type: ignore[misc]
    free = DoublyRight()
    for sample, outcome in pairs:
        if judged is not None and sample.id in judged and sample.labelled:
            decided = outcome.label in (Label.NORMAL, Label.ANOMALOUS)
            right = (outcome.label is Label.ANOMALOUS) == bool(sample.abnormal.any())
            free += doubly_right(right if decided else None, judged[sample.id])
    for cell in ("rr", "rw", "wr", "ww", "unanswered"):
        made.put(f"free_{cell}", lambda cell=cell: _judged(free, cell))  # type: ignore[misc]
    cited = Citations()
    for pair in pairs:
        if pair.sample.labelled:
            cited += citations(pair)
    made.put("citation_precision", lambda: cited.precision)
    explained = any(o.steps for _, o in pairs)
    made.put("citation_recall", lambda: _cited_recall(cited, explained))
    made.metrics["citations_unresolved"] = cited.unresolved
    told = [p for p in pairs if p.sample.references and p.outcome.answer]
    made.put(
        "rouge_l",
        lambda: mean([rouge_l(o.answer, s.references) for s, o in told], "no reference answers"),
    )

    def alike() -> float:
        if embed is None:
            raise MetricUndefined("no sentence embedder is configured")
        return mean(
            [similarity(o.answer, s.references, embed) for s, o in told], "no reference answers"
        )

    made.put("similarity", alike)


def _cited_recall(cited: Citations, explained: bool) -> float:
    if not explained:
        raise MetricUndefined("no answer has an explanation")
    return cited.recall


def _judged(cells: DoublyRight, cell: str) -> float:
    if not cells.total:
        raise MetricUndefined("no judge of free text is configured")
    return cells.share(cell)


def put_trajectory(made: Figures, pairs: Sequence[Pair]) -> None:
    """Tool calls against those expected, waste, recovery."""
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
    made.put("recovery", lambda: recovery([(o.trajectory, o.label is not None) for _, o in pairs]))


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
